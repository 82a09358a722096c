import json
import re

import pytest

from command_line.main import main
from tests.conftest import Workplace


@pytest.mark.thorough
def test_labels_that_are_wrong_are_listed(here: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = here.colours / "red" / "99.png"
    (here.colours / "blue" / "07.png").rename(wrong)
    assert main(["check-labels", str(here.colours), "--json"]) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert (found["photos"], found["unread"], found["dataset"]) == (30, 0, str(here.colours))
    assert found["labels_fit"] and found["matched"] > 0.8 and found["warning"] == ""
    (suspect,) = (each for each in found["suspects"] if each["file"] == "red/99.png")
    assert (suspect["label"], suspect["suggested"]) == ("red", "blue") and suspect["confidence"] > 0.5
    assert "Computing the features of each photo" in said.err
    assert main(["check-labels", str(here.colours), "--most", "1"]) == 0
    said = capsys.readouterr()
    assert "1 of 30 labels is probably wrong" in said.out and "red/99.png" in said.out
    assert "Computing the features of each photo" not in said.err, "what was computed is kept"
    assert main(["check-labels", str(here.colours), "--thorough", "--all", "--json"]) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert (
        found["thorough"]
        and "The thorough check takes about" in said.err
        and re.search(r"Fine-tuning \d of 5", said.err)
    )
    assert found["ranking"][0]["file"] == "red/99.png" and len(found["ranking"]) == 30
    assert main(["check-labels", str(here.colours), "--thorough", "--all"]) == 0
    said = capsys.readouterr()
    assert "Fine-tuning" not in said.err, "what was found is kept"
    assert said.out.count(".png") == 30


def test_labels_that_have_nothing_to_do_with_the_photos_get_no_all_clear(
    here: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(0, 15, 2):  # half of each class changes places with half of the other
        for one, other in (("red", "blue"), ("blue", "red")):
            (here.colours / one / f"{number:02d}.png").rename(here.colours / f"{other}-{number}.png")
    for file in sorted(here.colours.glob("*.png")):
        file.rename(here.colours / file.name.partition("-")[0] / file.name)
    assert main(["check-labels", str(here.colours)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Labels and photos do not fit together: predictions for photos held out match ")
    assert "of 30 labels; guessing would match" in said and "No label looks wrong" not in said


def test_a_network_whose_weights_are_not_here_is_told(here: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-labels", str(here.colours), "--network", "resnet50"]) == 1
    assert "No weights for ResNet50" in capsys.readouterr().err
