"""Running an export as its recipient does: in a process of its own, in a folder with nothing but the export, isolated
from our modules. No TensorFlow here."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import ExportError
from core.language import tr
from core.processes.children import NO_GPU, QUIET, start_helper
from core.processes.logs import last_line

KEPT_VARIABLES = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "LANG", "LD_LIBRARY_PATH", "OMP_NUM_THREADS")
"""What of our environment the process is given; nothing of Python's, Keras' or ours."""

LONGEST_MESSAGE = 400

Started = Callable[["subprocess.Popen[bytes]"], None]


def run_isolated(
    export: Path, photos: Path, home: Path, on_photo: Callable[[int], None], on_start: Started
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Have an export's `predict.py` answer for every file in a folder.

    Args:
        export: The folder with the unpacked ZIP file.
        photos: The folder with the photos.
        home: A folder where packages may write what they like.
        on_photo: Hears how many photos are done.
        on_start: Is given the process, so that it can be ended.

    Returns probabilities `(N, K)` and milliseconds `(N,)`, in the order of the files' names.

    Raises:
        ExportError: The process failed, with the last line of its error messages.
    """
    log_file = home / "errors.txt"
    command = [sys.executable, "-I", "-X", "utf8", "predict.py", "--json", str(photos.resolve())]
    with log_file.open("wb") as log:
        process = start_helper(command, folder=export, environ=_environment(os.environ, home), stderr=log)
    on_start(process)
    rows = []
    with process:
        for line in process.stdout or ():
            if line.startswith(b"{"):
                rows.append(json.loads(line))
                on_photo(len(rows))
    if process.returncode and not any("error" in row for row in rows):
        if message := last_line(log_file, LONGEST_MESSAGE):
            raise ExportError(tr("predict.py failed: {message}", message=message))
        raise ExportError(tr("predict.py failed: it ended without a message; memory may have run out."))
    return _answers(rows, photos)


def _environment(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    kept = {name: environ[name] for name in KEPT_VARIABLES if name in environ}
    return {**kept, **QUIET, **NO_GPU, "HOME": str(home), "USERPROFILE": str(home)}


def _answers(rows: list[dict[str, object]], photos: Path) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    expected = sorted(path.name for path in photos.iterdir())
    if [row["photo"] for row in rows] != expected:
        raise ExportError(
            tr("predict.py answered for {count} of {total} photos.", count=len(rows), total=len(expected))
        )
    unread = next((row for row in rows if "error" in row), None)
    if unread:
        raise ExportError(
            tr("predict.py could not read {photo}: {reason}.", photo=str(unread["photo"]), reason=str(unread["error"]))
        )
    try:
        probabilities = np.array([row["probabilities"] for row in rows], np.float32)
    except ValueError as error:
        raise ExportError(tr("predict.py did not give equally many numbers for each photo.")) from error
    return probabilities, np.array([row["milliseconds"] for row in rows], np.float64)
