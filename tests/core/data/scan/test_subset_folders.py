from collections.abc import Mapping, Sequence

import pytest

from core.data.scan.subset_folders import (
    FolderTree,
    Parts,
    are_surely_parts,
    may_be_parts,
    means_part,
    read_parts,
    subset_named,
)
from core.data.subsets import NO_SUBSET, TEST, TRAINING, VALIDATION

KINDS = ("cat", "dog")


def tree_of(*patterns: str) -> list[str]:
    """Paths of two photos for each pattern; "*" stands for each of two classes."""
    folders = [pattern.replace("*", kind) for pattern in patterns for kind in (KINDS if "*" in pattern else KINDS[:1])]
    return [f"{folder}/{number}.jpg" for folder in folders for number in (1, 2)]


def read(patterns: Sequence[str]) -> tuple[Parts, FolderTree]:
    paths = tree_of(*patterns)
    tree = FolderTree(paths)
    return read_parts(paths, tree), tree


def subsets_by_folder(paths: Sequence[str]) -> Mapping[str, int]:
    parts = read_parts(paths, FolderTree(paths))
    return {path.rpartition("/")[0]: subset for path, subset in parts.subsets.items()}


@pytest.mark.parametrize(
    ("names", "subset"),
    [
        (
            (
                "train",
                "training_set",
                "seg_train",
                "train2017",
                "TrainImages",
                "my-train-data",
                "trainval",
                "trainlist",
                "Trainingsdaten",
                "训练集",
                "обучающая",
            ),
            TRAINING,
        ),
        (
            ("val", "val2017", "valid", "validation_images", "dev", "seg_val", "vallist", "Validierung", "验证集"),
            VALIDATION,
        ),
        (
            (
                "Test",
                "test1",
                "test-multiple_fruits",
                "testset",
                "evaluation",
                "my_tst",
                "Testdaten",
                "prueba",
                "テスト",
            ),
            TEST,
        ),
        (("trial", "invalid", "latest", "contest", "trainers", "train_or_test", "fold_0", "seg_pred", ""), NO_SUBSET),
    ],
)
def test_a_name_means_a_subset_with_any_prefix_or_suffix(names: Sequence[str], subset: int) -> None:
    assert {name: subset_named(name) for name in names} == dict.fromkeys(names, subset)


def test_a_name_can_mean_a_part_without_saying_which() -> None:
    assert all(map(means_part, ("fold_0", "seg_pred", "single_prediction", "HAM10000_images_part_1", "phase2")))
    assert not any(map(means_part, ("cat", "fold", "class_1", "digit 3", "2023")))


@pytest.mark.parametrize(
    "patterns",
    [
        ("training_set/*", "test_set/*", "single_prediction"),
        ("training_set/training_set/*", "test_set/test_set/*"),
        ("seg_train/seg_train/*", "seg_test/seg_test/*", "seg_pred/seg_pred"),
        ("Training/*", "Test/*", "test-multiple_fruits"),
        ("train/images/*", "val/images/*"),
        ("images/train/*", "images/val/*"),
        ("archive/seg_train/*", "archive/seg_test/*"),
        ("train/pets/*", "test/pets/*"),
        ("train_data/*", "test1"),
        ("train/*", "phase2"),
        ("*/train", "*/test"),
        ("train/*",),
        ("images/*",),
        ("trainingsdaten/*", "validación/*"),
    ],
    ids=" ".join,
)
def test_parts_whose_names_say_so_are_recognised(patterns: Sequence[str]) -> None:
    paths = tree_of(*patterns)
    tree = FolderTree(paths)
    parts = read_parts(paths, tree)
    assert are_surely_parts(parts, tree) and parts.class_names == set(KINDS)
    assert set(parts.classes) == {path for path in paths if "cat/" in path or "dog/" in path}
    assert set(parts.without_class) == set(paths) - set(parts.classes)


def test_the_innermost_part_gives_the_subset() -> None:
    paths = tree_of("train/*", "train/val/*", "test/*")
    found = subsets_by_folder(paths)
    assert found == {
        **{f"train/{kind}": TRAINING for kind in KINDS},
        **{f"train/val/{kind}": VALIDATION for kind in KINDS},
        **{f"test/{kind}": TEST for kind in KINDS},
    }
    inside_classes = subsets_by_folder(tree_of("*/train", "*/test"))
    assert inside_classes == {
        f"{kind}/{part}": subset for kind in KINDS for part, subset in (("train", 0), ("test", 2))
    }


@pytest.mark.parametrize(
    "patterns",
    [
        ("fold_0/*", "fold_1/*", "phase2"),
        ("2023/*", "2024/*"),
        ("train", "test1"),
        ("train2017", "val2017"),
        ("HAM10000_images_part_1", "HAM10000_images_part_2"),
        ("images_001/images", "images_002/images"),
        ("images/train", "images/val"),
        ("val/*", "test/*"),
        ("train/*", "test/*", "more/*"),
        ("train/*", "training/*"),
        ("Plants/Plants/train/*", "Plants/Plants/valid/*", "test/test"),
        ("train/*", "valid/*", "sample/train/*", "sample/valid/*"),
        ("train_cats", "train_dogs", "test_cats", "test_dogs"),
        ("Hunde_Training", "Katzen_Training", "Hunde_Test", "Katzen_Test"),
    ],
    ids=" ".join,
)
def test_a_person_is_asked_where_folders_may_be_parts(patterns: Sequence[str]) -> None:
    parts, tree = read(patterns)
    assert may_be_parts(parts, tree) and not are_surely_parts(parts, tree)


@pytest.mark.parametrize(
    "patterns",
    [
        ("train", "bus", "car"),
        ("test_positive", "test_negative"),
        ("train_steam", "train_diesel", "bus_city", "bus_coach"),
        ("cat/images", "dog/images"),
        ("digit_1", "digit_2"),
        ("cat/black", "cat/white", "dog/large", "dog/small"),
        ("train/steam", "train/diesel", "bus/city", "bus/coach"),
    ],
    ids=" ".join,
)
def test_classes_are_not_taken_for_parts(patterns: Sequence[str]) -> None:
    parts, tree = read(patterns)
    assert not may_be_parts(parts, tree) and not are_surely_parts(parts, tree)
