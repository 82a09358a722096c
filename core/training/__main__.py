"""The trainer process: `python -m core.training RUN_FOLDER`, or `--wait` for one that gets its run later.

`--find-rate FOLDER` tries learning rates out instead, `--features FOLDER` computes the features of a dataset's photos,
`--check-labels FOLDER` carries out a thorough label check.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from core.errors import RunError
from core.inference.embeddings_job import compute_if_missing
from core.processes.children import BACKGROUND, at_idle_priority, settle_in
from core.runs import trainers
from core.runs.messages import Message
from core.runs.queue import Queue
from core.runs.store import Run
from core.settings import Settings, settings_from
from core.training.dataset_features.features import COMPUTE
from core.training.lr_finder.finder import FIND_RATE
from core.training.process.libraries import load_keras
from core.training.process.warm_trainer import held_with_message, run_warm_trainer


def main(argument: str, folder: str = "") -> None:
    """Carry out the run in the folder that the argument names, or wait for one to come; then start the next one.

    With `--find-rate`, the folder that follows is that of a search for a learning rate; with `--features`, that of a
    job that computes features; with `--check-labels`, that of a thorough label check.
    """
    settle_in(BACKGROUND)
    settings, environ = settings_from(), dict(os.environ)
    os.environ["KERAS_HOME"] = str(settings.keras_home)
    with next_run_afterwards(settings, environ):
        if argument == trainers.WAIT:
            run = run_warm_trainer(settings)
            at_idle_priority(partial(compute_if_missing, run, settings))
        elif argument == FIND_RATE:
            find_rate(Run(Path(folder).resolve()), settings)
        elif argument == COMPUTE:
            compute_features(Run(Path(folder).resolve()), settings)
        elif argument == trainers.CHECK_LABELS:
            check_labels(Run(Path(folder).resolve()), settings)
        else:
            run = Run(Path(argument).resolve())
            carry_out(run, settings)
            at_idle_priority(partial(compute_if_missing, run, settings))


@contextmanager
def next_run_afterwards(settings: Settings, environ: Mapping[str, str]) -> Iterator[None]:
    """Start the next run of the queue at the end, however it ends, in the environment that this process was given.

    The change of Keras' home in this process is not for the next one, which would look there for weights.
    """
    try:
        yield
    finally:
        try:
            trainers.advance(Queue.of(settings), environ=environ)
        except RunError as error:  # the server will try again
            print(error)


def carry_out(run: Run, settings: Settings) -> None:
    """Carry out a run, holding its lock from the first moment to the last."""
    with held_with_message(run, Message("loading-tensorflow")):
        from core.training.loop import train

        train(run, settings)


def find_rate(run: Run, settings: Settings) -> None:
    """Try learning rates, as `carry_out` carries out a run."""
    with held_with_message(run, Message("loading-tensorflow")):
        load_keras()
        from core.training.lr_finder.range_test import sweep

        sweep(run, settings)


def compute_features(run: Run, settings: Settings) -> None:
    """Compute features of photos, as `carry_out` carries out a run."""
    with held_with_message(run, Message("loading-tensorflow")):
        from core.training.dataset_features.job import compute

        compute(run, settings)


def check_labels(run: Run, settings: Settings) -> None:
    """Carry out a thorough label check, as `carry_out` carries out a run."""
    with held_with_message(run, Message("loading-tensorflow")):
        load_keras()
        from core.training.thorough_check.job import check

        check(run, settings)


if __name__ == "__main__":
    main(*sys.argv[1:])
