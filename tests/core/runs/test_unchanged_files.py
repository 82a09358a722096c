import os
import time
from pathlib import Path

import pytest

from core.runs.unchanged_files import UnchangedFiles

LONG_AGO = time.time() - 3600


def write(path: Path, text: str, modified: float = LONG_AGO) -> None:
    path.write_text(text)
    os.utime(path, (modified, modified))


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was just written counts as written long before."""
    now = time.time_ns
    monkeypatch.setattr("core.runs.unchanged_files.time.time_ns", lambda: now() + 3600 * 10**9)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write(tmp_path / "status.json", "one")
    return tmp_path / "status.json"


class Reader:
    def __init__(self, path: Path) -> None:
        self.files: UnchangedFiles[str] = UnchangedFiles(most_kept=2)
        self.path, self.times = path, 0

    def read(self) -> str:
        self.times += 1
        return self.path.read_text()

    def get(self) -> str:
        return self.files.get(self.read, self.path.parent, self.path.name, "another.json")


@pytest.mark.usefixtures("later")
def test_a_file_that_stays_the_same_is_read_once(path: Path) -> None:
    reader = Reader(path)
    assert [reader.get() for _ in range(3)] == ["one"] * 3
    assert reader.times == 1


@pytest.mark.usefixtures("later")
def test_a_file_that_was_replaced_is_read_again_even_by_one_as_large_and_as_old(path: Path) -> None:
    reader = Reader(path)
    assert reader.get() == "one"
    write(path.with_name("new"), "two")
    os.replace(path.with_name("new"), path)
    assert reader.get() == reader.get() == "two"


@pytest.mark.usefixtures("later")
def test_a_file_that_comes_or_goes_counts_as_a_change(path: Path) -> None:
    reader = Reader(path)
    reader.get()
    write(path.with_name("another.json"), "")
    reader.get()
    path.with_name("another.json").unlink()
    reader.get()
    assert reader.times == 3


def test_a_file_of_just_now_is_read_every_time_since_its_time_may_not_tell_the_next_change(path: Path) -> None:
    reader = Reader(path)
    write(path, "two", time.time())
    reader.get()
    reader.get()
    assert reader.times == 2


@pytest.mark.usefixtures("later")
def test_what_reading_raises_is_raised_every_time(path: Path) -> None:
    reader = Reader(path.with_name("missing.json"))
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            reader.get()
    assert reader.times == 2


@pytest.mark.usefixtures("later")
def test_the_list_of_a_folder_is_read_again_once_something_is_new_in_it(tmp_path: Path) -> None:
    folder, files = tmp_path / "runs", UnchangedFiles[list[str]]()
    folder.mkdir()
    assert files.get(lambda: os.listdir(folder), folder) == []
    (folder / "run").mkdir()
    assert files.get(lambda: os.listdir(folder), folder) == ["run"]


@pytest.mark.usefixtures("later")
def test_only_so_much_is_kept(path: Path) -> None:
    reader, others = Reader(path), [path.with_name(f"{number}.json") for number in range(2)]
    reader.get()
    for other in others:
        write(other, "")
        reader.files.get(lambda: "", other.parent, other.name)
    reader.get()
    assert reader.times == 2
