"""Files of a run that are damaged or hold something else: one bad run shows as one bad run."""

import json
import random
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from command_line.found import facts_of
from core.errors import UnfreezeError
from core.evaluation import run_results
from core.evaluation.diagnosis import History, diagnose
from core.evaluation.metrics import accuracy_interval
from core.evaluation.training_dynamics import read_training_dynamics
from core.inference.decision import read_decision_rule
from core.recipe.run_recipe import read_recipe
from core.runs.embeddings import read_embeddings
from core.runs.messages import text_of
from core.runs.queue import Queue
from core.runs.store import Label, Run, RunStore
from core.training.checkpoint import Checkpoint, Checkpoints
from core.training.codegen.run_history import read_run_history
from pages.components.runs import diagnosis_view, run_figures, run_text
from pages.components.runs.run_controls import STATE_BADGES
from pages.components.shared import run_descriptions
from pages.components.shared.run_descriptions import LoadedRun
from tests.conftest import FinishedRun
from tests.damage import damaged_bytes, damaged_json, damaged_line

CASES = 300

FILES = {
    "status.json": ("queue", "card", "ending"),
    "metrics.jsonl": ("curves", "history"),
    "label.json": ("words",),
    "recipe.json": ("words", "history"),
    "settled_recipe.json": ("words", "history"),
    "classes.json": ("words", "results"),
    "environment.json": ("words",),
    "left_out.json": ("words", "results", "history"),
    "split.csv": ("results", "history"),
    "decision.json": ("rule",),
    "validation.npz": ("results", "rule"),
    "embeddings.npz": ("embeddings",),
    "timeline/1.npy": ("curves",),
    "checkpoints/a.npz": ("ending", "checkpoint"),
    "checkpoints/newest": ("ending", "checkpoint", "history"),
    "../queue.json": ("queue",),
}
"""The files of a run, and who reads each."""


@pytest.fixture
def run(finished_run: FinishedRun, tmp_path: Path) -> Run:
    """A copy of the finished run, with all that a run may have."""
    copy = Run(tmp_path / "runs" / finished_run.run.id)
    shutil.copytree(
        finished_run.run.folder, copy.folder, ignore=shutil.ignore_patterns("best.keras", "serving", "checkpoints")
    )
    facts = Checkpoints(finished_run.run.checkpoints_folder).facts()
    Checkpoints(copy.checkpoints_folder).write(Checkpoint(facts, {"learning/a": np.zeros(3, np.float32)}))
    copy.write_label(Label("tulips", "series", "b"))
    copy.decision_file.write_text('{"least_confidence": 0.7}')
    copy.left_out_file.write_text('[{"file": "red/00.png", "reason": "gone"}]')
    copy.settled_recipe_file.write_text('{"unfreeze_point": "all"}')
    (copy.folder.parent / "queue.json").write_text(json.dumps([copy.id]))
    return copy


def looks_at(run: Run, finished: FinishedRun) -> dict[str, Callable[[], object]]:
    """What pages, the command line and trainers make of a run, each part by itself."""
    recipe, status = read_recipe(finished.run), finished.run.read_status()

    def queue() -> None:
        waiting = Queue(RunStore(run.folder.parent))
        waiting.queued_and_active()
        waiting.advance(lambda run: None)

    def card() -> None:
        found = run.read_status()
        shown = (
            run_text.describe_ending(found),
            run_text.describe_progress(found),
            text_of(found.caching),
            found.error,
        )
        "".join(shown).encode()
        json.dumps(facts_of(run, found)), STATE_BADGES[found.state], found.seconds(time.time())
        run_text.card_facts(found, recipe), run_text.training_figures(found, finished.run.read_metrics())
        run_descriptions.describe_with_accuracy(LoadedRun(run, found, recipe))
        if found.test_accuracy is not None:
            accuracy_interval(found.test_correct or 0, found.test_count or 1)

    def curves() -> None:
        rows = run.read_metrics()
        for measure in ("accuracy", "loss", "learning_rate", "images_per_second"):
            run_figures.curve_data(rows, measure, run_figures.Marks(1.0, 0.5))
        run_text.training_figures(status, rows), run_text.reached(status)
        if found := diagnose(History(rows, 20, 0.5)):
            diagnosis_view.sentence(found)
        read_training_dynamics(run, 24).most_changing(8)

    def words() -> None:
        asdict(read_recipe(run))
        "".join(
            (*asdict(run.read_label()).values(), *run.class_names(), run_descriptions.name_of(run, recipe))
        ).encode()
        json.dumps(run.environment()).encode(), run.left_out()

    def results() -> None:
        for subset in ("validation", "test"):
            run_results.measured(run, subset)

    return {
        "queue": queue,
        "card": card,
        "curves": curves,
        "words": words,
        "results": results,
        "ending": lambda: run_text.describe_loss(run),
        "embeddings": lambda: read_embeddings(run),
        "rule": lambda: read_decision_rule(run),
        "history": lambda: read_run_history(run, finished.workplace.settings).versions,
        "checkpoint": lambda: Checkpoints(run.checkpoints_folder).read(),
    }


def attempts(looks: dict[str, Callable[[], object]], names: Iterable[str]) -> list[UnfreezeError]:
    refused = []
    for name in names:
        try:
            looks[name]()
        except UnfreezeError as error:
            refused.append(error)
    return refused


def test_a_damaged_file_is_refused_in_a_sentence_or_passed_over(run: Run, finished_run: FinishedRun) -> None:
    looks = looks_at(run, finished_run)
    assert attempts(looks, looks) == [], "whole, it can be read"
    chance, refused = random.Random(8), 0
    for _ in range(CASES):
        name = chance.choice(list(FILES))
        file = run.folder / name
        whole, structured = file.read_bytes(), chance.random() < 0.7
        by_kind = {".json": damaged_json, ".jsonl": damaged_line} if structured else {}
        file.write_bytes(by_kind.get(file.suffix, damaged_bytes)(whole, chance))
        refused += bool(attempts(looks, FILES[name]))
        file.write_bytes(whole)
    assert refused > CASES / 10
    assert attempts(looks, looks) == []
