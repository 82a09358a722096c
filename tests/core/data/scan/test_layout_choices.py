from pathlib import Path
from random import Random

import pytest

from core.data.scan.folder import Scan, scan
from core.data.scan.layout import INNERMOST, PARTS, TABLE, TOP, Layout, place
from core.data.scan.layout_choices import LayoutChoice, decide
from core.data.subsets import SUBSETS
from core.errors import FolderError, UndecidedLayout
from tests.core.data.scan.test_layout import classes, parts, put, reasons


def write(root: Path, name: str, *lines: str, encoding: str = "utf-8") -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text("\n".join(lines), encoding)


def asked(root: Path) -> tuple[LayoutChoice, ...]:
    with pytest.raises(UndecidedLayout) as caught:
        scan(root, roots=[root])
    return caught.value.choices


def taken(root: Path) -> Scan:
    """The folder, read in the first way that is offered."""
    return scan(root, roots=[root], layout=asked(root)[0].layout)


def test_a_question_is_asked_with_the_reading_of_the_tree_drawn(tmp_path: Path) -> None:
    put(tmp_path, *(f"fold_{fold}/{kind}/{i}.png" for fold in (0, 1) for kind in ("cat", "dog", "owl") for i in (1, 2)))
    first, second = asked(put(tmp_path, "phase2/1.png"))
    assert (first.words, first.layout) == ("3 classes in 2 parts", Layout(PARTS))
    assert first.tree.splitlines() == [
        "fold_0",
        "├ cat   2 photos",
        "├ dog   2 photos",
        "└ owl   2 photos",
        "fold_1",
        "├ cat   2 photos",
        "├ dog   2 photos",
        "└ owl   2 photos",
        "phase2  not used",
    ]
    assert (second.words, second.layout) == ("3 classes: fold_0, fold_1, phase2", Layout(TOP))


def test_the_answer_is_followed(tmp_path: Path) -> None:
    put(tmp_path, *(f"train{year}/{kind}/1.png" for year in (1, 2) for kind in ("cat", "dog")), "more/1.png")
    in_parts, at_the_top = (scan(tmp_path, roots=[tmp_path], layout=choice.layout) for choice in asked(tmp_path))
    assert in_parts.folder.class_names == ("cat", "dog")
    assert reasons(in_parts) == {"more/1.png": "the folder more has no class folders"}
    assert at_the_top.folder.class_names == ("more", "train1", "train2") and set(parts(at_the_top).values()) == {""}


def test_a_part_and_a_class_in_one_name_are_told_apart_where_a_person_agrees(tmp_path: Path) -> None:
    kinds = ("big_cats", "dogs")
    put(tmp_path, *(f"{part}_{kind}/{i}.png" for part in ("train", "test") for kind in kinds for i in (1, 2)))
    put(tmp_path, "dogs val/1.png", "valid-big_cats/1.png")
    first, second = asked(tmp_path)
    assert (first.words, first.layout) == ("2 classes (training, validation, test)", Layout(PARTS))
    assert first.tree.splitlines()[:3] == ["training", "├ big_cats  2 photos", "└ dogs      2 photos"]
    assert second.words == "6 classes: dogs val, test_big_cats, test_dogs …"
    found = taken(tmp_path)
    assert found.folder.class_names == kinds
    assert parts(found)["dogs val/1.png"] == "validation" and parts(found)["test_dogs/2.png"] == "test"


def test_what_was_recognised_is_drawn_as_well(tmp_path: Path) -> None:
    found = scan(
        put(tmp_path, *(f"{part}/{kind}/1.png" for part in ("seg_test", "seg_train") for kind in ("cat", "dog"))),
        roots=[tmp_path],
    )
    assert found.layout == Layout(PARTS) and found.reading.words == "2 classes in 2 parts (training, test)"
    assert found.reading.tree.splitlines()[::3] == ["seg_train  training", "seg_test   test"]


def test_many_classes_are_drawn_in_a_few_lines(tmp_path: Path) -> None:
    found = scan(put(tmp_path, *(f"train/class {number:03}/1.png" for number in range(40))), roots=[tmp_path])
    assert found.reading.words == "40 classes (training)" and len(found.reading.tree.splitlines()) == 6
    assert found.reading.tree.endswith("… 36 more") and max(map(len, found.reading.tree.splitlines())) < 40


def test_parts_without_class_folders_are_said_to_be_none(tmp_path: Path) -> None:
    put(tmp_path, "train2017/1.png", "val2017/1.png")
    with pytest.raises(UndecidedLayout, match=r"train2017, val2017 in .* look like parts of a dataset") as caught:
        scan(tmp_path, roots=[tmp_path])
    assert [choice.layout for choice in caught.value.choices] == [Layout(TOP)]


def test_folders_that_only_lead_to_others_are_passed_through(tmp_path: Path) -> None:
    put(tmp_path / "split", *(f"data/raw/{part}/{kind}/1.png" for part in ("train", "test") for kind in ("cat", "dog")))
    assert scan(tmp_path / "split", roots=[tmp_path]).reading.words == "2 classes in 2 parts (training, test)"
    put(tmp_path / "plain", "download/raw/cat/1.png", "download/raw/dog/1.png")
    with pytest.raises(FolderError, match="Its subfolder download/raw looks like a dataset"):
        scan(tmp_path / "plain", roots=[tmp_path])


def test_advice_never_leads_into_a_part(tmp_path: Path) -> None:
    put(tmp_path, "images/train/1.png", "images/train/2.png", "images/val/1.png")
    with pytest.raises(FolderError, match=r"images/train, images/val in .* look like parts") as caught:
        scan(tmp_path, roots=[tmp_path])
    assert "pick" not in str(caught.value)


@pytest.mark.parametrize("others", ["segmentations/{}/1.png", "parts/{}.png"])
def test_what_belongs_to_the_photos_is_not_mixed_with_them(tmp_path: Path, others: str) -> None:
    kinds = ("cat", "dog", "owl")
    put(tmp_path, *(f"images/{kind}/1.png" for kind in kinds), *(others.format(kind) for kind in kinds))
    first, *rest = asked(tmp_path)
    assert first.folder == "images" and [choice.layout for choice in rest] == [Layout(TOP)]
    assert scan(tmp_path / first.folder, roots=[tmp_path]).folder.class_names == kinds


def test_a_table_that_names_nearly_all_photos_is_offered_before_folders(tmp_path: Path) -> None:
    put(tmp_path, *(f"images_part_{part}/{part}{i}.png" for part in (1, 2) for i in range(4)))
    write(
        tmp_path,
        "meta.csv",
        "image_id,dx,age",
        *(f"{p}{i},{('nv', 'mel')[i % 2]},{i}" for p in (1, 2) for i in range(4)),
    )
    first, second = asked(tmp_path)
    assert first.layout.table == "meta.csv" and first.words == "2 classes from the table meta.csv"
    assert second.layout == Layout(TOP)
    assert taken(tmp_path).folder.counts().tolist() == [4, 4]


def test_a_table_that_says_the_same_as_the_folders_is_no_question(tmp_path: Path) -> None:
    put(tmp_path, *(f"{kind}/{kind}{i}.png" for kind in ("cat", "dog") for i in range(4)))
    write(tmp_path, "labels.csv", "file,label", *(f"{kind}{i}.png,{kind}" for kind in ("cat", "dog") for i in range(4)))
    assert scan(tmp_path, roots=[tmp_path]).layout == Layout(TOP)
    write(
        tmp_path, "labels.csv", "file,label", *(f"{kind}{i}.png,{i % 2}" for kind in ("cat", "dog") for i in range(4))
    )
    assert asked(tmp_path)[0].layout.table == "labels.csv"


def test_tables_of_several_subsets_are_one_reading(tmp_path: Path) -> None:
    put(tmp_path, *(f"train/{i}.png" for i in range(4)), *(f"test/{i}.png" for i in range(2)))
    for part, count in (("train", 4), ("test", 2)):
        write(tmp_path, f"{part}_labels.csv", "id,label", *(f"{i},{i % 2}" for i in range(count)))
    found = taken(tmp_path)
    assert parts(found) == {path: SUBSETS[2 * path.startswith("test")] for path in found.folder.paths}
    assert classes(found)["test/1.png"] == "1" and len(found.folder) == 6 and found.left_out == ()


def test_a_table_of_photos_to_be_predicted_is_no_part(tmp_path: Path) -> None:
    put(tmp_path, *(f"train/{i}.png" for i in range(4)), "test/9.png")
    write(tmp_path, "train.csv", "id,breed", *(f"{i},{('pug', 'corgi')[i % 2]}" for i in range(4)))
    write(tmp_path, "test.csv", "id", "9")
    found = taken(tmp_path)
    assert found.layout.table == "train.csv" and found.folder.class_names == ("corgi", "pug")
    assert set(parts(found).values()) == {""} and "test/9.png" in reasons(found)


def test_a_split_column_gives_the_subsets(tmp_path: Path) -> None:
    put(tmp_path, *(f"photos/{i}.png" for i in range(6)))
    subsets = ("train", "train", "train", "train", "val", "test")
    write(tmp_path, "t.csv", "path,label,split", *(f"photos/{i}.png,{i % 2},{s}" for i, s in enumerate(subsets)))
    found = taken(tmp_path)
    assert [parts(found)[f"photos/{i}.png"] for i in (0, 4, 5)] == ["training", "validation", "test"]
    known_before = scan(tmp_path, roots=[tmp_path], layout=Layout(TABLE, "t.csv", "path", "label"))
    assert parts(known_before) == parts(found)
    without = scan(tmp_path, roots=[tmp_path], layout=Layout(TABLE, "t.csv", "path", "label", "(none)"))
    assert set(parts(without).values()) == {""}


def test_lists_of_files_divide_class_folders(tmp_path: Path) -> None:
    put(tmp_path, *(f"images/{kind}/{i}.png" for kind in ("pie", "soup") for i in range(3)))
    write(tmp_path, "meta/train.txt", *(f"{kind}/{i}" for kind in ("pie", "soup") for i in (0, 1)))
    write(tmp_path, "meta/test.txt", "pie/2", "soup/2")
    found = taken(tmp_path)
    assert classes(found)["images/soup/2.png"] == "soup" and parts(found)["images/soup/2.png"] == "test"
    assert parts(found)["images/pie/0.png"] == "training"


def test_photos_with_exactly_one_label_are_used_and_this_is_said(tmp_path: Path) -> None:
    put(tmp_path, *(f"{i}.png" for i in range(6)))
    labels = ("Mass", "Effusion", "Effusion|Mass", "Mass", "Effusion", "Mass|Effusion")
    write(tmp_path, "t.csv", "Image Index,Finding Labels", *(f"{i}.png,{label}" for i, label in enumerate(labels)))
    (choice,) = asked(tmp_path)
    assert choice.notes == (
        "2 photos have several labels, for example Effusion, Mass. One class is learned for each photo, so the 4 photos"
        " with exactly one label are used.",
    )
    found = taken(tmp_path)
    assert found.folder.class_names == ("Effusion", "Mass") and found.reading.notes == choice.notes
    assert reasons(found) == dict.fromkeys(("2.png", "5.png"), "the table gives it several labels: Effusion, Mass")


def test_a_class_can_have_a_column_of_its_own(tmp_path: Path) -> None:
    put(tmp_path, *(f"{i}.png" for i in range(5)))
    rows = ("0,1.0,0.0", "1,0.0,1.0", "2,1.0,0.0", "3,1.0,1.0", "4,0.0,0.0")
    write(tmp_path, "t.csv", "image,MEL,NV", *rows)
    found = taken(tmp_path)
    assert classes(found) == {"0.png": "MEL", "1.png": "NV", "2.png": "MEL"}
    assert set(reasons(found)) == {"3.png", "4.png"}


def test_an_encoding_that_was_guessed_is_said_and_can_be_chosen(tmp_path: Path) -> None:
    put(tmp_path, *(f"{i}.png" for i in range(6)))
    write(tmp_path, "t.csv", "file,label", *(f"{i}.png,{'猫犬'[i % 2]}" for i in range(6)), encoding="gbk")
    (choice,) = asked(tmp_path)
    assert "Chinese, simplified (GBK)" in choice.notes[0] and taken(tmp_path).folder.class_names == ("犬", "猫")
    other = Layout(TABLE, "t.csv", "file", "label", encoding="cp1251")
    assert scan(tmp_path, roots=[tmp_path], layout=other).folder.class_names == ("И®", "ГЁ")[::-1]


def test_a_row_of_a_photo_that_is_gone_does_not_spoil_another_ones_label(tmp_path: Path) -> None:
    put(tmp_path, "dog/0.png", "cat/1.png")
    write(tmp_path, "t.csv", "file,label", "/x/cat/0.png,cat", "/x/dog/0.png,dog", "/x/cat/1.png,cat")
    found = scan(tmp_path, roots=[tmp_path], layout=Layout(TABLE, "t.csv", "file", "label"))
    assert classes(found) == {"dog/0.png": "dog", "cat/1.png": "cat"} and set(reasons(found)) == {"/x/cat/0.png"}


def test_columns_that_were_named_after_a_first_row_are_still_known(tmp_path: Path) -> None:
    put(tmp_path, "0.png", "1.png", "2.png")
    write(tmp_path, "t.csv", "0.png,cat", "1.png,dog", "2.png,cat")
    found = scan(tmp_path, roots=[tmp_path], layout=Layout(TABLE, "t.csv", "0.png", "cat"))
    assert classes(found) == {"0.png": "cat", "1.png": "dog", "2.png": "cat"}


def test_folders_of_one_name_in_two_forms_of_unicode_are_one_class(tmp_path: Path) -> None:
    put(tmp_path, "Gr\u00f6\u00dfe/1.png", "Gro\u0308\u00dfe/2.png", "klein/1.png")
    assert scan(tmp_path, roots=[tmp_path]).folder.class_names == ("Größe", "klein")


def test_a_folder_that_only_gathers_photos_hides_no_question(tmp_path: Path) -> None:
    put(tmp_path, *(f"data/{year}/{kind}/1.png" for year in (2023, 2024) for kind in ("cat", "dog")))
    with pytest.raises(FolderError, match="Its subfolder data looks like a dataset"):
        scan(tmp_path, roots=[tmp_path])
    assert asked(tmp_path / "data")[0].words == "2 classes in 2 parts"


def test_a_table_in_each_part_counts_for_the_photos_beside_it(tmp_path: Path) -> None:
    for part in ("train", "valid"):
        put(tmp_path, *(f"{part}/{i}.png" for i in range(3)))
        write(
            tmp_path,
            f"{part}/_classes.csv",
            "filename, cat, dog",
            *(f"{i}.png, {i % 2}, {1 - i % 2}" for i in range(3)),
        )
    found = taken(tmp_path)
    assert classes(found)["valid/1.png"] == "cat" and classes(found)["train/2.png"] == "dog"
    assert parts(found)["valid/1.png"] == "validation" and len(found.folder) == 6


NAMES = ("train", "test1", "val", "images", "labels", "cat", "Cat", "dog ", "fold_0", "fold_1", "pred", "Größe", "1")
CELLS = (
    "0.png",
    "1",
    "cat",
    "dog|cat",
    "train",
    "TEST",
    "",
    "1.0",
    "0",
    "[]",
    "a,b",
    "猫",
    "../x.png",
    "\x00",
    "'",
    '"',
)


@pytest.mark.parametrize("seed", range(40))
def test_any_tree_with_any_tables_is_read_asked_about_or_refused_in_a_sentence(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    paths = sorted({"/".join([*random.choices(NAMES, k=random.randint(0, 4)), f"{i % 5}.png"]) for i in range(40)})
    folders = sorted({path.rpartition("/")[0] for path in paths} - {""})
    for number in range(random.randint(0, 3)):
        width = random.randint(1, 4)
        rows = [random.choice(",;\t").join(random.choices(CELLS, k=width)) for _ in range(random.randint(0, 12))]
        name = random.choice(("labels.csv", "train.csv", "test.csv", "train.txt", f"t{number}.tsv"))
        (tmp_path / name).write_bytes("\n".join(rows).encode(random.choice(("utf-8", "utf-16", "gb18030"))))
    layouts = [Layout(label_by) for label_by in (TOP, PARTS, INNERMOST)]
    try:
        layouts.append(decide(Layout(), tmp_path, paths, folders))
    except UndecidedLayout as error:
        layouts += [choice.layout for choice in error.choices if not choice.folder]
    for layout in layouts:
        placed = place(layout, tmp_path, paths, folders)
        left_out = {entry.path for entry in placed.left_out}
        assert set(paths) == (placed.classes.keys() | left_out) & set(paths) and not placed.classes.keys() & left_out
        assert not placed.subsets or placed.subsets.keys() == placed.classes.keys()
