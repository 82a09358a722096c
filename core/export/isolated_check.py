"""Running an export as a stranger would: a process of its own, in a folder with nothing but the export, isolated from
our modules. No TensorFlow here."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import ExportError

KEPT_VARIABLES = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "LANG", "LD_LIBRARY_PATH", "OMP_NUM_THREADS")
"""What of our environment the process is given; nothing of Python's, Keras' or ours."""

LAST_WORDS = 400

Started = Callable[["subprocess.Popen[str]"], None]


def run_alone(
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
        ExportError: The process failed, with its last words.
    """
    said = home / "said.txt"
    with said.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [sys.executable, "-I", "-X", "utf8", "predict.py", "--json", str(photos.resolve())],
            cwd=export,
            env=_environment(os.environ, home),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
        )
        on_start(process)
        rows = []
        for line in process.stdout or ():
            if line.startswith("{"):
                rows.append(json.loads(line))
                on_photo(len(rows))
        if process.wait():
            raise ExportError(f"predict.py failed: {_last_words(said)}")
    return _answers(rows, photos)


def _environment(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    kept = {name: environ[name] for name in KEPT_VARIABLES if name in environ}
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"}
    return {**kept, **quiet, "HOME": str(home), "USERPROFILE": str(home)}


def _last_words(said: Path) -> str:
    lines = [line.strip() for line in said.read_text("utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1][:LAST_WORDS] if lines else "it ended without a word; memory may have run out."


def _answers(rows: list[dict[str, object]], photos: Path) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    expected = sorted(path.name for path in photos.iterdir())
    if [row["photo"] for row in rows] != expected:
        raise ExportError(f"predict.py answered for {len(rows)} of {len(expected)} photos.")
    try:
        probabilities = np.array([row["probabilities"] for row in rows], np.float32)
    except ValueError as error:
        raise ExportError("predict.py did not give equally many numbers for each photo.") from error
    return probabilities, np.array([row["milliseconds"] for row in rows], np.float64)
