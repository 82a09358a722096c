"""The trainer process: `python -m core.training RUN_FOLDER`, or `--wait` for one that gets its run later."""

import os
import sys
from pathlib import Path

from core.runs.store import Run
from core.settings import Settings, settings_from
from core.training.waiting import held_with_word, wait, without_scikit_learn

NICENESS = 10


def main(argument: str) -> None:
    """Carry out the run in the folder that the argument names, or wait for one to come."""
    settings = settings_from()
    os.environ["KERAS_HOME"] = str(settings.keras_home)
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    if argument == "--wait":
        wait(settings)
    else:
        carry_out(Run(Path(argument).resolve()), settings)


def carry_out(run: Run, settings: Settings) -> None:
    """Carry out a run, holding its lock from the first moment to the last."""
    with held_with_word(run, "Loading TensorFlow"):
        with without_scikit_learn():
            from core.training.loop import train
        train(run, settings)


if __name__ == "__main__":
    main(sys.argv[1])
