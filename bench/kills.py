"""Kills trainers at random moments, has each run go on, and looks whether anything was lost.

    uv run python -m bench.kills [--kills 50] [--seed 0]

Half of the runs train the small CNN from nothing, half EfficientNet-Lite0: head, then block7, on kept outputs of
augmented photos. Each is killed (SIGKILL) once, at a moment drawn evenly from the duration of a run that was left
alone, and goes on in a new process; kills that came after the end do not count. It must end with every validation and
the test accuracy of the run that was left alone, a graph that predicts, and must have lost one epoch at most. Photos
are made on the spot: two colours of noise.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.inference.prediction import Predictor
from core.recipe.augmentations import Choice
from core.runs.messages import text_of
from core.runs.store import CRASHED, FINISHED, STARTING, Run
from core.training.checkpoint import Checkpoints
from tests.conftest import PROJECT, Workplace, write_colours

KINDS: Mapping[str, Mapping[str, Any]] = {
    "small CNN": {"head_epochs": 6, "fine_tune_epochs": 4, "batch_size": 4},
    "Lite0 on kept outputs": {
        "backbone": "efficientnet-lite0",
        "unfreeze_point": "block7",
        "head_epochs": 6,
        "fine_tune_epochs": 6,
        "augmentations": {"rotation": Choice(0.1), "brightness": Choice(0.2)},
        "views": 3,
        "dropout": 0.3,
    },
}


@dataclass(frozen=True)
class Outcome:
    """What became of a run that was killed.

    Attributes:
        when: Seconds after its start.
        doing: What it was doing, as it had last said.
        at_work: Whether it had not ended before.
        lost: Epochs that were begun or done and had to be done again.
        went_on: Whether there was a checkpoint to go on from.
        fault: What is wrong with the end of it; empty if nothing.
    """

    when: float
    doing: str
    at_work: bool
    lost: float
    went_on: bool
    fault: str


def start(run: Run, place: Workplace) -> "subprocess.Popen[bytes]":
    """Start the real trainer of a run."""
    with run.log_file.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "core.training", str(run.folder)],
            cwd=PROJECT,
            env=place.environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def validations(run: Run) -> list[tuple[float, float, float]]:
    """Position, loss and accuracy of every validation."""
    rows = [row for row in run.read_metrics() if "val_loss" in row]
    return [(row["position"], row["val_loss"], row["val_accuracy"]) for row in rows]


def fault_of(run: Run, alone: Run) -> str:
    """What tells a run that was killed from one that was left alone."""
    status, right = run.read_status(), alone.read_status()
    if status.state != FINISHED:
        return f"{status.state}: {status.error}"
    if validations(run) != validations(alone):
        return "its validations differ"
    if (status.best_epoch, status.test_correct) != (right.best_epoch, right.test_correct):
        return "another model was kept"
    grey = np.full((224, 224, 3), 128, np.uint8)
    one, other = (Predictor(each).predict([grey]).probabilities for each in (run, alone))
    return "" if np.allclose(one, other, atol=1e-6) else "its graph predicts otherwise"


def killed_once(run: Run, alone: Run, place: Workplace, when: float) -> Outcome:
    """Kill the trainer of a run after so many seconds, and let the run go on to its end."""
    child = start(run, place)
    time.sleep(when)
    child.kill()
    child.wait()
    status = run.read_status()
    reached = max((row["position"] for row in run.read_metrics()), default=0.0)
    found = Checkpoints(run.checkpoints_folder).read()
    lost = 0.0 if status.state != CRASHED else reached - (found.facts["epochs_done"] if found else 0)
    child = start(run, place)
    child.wait()
    at_work = status.state in (CRASHED, STARTING)
    return Outcome(when, text_of(status.message), at_work, max(0.0, lost), found is not None, fault_of(run, alone))


def main() -> None:
    """Kill as often as the command line asks for, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    chance = random.Random(chosen.seed)
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        for number, (kind, choices) in enumerate(KINDS.items()):
            place = Workplace(base / f"home{number}", write_colours(base / f"{number}" / "colours"))
            alone = place.new_run(**choices)
            began = time.time()
            start(alone, place).wait()
            seconds = time.time() - began
            wanted = chosen.kills // 2 + (chosen.kills % 2 if number == 0 else 0)
            while wanted:
                outcome = killed_once(place.new_run(**choices), alone, place, chance.uniform(0, seconds))
                if outcome.at_work:
                    outcomes.append(outcome)
                    wanted -= 1
                print(f"{kind}: {outcome}", flush=True)
    faults = [outcome for outcome in outcomes if outcome.fault]
    print(f"{len(outcomes)} kills, {sum(outcome.went_on for outcome in outcomes)} of them after a first checkpoint.")
    print(f"Most that was lost: {max(outcome.lost for outcome in outcomes):.2f} epochs. Faults: {len(faults)}.")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
