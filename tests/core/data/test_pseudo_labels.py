from pathlib import Path

import numpy as np
import pytest

from core.data.pseudo_labels import PseudoLabels, read_pseudo_csv, write_pseudo_csv
from core.errors import DataError

LABELS = PseudoLabels(("a/1.png", "写真, 2.png"), ("rose", "tulip"), np.array([1, 0.25], np.float32))


def test_they_come_back_from_their_file(tmp_path: Path) -> None:
    write_pseudo_csv(tmp_path / "labels.csv", LABELS)
    found = read_pseudo_csv(tmp_path / "labels.csv")
    assert (found.paths, found.classes, len(found)) == (LABELS.paths, LABELS.classes, 2)
    np.testing.assert_array_equal(found.certainty, LABELS.certainty)
    write_pseudo_csv(tmp_path / "none.csv", PseudoLabels((), (), np.zeros(0, np.float32)))
    assert len(read_pseudo_csv(tmp_path / "none.csv")) == 0


@pytest.mark.parametrize("certainty", [[0.5], [0.5, 0], [0.5, 1.1], [np.nan, 0.5]])
def test_what_does_not_fit_is_refused(certainty: list[float]) -> None:
    with pytest.raises(DataError):
        PseudoLabels(("a", "b"), ("x", "y"), np.array(certainty, np.float32))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must begin with the columns file, class, certainty"),
        ("file,class,part\n", "must begin with"),
        ("file,class,certainty\na,b\n", "row 2: expected a file, a class and a certainty"),
        ("file,class,certainty\na,b,1\na,b,sure\n", "row 3"),
        ("file,class,certainty\na,b,0\n", "row 2"),
        ("file,class,certainty\na,b,nan\n", "row 2"),
        ('file,class,certainty\n"a', "cannot be read as a CSV file"),
    ],
)
def test_a_damaged_file_gets_a_sentence(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "labels.csv").write_text(text, "utf-8")
    with pytest.raises(DataError, match=words):
        read_pseudo_csv(tmp_path / "labels.csv")
    with pytest.raises(DataError, match="cannot be read"):
        read_pseudo_csv(tmp_path / "gone.csv")
