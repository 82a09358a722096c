import json
from pathlib import Path

import pytest

from command_line.main import main
from tests.conftest import Workplace
from tests.core.data.conftest import encode, place, scene

Say = pytest.CaptureFixture[str]


def photos(here: Workplace, *folders: str) -> Path:
    """A dataset of two photos in each of these folders."""
    root = here.colours.parent / "set"
    for seed, folder in enumerate(folders):
        for number in (0, 1):
            place(root / folder / f"{number}.png", encode(scene(10 * seed + number, side=32)))
    return root


def test_a_reading_is_asked_for_chosen_and_kept(here: Workplace, capsys: Say) -> None:
    root = photos(here, *(f"fold_{fold}/{kind}" for fold in (0, 1) for kind in ("cat", "dog")))
    assert main(["dataset", str(root)]) == 1
    said = capsys.readouterr().out
    assert "2 classes in 2 parts:" in said and "  ├ cat " in said and "choose it by: --labels parts" in said
    assert main(["dataset", str(root), "--labels", "parts"]) == 0
    assert "is read as 2 classes in 2 parts:" in capsys.readouterr().out
    assert main(["dataset", str(root), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["classes"] == {"cat": 4, "dog": 4}


def test_other_commands_ask_as_well(here: Workplace, capsys: Say) -> None:
    root = photos(here, "train", "test1")
    assert main(["check-labels", str(root)]) == 1
    assert "test1, train" in (said := capsys.readouterr().err) and "look like parts of a dataset" in said


def test_the_columns_of_a_table_are_found_or_given(here: Workplace, capsys: Say) -> None:
    root = photos(here, "photos/a", "photos/b", "photos/c")
    rows = [f"{folder}/{number},{'xy'[number]},{'pq'[number]}" for folder in "abc" for number in (0, 1)]
    (root / "t.csv").write_text("\n".join(["id,label,other", *rows]))
    for more, classes in (([], {"x": 3, "y": 3}), (["--label-column", "other"], {"p": 3, "q": 3})):
        assert main(["dataset", str(root), "--labels", "t.csv", *more, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["classes"] == classes
    assert main(["dataset", str(root), "--labels", "none.csv"]) == 1
    assert "none.csv cannot be read" in capsys.readouterr().err


def test_classes_that_only_the_test_has_are_named_and_joined(here: Workplace, capsys: Say) -> None:
    root = photos(here, "train/Cat", "train/Dog", "test/cat", "test/Dog")
    assert main(["dataset", str(root)]) == 0
    said = capsys.readouterr().out
    assert "“cat” (2 photos) has no training photo, so it is not used; the nearest class is “Cat”." in said
    assert "(training, test), which is kept but for 2 photos not used." in said and "no problems" not in said
    assert main(["dataset", str(root), "--join", "cat=Cat"]) == 0
    assert "(training, test), which is kept." in (said := capsys.readouterr().out)
    assert "As decided, 8 photos of 2 classes count." in said
    assert main(["dataset", str(root), "--join", "cow=Cat"]) == 1
    assert "“cow=Cat” must be two classes" in capsys.readouterr().err
