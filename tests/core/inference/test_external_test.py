import io
import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.data.scan.layout import PARTS, Layout
from core.errors import DataError, RunBusy, RunError, UndecidedLayout
from core.inference.external_test import ExternalTest, kept_tests, read_test, remove_test
from core.inference.external_test_job import ExternalTestJob, ExternalTests, Source
from core.inference.prediction import Predictor
from core.runs.store import Run
from tests.conftest import PATIENCE, FinishedRun, Workplace, photos_of, write_colours


@pytest.fixture
def place(finished_run: FinishedRun, tmp_path: Path) -> Workplace:
    """An installation whose only run is finished; its photos are where they were."""
    found = Workplace(tmp_path / "home", write_colours(tmp_path / "photos" / "others", per_class=3, side=48))
    shutil.copytree(finished_run.run.folder, found.store.root / finished_run.run.id)
    return found


@pytest.fixture
def run(place: Workplace) -> Run:
    """That run."""
    return place.store.runs()[0]


def folder_of(place: Workplace) -> Source:
    return Source("others", place.colours)


def made(run: Run, source: Source, place: Workplace, finished_run: FinishedRun) -> ExternalTest:
    """A test that has been made, and was kept; the run's own photos may be read, too."""
    job = ended(run, source, place, finished_run)
    if job.error is not None:
        raise job.error
    return read_test(run, job.test)


def ended(run: Run, source: Source, place: Workplace, finished_run: FinishedRun) -> ExternalTestJob:
    roots = (*place.settings.dataset_roots, finished_run.workplace.colours.parent)
    job = ExternalTestJob(run, source, replace(place.settings, dataset_roots=roots))
    assert job.wait(PATIENCE)
    return job


def test_photos_are_predicted_matched_by_name_and_kept_with_the_run(
    run: Run, place: Workplace, finished_run: FinishedRun
) -> None:
    (place.colours / "red").rename(place.colours / "RED ")
    shutil.copytree(place.colours / "blue", place.colours / "azure")
    for number, file in enumerate((place.colours / "azure").iterdir()):  # else they are the same photos in two classes
        shutil.copy(Path(finished_run.workplace.colours) / "blue" / f"{number:02d}.png", file)
    (place.colours / "blue" / "broken.jpg").write_bytes(b"<html>")
    before = sorted(path for path in place.colours.rglob("*"))
    found = made(run, folder_of(place), place, finished_run)
    assert sorted(path for path in place.colours.rglob("*")) == before, "nothing is written beside the photos"
    assert found.class_names == ("RED ", "azure", "blue") and found.unknown == {"azure": 3}
    assert found.evaluation is not None and len(found.evaluation) == 6 and found.facts.uncompared == 0
    predictor = Predictor(run)
    for path, label, shares in zip(
        found.evaluation.paths, found.evaluation.labels, found.evaluation.probabilities, strict=True
    ):
        assert predictor.class_names[label] == path.partition("/")[0].strip().casefold()
        said = predictor.predict([predictor.see((place.colours / path).read_bytes())]).probabilities[0]
        np.testing.assert_allclose(shares, said, atol=1e-4)
    assert [(entry.path, "photo" in entry.reason) for entry in found.left_out] == [("blue/broken.jpg", True)]
    status = run.read_status()
    assert [facts.name for facts in kept_tests(run, status.ended).values()] == ["others"]
    assert not kept_tests(run, 1.0), "another model, such as after more epochs, has not been tested"
    assert not list(run.external_tests_folder.glob(".*"))


def test_a_person_says_which_class_is_meant_and_it_holds_when_evaluated_again(
    run: Run, place: Workplace, finished_run: FinishedRun
) -> None:
    (place.colours / "red").rename(place.colours / "rouge")
    found = made(run, folder_of(place), place, finished_run)
    assert found.evaluation is not None and len(found.evaluation) == 3
    said = found.saying("rouge", "red")
    assert said.evaluation is not None and np.bincount(said.evaluation.labels).tolist() == [3, 3] and not said.unknown
    again = made(run, folder_of(place), place, finished_run)
    assert again.id == found.id and again.meant == {"rouge": "red"}
    assert again.saying("blue", "").unknown == {"blue": 3}
    with pytest.raises(DataError, match="no class “green”"):
        found.saying("rouge", "green")
    with pytest.raises(DataError, match="no class “verde”"):
        found.saying("verde", "red")
    remove_test(run, found.id)
    with pytest.raises(RunError, match="Evaluate the photos again"):
        read_test(run, found.id)


def test_photos_that_the_run_has_learned_from_do_not_count(
    run: Run, place: Workplace, finished_run: FinishedRun
) -> None:
    for part, count in (("training", 2), ("validation", 1), ("test", 1)):
        for number, file in enumerate(photos_of(run, part)[:count]):
            shutil.copy(file, place.colours / file.parent.name / f"{part}-{number}.png")
    found = made(run, folder_of(place), place, finished_run)
    assert found.of_run() == {"training": 2, "validation": 1, "test": 1}
    assert found.evaluation is not None and len(found.evaluation) == 7
    assert not any("training" in path or "validation" in path for path in found.evaluation.paths)


def test_it_is_said_where_the_runs_photos_are_gone(run: Run, place: Workplace, finished_run: FinishedRun) -> None:
    recipe = run.recipe_file.read_text("utf-8").replace(str(finished_run.workplace.colours), str(place.home / "gone"))
    run.recipe_file.write_text(recipe, "utf-8")
    found = made(run, folder_of(place), place, finished_run)
    assert found.facts.uncompared == 30 and found.evaluation is not None


def zip_of(folder: Path) -> io.BytesIO:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.rglob("*.*")):
            file.write(path, path.relative_to(folder))
    return archive


def test_an_archive_is_unpacked_into_the_run_and_a_single_class_is_enough(
    run: Run, place: Workplace, finished_run: FinishedRun
) -> None:
    shutil.rmtree(place.colours / "blue")
    found = made(run, Source("sent", archive=zip_of(place.colours)), place, finished_run)
    assert found.is_unpacked and found.root.is_relative_to(run.external_tests_folder)
    assert found.evaluation is not None and len(found.evaluation) == 3
    assert all((found.root / path).is_file() for path in found.paths)


def test_a_table_names_the_classes(run: Run, place: Workplace, finished_run: FinishedRun) -> None:
    flat = place.colours.with_name("flat")
    flat.mkdir()
    rows = []
    for file in sorted(place.colours.rglob("*.png")):
        shutil.copy(file, flat / f"{file.parent.name[0]}{file.name}")
        rows.append(f"{file.parent.name[0]}{file.name},{file.parent.name}")
    (flat / "labels.csv").write_text("\n".join(["file,label", *rows]))
    for source in (Source("flat", flat), Source("flat", archive=zip_of(flat))):
        job = ended(run, source, place, finished_run)
        assert isinstance(job.error, UndecidedLayout)
        reading = job.error.choices[0]
        found = made(run, source.read_as(reading.layout, reading.folder), place, finished_run)
        assert found.evaluation is not None and np.bincount(found.evaluation.labels).tolist() == [3, 3]


def test_what_cannot_be_evaluated_ends_with_a_sentence_and_keeps_nothing(
    run: Run, place: Workplace, finished_run: FinishedRun
) -> None:
    empty = place.colours.with_name("empty")
    empty.mkdir()
    for source, words in (
        (Source("empty", empty), "a subfolder for each class"),
        (Source("elsewhere", place.home), "UNFREEZE_DATASETS"),
        (Source("no archive", archive=io.BytesIO(b"text")), "ZIP"),
    ):
        job = ended(run, source, place, finished_run)
        assert words in str(job.error) and not job.test
    shutil.copy(next((place.colours / "red").iterdir()), place.colours / "blue" / "same.png")
    found = made(run, folder_of(place), place, finished_run)
    assert {entry.reason for entry in found.left_out} == {"the same photo is in several classes"}
    shutil.rmtree(run.serving_folder)
    assert ended(run, folder_of(place), place, finished_run).error is not None
    assert not list(run.external_tests_folder.glob(".*"))


def test_a_damaged_test_is_told_and_not_listed(run: Run, place: Workplace, finished_run: FinishedRun) -> None:
    found = made(run, folder_of(place), place, finished_run)
    folder = run.external_tests_folder / found.id
    listed = json.loads((folder / "photos.json").read_text("utf-8"))
    (folder / "photos.json").write_text(json.dumps({**listed, "paths": listed["paths"][1:]}), "utf-8")
    with pytest.raises(RunError, match="Evaluate the photos again"):
        read_test(run, found.id)
    (folder / "facts.json").write_text("{}", "utf-8")
    assert kept_tests(run, run.read_status().ended) == {}


def test_one_job_a_run_and_stopping_keeps_nothing(run: Run, place: Workplace) -> None:
    tests = ExternalTests(place.settings)
    with tests._turn:
        job = tests.begin(run, folder_of(place))
        with pytest.raises(RunBusy, match="Wait until that has ended"):
            tests.begin(run, folder_of(place))
        assert tests.find(run) is job and not job.is_over
        job.cancel()
        assert job.wait(PATIENCE)
    assert job.cancelled and not job.test and not run.external_tests_folder.exists()
    tests.forget(run)
    assert tests.find(run) is None


def test_another_reading_replaces_the_layout_or_names_a_folder_inside() -> None:
    source, parts = Source("x", Path("/x")), Layout(PARTS)
    assert source.read_as(parts, "").layout == parts
    inside = source.read_as(parts, "train")
    assert (inside.layout, inside.inside) == (None, "train") and inside.id() != source.id()
