from typing import Any

import altair as alt
import numpy as np
import pytest

from pages.components import figures


def rows(count: int) -> list[dict[str, Any]]:
    training = [{"position": (n + 1) / 10, "loss": 1 / (n + 1), "accuracy": 0.5} for n in range(count)]
    return [*training, {"position": count / 10, "val_loss": 0.4, "val_accuracy": 0.9}]


def test_class_counts_add_up_to_every_photo() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1, 1], np.int32)
    parts = np.array([0, 1, 2, 0, 0, 1, 2], np.int8)
    figure = figures.class_counts(["cat", "dog"], labels, parts)
    drawn = {bar.name: list(bar.x) for bar in figure.data}
    assert drawn == {"training": [1, 2], "validation": [1, 1], "test": [1, 1]}


def test_class_names_that_are_numbers_stay_names() -> None:
    figure = figures.class_counts(["0", "1"], np.array([0, 1], np.int32), np.array([0, 0], np.int8))
    assert figure.layout.yaxis.type == "category"


def test_curves_keep_the_newest_point_and_every_validation() -> None:
    data = figures.curve_data(rows(5000), "loss", None)
    training = data[data.curve == "training"]
    assert len(training) <= figures.MOST_POINTS
    assert training.position.max() == 500
    assert list(data[data.curve == "validation"].value) == [0.4]
    assert "fine-tuning" not in set(data.curve)


def test_the_beginning_of_fine_tuning_is_data_too() -> None:
    data = figures.curve_data(rows(3), "accuracy", 2.0)
    assert list(data[data.curve == "fine-tuning"].position) == [2.0]


def test_partial_rows_without_values_draw_nothing() -> None:
    assert figures.curve_data([{"position": 0.3, "partial": True}], "accuracy", None).empty


@pytest.mark.parametrize("measure", ["loss", "accuracy"])
def test_the_specification_is_vega_lite(measure: str) -> None:
    chart = {"data": {"name": "rows"}, **figures.curve_chart(measure, 8)}
    alt.Chart.from_dict(chart, validate=True)


def test_axes_carry_units() -> None:
    loss = str(figures.curve_chart("loss", 8))
    assert "nats" in loss and "'epoch'" in loss
