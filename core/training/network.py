"""A run's network: a thread loads Keras and builds it, while photos go through its frozen part already.

That works where an earlier run, or the warm trainer, has kept the graph of the frozen part; otherwise it is made of the
network that was built, and kept. Importing this module brings no TensorFlow.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING

from core.errors import WeightsError
from core.language import tr
from core.models import weights
from core.models.backbones import Backbone, backbone
from core.models.heads import AVERAGE, EarlierHead, Head
from core.models.openvino_runtime import may_have_graphics_card
from core.models.weights import WeightsFile
from core.settings import Settings
from core.training.feature_cache.cache import FeatureCache
from core.training.feature_cache.extraction import Frozen
from core.training.feature_cache.kept_graphs import KeptGraph, find, keep, key_of
from core.training.process.libraries import load_keras

if TYPE_CHECKING:
    import keras


def feature_cache(settings: Settings) -> FeatureCache:
    """The feature cache of this installation."""
    return FeatureCache(settings.feature_cache_folder, settings.limits.feature_cache_bytes)


def prepare(key: str, settings: Settings, cache: FeatureCache, start: WeightsFile | None = None) -> KeptGraph | None:
    """The graph of a backbone's frozen part, made if it is not there, before a run needs it.

    With a file to start from, its weights take the place of pretrained ones.

    Returns None where its weights are not on this machine.

    Raises:
        WeightsError: The weights cannot be used.
    """
    chosen = backbone(key)
    file = start or weights.look_up(chosen, settings)
    if file is None:
        return None
    found = find(cache, key_of(chosen, file))
    if found is None:
        network = Network(chosen, cache)
        network.build(Head(), 2, file, 0)
        found = network.graph()
    return found


def frozen_features(chosen: Backbone, file: WeightsFile, cache: FeatureCache) -> Frozen:
    """The frozen part of a backbone without a run; Keras is loaded only where its graph is not kept.

    Raises:
        WeightsError: The weights cannot be used.
    """
    kept = None if may_have_graphics_card() else find(cache, key_of(chosen, file))
    if kept is not None:
        return Frozen(chosen, kept.weights, kept.graph)
    network = Network(chosen, cache)
    network.build(Head(), 2, file, 0)
    return network.frozen()


class Network:
    """A classifier that a thread builds."""

    def __init__(self, chosen: Backbone, cache: FeatureCache) -> None:
        """Begin to load Keras; graphs are looked for, and kept, in the feature cache."""
        self._chosen, self._cache = chosen, cache
        self._thread = ThreadPoolExecutor(1, "network")
        self._loading = self._thread.submit(load_keras)
        self._expected = ""

    def build(
        self, head: Head, classes: int, file: WeightsFile | None, seed: int, earlier: EarlierHead | None = None
    ) -> None:
        """Begin to build it, as `core.models.build.build_model` does, with the weights in a file or random ones."""
        self._file = file
        self._building: Future[keras.Model] = self._thread.submit(
            _built, self._chosen, head, classes, file, seed, earlier
        )
        self._thread.shutdown(wait=False)

    def is_loaded(self) -> bool:
        """Whether Keras is there."""
        return self._loading.done()

    def is_built(self) -> bool:
        """Whether `model` returns at once."""
        return self._building.done()

    def model(self) -> "keras.Model":
        """The network, once it is built; from then on what is random in Keras follows from the seed.

        Raises:
            WeightsError: The weights cannot be used, or are others by now than those that the frozen part was found by.
        """
        model = self._building.result()
        from core.models.frozen import weights_hash

        if self._expected and weights_hash(model, self._chosen) != self._expected:
            raise WeightsError(
                tr(
                    "The weights of {network} have been replaced while the run was starting. Start it again.",
                    network=self._chosen.name,
                )
            )
        return model

    def frozen(
        self,
        needed: bool = True,
        pooling: str = AVERAGE,
        prepared: KeptGraph | None = None,
        before_waiting: Callable[[], None] = lambda: None,
    ) -> Frozen:
        """Its frozen part, at once if its graph is there, or else when the network is built; call it before training.

        Args:
            needed: Whether anything is going to be computed by it.
            pooling: What the head makes features with.
            prepared: A graph that may be of this network.
            before_waiting: Is called before the network is waited for.

        Raises:
            WeightsError: The weights cannot be used.
        """
        found = None if may_have_graphics_card() else self._find(prepared)
        if found is not None:
            self._expected = found.weights
            return Frozen(self._chosen, found.weights, found.graph, pooling)
        before_waiting()
        model = self.model()
        from core.models.frozen import on_graphics_card, weights_hash

        on_card = on_graphics_card(model, self._chosen)
        graph = self.graph().graph if needed and on_card is None else None
        return Frozen(self._chosen, weights_hash(model, self._chosen), graph, pooling, on_card)

    def graph(self) -> KeptGraph:
        """The graph of its frozen part: the one that is kept, or else one that is made and kept."""
        found = self._find(None)
        if found is None:
            from core.models.frozen import graph_to_boundaries, weights_hash

            model, chosen = self.model(), self._chosen
            graph = graph_to_boundaries(model, chosen)
            found = keep(self._cache, KeptGraph(chosen.key, self._key, weights_hash(model, chosen), graph))
        return found

    def _find(self, prepared: KeptGraph | None) -> KeptGraph | None:
        if self._file is None:
            return None
        return prepared if prepared is not None and prepared.key == self._key else find(self._cache, self._key)

    @cached_property
    def _key(self) -> str:
        """What its graph is kept under; the weights file is read for that, so once."""
        return key_of(self._chosen, self._file) if self._file else ""


def _built(
    chosen: Backbone, head: Head, classes: int, file: WeightsFile | None, seed: int, earlier: EarlierHead | None
) -> "keras.Model":
    load_keras()
    import keras

    from core.models.build import build_model

    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    return build_model(chosen, head, classes, file, earlier)
