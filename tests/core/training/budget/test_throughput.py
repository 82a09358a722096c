import json
from pathlib import Path

import pytest

from core.models.backbones import backbone
from core.training.budget.cost_model import Throughput
from core.training.budget.throughput import (
    FILE_NAME,
    FIXED_FILE_NAME,
    guessed_throughput,
    known_throughput,
    remember,
    remember_fixed,
)

B0, B3, LITE = backbone("efficientnet-b0"), backbone("efficientnet-b3"), backbone("efficientnet-lite0")
THROUGHPUT = Throughput(photos_per_second=100.0, flops=B0.flops)


def test_what_a_run_measured_is_used_for_its_variant_and_in_proportion_for_others(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert (
        known_throughput(home, B0, THROUGHPUT).measured is False
        and known_throughput(home, B0, THROUGHPUT).throughput is THROUGHPUT
    )
    remember(home, B0.key, photos=2000, seconds=40)
    known = known_throughput(home, B0, THROUGHPUT)
    assert known.measured and 50 < known.throughput.photos_per_second < 70
    larger = known_throughput(home, B3, THROUGHPUT)
    assert larger == known and larger.throughput.forward_seconds(B3) > 3 * known.throughput.forward_seconds(B0)
    remember(home, LITE.key, photos=2000, seconds=25)
    assert known_throughput(home, B0, THROUGHPUT) == known
    assert known_throughput(home, B3, THROUGHPUT) == known_throughput(home, LITE, THROUGHPUT)
    remember(home, B0.key, photos=2000, seconds=80)
    assert known_throughput(home, B0, THROUGHPUT).throughput.photos_per_second < known.throughput.photos_per_second
    remember(home, B0.key, photos=20, seconds=0.1)
    remember(home, B0.key, photos=0, seconds=0.0)
    assert known_throughput(home, B0, THROUGHPUT).throughput.photos_per_second < 40


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"efficientnet-b0": 5}',
        '{"efficientnet-b99": {"photos_per_second": 9, "measured": 1}}',
        '{"efficientnet-b0": {"photos_per_second": 0, "measured": 1}}',
        '{"efficientnet-b0": {"photos_per_second": "many", "measured": 1}}',
        '{"efficientnet-b0": {"photos_per_second": 9, "measured": true}}',
        '{"efficientnet-b0": {"photos_per_second": 1e999, "measured": 1}}',
    ],
)
def test_a_damaged_file_is_as_good_as_none_and_is_written_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text, "utf-8")
    assert known_throughput(tmp_path, B0, THROUGHPUT).measured is False
    remember(tmp_path, B0.key, photos=3000, seconds=50)
    assert known_throughput(tmp_path, B0, THROUGHPUT).measured
    assert list(json.loads((tmp_path / FILE_NAME).read_text("utf-8"))) == [B0.key]


def test_what_runs_took_beside_their_epochs_is_what_is_usual_of_the_latest(tmp_path: Path) -> None:
    def fixed(key: str) -> float:
        return known_throughput(tmp_path, backbone(key), THROUGHPUT).throughput.fixed_seconds

    assert fixed(B0.key) == THROUGHPUT.fixed_seconds
    remember_fixed(tmp_path, B0.key, 90)  # with a download
    assert fixed(B0.key) == fixed(B3.key) == 90
    remember_fixed(tmp_path, B0.key, 4)
    assert fixed(B0.key) == fixed(B3.key) == 4
    for seconds in (0, -3, 5, 6, 7, 8, 9):
        remember_fixed(tmp_path, B0.key, seconds)
    assert fixed(B0.key) == 7
    remember_fixed(tmp_path, B3.key, 20)
    assert (fixed(B0.key), fixed(B3.key)) == (7, 20)
    assert known_throughput(tmp_path, B0, THROUGHPUT).measured is False


@pytest.mark.parametrize(
    "text", ["", "[]", '{"efficientnet-b0": 5}', '{"efficientnet-b0": [true]}', '{"efficientnet-b0": []}']
)
def test_damaged_seconds_are_as_good_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / FIXED_FILE_NAME).write_text(text, "utf-8")
    assert known_throughput(tmp_path, B0, THROUGHPUT).throughput.fixed_seconds == THROUGHPUT.fixed_seconds
    remember_fixed(tmp_path, B0.key, 3)
    assert known_throughput(tmp_path, B0, THROUGHPUT).throughput.fixed_seconds == 3


def test_a_guess_is_of_this_world() -> None:
    guess = guessed_throughput()
    assert guess.flops == B0.flops and 1 < guess.photos_per_second < 100_000
