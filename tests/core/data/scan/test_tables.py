from collections.abc import Sequence
from pathlib import Path
from unicodedata import normalize

import pytest

from core.data.scan.photo_finder import NOT_THERE, SEVERAL, Finder
from core.data.scan.table_columns import FOLDER, ONE_HOT, Columns, guess_columns, labels_in, separator_in
from core.data.scan.tables import parse_table, tables_in
from core.data.scan.text_encoding import decoded
from core.data.subsets import TEST
from tests.core.data.conftest import place

PATHS = tuple(f"photos/{number}.jpg" for number in range(8))


def columns_of(*rows: str, name: str = "t.csv", paths: Sequence[str] = PATHS) -> Columns:
    return guess_columns(parse_table("\n".join(rows).encode(), name), Finder(name, paths))


@pytest.mark.parametrize(
    ("rows", "first"),
    [
        (("0.jpg,cat", "1.jpg,dog"), ("0.jpg", "cat")),
        (("TRAIN,gs://bucket/0.jpg,cat", "TEST,gs://bucket/1.jpg,dog"), ("TRAIN", "gs://bucket/0.jpg", "cat")),
        (("17,cat", "18,dog", "19,cat", "20,dog"), ("17", "cat")),
        (("0.jpg,a|b", "1.jpg,b"), ("0.jpg", "a|b")),
    ],
)
def test_a_table_without_a_row_of_names_loses_no_row(rows: Sequence[str], first: Sequence[str]) -> None:
    table = parse_table("\n".join(rows).encode(), "t.csv")
    assert table.columns == tuple(f"column {number}" for number in range(1, len(first) + 1))
    assert table.rows[0] == (1, tuple(first)) and len(table.rows) == len(rows)


@pytest.mark.parametrize(
    "rows", [("image,0,1", "a,1,0", "b,0,1"), ("animal,x", "1,cat", "2,dog"), ("file,label", "file,x", "y,label")]
)
def test_a_row_of_names_is_one(rows: Sequence[str]) -> None:
    assert parse_table("\n".join(rows).encode(), "t.csv").columns == tuple(rows[0].split(","))


@pytest.mark.parametrize("before", ["sep=;", "# made by hand", "Our photos, class 7b", "Photos;;"])
def test_a_title_or_remark_before_the_table_is_passed_over(before: str) -> None:
    table = parse_table(f"{before}\n\nfile;label\n0.jpg;cat, grey\n1.jpg;dog\n".encode(), "t.csv")
    assert table.columns == ("file", "label") and table.cells("label") == ["cat, grey", "dog"]


def test_columns_without_a_name_or_with_one_name_are_told_apart() -> None:
    table = parse_table(b",file,label,label\n0,0.jpg,cat,x\n1,1.jpg,dog,y\n", "t.csv")
    assert table.columns == ("column 1", "file", "label", "label (4)") and table.has_names


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("Image Index,Finding Labels,Age", ("Image Index", "Finding Labels")),
        ("image_name,target,width", ("image_name", "target")),
        ("image_url,label,n", ("image_url", "label")),
        ("lesion_id,dx,image_id", ("image_id", "dx")),
        ("id,breed,n", ("id", "breed")),
        ("n,x,Bild", ("Bild", "x")),
    ],
)
def test_columns_are_found_by_what_they_hold_and_by_usual_names(columns: str, expected: Sequence[str]) -> None:
    names = columns.split(",")
    files, labels = expected
    known = [{files: f"{i}.jpg", labels: ("cat", "dog")[i % 2]} for i in range(8)]
    rows = [",".join(row.get(name, str(500 + i)) for name in names) for i, row in enumerate(known)]
    assert columns_of(columns, *rows) == Columns(*expected)


def test_the_columns_of_files_and_of_classes_are_never_the_same() -> None:
    assert columns_of(*(f"{i}.jpg,{('cat', 'dog')[i % 2]}" for i in range(8))) == Columns("column 1", "column 2")
    numbers = columns_of("id,label", *(f"{i},{i % 2}" for i in range(8)))
    assert numbers == Columns("id", "label")


@pytest.mark.parametrize(
    ("column", "values"),
    [("split", ("train", "val", "test")), ("x", ("TRAIN", "TRAIN", "TEST")), ("is_train", ("1", "1", "0"))],
)
def test_a_column_of_subsets_is_found(column: str, values: Sequence[str]) -> None:
    rows = [f"{i}.jpg,{('cat', 'dog')[i % 2]},{values[i % 3]}" for i in range(8)]
    assert columns_of(f"file,label,{column}", *rows) == Columns("file", "label", column)


def test_a_column_for_each_class_is_found() -> None:
    rows = [f"{i},{float(i % 3 == 0)},{float(i % 3 == 1)},{float(i % 3 == 2)}" for i in range(8)]
    assert columns_of("image,MEL,NV,BCC", *rows).label == ONE_HOT
    rows = [f"{i},{('-1', '1')[i % 2]},{('1', '-1')[i % 2]}" for i in range(8)]
    assert columns_of("image,MEL,NV", *rows).label == ONE_HOT


@pytest.mark.parametrize(
    ("cells", "separator"),
    [
        (("Effusion|Mass", "Effusion", "Mass", "No Finding"), "|"),
        (("a;b", "b;c", "a", "c"), ";"),
        (("['a', 'b']", "['a']", "['b']"), ","),
        (("Retriever, golden", "Retriever, flat", "Pug, black", "Poodle, small"), ""),
        (("sky", "sea"), ""),
    ],
)
def test_cells_with_several_labels_are_told_from_one_label(cells: Sequence[str], separator: str) -> None:
    assert separator_in(cells) == separator
    assert labels_in("['a', 'b']", ",") == ["a", "b"] and labels_in("a|b", "") == ["a|b"]


@pytest.mark.parametrize(
    ("lines", "columns"),
    [
        (("pie/1", "soup/2"), Columns("column 1", FOLDER)),
        (("hot dog/1.jpg", "soup/2.jpg"), Columns("column 1", FOLDER)),
        (("pie/1.jpg 0", "pie/2.jpg 1", "soup/2.jpg 1"), Columns("column 1", "column 2")),
        (("1 pie/1.jpg", "2 soup/2.jpg"), Columns("column 2", FOLDER)),
        (("pie/1.jpg 0", "soup/2.jpg 1"), Columns("column 1", FOLDER)),
        (("a pie/1.jpg", "b soup/2.jpg", "c pie/2.jpg"), Columns("column 2", FOLDER)),
        (("# photo class", "pie/1.jpg 0", "pie/2.jpg 1", "soup/2.jpg 1"), Columns("column 1", "column 2")),
        (("pie_1 1 1 1", "pie_2 1 1 2", "soup_2 2 1 1", "soup_3 2 2 1"), Columns("column 1", "column 2")),
    ],
)
def test_lists_of_files_are_tables(lines: Sequence[str], columns: Columns) -> None:
    names = ("pie/1", "pie/2", "soup/2", "hot dog/1", "pie_1", "pie_2", "soup_2", "soup_3")
    paths = [f"images/{name}.jpg" for name in names]
    assert columns_of(*lines, name="meta/train.txt", paths=paths) == columns


def test_texts_that_are_no_lists_are_not_offered(tmp_path: Path) -> None:
    place(tmp_path / "README.txt", b"Photos of food.\nSee https://example.org/food\n")
    place(tmp_path / "classes.txt", b"pie\nsoup\n")
    place(tmp_path / "meta" / "train.txt", b"pie/1\nsoup/2\n")
    assert tables_in(tmp_path) == ("meta/train.txt",)


@pytest.mark.parametrize(
    ("cell", "path"),
    [
        ("/content/drive/My Drive/pets/images/dog/0.jpg", "images/dog/0.jpg"),
        ("C:\\Users\\x\\images\\cat\\0.jpg", "images/cat/0.jpg"),
        ("https://host/images/cat/0.jpg?size=2", "images/cat/0.jpg"),
        ("gs://bucket/more/000017.jpg", "more/000017.png"),
        ("17", "more/000017.png"),
        ("17.0", "more/000017.png"),
        ("MY%20PHOTO.JPG", "more/my photo.jpeg"),
        ("img_3", "more/IMG_0003.jpg"),
    ],
)
def test_a_photo_is_found_as_a_table_of_elsewhere_names_it(cell: str, path: str) -> None:
    paths = ("images/cat/0.jpg", "images/dog/0.jpg", "more/000017.png", "more/my photo.jpeg", "more/IMG_0003.jpg")
    assert Finder("t.csv", paths).photo(cell).path == path


def test_a_name_of_several_photos_is_settled_by_the_subset_or_not_at_all() -> None:
    find = Finder("t.csv", ("train/1.jpg", "test/1.jpg"))
    assert find.photo("1", TEST).path == "test/1.jpg"
    assert find.photo("1").problem == SEVERAL and find.photo("2").problem == NOT_THERE


def test_names_are_found_in_either_form_of_unicode() -> None:
    forms = (normalize("NFC", "Süßkirsche_고양이.jpg"), normalize("NFD", "Süßkirsche_고양이.jpg"))
    assert all(Finder("t.csv", (path,)).photo(cell).path == path for path in forms for cell in forms)


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("gb18030", ("猫", "犬")),
        ("gb18030", ("玫瑰", "郁金香")),
        ("big5", ("貓", "狗")),
        ("big5", ("玫瑰", "鬱金香")),
        ("cp932", ("猫", "犬")),
        ("cp932", ("バラ", "チューリップ")),
        ("cp949", ("고양이", "강아지")),
        ("cp1251", ("кошка", "Собака")),
        ("cp1252", ("Füchse", "Bär")),
        ("utf-8", ("Füchse", "кошка", "猫", "ngựa")),
        ("utf-16", ("Füchse", "猫")),
    ],
)
def test_the_encoding_of_a_table_is_found(encoding: str, words: Sequence[str]) -> None:
    rows = "\n".join(["file,label", *(f"{i}.jpg,{words[i % len(words)]}" for i in range(20))])
    assert decoded(rows.encode(encoding)) == (rows, encoding)
