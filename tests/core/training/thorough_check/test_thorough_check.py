from pathlib import Path

import numpy as np
import pytest

from core.data.dataset import Dataset, prepare
from core.data.review import Review
from core.data.scan.folder import scan
from core.errors import RunNotReady
from core.labels.dataset_check import check_with
from core.models.backbones import backbone
from core.runs import trainers
from core.runs.queue import Queue
from core.runs.store import FAILED, FINISHED, QUEUED, STOPPED, Run
from core.training.budget.cost_model import Throughput
from core.training.interruption import StopAsked
from core.training.thorough_check import checks, job
from core.training.thorough_check.checks import Request
from tests.conftest import Workplace

LITE = "efficientnet-lite0"
WRONG = "blue/00.png"


@pytest.fixture
def queue(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> Queue:
    """The queue of a workplace, which starts nothing by itself."""
    monkeypatch.setattr(trainers, "advance", lambda queue: [])
    return Queue.of(workplace.settings)


def wrongly_labelled(workplace: Workplace) -> Dataset:
    """Two colours, one photo of which is in the wrong class."""
    red = workplace.colours / "red" / "14.png"
    (workplace.colours / WRONG).write_bytes(red.read_bytes())
    red.unlink()
    return prepare(scan(workplace.colours, roots=[workplace.colours]), Review(workplace.colours))


def once_more(queue: Queue, run: Run) -> None:
    """Have a check wait again, and take it out of the queue as one that starts."""
    checks.go_on(queue, run)
    assert run.read_status().state == QUEUED
    assert queue.advance(lambda started: None) == [run]


@pytest.mark.thorough
def test_a_check_goes_on_where_it_was_and_finds_what_it_would_have_found(
    workplace: Workplace, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "EPOCHS", 2)
    dataset = wrongly_labelled(workplace)
    vanished = workplace.colours / "red" / "13.png"
    request = Request.of(dataset, LITE)
    vanished.unlink()
    whole, parts = (queue.create(lambda making: checks.write_request(making, request), queue.checks) for _ in range(2))
    job.check(whole, workplace.settings)
    assert whole.read_status().state == FINISHED, whole.read_status().error
    assert not whole.has_checkpoint() and not whole.work_folder.exists()

    tell, steps = job.FineTunings._tell, iter(range(100))

    def stopped_in_the_second_fold(tunings: job.FineTunings, number: int, epoch: int, step: int) -> None:
        tell(tunings, number, epoch, step)
        if next(steps) == 3:
            raise StopAsked

    monkeypatch.setattr(job.FineTunings, "_tell", stopped_in_the_second_fold)
    job.check(parts, workplace.settings)
    assert parts.read_status().state == STOPPED and parts.has_checkpoint()
    with pytest.raises(RunNotReady, match="Check again"):
        checks.read_scores(parts)
    done = []
    monkeypatch.setattr(job.FineTunings, "_tell", lambda tunings, *place: done.append(place))
    once_more(queue, parts)
    job.check(parts, workplace.settings)
    assert parts.read_status().state == FINISHED and done[0][:2] == (1, 1) and len(done) == 7
    found, again = checks.read_scores(whole), checks.read_scores(parts)
    np.testing.assert_array_equal(found.scores, again.scores)
    lost = request.paths.index("red/13.png")
    assert np.isnan(found.scores[lost]).all() and np.isfinite(np.delete(found.scores, lost, 0)).all()

    values = np.random.default_rng(0).normal(size=(len(request.paths), 4)).astype(np.float32)
    judged = check_with(found, dataset, values, {digest: row for row, digest in enumerate(request.digests)})
    assert judged.folder.paths[judged.ranking[0]] == WRONG and judged.unread == 1
    assert len(judged.ranking) == len(judged.folder) == 28


def test_checks_wait_and_are_kept_until_another_one_begins(workplace: Workplace, queue: Queue) -> None:
    dataset = wrongly_labelled(workplace)
    request = Request.of(dataset, LITE)
    store = checks.checks_of(queue)
    run = checks.begin(queue, request)
    assert checks.begin(queue, request) == run == checks.latest(store, workplace.colours, LITE)
    assert queue.queued() == [run] and queue.is_check(run) and workplace.store.runs() == []
    assert checks.read_request(run) == request and checks.kept(store, workplace.colours, LITE) is None
    assert checks.latest(store, Path("/elsewhere"), LITE) is None
    checks.stop(queue, run)
    assert store.runs() == [], "nothing was learned"
    going = checks.begin(queue, request)
    queue.advance(lambda started: None)
    checks.stop(queue, going)
    assert going.stop_requested()
    (going.folder / checks.PHOTOS).write_text("{", "utf-8")
    with going.held():
        job.check(going, workplace.settings)
    assert going.read_status().state == FAILED and "Start again" in going.read_status().error
    assert checks.begin_or_go_on(queue, request) != going and not going.folder.exists()


def test_the_estimate_grows_with_photos_and_networks() -> None:
    throughput = Throughput(100, backbone("efficientnet-b0").flops)
    few, many = (checks.seconds(backbone("efficientnet-b0"), count, throughput) for count in (100, 3000))
    assert few < many < checks.seconds(backbone("efficientnet-b3"), 3000, throughput)
