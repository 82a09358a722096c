import threading
from pathlib import Path

import pytest

from core.files import write_atomically


def test_threads_that_write_one_file_at_once_never_garble_it(tmp_path: Path) -> None:
    file, writers, failures = tmp_path / "status.json", 4, []
    write_atomically(file, "0" * 10_000)

    def write(digit: str) -> None:
        try:
            for round_ in range(40):
                write_atomically(file, digit * (10_000 + round_))
        except OSError as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(str(number),)) for number in range(writers)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        text = file.read_text("utf-8")
        assert len(set(text)) == 1 and len(text) >= 10_000
    assert failures == [] and [path.name for path in tmp_path.iterdir()] == ["status.json"]


def test_what_cannot_be_written_leaves_the_former_text_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "note.txt"
    write_atomically(file, "before")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(file, "\ud800")
    assert file.read_text("utf-8") == "before" and list(tmp_path.iterdir()) == [file]


def test_a_long_name_has_room_for_the_temporary_one(tmp_path: Path) -> None:
    file = tmp_path / f"{'🌷' * 60}.json"
    write_atomically(file, "kept")
    assert file.read_text("utf-8") == "kept"
