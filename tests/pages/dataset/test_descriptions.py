from pathlib import Path

import pytest

from core.data.dataset import prepare
from core.data.review import Review
from core.data.scan.folder import scan
from core.data.scan.layout import TABLE, Layout
from pages.components.dataset.descriptions import describe_rows_without_photo, describe_split
from tests.conftest import write_colours


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        (0, ""),
        (1, "1 row of labels\\.csv names a photo that is not in the folder"),
        (1234, "1,234 rows of labels\\.csv name photos that are not in the folder"),
    ],
)
def test_rows_that_name_no_photo_are_counted_apart_from_photos_left_out(
    tmp_path: Path, missing: int, sentence: str
) -> None:
    write_colours(tmp_path, per_class=2)
    rows = [f"{name}/0{number}.png,{name}" for name in ("blue", "red") for number in range(2)]
    rows += [f"gone-{number}.png,red" for number in range(missing)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label", *rows]))
    (tmp_path / "blue" / "broken.png").write_bytes(b"broken")
    found = scan(tmp_path, roots=[tmp_path], layout=Layout(TABLE, "labels.csv", "file", "label"))
    assert describe_rows_without_photo(found) == sentence
    assert len(found.rows_without_photo) == missing
    assert [entry.path for entry in found.files_left_out] == ["blue/broken.png"]


def test_a_split_at_random_and_one_that_the_dataset_has_are_told_apart(tmp_path: Path) -> None:
    for name in ("plain", "divided/train", "divided/test"):
        write_colours(tmp_path / name, per_class=3)
    plain, divided = (
        describe_split(prepare(scan(root, roots=[root]), Review(root)))
        for root in (tmp_path / "plain", tmp_path / "divided")
    )
    assert plain.startswith("Split at random within each class.")
    assert divided == (
        "The dataset has its own split (training, test), which is kept. There is no validation folder, so its photos"
        " are taken from training."
    )
