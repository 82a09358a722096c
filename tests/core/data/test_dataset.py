import os
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from core.data.dataset import (
    ALIKE,
    ALIKE_CONFLICT,
    CONFLICT,
    COPIES,
    KINDS,
    LEAK,
    NEVER_LEARNED,
    SAME_NAME,
    Dataset,
    Finding,
    imbalance,
    prepare,
)
from core.data.quality import BLANK
from core.data.review import EXCLUDE, KEEP, RELABEL, Decision, Review
from core.data.scan.folder import Scan, scan
from core.data.scan.layout import BY_HAND, TABLE, Layout
from core.data.split import read_split_csv, write_split_csv
from core.data.subsets import NO_SUBSET, SUBSETS, TEST, TRAINING, VALIDATION
from core.errors import DataError
from tests.core.data.conftest import encode, place, scene

KIND_OF = {kind.key: kind for kind in KINDS}
ABOUT_LOOK_ALIKES = (CONFLICT, LEAK, COPIES, ALIKE_CONFLICT, ALIKE)


def resaved(seed: int) -> bytes:
    """Return a photo like `scene(seed)` to the eye, and another file."""
    return encode(scene(seed).resize((72, 72)), "JPEG", quality=80)


def write(root: Path, photos: Mapping[str, int | bytes]) -> Path:
    """Write photos: the scene of a number, or the bytes of a file."""
    for name, content in photos.items():
        place(root / name, encode(scene(content)) if isinstance(content, int) else content)
    return root


def many(number: int, *tops: str) -> dict[str, int | bytes]:
    """Return so many different photos in each folder."""
    return {f"{top}/{i:02d}.png": 1000 * t + i for t, top in enumerate(tops) for i in range(number)}


def look(root: Path, *decisions: Decision) -> Dataset:
    found = scan(root, roots=[root])
    return prepare(found, Review(found.folder.root, decisions=decisions))


def about(dataset: Dataset, action: str, *paths: str, label: str = "") -> Decision:
    """Return a decision about photos as they are now."""
    found = dataset.scan.folder.paths
    digests = {path: dataset.scan.digests[found.index(path)].tobytes().hex() for path in paths}
    return Decision(action, digests, label)


def classes(dataset: Dataset) -> dict[str, str]:
    folder = dataset.folder
    return {path: folder.class_names[label] for path, label in zip(folder.paths, folder.labels.tolist(), strict=True)}


def found(dataset: Dataset) -> dict[str, list[set[str]]]:
    """Return the photos of each finding about copies and look-alikes."""
    return {
        finding.kind.key: [{dataset.folder.paths[i] for i in members} for members in finding.sets]
        for finding in dataset.findings
        if finding.kind.key in ABOUT_LOOK_ALIKES
    }


def withheld(dataset: Dataset) -> dict[str, str]:
    return {dataset.folder.paths[i]: reason for i, reason in dataset.withheld.items()}


def parts_of(dataset: Dataset, seed: int = 0) -> dict[str, int]:
    return dict(zip(dataset.folder.paths, dataset.split(seed).tolist(), strict=True))


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Return ten cats and ten dogs, all different."""
    return write(tmp_path / "pets", many(10, "cat", "dog"))


def test_without_decisions_a_dataset_is_what_was_found(pets: Path) -> None:
    dataset = look(pets)
    assert dataset.folder.paths == dataset.scan.folder.paths
    assert np.array_equal(dataset.folder.labels, dataset.scan.folder.labels)
    assert dataset.members.tolist() == list(range(20)) and dataset.excluded() == []
    assert found(dataset) == {} and dataset.withheld == {} and dataset.lost == ()
    assert not dataset.has_own_split and (dataset.given == NO_SUBSET).all()
    assert len(set(dataset.groups.tolist())) == 20


def test_excluded_photos_are_not_used(pets: Path) -> None:
    before = look(pets)
    dataset = look(pets, about(before, EXCLUDE, "cat/03.png", "dog/00.png"))
    assert dataset.excluded() == ["cat/03.png", "dog/00.png"]
    assert set(before.folder.paths) - set(dataset.folder.paths) == {"cat/03.png", "dog/00.png"}
    assert [before.folder.paths[i] for i in dataset.members] == list(dataset.folder.paths)
    folder, parts = dataset.used(dataset.split(0))
    assert len(folder) == len(parts) == 18
    assert (pets / "cat" / "03.png").is_file(), "files are never touched"


def test_relabelled_photos_have_the_other_class(pets: Path) -> None:
    dataset = look(pets, about(look(pets), RELABEL, "cat/03.png", label="dog"))
    assert classes(dataset)["cat/03.png"] == "dog"
    assert dataset.folder.class_names == ("cat", "dog") and dataset.folder.counts().tolist() == [9, 11]
    assert dataset.scan.folder.counts().tolist() == [10, 10], "what was found stays"


def test_a_new_class_may_be_made(pets: Path) -> None:
    dataset = look(pets, about(look(pets), RELABEL, "cat/03.png", "dog/01.png", label="Bär"))
    assert dataset.folder.class_names == ("Bär", "cat", "dog")
    assert {path for path, name in classes(dataset).items() if name == "Bär"} == {"cat/03.png", "dog/01.png"}
    assert classes(dataset)["dog/00.png"] == "dog"


def test_a_class_that_loses_all_its_photos_is_gone(pets: Path) -> None:
    write(pets, {"owl/1.png": 5000})
    assert look(pets).folder.class_names == ("cat", "dog", "owl")
    assert look(pets, about(look(pets), RELABEL, "owl/1.png", label="dog")).folder.class_names == ("cat", "dog")
    assert look(pets, about(look(pets), EXCLUDE, "owl/1.png")).folder.class_names == ("cat", "dog")


def test_the_last_decision_counts_and_undo_brings_the_one_before_back(pets: Path) -> None:
    before = look(pets)
    review = Review(
        before.folder.root,
        decisions=(about(before, EXCLUDE, "cat/03.png"), about(before, RELABEL, "cat/03.png", label="dog")),
    )
    assert classes(prepare(before.scan, review))["cat/03.png"] == "dog"
    assert prepare(before.scan, review.without(-1)).excluded() == ["cat/03.png"]
    assert classes(prepare(before.scan, review.without(-1).without(-1))) == classes(before)


def test_a_photo_that_was_replaced_or_is_gone_is_listed_as_lost(pets: Path) -> None:
    before = look(pets)
    decisions = (
        about(before, EXCLUDE, "cat/03.png", "cat/04.png", "cat/05.png"),
        about(before, RELABEL, "dog/00.png", label="cat"),
    )
    write(pets, {"cat/03.png": 7000, "dog/00.png": 7001})
    (pets / "cat" / "04.png").unlink()
    dataset = look(pets, *decisions)
    assert dict(dataset.lost) == {
        "cat/03.png": "a different photo now has this name",
        "dog/00.png": "a different photo now has this name",
        "cat/04.png": "the photo is no longer there, or can no longer be read",
    }
    assert dataset.excluded() == ["cat/05.png"] and classes(dataset)["dog/00.png"] == "dog"
    write(pets, {"cat/03.png": 3, "cat/04.png": 4, "dog/00.png": 1000})
    assert look(pets, *decisions).lost == (), "the photos are back, and the decisions with them"
    assert look(pets, *decisions).excluded() == ["cat/03.png", "cat/04.png", "cat/05.png"]


def test_a_lost_decision_that_was_overruled_is_not_listed(pets: Path) -> None:
    old = about(look(pets), EXCLUDE, "cat/03.png")
    write(pets, {"cat/03.png": 7000})
    dataset = look(pets, old, about(look(pets), KEEP, "cat/03.png"))
    assert dataset.lost == () and dataset.excluded() == []


def test_copies_and_look_alikes_within_a_class_are_used_and_told(pets: Path) -> None:
    write(pets, {"cat/copy.png": 3, "dog/again.jpg": resaved(1004), "dog/x.jpg": resaved(1005), "dog/y.png": 1005})
    dataset = look(pets)
    assert found(dataset) == {
        COPIES: [{"cat/03.png", "cat/copy.png"}, {"dog/05.png", "dog/y.png"}],
        ALIKE: [{"dog/04.png", "dog/again.jpg"}, {"dog/05.png", "dog/x.jpg", "dog/y.png"}],
    }
    assert dataset.withheld == {} and (dataset.split(0) != NO_SUBSET).all()


def test_the_same_photo_in_two_classes_is_withheld_until_decided(pets: Path) -> None:
    write(pets, {"dog/copy.png": 3})
    dataset = look(pets)
    assert found(dataset) == {CONFLICT: [{"cat/03.png", "dog/copy.png"}]}
    assert withheld(dataset) == dict.fromkeys(("cat/03.png", "dog/copy.png"), "the same photo is in several classes")
    for seed in range(5):
        parts = parts_of(dataset, seed)
        assert {path for path, part in parts.items() if part == NO_SUBSET} == {"cat/03.png", "dog/copy.png"}
        folder, used = dataset.used(dataset.split(seed))
        assert len(folder) == len(used) == 19 and "dog/copy.png" not in folder.paths


def test_a_conflict_ends_with_any_decision_that_leaves_one_label(pets: Path) -> None:
    write(pets, {"dog/copy.png": 3})
    before = look(pets)
    out = look(pets, about(before, EXCLUDE, "dog/copy.png"))
    assert (found(out), out.withheld) == ({}, {})
    called = look(pets, about(before, RELABEL, "dog/copy.png", label="cat"))
    assert (found(called), called.withheld) == ({COPIES: [{"cat/03.png", "dog/copy.png"}]}, {})
    fine = look(pets, about(before, KEEP, "cat/03.png", "dog/copy.png"))
    assert (found(fine), fine.withheld) == ({}, {})
    assert parts_of(fine)["cat/03.png"] == parts_of(fine)["dog/copy.png"] != NO_SUBSET
    half = look(pets, about(before, KEEP, "cat/03.png"))
    assert set(withheld(half)) == {"cat/03.png", "dog/copy.png"}, "one of two is no answer"


def test_look_alikes_in_two_classes_are_told_and_used(pets: Path) -> None:
    write(pets, {"dog/again.jpg": resaved(3)})
    dataset = look(pets)
    assert found(dataset) == {ALIKE_CONFLICT: [{"cat/03.png", "dog/again.jpg"}]}
    assert dataset.withheld == {} and parts_of(dataset)["cat/03.png"] == parts_of(dataset)["dog/again.jpg"]
    assert found(look(pets, about(dataset, KEEP, "cat/03.png", "dog/again.jpg"))) == {}


def test_a_whole_dataset_of_blank_or_nearly_equal_photos_is_a_finding(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    blank = {f"{top}/{i}.png": encode(Image.new("RGB", (40, 40), (i, 200, 90))) for i in range(6) for top in "ab"}
    findings = {finding.kind.key: finding.count for finding in look(write(tmp_path / "blank", blank)).findings}
    assert findings[BLANK] == 12
    pixels = np.asarray(scene(1)).astype(int)
    equal = {
        f"{top}/{i}.png": encode(
            Image.fromarray((pixels + random.integers(0, 4, pixels.shape)).clip(0, 255).astype(np.uint8))
        )
        for i in range(6)
        for top in "ab"
    }
    assert found(look(write(tmp_path / "equal", equal)))[ALIKE_CONFLICT] == [set(equal)]


def test_relabelling_may_bring_a_conflict_about(pets: Path) -> None:
    write(pets, {"cat/copy.png": 3})
    dataset = look(pets, about(look(pets), RELABEL, "cat/copy.png", label="dog"))
    assert found(dataset) == {CONFLICT: [{"cat/03.png", "cat/copy.png"}]} and len(dataset.withheld) == 2


@pytest.fixture
def divided(tmp_path: Path) -> Path:
    """Return a dataset with its own split: ten, four and four photos of each of two classes."""
    root = write(tmp_path / "set", many(10, "train/cat", "train/dog"))
    for part, first in (("val", 3000), ("test", 4000)):
        write(
            root,
            {f"{part}/{name}/{i}.png": first + 100 * k + i for k, name in enumerate(("cat", "dog")) for i in range(4)},
        )
    return root


def test_a_split_that_a_dataset_brings_is_kept(divided: Path) -> None:
    dataset = look(divided)
    assert dataset.has_own_split and dataset.withheld == {} and found(dataset) == {}
    tops = {"train": TRAINING, "val": VALIDATION, "test": TEST}
    for seed in range(3):
        assert parts_of(dataset, seed) == {path: tops[path.split("/")[0]] for path in dataset.folder.paths}


@pytest.mark.parametrize("resave", [False, True], ids=["copies", "look-alikes"])
@pytest.mark.parametrize(
    ("kept", "stepping_back"),
    [("test", ["train"]), ("test", ["val"]), ("val", ["train"]), ("test", ["train", "val"])],
)
def test_of_a_leak_only_the_side_that_examines_is_used(
    divided: Path, kept: str, stepping_back: list[str], resave: bool
) -> None:
    content = resaved(9000) if resave else 9000
    write(divided, {f"{kept}/cat/leak.png": 9000, **{f"{top}/cat/leak.jpg": content for top in stepping_back}})
    dataset = look(divided)
    others = {f"{top}/cat/leak.jpg" for top in stepping_back}
    assert found(dataset)[LEAK] == [{f"{kept}/cat/leak.png", *others}]
    name = {"test": "test", "val": "validation"}[kept]
    assert withheld(dataset) == dict.fromkeys(others, f"a nearly identical photo is in the {name} set")
    parts = parts_of(dataset)
    assert {path for path, part in parts.items() if part == NO_SUBSET} == others
    assert SUBSETS[parts[f"{kept}/cat/leak.png"]] == name


def test_look_alikes_within_one_part_are_no_leak(divided: Path) -> None:
    write(divided, {"train/cat/copy.png": 3, "test/dog/again.jpg": resaved(4101)})
    dataset = look(divided)
    assert LEAK not in found(dataset) and dataset.withheld == {}


def test_a_leak_ends_with_a_decision(divided: Path) -> None:
    write(divided, {"test/cat/leak.png": 3})
    before = look(divided)
    assert set(withheld(before)) == {"train/cat/03.png"}
    out = look(divided, about(before, EXCLUDE, "test/cat/leak.png"))
    assert out.withheld == {} and parts_of(out)["train/cat/03.png"] == TRAINING
    fine = look(divided, about(before, KEEP, "train/cat/03.png", "test/cat/leak.png"))
    assert fine.withheld == {} and LEAK not in found(fine)
    assert (parts_of(fine)["train/cat/03.png"], parts_of(fine)["test/cat/leak.png"]) == (TRAINING, TEST)


def test_without_a_split_of_its_own_a_dataset_has_no_leaks(pets: Path) -> None:
    write(pets, {"cat/copy.png": 3})
    assert LEAK not in found(look(pets))


@pytest.fixture(scope="module")
def alike(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset in which many photos have one or two look-alikes, some of them copies."""
    root = tmp_path_factory.mktemp("alike")
    write(root, many(14, "cat", "dog", "owl"))
    more: dict[str, int | bytes] = {}
    for t, name in enumerate(("cat", "dog", "owl")):
        more |= {f"{name}/copy {i}.png": 1000 * t + i for i in range(0, 6, 2)}
        more |= {f"{name}/again {i}.jpg": resaved(1000 * t + i) for i in range(0, 9, 3)}
    more["dog/other.jpg"] = resaved(13)
    return write(root, more)


def groups_of_look_alikes(dataset: Dataset) -> list[list[str]]:
    """Return the paths that show one scene, by their names."""
    scenes: dict[str, list[str]] = {}
    for path in dataset.folder.paths:
        name, _, file = path.partition("/")
        number = "".join(sign for sign in file if sign.isdigit())
        scenes.setdefault("cat 13" if file == "other.jpg" else f"{name} {int(number)}", []).append(path)
    return [paths for paths in scenes.values() if len(paths) > 1]


def test_look_alikes_stay_on_one_side_whatever_the_seed(alike: Path) -> None:
    dataset = look(alike)
    groups = groups_of_look_alikes(dataset)
    assert len(groups) == 16 and {len(group) for group in groups} == {2, 3}
    for seed in range(40):
        parts = parts_of(dataset, seed)
        assert all(len({parts[path] for path in group}) == 1 for group in groups)
        assert NO_SUBSET not in parts.values()
        for name in ("cat", "dog", "owl"):
            reached = {part for path, part in parts.items() if path.startswith(name)}
            assert reached == {TRAINING, VALIDATION, TEST}


@pytest.mark.parametrize("lacking", [{"val"}, {"test"}, {"val", "test"}], ids=lambda lacking: " ".join(sorted(lacking)))
def test_a_missing_part_is_taken_from_training_and_look_alikes_stay_together(
    alike: Path, tmp_path: Path, lacking: set[str]
) -> None:
    root = tmp_path / "set"
    root.mkdir()
    (root / "train").mkdir()
    for name in ("cat", "dog", "owl"):
        os.symlink(alike / name, root / "train" / name)
    kept = {"val", "test"} - lacking
    for top in kept or {"training"}:  # two folders of training photos, where nothing else is there
        write(
            root,
            {f"{top}/{name}/{i}.png": 20_000 + 100 * k + i for k, name in enumerate(("cat", "dog")) for i in (0, 1)},
        )
    (root / "test").mkdir(exist_ok=True)
    place(root / "test" / "unlabelled.png")
    given = scan(root, roots=[root, alike])
    dataset = prepare(given, Review(given.folder.root))
    assert dataset.has_own_split
    inner = [path for path in dataset.folder.paths if path.startswith("train/")]
    for seed in range(15):
        parts = parts_of(dataset, seed)
        for group in groups_of_look_alikes(look(alike)):
            assert len({parts[f"train/{path}"] for path in group}) == 1
        expected = {"val": VALIDATION, "test": TEST}
        for top in kept:
            assert {parts[path] for path in dataset.folder.paths if path.startswith(f"{top}/")} == {expected[top]}
        assert {parts[path] for path in inner} == {TRAINING, *(expected[top] for top in lacking)}


def test_leaks_that_were_withheld_do_not_come_back_by_a_missing_part(divided: Path) -> None:
    for photo in (divided / "val").rglob("*.png"):
        photo.unlink()
    write(divided, {"test/cat/leak.png": 3, "train/cat/again.jpg": resaved(3)})
    for seed in range(10):
        parts = parts_of(look(divided), seed)
        assert parts["train/cat/03.png"] == parts["train/cat/again.jpg"] == NO_SUBSET
        assert VALIDATION in parts.values()


def test_fewer_than_two_classes_are_refused_with_what_is_left(pets: Path) -> None:
    before = look(pets)
    cats = [path for path in before.folder.paths if path.startswith("cat/")]
    for decision in (about(before, EXCLUDE, *cats), about(before, RELABEL, *cats, label="dog")):
        with pytest.raises(DataError, match=r"your decisions leave dog\. Undo some of them"):
            look(pets, decision).split(0)
    nothing = look(pets, about(before, EXCLUDE, *before.folder.paths))
    assert len(nothing.folder) == 0 and len(nothing.excluded()) == 20
    with pytest.raises(DataError, match="your decisions leave no class"):
        nothing.split(0)


def test_classes_that_are_withheld_altogether_do_not_count(tmp_path: Path) -> None:
    root = write(tmp_path, {**many(6, "cat"), **{f"dog/{i}.png": i for i in range(6)}})
    with pytest.raises(DataError, match="your decisions leave no class"):
        look(root).split(0)
    write(root, many(6, "owl") | {f"owl/{i}.png": 7000 + i for i in range(6)})
    for photo in root.glob("owl/0?.png"):
        photo.unlink()
    with pytest.raises(DataError, match="your decisions leave owl"):
        look(root).split(0)


def test_what_is_used_names_only_classes_that_have_photos(pets: Path, tmp_path: Path) -> None:
    """A run writes both the names and the split; labels in the split count the classes that stand in it."""
    write(pets, {"cow/1.png": 5000, "dog/copy.png": 5000})
    dataset = look(pets)
    folder, parts = dataset.used(dataset.split(0))
    write_split_csv(tmp_path / "split.csv", folder, parts)
    again, _ = read_split_csv(tmp_path / "split.csv", pets)
    assert folder.counts().min() > 0
    assert (again.class_names, again.labels.tolist()) == (folder.class_names, folder.labels.tolist())


def test_classes_can_be_left_out_of_a_run_without_touching_the_dataset(pets: Path) -> None:
    write(pets, {f"owl/{i}.png": 7000 + i for i in range(6)})
    dataset = look(pets)
    split = dataset.split(0)
    folder, parts = dataset.used(split, ["cat", "unicorn"])
    assert folder.class_names == ("dog", "owl") and len(parts) == len(folder)
    assert not any(path.startswith("cat/") for path in folder.paths)
    everything, all_parts = dataset.used(split)
    subset_of = dict(zip(everything.paths, all_parts.tolist(), strict=True))
    assert [subset_of[path] for path in folder.paths] == parts.tolist(), "the others stay where they were"
    with pytest.raises(DataError, match=r"At least two classes are needed; without those .* there is owl"):
        dataset.used(split, ["cat", "dog"])


def test_photos_of_a_class_that_no_training_photo_has_are_withheld(divided: Path) -> None:
    write(divided, {"test/owl/1.png": 8000, "val/owl/2.png": 8001})
    dataset = look(divided)
    reason = "its class has no training photo"
    assert withheld(dataset) == dict.fromkeys(("test/owl/1.png", "val/owl/2.png"), reason)
    assert dataset.used(dataset.split(0))[0].class_names == ("cat", "dog")
    called = look(divided, about(dataset, RELABEL, "test/owl/1.png", "val/owl/2.png", label="dog"))
    assert called.withheld == {} and parts_of(called)["test/owl/1.png"] == TEST
    taught = look(divided, about(dataset, RELABEL, "train/cat/00.png", label="owl"))
    assert taught.withheld == {} and parts_of(taught)["val/owl/2.png"] == VALIDATION


def found_by(dataset: Dataset, key: str) -> Finding | None:
    return next((finding for finding in dataset.findings if finding.kind.key == key), None)


def test_classes_that_only_the_test_has_are_a_finding_that_joining_settles(divided: Path) -> None:
    write(divided, {"test/Cat/1.png": 8000, "test/Cat/2.png": 8001, "test/dgo/1.png": 8002})
    dataset = look(divided)
    finding = found_by(dataset, NEVER_LEARNED)
    assert finding is not None and [len(group) for group in finding.sets] == [2, 1]
    assert [dataset.classes_to_join(finding, group)[0] for group in finding.sets] == ["cat", "dog"]
    joined = look(divided, about(dataset, RELABEL, "test/Cat/1.png", "test/Cat/2.png", label="cat"))
    rest = found_by(joined, NEVER_LEARNED)
    assert rest is not None and len(rest.sets) == 1 and parts_of(joined)["test/Cat/1.png"] == TEST


def test_a_class_that_only_the_test_has_may_be_one_that_the_test_lacks(divided: Path) -> None:
    for path in (divided / "test" / "dog").iterdir():
        path.unlink()
    dataset = look(write(divided, {"test/Hund/1.png": 8000, "test/Hund/2.png": 8001}))
    finding = found_by(dataset, NEVER_LEARNED)
    assert finding is not None and dataset.classes_to_join(finding, finding.sets[0]) == []
    assert dataset.classes_missing_beside(finding.sets[0]) == ["dog"]


def test_classes_whose_names_are_nearly_the_same_are_pointed_out(pets: Path) -> None:
    write(pets, {"Cat/1.png": 8000, "Cat/2.png": 8001, "black_cat/1.png": 8002})
    dataset = look(pets)
    finding = found_by(dataset, SAME_NAME)
    assert finding is not None and len(finding.sets) == 1 and dataset.withheld == {}
    assert dataset.classes_to_join(finding, finding.sets[0])[0] == "cat"
    assert not found_by(look(pets, about(dataset, KEEP, "Cat/1.png", "Cat/2.png")), SAME_NAME)


def learnable(dataset: Dataset, seed: int) -> bool:
    """Tell whether a run would see every class in training, or nobody could start it."""
    try:
        folder, parts = dataset.used(dataset.split(seed))
    except DataError as error:
        assert "owl" in str(error), "it says which class it is about"
        return True
    return bool(folder.subset(parts == TRAINING).counts().all())


def test_no_run_begins_with_a_class_that_is_only_in_the_test(divided: Path) -> None:
    assert learnable(look(write(divided, {"test/owl/1.png": 8000, "test/owl/2.png": 8001})), 0)


def test_no_run_begins_with_a_class_whose_training_photos_are_withheld(divided: Path) -> None:
    write(divided, {"train/owl/1.png": 8000, "test/owl/1.jpg": resaved(8000)})
    assert learnable(look(divided), 0)


def test_no_run_begins_with_a_class_that_went_with_its_look_alikes_to_the_test(pets: Path) -> None:
    write(pets, {"owl/1.jpg": resaved(3), "owl/2.jpg": resaved(4)})
    assert all(learnable(look(pets), seed) for seed in range(30))


def test_the_token_changes_with_photos_and_decisions_only(pets: Path) -> None:
    before = look(pets)
    decision = about(before, EXCLUDE, "cat/03.png")
    tokens = [before.token, look(pets, decision).token]
    write(pets, {"cat/99.png": 99})
    tokens += [look(pets).token, look(pets, decision).token]
    assert len(set(tokens)) == 4 and look(pets, decision).token == tokens[3]


def test_digests_are_those_that_decisions_hold(pets: Path) -> None:
    dataset = look(pets, about(look(pets), EXCLUDE, "cat/00.png"))
    for position in (0, 5, 18):
        again = Decision(EXCLUDE, {dataset.folder.paths[position]: dataset.digest(position)})
        assert prepare(dataset.scan, Review(pets, decisions=(again,))).excluded() == [dataset.folder.paths[position]]


def test_photos_of_a_table_may_be_reviewed_too(tmp_path: Path) -> None:
    write(tmp_path, {f"{i}.png": i for i in range(8)} | {"copy.png": 3})
    rows = [f"{i}.png,{'cat' if i % 2 else 'dog'}" for i in range(8)]
    place(tmp_path / "labels.csv", "\n".join(["file,label", *rows, "copy.png,dog"]).encode())
    given = scan(tmp_path, roots=[tmp_path], layout=Layout(TABLE, "labels.csv", "file", "label"))
    before = prepare(given, Review(given.folder.root, given.layout))
    assert set(withheld(before)) == {"3.png", "copy.png"}
    decided = before.review.with_decision(about(before, EXCLUDE, "copy.png"))
    assert prepare(given, decided).withheld == {}


def test_every_kind_of_finding_has_words_for_the_page() -> None:
    assert len(KIND_OF) == len(KINDS) and all(kind.title and kind.means and kind.done for kind in KINDS)
    assert all(KIND_OF[key].together for key in ABOUT_LOOK_ALIKES)


def test_findings_come_in_the_order_of_the_table_without_empty_ones(pets: Path) -> None:
    blurred = encode(scene(9100, side=400).filter(ImageFilter.GaussianBlur(20)), "JPEG")
    write(pets, {"cat/copy.png": 3, "dog/copy.png": 4, "dog/again.jpg": resaved(1001), "dog/blurred.jpg": blurred})
    findings = look(pets).findings
    keys = [finding.kind.key for finding in findings]
    assert keys == [kind.key for kind in KINDS if kind.key in keys]
    assert all(isinstance(finding, Finding) and finding.count == len(finding.sets) > 0 for finding in findings)
    assert {CONFLICT, COPIES, ALIKE} <= set(keys)
    assert all(len(members) > 1 for finding in findings if finding.kind.together for members in finding.sets)
    assert all(len(members) == 1 for finding in findings if not finding.kind.together for members in finding.sets)


def test_hints_count_positions_of_the_photos_that_are_left(pets: Path) -> None:
    write(pets, {"dog/tiny.png": encode(scene(9200).resize((12, 9), Image.Resampling.BOX))})
    before = look(pets)
    dataset = look(pets, about(before, EXCLUDE, "cat/00.png", "cat/01.png"))
    (tiny,) = [finding for finding in dataset.findings if finding.kind.key == "tiny"]
    assert [dataset.folder.paths[int(members[0])] for members in tiny.sets] == ["dog/tiny.png"]
    kept = look(pets, about(before, KEEP, "dog/tiny.png"))
    assert "tiny" not in [finding.kind.key for finding in kept.findings], "somebody has seen it"


@pytest.mark.parametrize(("counts", "expected"), [([5, 5], 1), ([30, 10, 20], 3), ([4, 0], 4), ([], 1), ([7], 1)])
def test_imbalance_is_largest_to_smallest(counts: list[int], expected: float) -> None:
    assert imbalance(counts) == imbalance(np.array(counts, dtype=np.int64)) == expected


def test_a_scan_may_be_prepared_again_and_again(pets: Path) -> None:
    given: Scan = scan(pets, roots=[pets])
    review = Review(given.folder.root)
    one, other = prepare(given, review), prepare(replace(given), review)
    assert one.token == other.token and np.array_equal(one.split(3), other.split(3))


def series(photos: int) -> dict[str, int | bytes]:
    """Photos of a slow move across one scene, and a class of different ones."""
    wide = scene(1, 200)
    moved = {f"burst/{i:02d}.png": encode(wide.crop((i, 0, i + 96, 96))) for i in range(photos)}
    return {**moved, **{f"other/{i:02d}.png": i + 100 for i in range(photos)}}


@pytest.mark.parametrize("seed", range(5))
def test_a_class_that_is_one_long_series_is_divided_in_its_order(tmp_path: Path, seed: int) -> None:
    dataset = look(write(tmp_path / "series", series(30)))
    assert len(found(dataset)[ALIKE][0]) == 30, "the whole series hangs together"
    assert dataset.serial == ("burst",)
    parts = [part for path, part in sorted(parts_of(dataset, seed).items()) if path.startswith("burst")]
    changes = sum(one != other for one, other in pairwise(parts))
    assert set(parts) == {TRAINING, VALIDATION, TEST} and changes == 2
    assert parts.count(TRAINING) == 21


def test_a_few_look_alikes_are_never_divided(tmp_path: Path) -> None:
    dataset = look(write(tmp_path / "series", series(9)))
    assert dataset.serial == ()


def test_identical_files_are_never_divided_even_in_a_series(tmp_path: Path) -> None:
    photos = series(20)
    photos |= {f"burst/{i:02d} copy.png": photos[f"burst/{i:02d}.png"] for i in range(20)}
    parts = parts_of(look(write(tmp_path / "series", photos)))
    assert all(parts[f"burst/{i:02d}.png"] == parts[f"burst/{i:02d} copy.png"] for i in range(20))
    assert {part for path, part in parts.items() if path.startswith("burst")} == {TRAINING, VALIDATION, TEST}


def heap(root: Path, number: int) -> Path:
    """Write photos side by side and in a folder, as a camera leaves them."""
    return write(root, {f"{'' if i % 2 else 'more/'}{i:02d}.png": i for i in range(number)})


def look_by_hand(root: Path, *decisions: Decision) -> Dataset:
    found = scan(root, roots=[root], layout=Layout(BY_HAND))
    return prepare(found, Review(found.folder.root, Layout(BY_HAND), decisions, ("cup", "pen")))


def by_hand(dataset: Dataset, action: str, *positions: int, label: str = "") -> Decision:
    scan = dataset.scan
    return Decision(action, {scan.folder.paths[i]: scan.digests[i].tobytes().hex() for i in positions}, label)


def test_photos_without_classes_are_labelled_by_hand(tmp_path: Path) -> None:
    nothing_yet = look_by_hand(heap(tmp_path, 12))
    assert (len(nothing_yet.folder), len(nothing_yet.unlabelled), nothing_yet.excluded_count) == (0, 12, 0)
    with pytest.raises(DataError, match="Label more of them"):
        nothing_yet.split(0)
    cups = by_hand(nothing_yet, RELABEL, 0, 1, 2, 3, label="cup")
    pens = by_hand(nothing_yet, RELABEL, 4, 5, 6, 7, label="pen")
    out = by_hand(nothing_yet, EXCLUDE, 8)
    dataset = look_by_hand(tmp_path, cups, pens, out)
    assert (dataset.folder.class_names, dataset.folder.counts().tolist()) == (("cup", "pen"), [4, 4])
    assert (len(dataset.unlabelled), dataset.excluded()) == (3, list(out.photos))
    assert {NO_SUBSET} < set(np.append(dataset.split(0), NO_SUBSET).tolist())
    used, parts = dataset.used(dataset.split(0))
    assert len(used) == len(parts) == 8


def test_a_label_given_by_hand_outlasts_that_it_is_right_but_not_that_it_is_given_anew(tmp_path: Path) -> None:
    first = look_by_hand(heap(tmp_path, 4))
    cup, pen = (by_hand(first, RELABEL, 0, label=name) for name in ("cup", "pen"))
    right, out = by_hand(first, KEEP, 0), by_hand(first, EXCLUDE, 0)
    assert look_by_hand(tmp_path, cup, right).folder.class_names == ("cup",)
    assert look_by_hand(tmp_path, cup, pen, right).folder.class_names == ("pen",)
    assert len(look_by_hand(tmp_path, cup, out).folder) == 0
    assert look_by_hand(tmp_path, cup, out, pen).folder.class_names == ("pen",)
    assert len(look_by_hand(tmp_path, right).unlabelled) == 4


def test_a_folder_without_photos_cannot_be_labelled(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no photo")
    with pytest.raises(DataError, match=r"contains no photos\. Choose a folder with photos to label"):
        look_by_hand(tmp_path)
