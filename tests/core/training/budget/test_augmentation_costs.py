import json
import os
from pathlib import Path

import pytest

from core.recipe.augmentations import Choice
from core.training.budget.augmentation_costs import AugmentationCosts, describe_costs


@pytest.fixture
def costs(tmp_path: Path) -> AugmentationCosts:
    return AugmentationCosts(tmp_path / "home" / "costs.json")


def test_what_was_measured_is_kept_for_the_next_time(costs: AugmentationCosts, tmp_path: Path) -> None:
    assert costs.known() == {} and costs.unknown(["hue", "blur"]) == ["hue", "blur"]
    costs.add({"hue": 2.0})
    costs.add({"blur": 1.5, "hue": 3.0})
    again = AugmentationCosts(tmp_path / "home" / "costs.json")
    assert again.known() == {"hue": 3.0, "blur": 1.5} and again.unknown(["hue", "elastic"]) == ["elastic"]


def test_the_sum_counts_how_often_and_geometry_once(costs: AugmentationCosts) -> None:
    costs.add({"hue": 4.0, "blur": 2.0, "rotation": 3.0, "zoom": 1.0})
    assert costs.milliseconds({}) == 0
    assert costs.milliseconds({"hue": Choice(0.1, 0.5), "blur": Choice(0.01)}) == pytest.approx(4)
    assert costs.milliseconds({"rotation": Choice(0.1), "zoom": Choice(0.1)}) == pytest.approx(3)
    assert costs.milliseconds({"rotation": Choice(0.1, 0.5), "zoom": Choice(0.1, 0.5)}) == pytest.approx(3 * 0.75)


def test_a_sum_with_something_unknown_is_unknown(costs: AugmentationCosts) -> None:
    costs.add({"hue": 4.0})
    assert costs.milliseconds({"hue": Choice(0.1), "elastic": Choice(0.1)}) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", "nonsense", '{"cores": null, "milliseconds": {"hue": 1}}'])
def test_a_file_of_no_use_is_as_none(costs: AugmentationCosts, tmp_path: Path, text: str) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "costs.json").write_text(text)
    assert costs.known() == {}
    costs.add({"hue": 1.0})
    assert json.loads((tmp_path / "home" / "costs.json").read_text())["cores"] == os.cpu_count()


@pytest.mark.parametrize(
    ("milliseconds", "photos", "said"),
    [
        (None, 10, "is measured when the Augmentations page is opened"),
        (0.1, 10, "0.1 ms a photo on this machine: less than a second for each pass over your 10 training"),
        (20.0, 2183, "20.0 ms a photo on this machine: 44 s for each pass over your 2,183 training photos."),
        (20.0, 20_000, ": 7 min for each pass over your 20,000"),
    ],
)
def test_the_sum_is_said_in_a_sentence(milliseconds: float | None, photos: int, said: str) -> None:
    assert said in describe_costs(milliseconds, photos)
