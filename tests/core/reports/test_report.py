"""The report of the finished run of all tests, and of runs to which something has happened."""

import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.evaluation.calibration import reliability
from core.evaluation.metrics import Evaluation, accuracy_interval, class_scores
from core.evaluation.run_results import evaluation
from core.formatting import percent, whole
from core.recipe.recipe import Recipe
from core.reports.facts import Photo, ReportContext, ReportFacts, Suspect, read_report_facts
from core.reports.report import Report, report_of
from core.runs.messages import Message
from core.runs.store import Run
from tests.conftest import FinishedRun

VOID = {"meta", "img", "br", "link", "input", "hr"}
BAD = "<script>alert(1)</script>\"' & co"


class Reading(HTMLParser):
    """Reads a file, and notes what is not balanced, what it refers to, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += "" if self.open and self.open[-1] == "style" else f"{data} "

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)

    def words(self) -> str:
        return " ".join(self.text.replace("\u00a0", " ").split())


def facts_of(run: Run, roots: Path, **more: Any) -> ReportFacts:
    return read_report_facts(run, ReportContext("blue or red", **more), (roots,), 10_000_000)


@pytest.fixture(scope="module")
def facts(finished_run: FinishedRun) -> ReportFacts:
    return facts_of(finished_run.run, finished_run.workplace.colours)


@pytest.fixture(scope="module")
def made(facts: ReportFacts) -> Report:
    return report_of(facts)


def test_the_file_is_balanced_and_asks_for_nothing_from_elsewhere(made: Report) -> None:
    reading = Reading(made.html)
    assert reading.wrong == [] and reading.open == []
    assert reading.count("script") == 0
    found = [attributes[name] or "" for _, attributes in reading.tags for name in ("src", "href") if name in attributes]
    assert found and all(re.match(r"#[a-z-]+$|data:image/jpeg;base64,", each) for each in found)
    assert "http" not in re.sub(r"http-equiv|base64,[^\"]*", "", made.html)
    assert "default-src 'none'" in made.html and len(made.html) < 2_000_000


def test_links_lead_to_headings_and_every_picture_is_described(made: Report) -> None:
    tags = Reading(made.html).tags
    places = {attributes.get("id") for _, attributes in tags}
    assert {str(a["href"])[1:] for tag, a in tags if tag == "a"} <= places
    assert {str(a["aria-labelledby"]) for _, a in tags if "aria-labelledby" in a} <= places
    assert all(a.get("alt") for tag, a in tags if tag == "img")
    assert all("aria-label" in a or "aria-hidden" in a for tag, a in tags if tag == "svg")
    assert all(a.get("scope") for tag, a in tags if tag == "th")
    assert [int(tag[1]) for tag, _ in tags if re.match("h[1-6]$", tag)][:3] == [1, 2, 3]


def test_figures_are_those_of_the_evaluation(finished_run: FinishedRun, made: Report) -> None:
    words = Reading(made.html).words()
    found = evaluation(finished_run.run, "test")
    correct = int(found.right.sum())
    low, high = accuracy_interval(correct, len(found))
    assert f"{percent(correct / len(found))} accuracy on the test photos" in words
    assert f"{correct} of {len(found)} photos that it had never seen" in words
    assert f"between {whole(low)} and {whole(high)}" in words
    assert percent(reliability(found.probabilities, found.labels).error) in words
    scores = class_scores(found.confusion)
    for i, name in enumerate(found.class_names):
        assert f"{name} {scores.support[i]} {percent(float(scores.recall[i]))}" in words
        assert f"{name} {' '.join(map(str, found.confusion[i]))}" in words, "the row of the confusion matrix"


def test_what_was_trained_and_on_what_is_said(facts: ReportFacts, made: Report) -> None:
    words = Reading(made.html).words()
    for expected in (
        "blue or red",
        "This model started from random weights",
        "Training everything from scratch 2 everything 0.001",
        "batch size 8",
        "Defaults: learning rate, from scratch 0.001",
        "Not used: class weights",
        "all classes " + " ".join(f"{n}" for n in (*facts.card.counts.sum(0), 30)),
        "keras",
        "What I noticed",
        "from the first validation to the last",
    ):
        assert expected in words
    assert made.gone == 0 and made.photos == Reading(made.html).count("img") >= 12


def test_what_there_is_nothing_to_say_of_is_left_out(made: Report) -> None:
    words = Reading(made.html).words()
    assert "Are the labels right?" not in words and "Photos that were left out" not in words


def test_names_of_classes_and_files_are_never_taken_for_html(facts: ReportFacts) -> None:
    names = (BAD, f"{BAD}2")
    found = facts.card.evaluation
    assert found is not None
    evil = Evaluation(names, found.paths, found.labels, found.probabilities)
    photo = Photo(f"{BAD}.jpg", BAD, b"")
    known = replace(
        facts,
        card=replace(
            facts.card, name=BAD, dataset=BAD, class_names=names, evaluation=evil, made=BAD, versions={BAD: BAD}
        ),
        context=replace(facts.context, suspects=(), decisions=(BAD,)),
        recipe=replace(facts.recipe, dataset=f"/photos/{BAD}"),
        status=replace(facts.status, caching=Message("sentence", {"text": BAD})),
        examples={BAD: (replace(photo, jpeg=b"x"), photo)},
        mistakes=(photo,),
        environment={BAD: [BAD]},
        left_out=((BAD, BAD),),
    )
    reading = Reading(report_of(known).html)
    assert reading.wrong == [] and reading.open == [] and reading.count("script") == 0
    assert reading.text.count("<script>alert(1)</script>") > 15


def moved(run: Run, to: Path) -> Run:
    """A copy of a run whose dataset is no longer where it was."""
    copy = Run(Path(shutil.copytree(run.folder, to / run.id)))
    recipe = replace(Recipe.from_values(run.recipe_values()), dataset=str(to / "moved" / "colours"))
    copy.recipe_file.write_text(recipe.to_json(), "utf-8")
    return copy


def test_photos_that_are_gone_are_named_and_the_rest_works(finished_run: FinishedRun, tmp_path: Path) -> None:
    made = report_of(facts_of(moved(finished_run.run, tmp_path), tmp_path))
    reading = Reading(made.html)
    assert made.photos == reading.count("img") == 0 and made.gone >= 12
    assert "blue/00.png can no longer be read" in reading.words()
    assert "accuracy on the test photos" in reading.words()


def test_photos_outside_the_allowed_folders_are_not_read(finished_run: FinishedRun, tmp_path: Path) -> None:
    assert report_of(facts_of(finished_run.run, tmp_path)).photos == 0


def test_suspects_and_decisions_are_shown_where_labels_were_checked(finished_run: FinishedRun) -> None:
    dataset, suspect = finished_run.workplace.colours, Suspect("blue/00.png", "blue", "red", 0.87)
    shown = facts_of(finished_run.run, dataset, suspects=(suspect,), decisions=("2 photos were left out.",))
    words = Reading(report_of(shown).html).words()
    assert "1 photo probably has a wrong label" in words and "labelled blue, perhaps red (87 %)" in words
    assert "2 photos were left out." in words
    words = Reading(report_of(replace(shown, context=replace(shown.context, suspects=()))).html).words()
    assert "none looks wrong" in words
    misfit = "Labels and photos do not fit together: 28 %."
    words = Reading(report_of(replace(shown, context=replace(shown.context, suspects=(), misfit=misfit))).html).words()
    assert misfit in words and "none looks wrong" not in words


def test_a_run_that_was_not_tested_has_a_report_that_says_so(finished_run: FinishedRun, tmp_path: Path) -> None:
    run = Run(Path(shutil.copytree(finished_run.run.folder, tmp_path / finished_run.run.id)))
    shutil.rmtree(run.timeline_folder)
    for lost in (run.predictions_file("test"), run.predictions_file("validation"), run.environment_file):
        lost.unlink()
    run.metrics_file.write_text("")
    run.left_out_file.write_text('[{"file": "blue/01.png", "reason": "it is damaged"}]', "utf-8")
    reading = Reading(report_of(facts_of(run, finished_run.workplace.colours)).html)
    assert reading.wrong == [] and "This model has not been tested." in reading.words()
    assert "The run ended before anything was measured." in reading.words()
    assert "blue/01.png it is damaged" in reading.words()
    assert "Can you trust its percentages?" not in reading.words()


def test_many_classes_are_shortened(facts: ReportFacts) -> None:
    names = tuple(f"class {n:03d}" for n in range(120))
    labels = np.repeat(np.arange(120), 3).astype(np.int32)
    told_of_it = np.full((360, 120), 0.1 / 119, np.float32)
    told_of_it[np.arange(360), np.where(np.arange(360) % 3, labels, (labels + 1) % 120)] = 0.9
    found = Evaluation(names, (), labels, told_of_it)
    card = replace(facts.card, class_names=names, counts=np.full((120, 3), 3), evaluation=found)
    examples = {name: facts.examples["blue"][:1] for name in names[:36]}
    made = report_of(replace(facts, card=card, examples=examples))
    words = Reading(made.html).words()
    assert "the 40 classes with the most photos" in words and "the 40 hardest ones" in words
    assert "the 12 classes with the most mistakes" in words and "108 more" in words
    assert len(made.html) < 2_000_000
