"""Archives of runs with damage of every kind: refused in a sentence, or imported."""

import io
import random
from dataclasses import replace
from pathlib import Path

from core.errors import UnfreezeError
from core.training.transfer.run_export import MANIFEST
from core.training.transfer.run_import import import_run
from tests.conftest import FinishedRun
from tests.core.training.transfer.exported_runs import archive_of, exported_without_model, files_of
from tests.damage import damaged_bytes, damaged_json, damaged_line

CASES = 150


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
