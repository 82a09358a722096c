from typing import Any

import altair as alt
import pytest

from pages.components.runs import run_figures
from pages.components.runs.run_figures import ACCURACY, LOSS, RATE, SPEED, Marks, curve_chart, curve_data

Row = dict[str, Any]
Drawn = dict[str, list[tuple[float, float, str]]]

NO_MARKS = Marks()


def trained(*accuracies: float, every: float = 1.0) -> list[Row]:
    return [
        {"position": every * n, "loss": 1 / n, "accuracy": accuracy, "learning_rate": 0.01, "images_per_second": 90.0}
        for n, accuracy in enumerate(accuracies, 1)
    ]


def validated(*pairs: tuple[float, float]) -> list[Row]:
    return [{"position": float(n), "val_loss": loss, "val_accuracy": acc} for n, (loss, acc) in enumerate(pairs, 1)]


def drawn(rows: list[Row], measure: str = ACCURACY, marks: Marks = NO_MARKS) -> Drawn:
    data = curve_data(rows, measure, marks)
    found: Drawn = {}
    for position, value, curve, text, _ in data.itertuples(index=False):
        found.setdefault(curve, []).append((position, value, text))
    return found


def test_curves_keep_the_newest_point_and_every_validation() -> None:
    found = drawn([*trained(*[0.5] * 5000, every=0.1), *validated((0.4, 0.9))], LOSS)
    assert len(found["training"]) <= run_figures.MOST_POINTS and found["training"][-1][0] == 500
    assert [value for _, value, _ in found["validation"]] == [0.4]


def test_the_axis_of_epochs_has_room_for_what_comes_and_moves_once_an_epoch() -> None:
    ends = [drawn(trained(*[0.5] * count, every=0.25))["frame"][-1][0] for count in (3, 4, 5, 8, 9)]
    assert ends == pytest.approx([1.4, 1.4, 2.8, 2.8, 4.2])


def test_accuracies_lie_where_the_values_are() -> None:
    rows = [*trained(0.1, 0.4, 0.7, 0.9, 0.95, 0.96, every=0.5), *validated((0.5, 0.88), (0.4, 0.92), (0.4, 0.93))]
    found = drawn(rows)
    (_, low, _), (_, high, _) = found["frame"]
    assert (low, high) == pytest.approx((0.3, 1.07)), "from the first epoch on"
    assert min(value for _, value, _ in found["training"]) >= low, "no point draws the axis out"
    first = drawn(trained(0.1, 0.2, every=0.1))
    assert [value for _, value, _ in first["frame"]] == pytest.approx([0, 0.33])
    perfect = drawn([*trained(0.99, 1.0), *validated((0.1, 1.0), (0.1, 1.0))])
    assert [value for _, value, _ in perfect["frame"]] == pytest.approx([0.8, 1.02])


def test_guessing_is_drawn_where_it_takes_little_room() -> None:
    near, far = trained(0.4, 0.6), [*trained(0.9, 0.95), *validated((0.3, 0.9), (0.2, 0.95))]
    assert [value for _, value, _ in drawn(near, marks=Marks(guess=0.25))["guessing"]] == [0.25, 0.25]
    assert drawn(near, marks=Marks(guess=0.25))["frame"][0][1] == pytest.approx(0.2)
    assert "guessing" not in drawn(far, marks=Marks(guess=0.1))
    assert "guessing" not in drawn(near, LOSS, Marks(guess=0.25))


def test_the_kept_epoch_has_a_ring_the_first_with_the_lowest_loss() -> None:
    rows = [*trained(0.8, 0.9, 0.9, 0.9), *validated((0.5, 0.8), (0.3, 0.85), (0.3, 0.9), (0.6, 0.9))]
    assert drawn(rows)["kept"] == [(2, 0.85, "kept")] and drawn(rows, LOSS)["kept"] == [(2, 0.3, "kept")]
    assert "kept" not in drawn(trained(0.5)) and "kept" not in drawn(rows, RATE)


def test_words_stand_at_the_ends_and_do_not_cover_each_other() -> None:
    apart = drawn([*trained(0.5, 0.98), *validated((0.5, 0.7), (0.4, 0.75))])["words"]
    assert apart == [(2, 0.98, "training 98 %"), (2, 0.75, "validation 75 %")]
    close = drawn([*trained(0.9, 0.93), *validated((0.5, 0.92), (0.4, 0.94))])["words"]
    assert [text for _, _, text in close] == ["training 93 %", "validation 94 %"]
    assert close[1][1] - close[0][1] == pytest.approx(run_figures.LINE_OF_TEXT * 0.22)
    assert "words" not in drawn(trained(0.5), RATE)


def test_the_beginning_of_fine_tuning_is_a_row_too() -> None:
    assert drawn(trained(0.5, 0.6), marks=Marks(1.0))["fine-tuning"][0][0] == 1.0
    assert "fine-tuning" not in drawn(trained(0.5, 0.6))


def test_the_learning_rate_is_logarithmic_and_without_what_it_cannot_show() -> None:
    points = [{"position": n / 4, "learning_rate": rate} for n, rate in enumerate((1e-2, 1e-4, 0.0))]
    found = drawn(points, RATE)
    assert [value for _, value, _ in found["training"]] == [1e-2, 1e-4]
    assert [value for _, value, _ in found["frame"]] == [1e-4, 1e-2]


def test_partial_rows_without_values_draw_nothing() -> None:
    assert curve_data([{"position": 0.3, "partial": True}], ACCURACY, Marks(0.1, 0.5)).empty


@pytest.mark.parametrize("measure", [ACCURACY, LOSS, RATE, SPEED])
def test_the_specification_is_vega_lite_with_its_unit(measure: str) -> None:
    chart = curve_chart(measure)
    alt.Chart.from_dict({"data": {"name": "rows"}, **chart}, validate=True)
    assert "'epoch'" in str(chart) and ("cross-entropy" in str(chart)) is (measure == LOSS)
