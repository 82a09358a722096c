from pathlib import Path

from PIL import Image

from core.data.dataset import ALIKE_CONFLICT, CONFLICT, Dataset, prepare
from core.data.review import Review
from core.data.scan.folder import scan
from pages.components.labels.dataset_check import conflicts_of, count_conflicts
from tests.conftest import write_colours


def with_copies(root: Path, copies: int, near: int) -> Dataset:
    """Two classes, some of whose photos also lie in the other class: as copies, or packed anew as JPEG files."""
    write_colours(root)
    for number in range(copies):
        (root / "red" / f"copy-{number}.png").write_bytes((root / "blue" / f"{number:02d}.png").read_bytes())
    for number in range(copies, copies + near):
        Image.open(root / "blue" / f"{number:02d}.png").save(root / "red" / f"near-{number}.jpg", quality=95)
    return prepare(scan(root, roots=[root]), Review(root))


def test_conflicts_are_counted_and_not_their_kinds(tmp_path: Path) -> None:
    found = conflicts_of(with_copies(tmp_path / "some", copies=3, near=0))
    assert list(found) == [CONFLICT] and count_conflicts(found) == found[CONFLICT].count == 3


def test_conflicts_of_both_kinds_are_counted_together(tmp_path: Path) -> None:
    found = conflicts_of(with_copies(tmp_path / "both", copies=3, near=2))
    assert set(found) == {CONFLICT, ALIKE_CONFLICT}
    assert count_conflicts(found) == found[CONFLICT].count + found[ALIKE_CONFLICT].count == 5


def test_a_dataset_without_conflicts_counts_none(tmp_path: Path) -> None:
    assert count_conflicts(conflicts_of(with_copies(tmp_path / "none", copies=0, near=0))) == 0
