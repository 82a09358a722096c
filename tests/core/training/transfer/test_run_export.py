import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from core.errors import RunBusy, RunError
from core.runs.store import QUEUED, RUNNING, STARTING, Run
from core.training.transfer.array_file import read_npz
from core.training.transfer.run_export import MANIFEST, WEIGHTS, export_run, exported_bytes, file_name, reference_images
from tests.conftest import FinishedRun, Workplace
from tests.core.training.transfer.exported_runs import files_of


@pytest.fixture(scope="module")
def files(finished_run: FinishedRun) -> dict[str, bytes]:
    return files_of(exported_bytes(finished_run.run))


def test_all_results_of_a_run_are_exported_and_nothing_that_can_be_executed(files: dict[str, bytes]) -> None:
    wanted = {"recipe.json", "classes.json", "split.csv", "status.json", "environment.json", "metrics.jsonl"}
    wanted |= {"validation.npz", "test.npz", "embeddings.npz", WEIGHTS, MANIFEST}
    assert wanted <= set(files)
    assert any(name.startswith("timeline/") for name in files)
    assert all(name.endswith((".json", ".jsonl", ".csv", ".npz", ".npy")) for name in files)


def test_the_weights_are_those_of_the_best_model(
    files: dict[str, bytes], finished_run: FinishedRun, tmp_path: Path
) -> None:
    (tmp_path / WEIGHTS).write_bytes(files[WEIGHTS])
    found = read_npz(tmp_path / WEIGHTS)
    shutil.unpack_archive(finished_run.run.best_file, tmp_path / "keras", "zip")
    with h5py.File(tmp_path / "keras" / "model.weights.h5") as file:
        np.testing.assert_array_equal(found["layers/dense/vars/0"], file["layers/dense/vars/0"])
    assert not [name for name in found if name.startswith("optimizer")]


def test_the_manifest_lists_the_files_and_the_reference_outputs(
    files: dict[str, bytes], finished_run: FinishedRun
) -> None:
    manifest = json.loads(files[MANIFEST])
    assert set(manifest["files"]) == set(files) - {MANIFEST}
    assert manifest["id"] == finished_run.run.id and manifest["version"] == 1
    proof = np.array(manifest["proof"])
    assert proof.shape == (4, 2)
    np.testing.assert_allclose(proof.sum(1), 1, atol=1e-5)


def test_reference_images_differ() -> None:
    found = reference_images(32)
    assert found.shape == (4, 32, 32, 3) and found.min() >= 0 and found.max() <= 255
    assert all(np.abs(found[0] - other).max() > 10 for other in found[1:])


def test_progress_is_reported_to_the_end(finished_run: FinishedRun) -> None:
    reported: list[tuple[int, int]] = []
    export_run(finished_run.run, io.BytesIO(), lambda done, total: reported.append((done, total)))
    assert reported[0][0] == 0 and reported[-1][0] == reported[-1][1] == len(reported) - 1
    assert file_name(finished_run.run) == f"unfreeze-run-{finished_run.run.id}.zip"


@pytest.mark.parametrize(
    ("state", "words"), [(QUEUED, "is queued"), (STARTING, "in progress"), (RUNNING, "in progress")]
)
def test_a_run_that_has_not_ended_is_not_exported(state: str, words: str, workplace: Workplace) -> None:
    run = workplace.new_run()
    run.write_status(replace(run.read_status(), state=state))
    with run.held(), pytest.raises(RunBusy, match=words):
        export_run(run, io.BytesIO())


def test_a_run_with_missing_files_says_so(finished_run: FinishedRun, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    shutil.copytree(finished_run.run.folder, run.folder)
    run.best_file.write_bytes(b"no model")
    with pytest.raises(RunError, match="weights"):
        export_run(run, io.BytesIO())
    run.split_file.unlink()
    with pytest.raises(RunError, match="No such file"):
        export_run(run, io.BytesIO())
