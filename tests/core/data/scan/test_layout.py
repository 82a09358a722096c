import os
from pathlib import Path

import pytest

from core.data.scan.folder import Scan, scan
from core.data.scan.layout import FIRST, INNERMOST, TABLE, Layout
from core.data.scan.tables import TABLES_SHOWN, read_table, tables_in
from core.data.subsets import NO_SUBSET, SUBSETS
from core.errors import DataError, FolderError
from tests.core.data.conftest import place


def put(root: Path, *names: str) -> Path:
    """Write small photos, all different."""
    for name in names:
        place(root / name)
    return root


def look(root: Path, label_by: str = FIRST) -> Scan:
    return scan(root, roots=[root], layout=Layout(label_by))


def with_table(root: Path, content: str | bytes, table: str = "labels.csv", columns: str = "file,label") -> Scan:
    """Write a table and scan the folder with the labels that it gives."""
    place(root / table, content.encode() if isinstance(content, str) else content)
    return scan(root, roots=[root], layout=Layout(TABLE, table, *columns.split(",")))


def classes(found: Scan) -> dict[str, str]:
    folder = found.folder
    return {path: folder.class_names[label] for path, label in zip(folder.paths, folder.labels.tolist(), strict=True)}


def parts(found: Scan) -> dict[str, str]:
    """Return the name of the part that the folder gives each photo; empty for none."""
    names = {NO_SUBSET: "", **dict(enumerate(SUBSETS))}
    return {path: names[part] for path, part in zip(found.folder.paths, found.given.tolist(), strict=True)}


def reasons(found: Scan) -> dict[str, str]:
    return {entry.path: entry.reason for entry in found.left_out}


@pytest.mark.parametrize("depth", [1, 2, 5, 12])
def test_photos_lie_as_deep_as_they_like(tmp_path: Path, depth: int) -> None:
    middle = "/".join(f"level {number}" for number in range(depth - 1))
    ways = {name: "/".join(part for part in (name, middle, f"in {name}") if part) for name in ("cat", "dog")}
    put(tmp_path, *(f"{way}/1.png" for way in ways.values()))
    assert classes(look(tmp_path)) == {f"{way}/1.png": name for name, way in ways.items()}
    inner = look(tmp_path, INNERMOST)
    assert classes(inner) == {f"{way}/1.png": f"in {name}" for name, way in ways.items()}
    assert inner.left_out == () and inner.layout == Layout(INNERMOST)


def test_the_first_folder_or_the_innermost_gives_the_class(tmp_path: Path) -> None:
    put(tmp_path, "pets/cat/1.png", "pets/dog/1.png", "farm/cow/1.png", "farm/cow/calf/1.png", "farm/2.png")
    assert look(tmp_path).folder.class_names == ("farm", "pets")
    found = look(tmp_path, INNERMOST)
    assert found.folder.class_names == ("calf", "cat", "cow", "dog", "farm")
    assert classes(found)["farm/2.png"] == "farm" and classes(found)["farm/cow/calf/1.png"] == "calf"
    assert found.datasets_inside == ()


def test_innermost_folders_of_one_name_are_one_class(tmp_path: Path) -> None:
    put(tmp_path, "2023/cat/1.png", "2024/cat/1.png", "2024/dog/1.png", "2023/spring/dog/2.png")
    found = look(tmp_path, INNERMOST)
    assert found.folder.class_names == ("cat", "dog")
    assert found.folder.paths == ("2023/cat/1.png", "2024/cat/1.png", "2023/spring/dog/2.png", "2024/dog/1.png")
    assert found.folder.counts().tolist() == [2, 2]


@pytest.mark.parametrize("label_by", [FIRST, INNERMOST])
def test_photos_in_no_folder_have_no_class(tmp_path: Path, label_by: str) -> None:
    found = look(put(tmp_path, "loose.png", "cat/1.png", "dog/1.png"), label_by)
    assert reasons(found) == {"loose.png": "it is next to the class folders, not in one of them"}


def test_folders_without_photos_are_reported_where_they_stand_for_a_class(tmp_path: Path) -> None:
    put(tmp_path, "a/cat/1.png", "b/dog/1.png")
    place(tmp_path / "b" / "owl" / "1.png", b"broken")
    (tmp_path / "c" / "fox").mkdir(parents=True)
    assert set(reasons(look(tmp_path))) == {"b/owl/1.png", "c"}
    assert set(reasons(look(tmp_path, INNERMOST))) == {"b/owl/1.png", "b/owl", "c/fox"}


@pytest.mark.parametrize(
    "names",
    [
        ("train", "val", "test"),
        ("train", "valid", "test"),
        ("train", "validation", "test"),
        ("training", "validation", "testing"),
        ("Train", "VALID", "Test"),
        ("TRAIN", "Val", "TEST"),
        ("Training", "Validation", "Testing"),
    ],
    ids="-".join,
)
def test_a_ready_split_is_recognised_and_kept(tmp_path: Path, names: tuple[str, str, str]) -> None:
    for top in names:
        put(tmp_path, f"{top}/cat/1.png", f"{top}/dog/1.png", f"{top}/dog/deeper/2.png")
    found = look(tmp_path)
    assert found.folder.class_names == ("cat", "dog")
    assert found.folder.counts().tolist() == [3, 6]
    expected = dict(zip(names, SUBSETS, strict=True))
    assert parts(found) == {path: expected[path.partition("/")[0]] for path in found.folder.paths}
    assert (found.left_out, found.datasets_inside) == ((), ())


@pytest.mark.parametrize(
    ("tops", "expected"),
    [
        (("train", "test"), {"training", "test"}),
        (("train", "val"), {"training", "validation"}),
        (("train", "val", "valid"), {"training", "validation"}),
    ],
    ids=["no validation", "no test", "two for validation"],
)
def test_a_split_may_lack_a_part_and_may_have_one_twice(
    tmp_path: Path, tops: tuple[str, ...], expected: set[str]
) -> None:
    put(tmp_path, *(f"{top}/{name}/1.png" for top in tops for name in ("cat", "dog")))
    found = look(tmp_path)
    assert found.folder.class_names == ("cat", "dog") and set(parts(found).values()) == expected


def test_what_lies_beside_a_split_does_not_hide_it(tmp_path: Path) -> None:
    put(tmp_path, "train/cat/1.png", "train/dog/1.png", "val/cat/1.png", "loose.png")
    place(tmp_path / "docs" / "readme.txt", b"x")
    (tmp_path / "empty").mkdir()
    found = look(tmp_path)
    assert parts(found) == {
        "train/cat/1.png": "training",
        "val/cat/1.png": "validation",
        "train/dog/1.png": "training",
    }
    assert set(reasons(found)) == {"loose.png", "docs/readme.txt"}


def test_a_test_of_photos_without_labels_is_left_out(tmp_path: Path) -> None:
    put(tmp_path, "train/cat/1.png", "train/dog/1.png", "test/1.png", "test/2.png")
    found = look(tmp_path)
    assert set(parts(found).values()) == {"training"} and found.folder.class_names == ("cat", "dog")
    assert reasons(found) == dict.fromkeys(("test/1.png", "test/2.png"), "the folder test has no class folders")


def test_a_class_that_is_only_in_the_test_is_a_class(tmp_path: Path) -> None:
    found = look(put(tmp_path, "train/cat/1.png", "train/dog/1.png", "test/cat/1.png", "test/owl/1.png"))
    assert found.folder.class_names == ("cat", "dog", "owl")
    assert parts(found)["test/owl/1.png"] == "test"


def test_within_a_split_the_innermost_folder_can_give_the_class(tmp_path: Path) -> None:
    found = look(put(tmp_path, "train/pets/cat/1.png", "train/pets/dog/1.png", "test/x/y/cat/1.png"), INNERMOST)
    assert classes(found) == {
        "train/pets/cat/1.png": "cat",
        "test/x/y/cat/1.png": "cat",
        "train/pets/dog/1.png": "dog",
    }
    assert parts(found)["test/x/y/cat/1.png"] == "test"


def test_an_empty_class_of_a_split_is_reported_with_its_part(tmp_path: Path) -> None:
    put(tmp_path, "train/cat/1.png", "train/dog/1.png", "test/cat/1.png", "test/dog/1.png")
    (tmp_path / "test" / "owl").mkdir()
    assert set(reasons(look(tmp_path))) == {"test/owl"}


def test_a_folder_around_all_classes_of_each_part_is_no_class(tmp_path: Path) -> None:
    put(tmp_path, "train/pets/cat/1.png", "train/pets/dog/1.png", "test/pets/cat/1.png", "test/pets/dog/1.png")
    assert classes(look(tmp_path))["test/pets/cat/1.png"] == "cat"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"], ids=["comma", "semicolon", "tab", "bar"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_a_table_gives_the_labels_of_a_flat_folder(tmp_path: Path, separator: str, end: str) -> None:
    put(tmp_path, "1.png", "2.png", "3.png")
    rows = [("file", "label"), ("1.png", "dog"), ("3.png", "cat"), ("2.png", "dog")]
    found = with_table(tmp_path, end.join(separator.join(row) for row in rows))
    assert classes(found) == {"1.png": "dog", "2.png": "dog", "3.png": "cat"}
    assert found.folder.class_names == ("cat", "dog")
    assert found.left_out == () and set(parts(found).values()) == {""}


@pytest.mark.parametrize(
    ("encoding", "name"),
    [("utf-8", "薔薇"), ("utf-8-sig", "Füchse"), ("cp1252", "Füchse")],
    ids=["UTF-8", "UTF-8 with BOM", "Windows"],
)
def test_a_table_may_be_written_by_any_spreadsheet(tmp_path: Path, encoding: str, name: str) -> None:
    put(tmp_path, "1.png", "é.png")
    text = f"file;label\né.png;{name}\n1.png;other\n" if encoding != "utf-8" else f"file;label\né.png;{name}\n1.png;x\n"
    assert classes(with_table(tmp_path, text.encode(encoding)))["é.png"] == name


def test_cells_may_be_quoted_and_padded_and_rows_too_long_or_empty(tmp_path: Path) -> None:
    put(tmp_path, "a, b.png", "2.png", "3.png")
    text = '"file" , label\n"a, b.png","the ""best"""\n\n , \n 2.png , cat ,more,still more\n3.png,cat'
    found = with_table(tmp_path, text)
    assert classes(found) == {"a, b.png": 'the "best"', "2.png": "cat", "3.png": "cat"}
    assert found.left_out == ()


def test_columns_are_chosen_by_their_names(tmp_path: Path) -> None:
    put(tmp_path, "1.png", "2.png")
    text = "breed,id,colour\npug,1.png,black\ncorgi,2.png,red\n"
    assert classes(with_table(tmp_path, text, columns="id,breed")) == {"1.png": "pug", "2.png": "corgi"}
    assert classes(with_table(tmp_path, text, columns="id,colour")) == {"1.png": "black", "2.png": "red"}


def test_rows_that_lead_nowhere_and_photos_without_a_row_are_reported(tmp_path: Path) -> None:
    put(tmp_path, "1.png", "2.png", "forgotten.png")
    found = with_table(tmp_path, "file,label\n1.png,cat\n2.png,dog\nmissing.png,cat\n,cat\n")
    assert set(classes(found)) == {"1.png", "2.png"}
    assert reasons(found) == {
        "missing.png": "a row of the table names it, but it is not in the folder",
        "labels.csv, line 5": "this row of the table names no file",
        "forgotten.png": "no row of labels.csv names it",
    }


def test_a_photo_with_several_labels_has_none(tmp_path: Path) -> None:
    put(tmp_path, "1.png", "2.png", "3.png")
    found = with_table(tmp_path, "file,label\n1.png,cat\n2.png,dog\n3.png,dog\n3.png,cat\n2.png,dog\n")
    assert classes(found) == {"1.png": "cat", "2.png": "dog"}
    assert reasons(found) == {"3.png": "the table gives it several labels: cat, dog"}


def test_a_photo_without_a_label_is_left_out(tmp_path: Path) -> None:
    put(tmp_path, "1.png", "2.png", "3.png", "4.png")
    found = with_table(tmp_path, "file,label\n1.png,cat\n2.png,dog\n3.png,\n4.png\n")
    assert set(classes(found)) == {"1.png", "2.png"}
    assert reasons(found) == {
        "3.png": "line 4 of the table gives it no label",
        "4.png": "line 5 of the table gives it no label",
    }


def test_no_photo_is_both_used_and_left_out(tmp_path: Path) -> None:
    put(tmp_path, "1.png", "2.png", "3.png")
    for text in ("1.png,cat\n1.png,\n", "1.png,\n1.png,cat\n"):
        found = with_table(tmp_path, f"file,label\n{text}2.png,dog\n3.png,cat\n")
        assert not set(found.folder.paths) & set(reasons(found))


def test_names_without_ending_are_found(tmp_path: Path) -> None:
    put(tmp_path, "1.png", "2.final.png", "images/3.png")
    found = with_table(tmp_path, "file,label\n1,cat\n2.final,dog\n3,cat\n")
    assert classes(found) == {"1.png": "cat", "images/3.png": "cat", "2.final.png": "dog"}


def test_names_without_ending_are_found_in_the_folder_that_is_named(tmp_path: Path) -> None:
    put(tmp_path, "a/1.png", "b/1.png")
    found = with_table(tmp_path, "file,label\na/1,cat\nb/1,dog\n")
    assert classes(found) == {"a/1.png": "cat", "b/1.png": "dog"}


@pytest.mark.parametrize(
    "spelling", ["images/{}.png", "images\\{}.png", "./images/{}.png", "{}.png", ".\\images\\{}.png"]
)
def test_photos_in_subfolders_are_found(tmp_path: Path, spelling: str) -> None:
    put(tmp_path, "images/1.png", "images/2.png")
    found = with_table(tmp_path, f"file,label\n{spelling.format(1)},cat\n{spelling.format(2)},dog\n")
    assert classes(found) == {"images/1.png": "cat", "images/2.png": "dog"}
    assert found.left_out == ()


def test_names_in_a_table_count_from_where_the_table_lies(tmp_path: Path) -> None:
    put(tmp_path, "data/images/1.png", "data/images/2.png", "more/images/1.png")
    found = with_table(tmp_path, "file,label\nimages/1.png,cat\nimages/2.png,dog\n", table="data/labels.csv")
    assert classes(found) == {"data/images/1.png": "cat", "data/images/2.png": "dog"}


def test_a_name_that_several_photos_have_is_not_guessed(tmp_path: Path) -> None:
    put(tmp_path, "a/1.png", "b/1.png", "b/2.png", "3.png", "3.bmp")
    found = with_table(tmp_path, "file,label\n1.png,cat\nb/2.png,dog\n3,dog\n3.png,cat\n")
    assert classes(found) == {"3.png": "cat", "b/2.png": "dog"}
    several = "several photos have this name: the table must give the folder, too"
    unnamed = "no row of labels.csv names it"
    assert reasons(found) == {
        **dict.fromkeys(("1.png", "3"), several),
        **dict.fromkeys(("a/1.png", "b/1.png", "3.bmp"), unnamed),
    }


@pytest.mark.parametrize("way", ["../outside/x.png", "{}/outside/x.png", "..\\outside\\x.png", "a/../../outside/x.png"])
def test_a_table_cannot_lead_out_of_the_folder(tmp_path: Path, way: str) -> None:
    put(tmp_path, "outside/x.png", "set/1.png", "set/2.png")
    cell = way.format(tmp_path)
    found = with_table(tmp_path / "set", f"file,label\n1.png,cat\n2.png,dog\n{cell},dog\n")
    assert found.folder.paths == ("1.png", "2.png")
    assert reasons(found) == {cell: "a row of the table names it, but it is not in the folder"}


def test_the_table_itself_is_not_left_out_but_another_one_is(tmp_path: Path) -> None:
    put(tmp_path, "1.png", "2.png")
    place(tmp_path / "other.csv", b"x")
    assert reasons(with_table(tmp_path, "file,label\n1.png,cat\n2.png,dog\n")) == {
        "other.csv": "this is a table, not a photo"
    }


def test_broken_photos_that_a_table_names_are_left_out_with_their_own_reason(tmp_path: Path) -> None:
    put(tmp_path, "1.png", "2.png")
    place(tmp_path / "3.png", b"")
    found = with_table(tmp_path, "file,label\n1.png,cat\n2.png,dog\n3.png,dog\n")
    assert reasons(found) == {"3.png": "the file is empty"}


def test_a_column_that_is_missing_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    put(tmp_path, "1.png", "2.png")
    for columns in ("photo,label", "file,breed"):
        with pytest.raises(FolderError, match=r"labels\.csv has no column “(photo|breed)”; it has file, label"):
            with_table(tmp_path, "file,label\n1.png,cat\n2.png,dog\n", columns=columns)


def test_a_table_with_one_label_is_told_what_a_table_needs(tmp_path: Path) -> None:
    put(tmp_path, "1.png", "2.png")
    for text in ("1.png,cat\n2.png,cat\n", "elsewhere.png,cat\nother.png,dog\n"):
        with pytest.raises(FolderError) as caught:
            with_table(tmp_path, f"file,label\n{text}")
        said = str(caught.value).replace(str(tmp_path), "")
        assert "labels.csv" in said and "subfolder" not in said


@pytest.mark.parametrize(
    "content", [b"", b"file\n1.png\n", b"file,label\n", b"\n\n", b"just words", b"file,label\n,\n"]
)
def test_a_table_without_columns_or_rows_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(FolderError, match=r"labels\.csv must have a first row with the names of two or more columns"):
        with_table(put(tmp_path, "1.png", "2.png"), content)


@pytest.mark.parametrize("content", [b"file,label\n" + b"x" * 200_000 + b",cat\n", bytes(range(256)) * 4])
def test_bytes_that_are_no_table_get_a_sentence(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(FolderError):
        with_table(put(tmp_path, "1.png", "2.png"), content)


@pytest.mark.parametrize(
    "name", ["../t.csv", "{}/t.csv", "link.csv", "missing.csv", "notes.md", "folder.csv", "pipe.csv", ""]
)
def test_tables_elsewhere_and_other_files_are_refused(tmp_path: Path, name: str) -> None:
    outside = place(tmp_path / "t.csv", b"file,label\n1.png,cat\n")
    root = tmp_path / "set"
    place(root / "notes.md", b"file,label\n1.png,cat\n")
    (root / "folder.csv").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(root / "pipe.csv")
    try:
        (root / "link.csv").symlink_to(outside)
    except OSError:
        pytest.skip("links cannot be made here")
    with pytest.raises(FolderError, match="table"):
        read_table(root, name.format(tmp_path))


def test_a_table_that_is_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    try:
        (tmp_path / "labels.csv").symlink_to(tmp_path / "labels.csv")
    except OSError:
        pytest.skip("links cannot be made here")
    assert tables_in(tmp_path) == ()
    with pytest.raises(FolderError, match="table"):
        read_table(tmp_path, "labels.csv")


def test_a_table_knows_its_rows_by_their_lines(tmp_path: Path) -> None:
    place(tmp_path / "labels.csv", b'file,label\n1.png,cat\n\n"2\n.png",dog\n3.png\n')
    table = read_table(tmp_path, "labels.csv")
    assert table.columns == ("file", "label")
    assert table.rows == ((2, ("1.png", "cat")), (5, ("2\n.png", "dog")), (6, ("3.png", "")))


def test_tables_are_found_in_the_folder_and_one_below(tmp_path: Path) -> None:
    names = ("b.csv", "a.TSV", "images/labels.csv", "z/more.csv")
    for name in (*names, "z/deeper/no.csv", ".hidden.csv", ".git/no.csv", "__MACOSX/no.csv", "notes.txt"):
        place(tmp_path / name, b"x")
    (tmp_path / "folder.csv").mkdir()
    assert tables_in(tmp_path) == ("a.TSV", "b.csv", "images/labels.csv", "z/more.csv")
    for number in range(2 * TABLES_SHOWN):
        place(tmp_path / f"c{number}.csv", b"x")
    assert len(tables_in(tmp_path)) == TABLES_SHOWN
    assert tables_in(tmp_path / "missing") == ()


def test_a_folder_that_cannot_be_opened_does_not_hide_the_tables_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place(tmp_path / "labels.csv", b"x")
    (tmp_path / "private").mkdir()
    listed = os.listdir

    def refuse(path: Path) -> list[str]:
        if Path(path).name == "private":
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(os, "listdir", refuse)
    assert tables_in(tmp_path) == ("labels.csv",)


def test_layouts_that_cannot_be_are_refused() -> None:
    with pytest.raises(DataError, match="“second”; it must be one of first, top, parts, innermost, table"):
        Layout("second")
    for missing in (("", "file", "label"), ("t.csv", "", "label"), ("t.csv", "file", "")):
        with pytest.raises(DataError, match="need the table, its column of files, and its column of labels"):
            Layout(TABLE, *missing)
