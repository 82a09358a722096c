"""The trainer process: `python -m core.training RUN_FOLDER`."""

import os
import sys
from dataclasses import replace
from pathlib import Path

from core.runs.store import RUNNING, Run
from core.settings import settings_from

NICENESS = 10


def main(folder: Path) -> None:
    """Carry out the run in `folder`, holding its lock from the first moment to the last."""
    run, settings = Run(folder.resolve()), settings_from()
    os.environ["KERAS_HOME"] = str(settings.keras_home)
    with run.held():
        run.write_status(replace(run.read_status(), state=RUNNING, phase="preparing", message="Loading TensorFlow"))
        if hasattr(os, "nice"):
            os.nice(NICENESS)
        from core.training.loop import train

        train(run, settings)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
