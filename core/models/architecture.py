"""The layers of a network, known to the server without Keras: a child process builds the network and lists them.

`load` runs in the server. Its child, `python -m core.models.architecture KEY`, prints one JSON object and ends. What it
printed is kept in the home, so that it is started once for each network and version of Keras.
"""

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib import metadata
from typing import TYPE_CHECKING, Any

from core.errors import ArchitectureError, RecipeError, words_of
from core.files import write_atomically
from core.json_values import read_json
from core.language import tr
from core.models.backbones import HEAD, Backbone, backbone
from core.models.heads import AVERAGE, HEAD_LAYERS, POOLING_LAYERS, feature_width
from core.processes.children import NO_GPU, module_command, output_of
from core.settings import Settings

if TYPE_CHECKING:
    import keras

CODE = 1
"""Raise it when the same network would be listed differently."""

PATIENCE = 300.0
"""Seconds that the child may take; the largest network takes about 20 on two busy cores."""

BATCH_NORM = "BatchNormalization"

KEEPS_STATISTICS = (BATCH_NORM, "Normalization")
"""Kinds of layers whose numbers are statistics of photos, which stay as they are when a pretrained network learns."""

_GROUP = re.compile(r"(block\d[a-z]|block_\d+|expanded_conv|conv\d_block\d+)_.+")


@dataclass(frozen=True)
class Layer:
    """One layer of a network.

    Attributes:
        name: As Keras has it, and as a recipe's `unfreeze_layer` names it.
        kind: The name of its Keras class, for example "Conv2D".
        block: The block of the backbone that it belongs to.
        shape: What it puts out for one photo, for example `(112, 112, 32)`.
        parameters: Number of its weights.
        inputs: Names of the layers whose outputs it takes.
    """

    name: str
    kind: str
    block: str
    shape: tuple[int, ...]
    parameters: int
    inputs: tuple[str, ...]

    @property
    def learnable(self) -> int:
        """Number of its weights that can learn; of the head's own BatchNorm half, the rest are statistics."""
        if self.kind in KEEPS_STATISTICS:
            return self.parameters // 2 if self.block == HEAD else 0
        return self.parameters

    @property
    def group(self) -> str:
        """The repeated part of the block that it belongs to, for example "block4b"; empty where there is none."""
        found = _GROUP.fullmatch(self.name)
        return found[1] if found else ""


@dataclass(frozen=True)
class Place:
    """Where a layer stands in a drawing.

    Attributes:
        layer: The layer.
        aside: Whether it is beside the main way from photo to features: in a squeeze-and-excitation, or on a shortcut.
        skip: The layer on the main way whose output is added here as it is; empty for none.
    """

    layer: Layer
    aside: bool
    skip: str


@dataclass(frozen=True)
class Architecture:
    """All layers of a backbone, from input to output, each after those whose outputs it takes."""

    layers: tuple[Layer, ...]

    @cached_property
    def by_name(self) -> Mapping[str, Layer]:
        """Each layer by its name."""
        return {layer.name: layer for layer in self.layers}

    def inside(self, block: str) -> tuple[Layer, ...]:
        """The layers of a block."""
        return tuple(layer for layer in self.layers if layer.block == block)

    def learning(self, chosen: Backbone, point: str, first: str = "", *, from_scratch: bool = False) -> frozenset[str]:
        """The names of the layers that learn at an unfreeze point of the backbone.

        Args:
            chosen: The backbone.
            point: One of its unfreeze points.
            first: The layer of the point's block that learning begins at; empty for all of the block.
            from_scratch: Whether nothing is pretrained, so that BatchNorm learns, too.

        Raises:
            RecipeError: The backbone has no such point, or the network no such layer.
        """
        if first and first not in self.by_name:
            raise RecipeError(
                tr(
                    "{network} has no layer {layer}; choose one of the block {block}.",
                    network=chosen.name,
                    layer=repr(first),
                    block=point,
                )
            )
        blocks = chosen.trainable_blocks(point)
        start = self.layers.index(self.by_name[first]) if first else 0
        later = [layer for layer in self.layers[start:] if layer.block in blocks]
        return frozenset(each.name for each in later if each.learnable or (from_scratch and each.kind == BATCH_NORM))

    def learnable_parameters(self, chosen: Backbone, point: str, first: str = "") -> int:
        """How many weights learn there; raises as `learning` does."""
        return sum(self.by_name[name].learnable for name in self.learning(chosen, point, first))

    def places(self) -> tuple[Place, ...]:
        """The layers in the order of a drawing: what is beside the main way stands right before where it joins it."""
        main = self._main_way()
        found: list[Place] = []
        for layer in self.layers:
            if layer.name in main:
                beside = self._beside(layer, main)
                found += [Place(each, True, "") for each in beside]
                found.append(Place(layer, False, "" if beside else self._skipped_to(layer, main)))
        return tuple(found)

    @cached_property
    def _depths(self) -> Mapping[str, int]:
        """Of each layer, how many layers lie before it on the longest way."""
        depths: dict[str, int] = {}
        for layer in self.layers:
            depths[layer.name] = max((depths[name] + 1 for name in layer.inputs), default=0)
        return depths

    def _main_way(self) -> frozenset[str]:
        """The longest way where outputs are added; where they are multiplied the shortest: the rest only scales it."""
        layer = self.layers[-1]
        way = [layer.name]
        while layer.inputs:
            choose = min if layer.kind == "Multiply" else max
            layer = self.by_name[choose(layer.inputs, key=self._depths.__getitem__)]
            way.append(layer.name)
        return frozenset(way)

    def _beside(self, layer: Layer, main: frozenset[str]) -> list[Layer]:
        waiting = [name for name in layer.inputs if name not in main]
        found: set[str] = set()
        while waiting:
            name = waiting.pop()
            found.add(name)
            waiting += [each for each in self.by_name[name].inputs if each not in main and each not in found]
        return [each for each in self.layers if each.name in found]

    def _skipped_to(self, layer: Layer, main: frozenset[str]) -> str:
        earlier = [name for name in layer.inputs if name in main]
        return min(earlier, key=self._depths.__getitem__) if layer.kind == "Add" and len(earlier) > 1 else ""


def head_layers(
    chosen: Backbone, class_count: int, pooling: str = AVERAGE, *, batch_norm: bool = False
) -> tuple[Layer, ...]:
    """The layers of a head, which the table of backbones knows enough for; see `core.models.heads.Head`."""
    width = feature_width(chosen, pooling)
    pool, norm, dropout, dense = HEAD_LAYERS
    rows = [
        (pool, POOLING_LAYERS[pooling], width, 0),
        (norm, BATCH_NORM, width, 4 * width),
        (dropout, "Dropout", width, 0),
        (dense, "Dense", class_count, (width + 1) * class_count),
    ]
    absent = [pool] * (chosen.blocks[-1].side == 1) + [norm] * (not batch_norm)
    return tuple(
        Layer(name, kind, HEAD, (units,), count, ()) for name, kind, units, count in rows if name not in absent
    )


def load(chosen: Backbone, settings: Settings) -> Architecture:
    """The layers of a backbone, from the home or, the first time, from a child process that takes several seconds.

    Raises:
        ArchitectureError: The child did not list them.
    """
    file = settings.architectures_folder / f"{chosen.key}.json"
    stamp = {"keras": metadata.version("keras"), "code": CODE}
    try:
        kept = read_json(file, dict)
        if kept.get("stamp") == stamp:
            return _checked(kept.get("layers"), chosen)
    except (OSError, ValueError, ArchitectureError):
        pass  # not there yet, or damaged: it is made anew
    found = _checked(_asked(chosen, settings), chosen)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, json.dumps({"stamp": stamp, "layers": [asdict(layer) for layer in found.layers]}))
    except OSError as error:
        raise ArchitectureError(
            tr(
                "The layers of {network} cannot be kept in {folder} ({reason}).",
                network=chosen.name,
                folder=str(file.parent),
                reason=words_of(error),
            )
        ) from error
    return found


def _asked(chosen: Backbone, settings: Settings) -> Any:
    """What the child lists."""
    quiet = {"KERAS_HOME": str(settings.keras_home), "TF_CPP_MIN_LOG_LEVEL": "3", **NO_GPU}
    try:
        return json.loads(output_of(module_command(__name__, chosen.key), PATIENCE, {**os.environ, **quiet}))
    except (OSError, ValueError) as error:
        raise ArchitectureError(
            tr(
                "The layers of {network} could not be listed: the process that builds the network ended before it"
                " answered, perhaps for lack of memory. Close other programs and try again; training needs no list.",
                network=chosen.name,
            )
        ) from error


def _checked(rows: Any, chosen: Backbone) -> Architecture:
    """An architecture from JSON; raises `ArchitectureError` where it is not that of the backbone in the table."""
    try:
        layers = tuple(_layer(row) for row in rows)
    except (TypeError, KeyError, ValueError) as error:
        raise ArchitectureError(
            tr(
                "What was listed of {network} is not a list of layers ({reason}).",
                network=chosen.name,
                reason=repr(error),
            )
        ) from error
    _check_order(layers, chosen)
    for block in chosen.blocks:
        inside = [layer for layer in layers if layer.block == block.name]
        counted = sum(layer.parameters for layer in inside), sum(layer.learnable for layer in inside)
        if counted != (block.learnable + block.fixed, block.learnable):
            raise ArchitectureError(
                tr(
                    "{block} of {network} was listed with {count} weights; it has {expected}.",
                    block=block.name,
                    network=chosen.name,
                    count=counted[0],
                    expected=block.learnable + block.fixed,
                )
            )
    return Architecture(layers)


def _layer(row: Mapping[str, Any]) -> Layer:
    shape, inputs = tuple(map(int, row["shape"])), tuple(map(str, row["inputs"]))
    return Layer(str(row["name"]), str(row["kind"]), str(row["block"]), shape, int(row["parameters"]), inputs)


def _check_order(layers: Sequence[Layer], chosen: Backbone) -> None:
    seen: set[str] = set()
    for layer in layers:
        if layer.name in seen or not seen.issuperset(layer.inputs) or layer.block not in chosen.block_names:
            raise ArchitectureError(
                tr(
                    "The layers of {network} were listed out of order, at {layer}.",
                    network=chosen.name,
                    layer=repr(layer.name),
                )
            )
        seen.add(layer.name)
    if not layers:
        raise ArchitectureError(tr("No layers of {network} were listed.", network=chosen.name))


def _listed(chosen: Backbone) -> list[dict[str, Any]]:
    """Build the network with random weights and list its layers. In the child only: this imports Keras."""
    from core.models.build import build_backbone

    model = build_backbone(chosen)
    names = {layer.name for layer in model.layers}
    return [
        {
            "name": layer.name,
            "kind": type(layer).__name__,
            "block": chosen.block_of(layer.name),
            "shape": layer.output.shape[1:],
            "parameters": layer.count_params(),
            "inputs": _sources(layer, names),
        }
        for layer in model.layers
    ]


def _sources(layer: "keras.Operation", names: set[str]) -> list[str]:
    """The layers whose outputs reach a layer, be it through operations that are none."""
    import keras

    found: list[str] = []
    for tensor in keras.tree.flatten(layer.input):
        source = tensor._keras_history.operation
        if source is not layer:
            found += [source.name] if source.name in names else _sources(source, names)
    return list(dict.fromkeys(found))


if __name__ == "__main__":
    # Libraries may print while they load; what the server reads must hold the answer and nothing else.
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    with answer:
        json.dump(_listed(backbone(sys.argv[1])), answer)
