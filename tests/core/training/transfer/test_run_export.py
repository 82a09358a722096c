import io
import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from core.errors import RunBusy, RunError
from core.runs.store import QUEUED, RUNNING, STARTING, Run
from core.training.transfer.array_file import read_npz
from core.training.transfer.run_export import MANIFEST, WEIGHTS, export_run, exported_bytes, file_name, reference_images
from tests.conftest import FinishedRun, Workplace
from tests.core.training.transfer.exported_runs import pieces_of


@pytest.fixture(scope="module")
def pieces(finished_run: FinishedRun) -> dict[str, bytes]:
    return pieces_of(exported_bytes(finished_run.run))


def test_all_that_a_run_has_found_out_is_packed_and_nothing_that_can_be_executed(pieces: dict[str, bytes]) -> None:
    wanted = {"recipe.json", "classes.json", "split.csv", "status.json", "environment.json", "metrics.jsonl"}
    wanted |= {"validation.npz", "test.npz", "embeddings.npz", WEIGHTS, MANIFEST}
    assert wanted <= set(pieces)
    assert any(name.startswith("timeline/") for name in pieces)
    assert all(name.endswith((".json", ".jsonl", ".csv", ".npz", ".npy")) for name in pieces)


def test_the_weights_are_those_of_the_best_model(
    pieces: dict[str, bytes], finished_run: FinishedRun, tmp_path: Path
) -> None:
    (tmp_path / WEIGHTS).write_bytes(pieces[WEIGHTS])
    found = read_npz(tmp_path / WEIGHTS)
    shutil.unpack_archive(finished_run.run.best_file, tmp_path / "keras", "zip")
    with h5py.File(tmp_path / "keras" / "model.weights.h5") as file:
        np.testing.assert_array_equal(found["layers/dense/vars/0"], file["layers/dense/vars/0"])
    assert not [name for name in found if name.startswith("optimizer")]


def test_the_manifest_says_what_there_is_and_what_the_model_makes_of_patterns(
    pieces: dict[str, bytes], finished_run: FinishedRun
) -> None:
    manifest = json.loads(pieces[MANIFEST])
    assert set(manifest["files"]) == set(pieces) - {MANIFEST}
    assert manifest["id"] == finished_run.run.id and manifest["version"] == 1
    proof = np.array(manifest["proof"])
    assert proof.shape == (4, 2)
    np.testing.assert_allclose(proof.sum(1), 1, atol=1e-5)


def test_patterns_are_pictures_that_differ() -> None:
    found = reference_images(32)
    assert found.shape == (4, 32, 32, 3) and found.min() >= 0 and found.max() <= 255
    assert all(np.abs(found[0] - other).max() > 10 for other in found[1:])


def test_progress_is_told_up_to_the_end(finished_run: FinishedRun) -> None:
    told: list[tuple[int, int]] = []
    export_run(finished_run.run, io.BytesIO(), lambda done, total: told.append((done, total)))
    assert told[0][0] == 0 and told[-1][0] == told[-1][1] == len(told) - 1
    assert file_name(finished_run.run) == f"unfreeze-run-{finished_run.run.id}.zip"


@pytest.mark.parametrize(("state", "words"), [(QUEUED, "waits"), (STARTING, "going"), (RUNNING, "going")])
def test_a_run_that_is_not_at_rest_is_not_packed(state: str, words: str, workplace: Workplace) -> None:
    run = workplace.new_run()
    status = run.read_status()
    run.status_file.write_text(json.dumps({**vars(status), "state": state}), "utf-8")
    with run.held(), pytest.raises(RunBusy, match=words):
        export_run(run, io.BytesIO())


def test_a_run_whose_files_are_gone_says_so(finished_run: FinishedRun, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    shutil.copytree(finished_run.run.folder, run.folder)
    run.best_file.write_bytes(b"no model")
    with pytest.raises(RunError, match="weights"):
        export_run(run, io.BytesIO())
    run.split_file.unlink()
    with pytest.raises(RunError, match="No such file"):
        export_run(run, io.BytesIO())
