import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from core.data.scan.walk import check_photo
from core.errors import PhotoOutOfReach
from core.files import open_resolved, write_atomically


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


@pytest.mark.parametrize("level", ["file", "folder", "top"])
def test_what_was_swapped_for_a_link_after_it_was_resolved_is_not_opened(tmp_path: Path, level: str) -> None:
    outside, inside = tmp_path / "outside" / "red" / "a.png", tmp_path / "photos" / "red" / "a.png"
    for file in (outside, inside):
        file.parent.mkdir(parents=True)
        file.write_text(file.parts[-3], "utf-8")
    with open_resolved(inside) as opened:
        assert opened.read() == b"photos"
    swapped = {"file": inside, "folder": inside.parent, "top": inside.parents[1]}[level]
    swapped.rename(tmp_path / "former")
    swapped.symlink_to({"file": outside, "folder": outside.parent, "top": outside.parents[1]}[level])
    with pytest.raises(OSError, match="a link has taken its place"):
        open_resolved(inside)


def test_a_folder_that_is_swapped_all_the_time_never_gives_an_outside_file(tmp_path: Path) -> None:
    root, ended, read = tmp_path / "photos", threading.Event(), set()
    for name, content in (("photos/red", b"inside"), ("outside", b"outside")):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "a.png").write_bytes(content)

    def swap() -> None:
        red, aside = root / "red", tmp_path / "aside"
        while not ended.is_set():
            red.rename(aside)
            red.symlink_to(tmp_path / "outside")
            red.unlink()
            aside.rename(red)

    swapper = threading.Thread(target=swap)
    swapper.start()
    until = time.monotonic() + 1
    while time.monotonic() < until:
        with suppress(OSError, PhotoOutOfReach), open_resolved(check_photo(root / "red" / "a.png", [root])) as file:
            read.add(file.read())
    ended.set()
    swapper.join()
    assert read == {b"inside"}


def test_a_long_name_has_room_for_the_temporary_one(tmp_path: Path) -> None:
    file = tmp_path / f"{'🌷' * 60}.json"
    write_atomically(file, "kept")
    assert file.read_text("utf-8") == "kept"
