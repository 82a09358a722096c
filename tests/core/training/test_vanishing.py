"""Photos that vanish or change between the start of a run and its end."""

import shutil
from collections.abc import Callable
from pathlib import Path

from core.runs.store import FAILED, FINISHED, RUNNING, Run, Status
from core.training.loop import train
from tests.conftest import PATIENCE, Workplace, eventually, photos_of, trainer


def carried_out(run: Run, workplace: Workplace) -> Status:
    """The last status of a run after this process has been its trainer."""
    with run.held():
        train(run, workplace.settings)
    return run.read_status()


def left_out(run: Run) -> dict[str, str]:
    return {photo.file: photo.reason for photo in run.left_out()}


def inside(workplace: Workplace, photo: Path) -> str:
    return photo.relative_to(workplace.colours).as_posix()


def into_garbage(photo: Path) -> None:
    photo.write_bytes(bytes(range(256)) * 9)


def into_web_page(photo: Path) -> None:
    photo.write_text("<html><body>The disk was replaced by a sign-in page.</body></html>", "utf-8")


def into_half(photo: Path) -> None:
    photo.write_bytes(photo.read_bytes()[:-900])


def into_folder(photo: Path) -> None:
    photo.unlink()
    photo.mkdir()


def into_link_outside(photo: Path) -> None:
    outside = photo.parents[3] / "elsewhere.png"
    photo.rename(outside)
    photo.symlink_to(outside)


CHANGES: dict[Callable[[Path], None], str] = {
    Path.unlink: "the file is no longer there",
    into_garbage: "this is not a photo that can be read",
    into_web_page: "this is a web page (HTML)",
    into_half: "the photo is cut off",
    into_folder: "this is a folder, not a photo",
    into_link_outside: "it points outside the folders that may be read",
}
"""What can become of a photo after a run was created, and how its reason begins."""


def test_photos_that_vanish_or_change_are_left_out_with_their_reasons(workplace: Workplace) -> None:
    run = workplace.new_run()
    expected = {}
    for photo, (change, reason) in zip(photos_of(run, "training"), CHANGES.items(), strict=False):
        change(photo)
        expected[inside(workplace, photo)] = reason
    status = carried_out(run, workplace)
    assert (status.state, status.error, status.left_out) == (FINISHED, "", len(CHANGES))
    told = left_out(run)
    assert set(told) == set(expected)
    assert all(told[path].startswith(reason) for path, reason in expected.items()), told
    assert status.test_count == len(photos_of(run, "test"))


def test_when_the_folder_vanishes_amid_training_nothing_is_missed(workplace: Workplace) -> None:
    """Every photo was read before the first epoch."""
    run = workplace.new_run()
    with trainer(run, workplace.environment()) as child:
        eventually(lambda: bool(run.read_metrics()) or child.poll() is not None, "training had begun")
        assert run.read_status().state == RUNNING, run.log_tail()
        shutil.rmtree(workplace.colours)
        child.wait(PATIENCE)
    status = run.read_status()
    assert [row["epoch"] for row in run.read_metrics() if "val_loss" in row] == [1, 2], "no photo to learn from missed"
    assert (status.state, status.left_out) == (FINISHED, 0), run.log_tail()
    assert status.test_accuracy is not None


def test_a_class_that_vanishes_ends_the_run_with_a_sentence(workplace: Workplace) -> None:
    run = workplace.new_run()
    lost = {inside(workplace, photo) for photo in (workplace.colours / "blue").iterdir()}
    shutil.rmtree(workplace.colours / "blue")
    status = carried_out(run, workplace)
    assert (status.left_out, set(left_out(run))) == (len(lost), lost)
    assert set(left_out(run).values()) == {"the file is no longer there"}
    assert status.state == FAILED and "blue" in status.error, status
    assert not run.best_file.exists() and not run.work_folder.exists()


def test_a_run_whose_photos_have_all_gone_fails_with_a_sentence(workplace: Workplace) -> None:
    run = workplace.new_run()
    for photo in workplace.colours.rglob("*.png"):
        photo.unlink()
    status = carried_out(run, workplace)
    assert (status.state, status.left_out, status.phase) == (FAILED, 30, "")
    assert f"No readable photo is left in the training subset of {workplace.colours}" in status.error
    assert set(left_out(run).values()) == {"the file is no longer there"}
    assert not run.work_folder.exists()


def test_a_run_whose_dataset_has_gone_fails_with_a_sentence(workplace: Workplace) -> None:
    run = workplace.new_run()
    workplace.colours.rename(workplace.colours.with_name("moved"))
    status = carried_out(run, workplace)
    assert (status.state, status.left_out) == (FAILED, 0)
    assert status.error == f"The folder {workplace.colours} does not exist; check the spelling."
