"""Exported runs, genuine and altered, for tests of the import."""

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


def files_of(archive: bytes) -> dict[str, bytes]:
    """The files of an archive by name."""
    with zipfile.ZipFile(io.BytesIO(archive)) as found:
        return {name: found.read(name) for name in found.namelist()}


def archive_of(files: Mapping[str, bytes], *, listed: bool = True, **manifest: Any) -> bytes:
    """An archive of these files, with a correct manifest unless `listed` is false; `manifest` changes its entries."""
    values = json.loads(files[MANIFEST])
    contents = {name: content for name, content in files.items() if name != MANIFEST}
    if listed:
        values["files"] = {name: {"sha256": hashlib.sha256(content).hexdigest()} for name, content in contents.items()}
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
        archive.writestr(MANIFEST, json.dumps({**values, **manifest}))
    return target.getvalue()


def changed_json(content: bytes, **changes: Any) -> bytes:
    """A JSON object with some values changed."""
    return json.dumps({**json.loads(content), **changes}).encode()


def npz(**arrays: Any) -> bytes:
    """Arrays as `numpy.savez` writes them."""
    target = io.BytesIO()
    np.savez(target, **arrays)
    return target.getvalue()


def without_model(run: Run, folder: Path) -> Run:
    """A copy of a run as if it was stopped before it had a model; its import builds none."""
    copy = Run(folder / run.id)
    shutil.copytree(run.folder, copy.folder)
    copy.best_file.unlink()
    status = json.loads(copy.status_file.read_text("utf-8"))
    copy.status_file.write_text(json.dumps({**status, "state": "stopped"}), "utf-8")
    return copy


def exported_without_model(run: Run, folder: Path) -> bytes:
    """That copy, exported."""
    return exported_bytes(without_model(run, folder))
