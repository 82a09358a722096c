import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from core.data.scan.folder import Scan, scan
from core.errors import RunNotReady
from core.runs.store import ACTIVE, FAILED, FINISHED, STOPPED, Run, RunStore
from core.training.dataset_features.features import FOLDER, KEPT, Request, kept, latest, read_features, start
from core.training.dataset_features.job import compute
from core.training.feature_cache.cache import FeatureCache, ShardKey
from tests.conftest import Workplace, eventually

LITE = "efficientnet-lite0"


def look(workplace: Workplace) -> Scan:
    """The dataset as a page sees it."""
    return scan(workplace.colours, roots=[workplace.colours])


def job(workplace: Workplace, request: Request) -> Run:
    """A job that nobody has begun yet, as `start` makes it."""
    values = {"dataset": request.dataset, "backbone": request.backbone}
    listed = {"paths": request.paths, "digests": request.digests}

    def fill(run: Run) -> None:
        run.recipe_file.write_text(json.dumps(values), "utf-8")
        (run.folder / "photos.json").write_text(json.dumps(listed), "utf-8")

    return store_of(workplace).create(fill)


def store_of(workplace: Workplace) -> RunStore:
    """Where jobs are kept."""
    return RunStore(workplace.home / FOLDER)


def rows_kept(workplace: Workplace) -> int:
    """How many photos' outputs lie on the shards that training uses."""
    [shard] = workplace.settings.feature_cache_folder.glob("features-*")
    return (shard / "photos").stat().st_size // 24


def test_each_photo_has_a_row_copies_share_one_and_new_ones_alone_are_computed(workplace: Workplace) -> None:
    red = workplace.colours / "red"
    (red / "copy.png").write_bytes((red / "00.png").read_bytes())
    request = Request.of(look(workplace), LITE)
    vanished, changed = red / "01.png", red / "02.png"
    content = vanished.read_bytes(), changed.read_bytes()
    vanished.unlink()
    changed.write_bytes((workplace.colours / "blue" / "03.png").read_bytes())
    first = job(workplace, request)
    compute(first, workplace.settings)
    assert first.read_status().state == FINISHED, first.read_status().error
    found = read_features(first)
    assert found.values.shape == (28, 1280) and found.values.dtype == np.float32
    assert len(np.unique(found.values, axis=0)) == 28 and (found.values >= 0).all()
    assert sorted(found.unread.values()) == ["the file has changed meanwhile", "the file is no longer there"]
    assert (found.lacking(request.digests), found.lacking(["00", request.digests[0]])) == (0, 1)
    assert rows_kept(workplace) == 28

    vanished.write_bytes(content[0])
    changed.write_bytes(content[1])
    second = job(workplace, request)
    compute(second, workplace.settings)
    again = read_features(second)
    assert again.values.shape == (30, 1280) and not again.unread and rows_kept(workplace) == 30
    shared = list(found.row_of)
    np.testing.assert_array_equal(
        found.values[[found.row_of[digest] for digest in shared]],
        again.values[[again.row_of[digest] for digest in shared]],
    )
    assert not second.work_folder.exists()

    few = Request(request.dataset, LITE, request.paths[:3], request.digests[:3])
    with held_shard(workplace):  # by a run that trains: then without what is kept
        third = job(workplace, few)
        compute(third, workplace.settings)
    alone = read_features(third)
    for digest, row in alone.row_of.items():
        np.testing.assert_array_equal(alone.values[row], again.values[again.row_of[digest]])
    assert len(alone.values) == 3 and not third.work_folder.exists()


@contextmanager
def held_shard(workplace: Workplace) -> Iterator[None]:
    """Hold the shard that there is, as a trainer does."""
    settings = workplace.settings
    [shard] = settings.feature_cache_folder.glob("features-*")
    label = json.loads((shard / "key.json").read_text("utf-8"))
    place = [(ShardKey(**label["key"]), tuple(label["row_shape"]))]
    with FeatureCache(settings.feature_cache_folder, settings.limits.feature_cache_bytes).open(place, 0):
        yield


def test_what_cannot_be_done_is_said(workplace: Workplace) -> None:
    request = Request.of(look(workplace), LITE)
    for photo in sorted(workplace.colours.rglob("*.png")):
        photo.unlink()
    lost = job(workplace, request)
    compute(lost, workplace.settings)
    assert lost.read_status().state == FAILED and "can be read any more" in lost.read_status().error
    with pytest.raises(RunNotReady, match="Compute them again"):
        read_features(lost)
    unknown = job(workplace, Request(request.dataset, "efficientnet-b0", request.paths, request.digests))
    compute(unknown, workplace.settings)
    assert "No weights for EfficientNet-B0" in unknown.read_status().error
    stopped = job(workplace, request)
    stopped.request_stop()
    compute(stopped, workplace.settings)
    assert stopped.read_status().state in (STOPPED, FAILED)


def test_a_real_process_computes_once_for_all_who_ask_and_old_results_go(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in workplace.environment().items():
        monkeypatch.setenv(name, value)
    store, request = store_of(workplace), Request.of(look(workplace), LITE)
    old = [finished_elsewhere(workplace, f"/photos/{number}") for number in range(KEPT + 2)]
    run = start(store, request)
    assert start(store, request) == run == latest(store, workplace.colours, LITE)
    left = {each.folder for each in store.runs()} - {run.folder}
    assert left <= {each.folder for each in old} and len(left) == KEPT - 1
    eventually(lambda: run.read_status().state not in ACTIVE, f"the job ended:\n{run.log_tail()}")
    assert run.read_status().state == FINISHED, run.read_status().error
    assert kept(store, workplace.colours, LITE) == run and read_features(run).covers(request.digests)
    assert kept(store, workplace.colours, "efficientnet-b0") is None
    assert kept(store, Path("/photos/elsewhere"), LITE) is None


def finished_elsewhere(workplace: Workplace, dataset: str) -> Run:
    """A job that has finished on another dataset."""
    run = job(workplace, Request(dataset, LITE, (), ()))
    run.write_status(run.read_status().__class__(state=FINISHED, created=1.0, started=1.0, ended=2.0))
    return run
