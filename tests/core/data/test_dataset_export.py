import csv
import io
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.data.dataset import Dataset, prepare
from core.data.dataset_export import (
    LEFT_OUT,
    SUBSET_FOLDERS,
    TABLE,
    WITHHELD,
    Exported,
    ExportJob,
    Report,
    Row,
    as_csv,
    places_of,
    rows_of,
    write_archive,
    write_folders,
)
from core.data.review import EXCLUDE, RELABEL, Review
from core.data.scan.folder import nothing, scan
from core.data.scan.layout import TABLE as BY_TABLE
from core.data.scan.layout import Layout
from core.data.scan.tables import parse_table
from core.data.subsets import NO_SUBSET, SUBSETS, TEST, TRAINING
from core.errors import DataError
from core.settings import Settings, settings_from
from tests.conftest import PATIENCE
from tests.core.data.conftest import encode, place, scene
from tests.core.data.test_dataset import about, look, write

PHOTOS = {"cat/a/1.png": 1, "cat/b/1.png": 2, "cat/3.png": 3, "dog/1.png": 4, "dog/2.png": 5, "dog/3.png": 6}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_from({"UNFREEZE_HOME": str(tmp_path / "home"), "UNFREEZE_DATASETS": str(tmp_path / "photos")})


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Six photos and a broken one; a cat that is a dog, a dog that is not to be used."""
    root = write(tmp_path / "photos" / "pets", PHOTOS)
    place(root / "dog" / "broken.png", b"no photo")
    first = look(root)
    relabel = about(first, RELABEL, "cat/b/1.png", label="dog")
    exclude = replace(about(first, EXCLUDE, "dog/2.png"), why="too dark")
    return look(root, relabel, exclude)


def no_parts(dataset: Dataset) -> np.ndarray:  # type: ignore[type-arg, unused-ignore]
    return np.full(len(dataset.folder), NO_SUBSET, np.int8)


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_each_file_has_a_row_that_says_what_became_of_it(dataset: Dataset) -> None:
    parts = no_parts(dataset)
    parts[:2] = TRAINING, TEST
    rows = {row.file: row for row in rows_of(dataset, parts)}
    first, second = dataset.folder.paths[:2]
    assert (rows[first].part, rows[second].part) == ("training", "test")
    assert rows["cat/b/1.png"].label == "dog" and rows["cat/b/1.png"].decision == RELABEL
    assert rows["dog/2.png"] == Row("dog/2.png", decision=EXCLUDE, because="too dark")
    assert rows["dog/broken.png"].decision == LEFT_OUT and rows["dog/broken.png"].because
    assert set(rows) == {*PHOTOS, "dog/broken.png"}


def test_the_table_is_one_that_spreadsheets_do_not_compute(dataset: Dataset) -> None:
    rows = [Row("=evil()", "@home"), Row("-1/a.png", "-1"), Row('a,"b".png', "+x", because="line\nbreak")]
    text = as_csv(rows).decode("utf-8-sig")
    found = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["file"] for row in found] == ["'=evil()", "'-1/a.png", 'a,"b".png']
    assert [row["class"] for row in found] == ["'@home", "-1", "'+x"]
    assert found[2]["because"] == "line\nbreak"


def test_the_table_gives_the_same_names_when_it_is_read_as_one_with_labels() -> None:
    rows = [Row("=a/-b.png", "@home"), Row("'=c.png", "-1"), Row("'d'.png", "rose"), Row("\te.png", "+")]
    table = parse_table(as_csv(rows), "photos.csv")
    assert [(row[0], row[1]) for _, row in table.rows] == [(row.file, row.label) for row in rows]


def test_a_new_dataset_holds_the_corrected_photos_and_the_old_one_stays(dataset: Dataset, settings: Settings) -> None:
    before = files_in(dataset.scan.folder.root)
    told: list[tuple[int, int]] = []
    found = write_folders(dataset, None, "pets", settings, lambda done, total: told.append((done, total)))
    assert found.path == settings.datasets_folder / "pets"
    after = files_in(found.path)
    assert set(after) == {"cat/1.png", "cat/3.png", "dog/1.png", "dog/1 2.png", "dog/3.png"}
    assert {after["dog/1.png"], after["dog/1 2.png"]} == {before["cat/b/1.png"], before["dog/1.png"]}
    assert [(entry.path, entry.reason) for entry in found.left_out if entry.path == "dog/2.png"] == [
        ("dog/2.png", "too dark")
    ]
    assert found.photos == 5 and len(found.left_out) == 2 and told[-1] == (5, 5)
    assert files_in(dataset.scan.folder.root) == before
    assert write_folders(dataset, None, "pets", settings, nothing).path.name == "pets 2"
    again = scan(found.path, roots=settings.dataset_roots)
    assert again.folder.counts().tolist() == [2, 3] and not again.left_out


def test_an_archive_holds_them_too_with_a_table(dataset: Dataset, settings: Settings) -> None:
    found = write_archive(dataset, None, rows_of(dataset, no_parts(dataset)), "pets", settings, nothing)
    assert found.path == settings.home / "exports" / "pets.zip"
    with zipfile.ZipFile(found.path) as archive:
        assert archive.testzip() is None
        table = list(csv.DictReader(io.StringIO(archive.read(TABLE).decode("utf-8-sig"))))
        root = dataset.scan.folder.root
        for row in table:
            if row["file"]:
                assert archive.read(row["file"]) == (root / row["was"]).read_bytes()
                assert row["file"].startswith(f"{row['class']}/")
    assert {row["was"] for row in table if not row["file"]} == {"dog/2.png", "dog/broken.png"}
    assert not [path for path in found.path.parent.iterdir() if path != found.path]


def test_it_can_be_divided_as_it_was_here(dataset: Dataset, settings: Settings) -> None:
    parts = np.array([0, 1, 2, 0, 0], np.int8)
    found = write_folders(dataset, parts, "divided", settings, nothing)
    again = scan(found.path, roots=settings.dataset_roots)
    assert sorted(again.given.tolist()) == [0, 0, 0, 1, 2]
    assert {path.split("/")[0] for path in again.folder.paths} == set(SUBSET_FOLDERS)
    assert len(SUBSET_FOLDERS) == len(SUBSETS)


def test_names_are_safe_and_different(tmp_path: Path) -> None:
    root = write(tmp_path / "pets", {"x/Rose.png": 1, "y/rose.PNG": 2, "z/CON.png": 3, "w/a.png": 4})
    rows = ["x/Rose.png,a/b", "y/rose.PNG,a\\b", "z/CON.png,train", "w/a.png,../up"]
    (root / "labels.csv").write_text("\n".join(["file,label", *rows]))
    layout = Layout(BY_TABLE, "labels.csv", "file", "label")
    found = prepare(scan(root, roots=[root], layout=layout), Review(root, layout))
    places = {found.folder.paths[i]: path for i, path in places_of(found, None).items()}
    assert places["x/Rose.png"] == "a_b/Rose.png" and places["y/rose.PNG"] == "a_b 2/rose.PNG"
    assert places["z/CON.png"] == "class train/_CON.png"
    assert ".." not in places["w/a.png"].split("/")


def test_photos_that_wait_for_a_decision_are_not_in_it(tmp_path: Path, settings: Settings) -> None:
    same = encode(scene(9))
    photos: dict[str, int | bytes] = {**PHOTOS, "cat/same.png": same, "dog/same.png": same}
    found = look(write(tmp_path / "photos" / "pets", photos))
    rows = {row.file: row for row in rows_of(found, no_parts(found))}
    assert rows["cat/same.png"].decision == WITHHELD and "several classes" in rows["cat/same.png"].because
    exported = write_folders(found, None, "pets", settings, nothing)
    assert exported.photos == len(PHOTOS) and len(exported.left_out) == 2


def test_photos_that_have_changed_or_are_gone_are_listed(dataset: Dataset, settings: Settings) -> None:
    root = dataset.scan.folder.root
    (root / "cat" / "3.png").write_bytes(encode(scene(77)))
    (root / "dog" / "1.png").unlink()
    found = write_archive(dataset, None, rows_of(dataset, no_parts(dataset)), "pets", settings, nothing)
    reasons = {entry.path: entry.reason for entry in found.left_out}
    assert reasons["cat/3.png"] == "it has changed since it was looked at"
    assert reasons["dog/1.png"] == "the file is no longer there"
    with zipfile.ZipFile(found.path) as archive:
        table = archive.read(TABLE).decode("utf-8-sig")
    assert ",cat/3.png,,,left out,it has changed since it was looked at" in table


def test_where_nothing_can_be_read_nothing_is_made(dataset: Dataset, settings: Settings) -> None:
    for path in dataset.folder.paths:
        dataset.scan.folder.root.joinpath(path).unlink()
    with pytest.raises(DataError, match="None of the photos"):
        write_folders(dataset, None, "pets", settings, nothing)
    assert list(settings.datasets_folder.iterdir()) == []
    with pytest.raises(DataError, match="cannot be the name"):
        write_folders(dataset, None, "/", settings, nothing)


def test_an_export_in_the_background_can_be_stopped(dataset: Dataset, settings: Settings) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slowly(report: Report) -> Exported:
        def wait(done: int, total: int) -> None:
            begun.set()
            go_on.wait(PATIENCE)
            report(done, total)

        return write_folders(dataset, None, "pets", settings, wait)

    job = ExportJob.start(slowly)
    assert begun.wait(PATIENCE) and not job.is_over
    job.cancel()
    go_on.set()
    assert job.wait(PATIENCE) and job.cancelled and job.result is None
    assert list(settings.datasets_folder.iterdir()) == []


def test_an_export_in_the_background_ends_with_a_result_or_a_sentence(dataset: Dataset, settings: Settings) -> None:
    good = ExportJob.start(lambda report: write_folders(dataset, None, "pets", settings, report))
    assert good.wait(PATIENCE) and good.result is not None and (good.done, good.total) == (5, 5)
    bad = ExportJob.start(lambda report: write_folders(dataset, None, "", settings, report))
    assert bad.wait(PATIENCE) and "cannot be the name" in str(bad.error)
    odd = ExportJob.start(lambda report: 1 / 0)  # type: ignore[arg-type, return-value]
    assert odd.wait(PATIENCE) and "ZeroDivisionError" in str(odd.error)
