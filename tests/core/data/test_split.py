from pathlib import Path

import numpy as np
import pytest

from core.data.scan.folder import ImageFolder, Scan, scan
from core.data.split import (
    assign_subsets,
    complete_subsets,
    keep_former_subsets,
    limit_training,
    read_split_csv,
    write_split_csv,
)
from core.data.subsets import NO_SUBSET, SUBSETS, TEST, TRAINING, VALIDATION
from core.errors import DataError
from tests.core.data.conftest import place


def table(labels: np.ndarray, parts: np.ndarray) -> list[list[int]]:
    """Return the number of photos of each class in training, validation and test."""
    return [np.bincount(parts[labels == label], minlength=3).tolist() for label in np.unique(labels)]


def test_each_class_is_divided_as_the_fractions_say() -> None:
    labels = np.repeat([0, 1, 2], [10, 100, 37])
    parts = assign_subsets(labels, seed=1)
    assert parts.dtype == np.int8 and SUBSETS == ("training", "validation", "test")
    assert table(labels, parts) == [[7, 1, 2], [70, 10, 20], [26, 4, 7]]


@pytest.mark.parametrize(
    ("photos", "expected"), [(1, [1, 0, 0]), (2, [1, 0, 1]), (3, [1, 1, 1]), (4, [2, 1, 1]), (5, [3, 1, 1])]
)
def test_small_classes_reach_as_many_parts_as_they_can(photos: int, expected: list[int]) -> None:
    labels = np.repeat([0, 1], [photos, 10])
    assert table(labels, assign_subsets(labels))[0] == expected


@pytest.mark.parametrize("fractions", [(0.7, 0.1, 0.2), (0.34, 0.33, 0.33), (0.98, 0.01, 0.01), (0.01, 0.01, 0.98)])
def test_every_class_of_three_is_in_every_part_and_sums_are_right(fractions: tuple[float, float, float]) -> None:
    for photos in range(3, 60):
        (counts,) = table(np.zeros(photos, int), assign_subsets([0] * photos, fractions))
        assert sum(counts) == photos and min(counts) >= 1
        if min(fractions) * photos >= 1:
            assert np.abs(np.array(counts) - np.array(fractions) * photos).max() < 1


def test_the_seed_decides() -> None:
    labels = np.arange(200) % 2
    first = assign_subsets(labels, seed=3)
    assert np.array_equal(first, assign_subsets(labels, seed=3))
    assert not np.array_equal(first, assign_subsets(labels, seed=4))


def test_photos_are_taken_from_everywhere_in_a_class() -> None:
    parts = assign_subsets([0] * 1000, seed=0)
    assert 0.1 < np.flatnonzero(parts == 2).mean() / 1000 - 0.3 < 0.3


def test_without_enough_photos_it_says_how_many_are_needed() -> None:
    with pytest.raises(DataError, match=r"validation: no class has more than 2.*needs 3"):
        assign_subsets([0, 0, 1, 1])
    with pytest.raises(DataError, match="validation and test"):
        assign_subsets([0, 1])
    with pytest.raises(DataError, match="training and validation and test"):
        assign_subsets([])


@pytest.mark.parametrize(
    "fractions", [(0.7, 0.3), (0.8, 0.2, 0.0), (0.7, 0.2, 0.2), (1.2, -0.1, -0.1), (0.5, np.nan, 0.5)]
)
def test_fractions_that_do_not_add_up_are_refused(fractions: tuple[float, ...]) -> None:
    with pytest.raises(DataError, match="add up to 1"):
        assign_subsets([0] * 10, fractions)


@pytest.mark.parametrize(
    ("labels", "seed", "groups"),
    [([0.5] * 9, 0, None), ([-1] * 9, 0, None), ([[0] * 9], 0, None), ([0] * 9, -1, None), ([0] * 9, 0, [1])],
)
def test_other_arguments_are_checked(labels: list[float], seed: int, groups: list[int] | None) -> None:
    with pytest.raises(DataError):
        assign_subsets(labels, seed=seed, groups=groups)


def test_groups_of_one_change_nothing() -> None:
    labels = np.arange(50) % 3
    assert np.array_equal(
        assign_subsets(labels, seed=5), assign_subsets(labels, seed=5, groups=np.arange(50)[::-1] + 7)
    )


@pytest.mark.parametrize("seed", range(20))
def test_groups_stay_together_and_every_class_reaches_every_part(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.sort(rng.integers(0, 4, 150))
    groups = labels * 1000 + rng.integers(0, rng.integers(4, 60), 150)
    parts = assign_subsets(labels, seed=seed, groups=groups)
    for group in np.unique(groups):
        assert len(np.unique(parts[groups == group])) == 1
    for label in np.unique(labels):
        if len(np.unique(groups[labels == label])) >= 3:
            assert set(parts[labels == label]) == {0, 1, 2}


def test_groups_across_classes_stay_together() -> None:
    labels = np.arange(300) % 3
    groups = np.where(np.arange(300) < 60, np.arange(300) // 5, np.arange(300) + 1000)
    parts = assign_subsets(labels, seed=2, groups=groups)
    assert all(len(np.unique(parts[groups == group])) == 1 for group in range(12))
    assert np.abs(np.array(table(labels, parts)) - [70, 10, 20]).max() <= 2


def test_a_few_pairs_do_not_change_the_sizes() -> None:
    groups = np.arange(100)
    groups[[1, 11, 21]] = [0, 10, 20]
    assert table(np.zeros(100, int), assign_subsets([0] * 100, groups=groups)) == [[70, 10, 20]]


def given_as(**photos: int) -> np.ndarray:
    """Return parts that a dataset brings, so many photos of each."""
    return np.repeat([SUBSETS.index(name) for name in photos], list(photos.values()))


def test_a_complete_split_is_kept_as_it_is() -> None:
    given = np.random.default_rng(1).permutation(given_as(training=30, validation=5, test=9))
    parts = complete_subsets(np.arange(44) % 3, given, seed=7)
    assert np.array_equal(parts, given) and parts.dtype == np.int8
    assert parts is not given


def test_without_a_given_split_all_photos_are_divided() -> None:
    labels, groups = np.arange(100) % 4, np.arange(100) // 2
    parts = complete_subsets(labels, np.full(100, NO_SUBSET), seed=5, groups=groups)
    assert np.array_equal(parts, assign_subsets(labels, seed=5, groups=groups))


@pytest.mark.parametrize(
    ("brought", "expected"),
    [
        ({"training": 100, "test": 20}, [90, 10, 20]),
        ({"training": 100, "validation": 20}, [80, 20, 20]),
        ({"training": 100}, [70, 10, 20]),
    ],
    ids=["validation lacks", "test lacks", "both lack"],
)
@pytest.mark.parametrize("seed", range(5))
def test_a_missing_part_is_taken_from_training_only(brought: dict[str, int], expected: list[int], seed: int) -> None:
    given = np.random.default_rng(seed).permutation(given_as(**brought))
    parts = complete_subsets(np.zeros(len(given), int), given, seed=seed)
    assert np.bincount(parts, minlength=3).tolist() == expected
    assert np.array_equal(parts[given != TRAINING], given[given != TRAINING])
    assert np.array_equal(parts, complete_subsets(np.zeros(len(given), int), given, seed=seed))


def test_what_is_taken_from_training_is_taken_from_each_class() -> None:
    given = np.tile(given_as(training=50, test=10), 3)
    labels = np.repeat([0, 1, 2], 60)
    assert table(labels, complete_subsets(labels, given)) == [[45, 5, 10]] * 3


@pytest.mark.parametrize("seed", range(20))
def test_groups_stay_together_in_what_is_taken_from_training(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, groups = rng.integers(0, 3, 120), rng.integers(0, 50, 120)
    given = np.where(rng.random(50) < 0.2, TEST, TRAINING)[groups]
    parts = complete_subsets(labels, given, seed=seed, groups=groups)
    assert all(len(np.unique(parts[groups == group])) == 1 for group in np.unique(groups))
    assert np.array_equal(parts == TEST, given == TEST) and (parts == VALIDATION).any()


def test_a_training_part_too_small_to_give_is_refused() -> None:
    with pytest.raises(DataError, match="needs 3 or more"):
        complete_subsets([0, 0, 1, 1, 1], [TRAINING, TRAINING, TEST, TEST, TEST])


def test_a_split_comes_back_from_its_file(tmp_path: Path) -> None:
    names = ("薔薇", 'a "b", c', "new\nline", "🌼;=1+1")
    paths = tuple(f"{name}/{i}\r.png" for name in sorted(names) for i in range(3))
    folder = ImageFolder(tmp_path, tuple(sorted(names)), paths, np.repeat(range(4), 3))
    parts = assign_subsets(folder.labels)
    write_split_csv(tmp_path / "split.csv", folder, parts)
    again, parts_again = read_split_csv(tmp_path / "split.csv", tmp_path)
    assert (again.root, again.class_names, again.paths) == (folder.root, folder.class_names, folder.paths)
    assert np.array_equal(again.labels, folder.labels) and np.array_equal(parts_again, parts)
    assert parts_again.dtype == np.int8
    assert [path.name for path in tmp_path.iterdir()] == ["split.csv"]


def test_the_file_reads_like_a_table(flowers: Path, tmp_path: Path) -> None:
    folder = scan(flowers, roots=[flowers]).folder.subset([0, 3])
    write_split_csv(tmp_path / "split.csv", folder, [0, 2])
    lines = (tmp_path / "split.csv").read_text(encoding="utf-8").splitlines()
    assert lines == ["file,class,part", "daisy/1.png,daisy,training", "rose/1.png,rose,test"]


def test_parts_that_do_not_fit_are_not_written(flowers: Path, tmp_path: Path) -> None:
    folder = scan(flowers, roots=[flowers]).folder
    for parts in ([0, 1], [0, 1, 2, 3, 0]):
        with pytest.raises(DataError, match="for each of 5 photos"):
            write_split_csv(tmp_path / "split.csv", folder, parts)
    assert not (tmp_path / "split.csv").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"a,b\n1,2\n",
        b"file,class,part\nx,y\n",
        b"file,class,part\nx,y,tset\n",
        b"\xff\xfe",
        b'file,class,part\n"x,y',
        b"file,class,part\n../x.png,a,test\n",
    ],
)
def test_a_file_that_holds_something_else_is_refused(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        read_split_csv(place(tmp_path / "split.csv", content), tmp_path)
    with pytest.raises(DataError, match="cannot be read"):
        read_split_csv(tmp_path / "missing.csv", tmp_path)


def test_the_shared_flowers_hold_identical_pairs_that_stay_together(shared_scan: Scan) -> None:
    pairs = shared_scan.duplicates.sets(exact=True)
    assert len(pairs) >= 2
    for groups in (shared_scan.duplicates.exact, shared_scan.duplicates.near):
        parts = assign_subsets(shared_scan.folder.labels, groups=groups)
        assert all(len(np.unique(parts[pair])) == 1 for pair in pairs)


def test_photos_stay_in_the_part_where_they_were_and_new_ones_go_with_their_group() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1, 0, 1], np.int32)
    groups = np.array([0, 1, 2, 3, 4, 5, 1, 7])
    parts = np.array([0, 0, 1, 2, 0, 1, 2, -1], np.int8)
    former = np.array([0, 1, 2, 0, 1, 2, -1, 0], np.int8)
    kept = keep_former_subsets(parts, former, labels, groups)
    assert kept.tolist() == [0, 1, 2, 0, 1, 2, 1, -1]


def test_where_staying_would_leave_a_class_untrained_the_new_split_is_taken() -> None:
    labels = np.array([0, 0, 0, 1, 1, 2], np.int32)
    parts = np.array([0, 1, 2, 0, 1, 0], np.int8)
    former = np.array([0, 1, 2, 0, 1, 2], np.int8)
    assert keep_former_subsets(parts, former, labels, np.arange(6)).tolist() == parts.tolist()


def numbered(*of_class: int) -> ImageFolder:
    """So many photos of each class, in an order of no meaning."""
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(of_class)), of_class)).astype(np.int32)
    paths = tuple(f"{label}/{number}.png" for number, label in enumerate(labels))
    return ImageFolder(Path("photos"), tuple("abcdef"[: len(of_class)]), paths, labels)


def test_a_limit_leaves_so_many_training_photos_of_each_class_and_all_others() -> None:
    folder = numbered(60, 40, 6)
    parts = assign_subsets(folder.labels)
    parts[:3] = NO_SUBSET
    for limit in (1, 5, 10):
        found = limit_training(folder, parts, limit, (3, 4))
        kept = found != NO_SUBSET
        assert (found[kept] == parts[kept]).all() and (found[parts != TRAINING] == parts[parts != TRAINING]).all()
        had = np.bincount(folder.labels[parts == TRAINING])
        assert np.bincount(folder.labels[found == TRAINING]).tolist() == np.minimum(had, limit).tolist()
    assert (limit_training(folder, parts, 0, (3, 4)) == parts).all()


def test_the_photos_of_a_limit_are_among_those_of_a_higher_one_and_fixed_by_the_seeds() -> None:
    folder = numbered(60, 40)
    parts = assign_subsets(folder.labels)
    five, ten = (limit_training(folder, parts, limit, (3, 4)) for limit in (5, 10))
    assert (ten[five == TRAINING] == TRAINING).all()
    assert (limit_training(folder, ten, 5, (3, 4)) == five).all() and (parts == assign_subsets(folder.labels)).all()
    others = [limit_training(folder, parts, 5, seeds) for seeds in ((3, 5), (4, 4), (4, 3))]
    assert all((other != five).any() for other in others)
    some = np.flatnonzero((five != NO_SUBSET) | (np.arange(len(folder)) % 2 == 0))
    assert (limit_training(folder.subset(some), parts[some], 5, (3, 4)) == five[some]).all()


def test_a_limit_that_cannot_be_is_refused() -> None:
    folder = numbered(6, 6)
    for limit, parts in ((-1, assign_subsets(folder.labels)), (1, np.zeros(3, np.int8))):
        with pytest.raises(DataError, match="Expected 0 or more photos per class and a subset for each of 12 photos"):
            limit_training(folder, parts, limit, (0, 0))
