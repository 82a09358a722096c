from pathlib import Path

import pytest

from core.data.scan.folder import scan
from core.data.scan.joined_lists import read_joined
from core.data.subsets import TEST, TRAINING
from core.errors import UndecidedLayout
from tests.core.data.scan.test_layout import parts, put
from tests.core.data.scan.test_layout_choices import taken, write

BIRDS = ("001.Auk/a_1", "001.Auk/a_2", "002.Wren/w_1", "002.Wren/w_2")


def lists(folder: Path, *keys: str, classes: str = "classes.txt") -> Path:
    """Photos of two classes, with lists that belong together by keys."""
    put(folder, *(f"images/{name}.png" for name in BIRDS))
    write(folder, "images.txt", *(f"{key} {name}.png" for key, name in zip(keys, BIRDS, strict=True)))
    write(folder, "image_class_labels.txt", *(f"{key} {1 + i // 2}" for i, key in enumerate(keys)))
    write(folder, "train_test_split.txt", *(f"{key} {1 - i % 2}" for i, key in enumerate(keys)))
    write(folder, "bounding_boxes.txt", *(f"{key} 1.0 2.0 3.0 4.0" for key in keys))
    write(folder, classes, "1 Great Auk", "2 Wren (male)", "3 Owl")
    return folder


@pytest.mark.parametrize("keys", [("1", "2", "3", "4"), ("ab-1", "ab-2", "ab-3", "ab-4")])
@pytest.mark.parametrize("folder", ["", "CUB_200_2011"])
def test_lists_that_belong_together_by_keys_give_class_and_subset(
    tmp_path: Path, keys: tuple[str, ...], folder: str
) -> None:
    lists(tmp_path / folder, *keys)
    found = taken(tmp_path)
    assert found.folder.class_names == ("Great Auk", "Wren (male)")
    assert list(found.given) == [TRAINING, TEST, TRAINING, TEST]
    assert set(parts(found).values()) == {"training", "test"}


def test_lists_of_other_keys_are_not_joined(tmp_path: Path) -> None:
    lists(tmp_path, "1", "2", "3", "4", classes="names.txt")
    assert read_joined(tmp_path, "images.txt").columns == ("column 1", "column 2", "class", "is_training")
    assert read_joined(tmp_path, "images.txt").cells("class") == ["1", "1", "2", "2"]
    write(tmp_path, "image_class_labels.txt", "1 1", "2 2")
    write(tmp_path, "train_test_split.txt", "1 x", "2 1", "3", "4 0")
    assert read_joined(tmp_path, "images.txt").columns == ("column 1", "column 2")


def test_a_split_column_of_numbers_is_told_to_be_unused(tmp_path: Path) -> None:
    put(tmp_path, *(f"photos/{i}.png" for i in range(6)))
    write(tmp_path, "t.csv", "file,label,split", *(f"{i}.png,{'ab'[i % 2]},{i % 3}" for i in range(6)))
    with pytest.raises(UndecidedLayout) as caught:
        scan(tmp_path, roots=[tmp_path])
    assert "The column “split” holds numbers" in caught.value.choices[0].notes[0]


def test_a_table_of_few_photos_is_offered_where_folders_give_no_classes(tmp_path: Path) -> None:
    put(tmp_path, *(f"photos/{i}.png" for i in range(8)))
    write(tmp_path, "t.csv", "file,label", *(f"{i}.png,{'ab'[i % 2]}" for i in range(4)))
    assert taken(tmp_path).folder.class_names == ("a", "b")
