"""Features of a dataset's photos: the child process's side, with Keras.

`core.training.dataset_features.features` is the server's.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.data.scan.folder import check_inside
from core.data.scan.index import known_digests
from core.errors import DataError, FeatureCacheError
from core.files import write_atomically
from core.language import tr
from core.models.backbones import FEATURES, Backbone, backbone
from core.recipe.plan import ORIGINAL
from core.runs.messages import Message
from core.runs.store import FINISHED, Run
from core.settings import GIGABYTE, Settings
from core.training.dataset_features.features import LISTED, ROWS, Request, read_request
from core.training.feature_cache.cache import FeatureCache
from core.training.feature_cache.extraction import Frozen, FrozenOutputs
from core.training.inputs.photos import Photos, in_chunks
from core.training.interruption import obey
from core.training.loop import end, telling_how_it_ends
from core.training.network import feature_cache, frozen_features
from core.training.preparation import fetch_weights
from core.training.recorder import Recorder

OWN_BYTES = 1000 * GIGABYTE
"""The limit of a store that is the job's own and gone at its end; the disk sets the real one."""

COPIED = 4096
"""Rows that are copied at a time."""


def compute(run: Run, settings: Settings) -> None:
    """Compute the features of every photo that was asked for; every outcome ends up in the folder's status."""
    with telling_how_it_ends(run) as recorder:
        request = read_request(run)
        recorder.tell(phase="preparing", message=Message("indexing-photos"), progress=None)
        photos = photos_of(run, request.dataset, request.paths, backbone(request.backbone), settings)
        known = known_digests(settings.index_folder, Path(request.dataset))
        digests = photos.digests([known.get(path) for path in request.paths])
        shared = feature_cache(settings)
        chosen = backbone(request.backbone)
        frozen = frozen_features(chosen, fetch_weights(run, chosen, settings, recorder), shared)
        try:
            _compute(run, request, frozen, photos, digests, shared, recorder)
        except FeatureCacheError:  # a run is using what is kept, or there is no room: then without it
            own = FeatureCache(run.work_folder / "trunk", OWN_BYTES)
            _compute(run, request, frozen, photos, digests, own, recorder)
        end(recorder, FINISHED, Message("finished"))


def photos_of(run: Run, dataset: str, paths: Sequence[str], chosen: Backbone, settings: Settings) -> Photos:
    """Photos of a dataset in a folder like a run's, none decoded yet; raises `DataError` where there is no room."""
    root = check_inside(Path(dataset), settings.dataset_roots)
    files = [root / path for path in paths]
    store = run.work_folder / "pixels.npy"
    return Photos(files, chosen.resolution, store, settings.dataset_roots, settings.limits.pixels)


def _compute(
    run: Run,
    request: Request,
    frozen: Frozen,
    photos: Photos,
    digests: Sequence[bytes],
    store: FeatureCache,
    recorder: Recorder,
) -> None:
    with FrozenOutputs(store, frozen, photos, digests, None) as outputs:
        everything = np.arange(len(photos))
        missing = outputs.count_missing(everything, ORIGINAL, (FEATURES,))
        recorder.begin_computing(Message("computing-features"))

        def on_photos(done: int) -> None:
            obey(run)
            recorder.computing(done, missing)

        outputs.compute(everything, ORIGINAL, (FEATURES,), on_photos)
        recorder.tell(message=Message("writing-features"), progress=None)
        _write(run, request, photos, digests, outputs)


def _write(run: Run, request: Request, photos: Photos, digests: Sequence[bytes], outputs: FrozenOutputs) -> None:
    """Write the rows, then which photo each belongs to.

    Raises:
        DataError: No photo can be read.
    """
    read = first_of_each(photos, digests, request.digests)
    readable = {request.digests[i] for i in read}
    unread = {
        digest: photos.failures.get(i, "the file has changed meanwhile")
        for i, digest in enumerate(request.digests)
        if digest not in readable
    }
    if not len(read):
        raise DataError(
            tr("No photo in {folder} can be read any more. Check the folder and start again.", folder=request.dataset)
        )
    gather = outputs.gather(FEATURES, ORIGINAL)
    rows: NDArray[np.float32] | None = None
    for start, chunk in enumerate(in_chunks(read, COPIED)):
        found = gather(chunk)
        if rows is None:
            rows = np.lib.format.open_memmap(run.folder / ROWS, "w+", np.float32, (len(read), found.shape[1]))
        rows[start * COPIED : start * COPIED + len(chunk)] = found
    if rows is not None:
        rows.flush()  # type: ignore[attr-defined]
    listed = {"digests": [request.digests[i] for i in read], "unread": unread}
    write_atomically(run.folder / LISTED, json.dumps(listed))


def first_of_each(photos: Photos, found: Sequence[bytes], wanted: Sequence[str]) -> NDArray[np.intp]:
    """Positions of photos that could be read and are what they were, one for each digest."""
    first: dict[str, int] = {}
    for position, (digest, expected) in enumerate(zip(found, wanted, strict=True)):
        if position not in photos.failures and digest.hex() == expected:
            first.setdefault(expected, position)
    return np.fromiter(first.values(), np.intp, len(first))
