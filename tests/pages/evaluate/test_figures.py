import json

import numpy as np
import pytest
from numpy.typing import NDArray

from core.evaluation.calibration import coverage, reliability
from core.evaluation.metrics import class_scores
from core.evaluation.training_dynamics import TrainingDynamics
from pages.components.evaluate import figures
from pages.components.evaluate.figures import MOST_CELLS, MOST_COLOURS, MOST_LIMITS, MOST_ROWS, OTHERS
from pages.components.shared.colours import ANSWER, WRONG

NAMES = ("daisy", "roses", "tulips")
CONFUSION = np.array([[8, 2, 0], [1, 9, 0], [0, 5, 5]])


def many(classes: int) -> NDArray[np.int64]:
    random = np.random.default_rng(0)
    return random.integers(0, 3, (classes, classes)) + 20 * np.eye(classes, dtype=np.int64)


def timeline() -> TrainingDynamics:
    predicted = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    confidence = np.full((3, 3), 0.75, np.float32)
    labels = np.zeros(3, np.intp)
    own = np.where(predicted == labels, confidence, 0.25).astype(np.float32)
    return TrainingDynamics(("a", "b", "c"), labels, np.array([1.0, 2.0, 3.0]), predicted, confidence, own)


def test_each_class_has_its_recall_with_an_interval_and_its_precision_the_lowest_recall_first() -> None:
    figure = figures.scores(class_scores(CONFUSION), NAMES)
    recall, precision = figure.data
    assert list(figure.layout.yaxis.ticktext) == ["tulips", "daisy", "roses"]
    assert list(recall.x) == pytest.approx([0.5, 0.8, 0.9]) and list(recall.y) == [0, 1, 2]
    assert list(precision.x) == pytest.approx([1.0, 8 / 9, 9 / 16])
    assert list(recall.text) == ["50 %", "80 %", "90 %"] and list(precision.text) == ["100 %", "89 %", "56 %"]
    assert recall.customdata[0] == "tulips: 50 % of 10 photos are recognised"
    lowest = min(np.subtract(recall.x, recall.error_x.arrayminus))
    assert lowest - 0.15 < figure.layout.xaxis.range[0] < lowest
    assert all(above > 0 for above in recall.error_x.array) and all(below > 0 for below in recall.error_x.arrayminus)


def test_a_class_without_photos_comes_last_without_recall_and_one_never_answered_has_no_precision() -> None:
    recall, precision = figures.scores(class_scores(np.array([[0, 0], [4, 0]])), ("a", "b")).data
    assert list(recall.y) == [0] and recall.customdata[0].startswith("b")
    assert list(precision.y) == [1] and "as a" in precision.customdata[0]


def test_of_many_classes_the_hardest_are_drawn() -> None:
    figure = figures.scores(class_scores(many(120)), [f"class {n}" for n in range(120)])
    assert len(figure.data[0].x) == MOST_ROWS
    assert figure.layout.height < 1200


def test_every_cell_knows_its_classes_and_says_its_count_and_share() -> None:
    shown = [0, 2]
    figure = figures.confusion(CONFUSION, NAMES, shown, (2, 0))
    cells = figure.data[-1]
    assert np.array(cells.customdata).tolist() == [[0, 0], [0, 2], [2, 0], [2, 2]]
    assert cells.text[3] == "5 photos of tulips (50 %)<br>are predicted as tulips"
    assert list(figure.data[2].text) == ["8", "", "", "5"]
    [frame] = figure.layout.shapes
    assert (frame.x0, frame.y0) == (-0.5, 0.5)


def test_only_mistakes_are_orange_and_only_what_is_right_is_blue() -> None:
    right, wrong = figures.confusion(CONFUSION, NAMES, [0, 1, 2], None).data[:2]
    assert np.array_equal(np.isnan(right.z), ~np.eye(3, dtype=bool))
    assert np.array_equal(~np.isnan(wrong.z), (CONFUSION > 0) & ~np.eye(3, dtype=bool))
    assert wrong.zmax == 0.5, "the strongest colour is the largest mistake"


def test_many_classes_have_cells_without_numbers() -> None:
    names = [f"class {n}" for n in range(MOST_CELLS)]
    figure = figures.confusion(many(MOST_CELLS), names, list(range(MOST_CELLS)), (30, 2))
    assert [trace.mode for trace in figure.data[2:]] == ["markers"]
    assert not figure.layout.shapes


def test_reliability_before_and_after() -> None:
    told = np.array([[0.9, 0.1], [0.6, 0.4]])
    found = reliability(told, [0, 1])
    assert [trace.name for trace in figures.reliability(found, None).data] == ["perfect calibration", "as trained"]
    both = figures.reliability(found, found).data
    assert list(both[2].x) == [0.6, 0.9] and list(both[2].y) == [0, 1]
    assert both[1].marker.symbol != both[2].marker.symbol
    assert both[2].text[0] == "confidence 60 %, accuracy 0 %<br>1 photo"


def test_the_axes_of_a_reliability_diagram_begin_below_the_lowest_value() -> None:
    told = np.array([[0.95, 0.05]] * 10 + [[0.75, 0.25]] * 10)
    figure = figures.reliability(reliability(told, [0] * 18 + [1] * 2), None)
    assert figure.layout.xaxis.range[0] == figure.layout.yaxis.range[0] == figure.data[0].x[0] == 0.7


def test_coverage_says_from_which_confidence_on() -> None:
    line, marks = figures.coverage(coverage(np.array([[0.9, 0.1], [0.6, 0.4]]), [0, 1])).data
    assert (list(line.x), list(line.y)) == ([0.5, 1], [1, 0.5])
    assert line.customdata[0] == "confidence of at least 90 %: 50 % of the photos,<br>100.0 % of them right"
    assert list(marks.text) == ["100.0 %", "50.0 %"]


def test_the_curve_of_many_photos_is_thinned_and_keeps_its_ends() -> None:
    sure = np.linspace(0.5, 1, 5000)
    found = coverage(np.stack([sure, 1 - sure], axis=1), np.zeros(5000, int))
    line = figures.coverage(found).data[0]
    assert len(line.x) == MOST_LIMITS and (line.x[0], line.x[-1]) == (1 / 5000, 1)


def test_when_photos_were_learned_and_which_never_were() -> None:
    learned, never = figures.learned(timeline()).data
    assert list(learned.y) == [0, 1, 1] and list(never.y) == [1]
    assert list(learned.text) == ["", "1", "1"] and list(never.text) == ["1"]


def test_the_history_of_a_photo_is_told_by_shape_and_colour() -> None:
    [line] = figures.history(timeline(), 0, ("<b>a", "b")).data
    assert list(line.marker.symbol) == ["x", "circle", "circle"]
    assert list(line.marker.color) == [WRONG, ANSWER, ANSWER]
    assert list(line.y) == [0.25, 0.75, 0.75]
    assert line.text[1].endswith(": predicted as &lt;b&gt;a (75 %)")


def test_each_class_on_the_map_has_a_colour_and_a_shape_of_its_own() -> None:
    coloured = [f"class {n}" for n in range(MOST_COLOURS)]
    for others in (False, True):
        encoding = figures.map_chart(coloured, others)["encoding"]
        for channel in ("color", "shape"):
            scale = encoding[channel]["scale"]
            assert len(scale["domain"]) == len(scale["range"]) == MOST_COLOURS + others
        assert len(set(encoding["shape"]["scale"]["range"][:MOST_COLOURS])) == MOST_COLOURS
    json.dumps(figures.map_chart(coloured, True))


def test_classes_without_a_colour_are_one_group() -> None:
    points = np.zeros((3, 2), np.float32)
    data = figures.map_data(points, ["a", "b", "c"], ["a", "c"], {"path": ["1", "2", "3"]})
    assert list(data.group) == ["a", OTHERS, "c"] and list(data.path) == ["1", "2", "3"]


def test_the_table_says_in_words_what_each_figure_is() -> None:
    rows = figures.score_rows(class_scores(np.array([[0, 0], [1, 3]])), ("a", "b"))
    assert rows[0] == {
        "class": "a",
        "photos (support)": "0",
        "recall": "–",
        "precision": "0.0 %",
        "F1": "0.0 %",
    }
    assert rows[1]["recall"] == "75.0 %"


def test_a_picture_is_saved_under_a_name() -> None:
    config = figures.saving_as("confusion-test")
    assert config["toImageButtonOptions"]["filename"] == "confusion-test"
    assert config["modeBarButtons"] == [["toImage"]]
