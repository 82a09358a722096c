import csv
import io

import pytest

from core.csv_files import csv_file, csv_of_named, guarded, unguarded

COMPUTED = ("=1+1", "+cmd", "-1/a.png", "@SUM(A1)", "\tname", "\rname", "\n=1", "+", "-", "-1.5e3", "--1")
HARMLESS = ("rose", "", "-1", "+0.5", "-1,5", "a=b", "it's", "'quoted'", "1-2", 'a,"b"', "Ä", "12")


@pytest.mark.parametrize("text", COMPUTED)
def test_what_a_spreadsheet_would_compute_is_guarded_by_an_apostrophe(text: str) -> None:
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize("text", HARMLESS)
def test_names_and_numbers_stay_as_they_are(text: str) -> None:
    assert guarded(text) == unguarded(text) == text


@pytest.mark.parametrize("text", [*COMPUTED, *HARMLESS, "'=1+1", "''@a", "'-1"])
def test_what_is_read_back_is_what_was_written(text: str) -> None:
    assert unguarded(guarded(text)) == text


def test_every_cell_of_a_file_is_guarded_and_names_that_are_no_text_do_not_fail() -> None:
    content = csv_file(("photo", "=class"), [("a\udcff.png", "=evil()"), ('b,"c".png', "rose")])
    assert content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert rows == [["photo", "'=class"], ["a?.png", "'=evil()"], ['b,"c".png', "rose"]]


def test_rows_that_name_their_columns_may_lack_some_and_may_be_none() -> None:
    content = csv_of_named([{"photo": "a.png", "class": "@x"}, {"photo": "b.png"}])
    assert content.decode("utf-8-sig").splitlines() == ["photo,class", "a.png,'@x", "b.png,"]
    assert csv_of_named([]).decode("utf-8-sig").strip() == ""
