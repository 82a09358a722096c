from pathlib import Path

import numpy as np
import pytest

from core.data.review import EXCLUDE, KEEP, RELABEL, Decision
from core.data.scan.folder import ImageFolder
from pages.components.dataset import decisions
from pages.components.gallery.gallery import DECIDED


@pytest.mark.parametrize(
    ("decision", "text"),
    [
        (Decision(EXCLUDE, {"a/1.jpg": "00"}), "a/1\\.jpg left out"),
        (Decision(KEEP, {"a/1.jpg": "00", "a/2.jpg": "01"}), "2 photos marked as correct"),
        (Decision(RELABEL, {"a/1.jpg": "00"}, "*b*"), "a/1\\.jpg moved to \\*b\\*"),
        (Decision(RELABEL, {"a/1.jpg": "00"}, "b_c"), "a/1\\.jpg moved to b c"),
    ],
)
def test_a_decision_is_one_line_of_safe_markdown(decision: Decision, text: str) -> None:
    folder = ImageFolder(Path("/"), ("a", "b_c"), ("0.png", "1.png"), np.array([0, 1], np.int32))
    assert decisions.describe(decision, folder) == text


def test_photos_of_one_class_are_not_moved_to_it() -> None:
    folder = ImageFolder(Path("/"), ("_b_", "a"), ("0.png", "1.png"), np.array([0, 1], np.int32))
    of_one = {action.name: action for action in decisions.actions_for(folder, [0])}
    of_both = {action.name: action for action in decisions.actions_for(folder, [0, 1])}
    assert of_one[RELABEL].choices == ("a",) and of_both[RELABEL].choices == ("_b_", "a")
    only = ImageFolder(Path("/"), ("a",), ("0.png",), np.array([0], np.int32))
    assert [action.name for action in decisions.actions_for(only, [0])] == [EXCLUDE, KEEP]


def test_a_photo_tells_its_class_its_name_and_its_decision() -> None:
    folder = ImageFolder(Path("/"), ("a",), ("x/0.png",), np.array([0], np.int32))
    kept = decisions.photo(folder, 0, b"jpeg", "", Decision(KEEP, {"x/0.png": "00"}))
    assert (kept.id, kept.title, kept.note, kept.badge, kept.mark) == ("x/0.png", "a", "0.png", "correct", DECIDED)
    lost = decisions.photo(folder, 0, b"", "the file is empty", None)
    assert (lost.note, lost.badge) == ("the file is empty", "")


@pytest.mark.parametrize(
    ("name", "shown"), [("short.jpg", "short.jpg"), ("a-very-long-file-name-0012.jpg", "a-very-lon…012.jpg")]
)
def test_a_long_file_name_keeps_its_beginning_and_its_end(name: str, shown: str) -> None:
    assert decisions.shortened(name) == shown
