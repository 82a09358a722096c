"""The end of a run: the graph that predicts is written, and the model measured, once, on the test subset.

The frozen part was converted before training, and what it makes of a photo is cached; so only what has learned is
converted now, and answers from there.
"""

import traceback
from collections.abc import Callable, Mapping
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from core.errors import FeatureCacheError
from core.files import replacing
from core.inference.embeddings_job import Answer, compute_if_missing
from core.models.backbones import LAST_MAP
from core.models.openvino_runtime import BATCH, OpenVINOModel, Outputs
from core.models.serving import EMBEDDING, PROBABILITIES, Below, ServingGraph, embedding_of, write_graph
from core.recipe.plan import ORIGINAL, deepest, final_boundary
from core.runs.messages import Message
from core.runs.store import Run
from core.settings import Settings
from core.training.inputs.photos import in_chunks
from core.training.preparation import Ready, report_left_out
from core.training.recorder import Recorder

TRIED = 8
"""Test photos that the written graph is asked about, before answers from cached outputs count in its place."""

AGREEMENT = 1e-3
"""How far its probabilities may be from those."""


def finish(run: Run, given: Ready, recorder: Recorder) -> "CachedAnswers":
    """Write the graph that predicts with the best weights, and measure it, once, on the test subset.

    Returns how that model answers from what is cached.
    """
    recorder.tell(phase="finishing", message=Message("finishing"), progress=None, seconds_left=None)
    run.embeddings_file.unlink(missing_ok=True)  # of the model before these epochs
    _write_graph(run, given)
    cached = CachedAnswers(given)
    answer, subsets = _answer(run, given, cached), given.data.subsets
    for part in ("validation", "test"):
        probabilities, labels = answer(subsets[part])[PROBABILITIES], given.data.labels[subsets[part]]
        with replacing(run.predictions_file(part)) as file:
            np.savez(file, probabilities=probabilities, labels=labels)
    correct = int((probabilities.argmax(1) == labels).sum())
    recorder.tell(test_correct=correct, test_count=len(labels), test_accuracy=correct / len(labels))
    report_left_out(run, given.given.folder, given.given.photos.failures, recorder)
    return cached


def _write_graph(run: Run, given: Ready) -> None:
    from core.models.frozen import tensor_at

    below, point = given.outputs.frozen.graph, deepest(given.plans, given.chosen).phase.unfreeze_point
    if below is None or point == "all":
        write_graph(given.model, run.serving_folder)
        return
    boundary = LAST_MAP if point == "none" else point
    start = tensor_at(given.model, given.chosen, boundary)
    write_graph(given.model, run.serving_folder, Below(below, boundary), start)


def keep_embeddings(run: Run, given: Ready, settings: Settings, cached: "CachedAnswers") -> None:
    """Compute the embeddings of a run that has finished, if the outputs that they follow from are cached."""
    try:
        everything = np.concatenate(list(given.data.subsets.values()))
        answer = None if given.given.photos.failures else cached.for_photos(everything)
    except Exception:  # the run has finished, whatever this was; its embeddings are then computed from photos
        traceback.print_exc()
        return
    if answer is not None:
        compute_if_missing(run, settings, answer)


def _answer(run: Run, given: Ready, cached: "CachedAnswers") -> Answer:
    """How the model answers: from cached outputs, if the written graph says the same of a few photos; else by it."""
    graph, photos, subsets = ServingGraph(run.serving_folder), given.data.photos, given.data.subsets

    def by_graph(positions: NDArray[np.intp]) -> Mapping[str, NDArray[np.float32]]:
        return graph.run_many(len(positions), lambda some: photos.pixels(positions[some]))

    from_cache = cached.for_photos(np.concatenate([subsets["validation"], subsets["test"]]))
    if from_cache is None:
        return by_graph
    tried = subsets["test"][:TRIED]
    seen, said = graph.run(photos.pixels(tried)), from_cache(tried)
    differences = np.abs(seen[PROBABILITIES] - said[PROBABILITIES]).max(axis=1)
    readable = [position not in photos.failures for position in tried]  # one may be gone by now
    if (differences[readable] <= AGREEMENT).all():
        return from_cache
    print("The outputs cached for the test photos are not those of the model, which looks at all photos again.")
    return by_graph


class CachedAnswers:
    """How a trained model answers from cached outputs; the part above the boundary is converted when first needed."""

    def __init__(self, given: Ready) -> None:
        """Take the model with its best weights."""
        self._model, self._outputs = given.model, given.outputs
        self._chosen, self._boundary = given.chosen, final_boundary(given.plans, given.chosen)

    def for_photos(self, positions: NDArray[np.intp]) -> Answer | None:
        """What answers about these photos; None where they do not all have cached outputs."""
        try:
            if not self._boundary or self._outputs.count_missing(positions, ORIGINAL, (self._boundary,)):
                return None
        except FeatureCacheError:
            return None
        return partial(self._answer, self._above, self._outputs.gather(self._boundary, ORIGINAL))

    @cached_property
    def _above(self) -> OpenVINOModel:
        from core.models.frozen import graph_to, tensor_at

        start = tensor_at(self._model, self._chosen, self._boundary)
        wanted = {PROBABILITIES: self._model.output, EMBEDDING: embedding_of(self._model)}
        further = {name: tensor for name, tensor in wanted.items() if tensor is not start}
        return OpenVINOModel(graph_to(self._model, further, start), list(further))

    @staticmethod
    def _answer(
        above: OpenVINOModel, gather: Callable[[NDArray[np.intp]], NDArray[np.float32]], positions: NDArray[np.intp]
    ) -> Mapping[str, NDArray[np.float32]]:
        rows: dict[str, list[NDArray[np.float32]]] = {PROBABILITIES: [], EMBEDDING: []}

        def receive(cached: NDArray[np.float32], found: Outputs) -> None:
            for name, values in rows.items():
                values.append(found[name].copy() if name in found else cached)

        chunks = (gather(chunk) for chunk in in_chunks(positions, BATCH))
        above.run_all(((cached, cached) for cached in chunks), receive)
        return {name: np.concatenate(values) for name, values in rows.items()}
