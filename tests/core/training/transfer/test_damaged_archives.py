"""Archives of runs with damage of every kind: refused in a sentence, or imported."""

import io
import random
import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import UnfreezeError
from core.runs.store import Run
from core.training.transfer.rebuild import rebuild
from core.training.transfer.run_export import MANIFEST, WEIGHTS, exported_bytes
from core.training.transfer.run_import import import_run
from tests.conftest import FinishedRun
from tests.core.training.transfer.exported_runs import archive_of, exported_without_model, files_of, npz
from tests.damage import damaged_bytes, damaged_json, damaged_line

CASES, CASES_WITH_MODEL = 150, 12


def with_odd_value(array: NDArray[Any], value: float) -> NDArray[Any]:
    """The same but for its first value."""
    changed = array.astype(np.float32)
    changed.reshape(-1)[:1] = value
    return changed


CHANGES: tuple[Callable[[str, NDArray[Any]], dict[str, NDArray[Any]]], ...] = (
    lambda name, array: {},
    lambda name, array: {f"{name}x": array},
    lambda name, array: {name: array[None]},
    lambda name, array: {name: array.reshape(-1)[:-1]},
    lambda name, array: {name: array.astype(np.complex64)},
    lambda name, array: {name: array.reshape(-1)[:9].astype("U5")},
    lambda name, array: {name: array.astype(">f8")},
    lambda name, array: {name: np.zeros(0, array.dtype)},
    lambda name, array: {name: with_odd_value(array, float("nan"))},
    lambda name, array: {name: with_odd_value(array, 3e38)},
)


def as_it_is(files: Mapping[str, bytes]) -> bytes:
    """An archive whose manifest is left alone."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


def damaged_arrays(content: bytes, chance: random.Random) -> bytes:
    """Change the shape, the type or a value of an array or its name, or leave it out."""
    arrays = dict(np.load(io.BytesIO(content), allow_pickle=False))
    name = chance.choice(sorted(arrays))
    array = arrays.pop(name)
    return npz(**arrays, **chance.choice(CHANGES)(name, array))


def test_a_damaged_archive_is_imported_or_refused_in_a_sentence(finished_run: FinishedRun, tmp_path: Path) -> None:
    files = files_of(exported_without_model(finished_run.run, tmp_path))
    settings = replace(finished_run.workplace.settings, home=tmp_path / "home", dataset_roots=(tmp_path / "datasets",))
    chance, refused = random.Random(58), 0
    for _ in range(CASES):
        name = chance.choice(sorted(set(files) - {MANIFEST}))
        by_kind = {".json": damaged_json, ".jsonl": damaged_line} if chance.random() < 0.6 else {}
        changed = by_kind.get(Path(name).suffix, damaged_bytes)(files[name], chance)
        packed = archive_of({**files, name: changed})  # whose manifest lists what is in it
        archive = packed if chance.random() < 0.7 else damaged_bytes(archive_of(files), chance)
        try:
            import_run(io.BytesIO(archive), settings)
        except UnfreezeError as error:
            refused += bool(str(error))
    assert CASES / 2 < refused < CASES


def test_a_damaged_archive_with_a_model_is_imported_or_refused_in_a_sentence(
    finished_run: FinishedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = files_of(exported_bytes(finished_run.run))
    settings = replace(finished_run.workplace.settings, home=tmp_path / "home", dataset_roots=(tmp_path / "datasets",))
    built = finished_run.run

    def rebuild_here(run: Run, still_wanted: Callable[[], None]) -> None:
        rebuild(run)  # in this process, so that whatever else it raises is seen

    def keep_graph(model: object, folder: Path) -> None:
        shutil.copytree(built.serving_folder, folder)  # of a model that differs in weights at most

    monkeypatch.setattr("core.training.transfer.run_import.rebuild_in_child", rebuild_here)
    monkeypatch.setattr("core.training.transfer.rebuild.write_graph", keep_graph)
    chance, refused, imported = random.Random(9), 0, 0
    for _ in range(CASES_WITH_MODEL):
        name = chance.choice((WEIGHTS, WEIGHTS, WEIGHTS, *sorted(files)))
        by_kind = {".json": damaged_json, ".jsonl": damaged_line, ".npz": damaged_arrays}
        damage = by_kind.get(Path(name).suffix, damaged_bytes) if chance.random() < 0.6 else damaged_bytes
        changed = {**files, name: damage(files[name], chance)}
        packed = as_it_is(changed) if name == MANIFEST else archive_of(changed)  # whose manifest lists what is in it
        archive = packed if chance.random() < 0.8 else damaged_bytes(archive_of(files), chance)
        try:
            import_run(io.BytesIO(archive), settings)
            imported += 1
        except UnfreezeError as error:
            refused += bool(str(error))
    assert refused > CASES_WITH_MODEL / 2 and refused + imported == CASES_WITH_MODEL
