"""Packed runs, honest ones and changed ones, for tests of taking them in."""

import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from core.runs.store import Run
from core.training.transfer.run_export import MANIFEST, exported_bytes


def pieces_of(archive: bytes) -> dict[str, bytes]:
    """The files of an archive by name."""
    with zipfile.ZipFile(io.BytesIO(archive)) as found:
        return {name: found.read(name) for name in found.namelist()}


def put_together(pieces: Mapping[str, bytes], *, listed: bool = True, **manifest: Any) -> bytes:
    """An archive of these files, with a manifest that is true unless `listed` is false; `manifest` changes entries."""
    told = json.loads(pieces[MANIFEST])
    contents = {name: content for name, content in pieces.items() if name != MANIFEST}
    if listed:
        told["files"] = {name: {"sha256": hashlib.sha256(content).hexdigest()} for name, content in contents.items()}
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
        archive.writestr(MANIFEST, json.dumps({**told, **manifest}))
    return target.getvalue()


def changed_json(content: bytes, **changes: Any) -> bytes:
    """A JSON object with other values."""
    return json.dumps({**json.loads(content), **changes}).encode()


def npz(**arrays: Any) -> bytes:
    """Arrays as `numpy.savez` writes them."""
    target = io.BytesIO()
    np.savez(target, **arrays)
    return target.getvalue()


def without_model(run: Run, folder: Path) -> Run:
    """A copy of a run that was stopped before it had a model; it can be taken in without building one."""
    copy = Run(folder / run.id)
    shutil.copytree(run.folder, copy.folder)
    copy.best_file.unlink()
    status = json.loads(copy.status_file.read_text("utf-8"))
    copy.status_file.write_text(json.dumps({**status, "state": "stopped"}), "utf-8")
    return copy


def exported_without_model(run: Run, folder: Path) -> bytes:
    """That copy, packed."""
    return exported_bytes(without_model(run, folder))
