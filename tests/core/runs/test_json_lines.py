import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from core.runs.json_lines import GrowingFiles

Rows = list[dict[str, Any]]


def rows(count: int, first: int = 0) -> Rows:
    return [{"step": number, "phase": "Köpfchen"} for number in range(first, first + count)]


def is_object(row: Any) -> bool:
    return isinstance(row, dict)


def as_lines(values: Sequence[dict[str, Any]]) -> str:
    return "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in values)


def append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines that have been parsed."""
    seen: list[str] = []

    def loads(line: str) -> Any:
        seen.append(line)
        return json.JSONDecoder().decode(line)

    monkeypatch.setattr("core.runs.json_lines.json.loads", loads)
    return seen


def test_a_growing_file_is_read_on_and_each_line_parsed_once(path: Path, parsed: list[str]) -> None:
    files = GrowingFiles(is_object)
    assert files.read(path) == []
    for count in range(1, 6):
        append(path, as_lines(rows(10, 10 * (count - 1))))
        assert files.read(path) == files.read(path) == rows(10 * count)
    assert len(parsed) == 50


def test_a_half_written_last_line_is_left_for_the_next_time(path: Path) -> None:
    files = GrowingFiles(is_object)
    line = as_lines(rows(1))
    for number, letter in enumerate(line, start=1):
        append(path, letter)
        assert files.read(path) == (rows(1) if number == len(line) else [])


@pytest.mark.parametrize("count", [0, 1, 2, 3, 9])
def test_a_file_that_was_cut_short_is_read_from_the_start(path: Path, count: int) -> None:
    files = GrowingFiles(is_object)
    append(path, as_lines(rows(3)))
    assert files.read(path) == rows(3)
    path.write_text(as_lines(rows(count, first=7)), "utf-8")  # in place: the same file for the system
    assert files.read(path) == rows(count, first=7)


def test_a_file_that_was_replaced_is_read_from_the_start(path: Path) -> None:
    files = GrowingFiles(is_object)
    append(path, as_lines(rows(3)))
    assert files.read(path) == rows(3)
    other = path.with_name("other")
    for count in (2, 3, 8):
        append(other, as_lines(rows(count, first=5)))
        os.replace(other, path)
        assert files.read(path) == rows(count, first=5)
    path.unlink()
    assert files.read(path) == []


def test_a_damaged_line_ends_the_list_until_it_is_gone(path: Path) -> None:
    files = GrowingFiles(is_object)
    append(path, as_lines(rows(2)) + "\x00\n" + as_lines(rows(2)))
    assert files.read(path) == files.read(path) == rows(2)
    path.write_text(as_lines(rows(5)), "utf-8")
    assert files.read(path) == rows(5)


def test_callers_get_lists_of_their_own(path: Path) -> None:
    files = GrowingFiles(is_object)
    append(path, as_lines(rows(2)))
    files.read(path).clear()
    assert files.read(path) == rows(2)


def test_only_the_files_read_last_are_remembered(tmp_path: Path, parsed: list[str]) -> None:
    files = GrowingFiles(is_object, max_files=2)
    for name in "abcab":
        (tmp_path / name).write_text(as_lines(rows(1)), "utf-8")
        assert files.read(tmp_path / name) == rows(1)
    assert len(parsed) == 5
    files.read(tmp_path / "b")
    assert len(parsed) == 5


def test_threads_may_read_while_the_file_grows(path: Path) -> None:
    files = GrowingFiles(is_object)

    def look(_: int) -> bool:
        found = files.read(path)
        return found == rows(len(found))

    with ThreadPoolExecutor(4) as threads:
        looks = [threads.submit(look, number) for number in range(200)]
        for number in range(200):
            append(path, as_lines(rows(1, first=number)))
        assert all(look.result() for look in looks)
    assert files.read(path) == rows(200)
