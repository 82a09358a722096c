import json

import pytest

from command_line.main import main
from tests.conftest import Workplace


def test_labels_that_are_wrong_are_listed(here: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = here.colours / "red" / "99.png"
    (here.colours / "blue" / "07.png").rename(wrong)
    assert main(["check-labels", str(here.colours), "--json"]) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert (found["photos"], found["unread"], found["dataset"]) == (30, 0, str(here.colours))
    (suspect,) = (each for each in found["suspects"] if each["file"] == "red/99.png")
    assert (suspect["label"], suspect["suggested"]) == ("red", "blue") and suspect["confidence"] > 0.5
    assert "Computing the features of each photo" in said.err
    assert main(["check-labels", str(here.colours), "--most", "1"]) == 0
    said = capsys.readouterr()
    assert "labels are probably wrong" in said.out and "red/99.png" in said.out
    assert "Computing the features of each photo" not in said.err, "what was computed is kept"


def test_a_network_whose_weights_are_not_here_is_told(here: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-labels", str(here.colours), "--network", "resnet50"]) == 1
    assert "No weights for ResNet50" in capsys.readouterr().err
