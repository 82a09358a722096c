import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from core.data.images import MAX_PIXELS, PhotoInfo
from core.data.scan import folder as folder_module
from core.data.scan.folder import Scan, scan
from core.data.scan.readers import CHUNK, FATAL, Readers, read
from core.data.scan.walk import PhotoFile
from tests.conftest import PATIENCE, alive, eventually
from tests.core.data.conftest import place
from tests.zoo import CASES, CannotBuild, merged

DIES_OF_POISON = """
import json, os, sys
from pathlib import Path
from core.data.scan import readers
facts = json.loads(sys.argv[1])
for line in sys.stdin:
    paths = json.loads(line)
    if any("poison" in path for path in paths):
        os.abort()
    rows = [readers._sent(readers.read(Path(facts["root"]) / path, [Path(facts["root"])], 10**8)) for path in paths]
    print(json.dumps(rows), flush=True)
"""
"""A child process like ours, but that some photos bring down."""


def write(root: Path, count: int) -> list[PhotoFile]:
    return [PhotoFile(place(root / f"{i:03d}.png").name, 100, i) for i in range(count)]


@pytest.fixture
def opened() -> Iterator[Callable[..., Readers]]:
    """Make readers that are closed at the end."""
    made: list[Readers] = []

    def make(root: Path, kind: type[Readers] = Readers, few: int = 0) -> Readers:
        made.append(kind(root, [root], MAX_PIXELS, few=few))
        return made[-1]

    yield make
    for readers in made:
        readers.close()


def test_children_say_the_same_as_this_process_in_the_same_order(
    tmp_path: Path, opened: Callable[..., Readers]
) -> None:
    files = write(tmp_path, 3 * CHUNK + 5)
    place(tmp_path / files[7].path, b"no photo")
    (tmp_path / files[9].path).unlink()
    expected = [read(tmp_path / file.path, [tmp_path], MAX_PIXELS) for file in files]
    assert isinstance(expected[0][0], PhotoInfo) and expected[9][1] is False
    assert list(opened(tmp_path).submit(files)) == expected
    assert list(opened(tmp_path, few=10**6).submit(files)) == expected


def test_names_that_are_no_ascii_reach_the_children(tmp_path: Path, opened: Callable[..., Readers]) -> None:
    root = tmp_path / "照片 📷"
    names = ["薔薇.png", "line\nbreak.png", 'quote".png', "🌼.png"]
    files = [PhotoFile(place(root / name).name, 100, 0) for name in names]
    found = list(opened(root).submit(files))
    assert all(isinstance(outcome, PhotoInfo) for outcome, _ in found)


def test_a_photo_outside_is_not_read_by_a_child(tmp_path: Path, opened: Callable[..., Readers]) -> None:
    secret = place(tmp_path / "secret.png")
    root = tmp_path / "root"
    root.mkdir()
    (root / "link.png").symlink_to(secret)
    ((reason, lasting),) = opened(root).submit([PhotoFile("link.png", 100, 0)])
    assert "outside" in str(reason) and not lasting


def test_a_photo_that_brings_its_reader_down_is_the_only_one_left_out(
    tmp_path: Path, opened: Callable[..., Readers]
) -> None:
    class Fragile(Readers):
        def command(self) -> list[str]:
            return [sys.executable, "-c", DIES_OF_POISON, json.dumps({"root": str(tmp_path)})]

    files = write(tmp_path, 20)
    files.insert(11, PhotoFile(place(tmp_path / "poison.png").name, 100, 0))
    found = list(opened(tmp_path, Fragile).submit(files))
    assert [i for i, (outcome, _) in enumerate(found) if outcome == FATAL] == [11]
    assert sum(isinstance(outcome, PhotoInfo) for outcome, _ in found) == 20


def test_children_that_are_killed_are_replaced(tmp_path: Path, opened: Callable[..., Readers]) -> None:
    files = write(tmp_path, 40)
    readers = opened(tmp_path)
    list(readers.submit(files))
    for pid in pids_of(readers):
        os.kill(pid, signal.SIGKILL)
    assert all(isinstance(outcome, PhotoInfo) for outcome, _ in readers.submit(files))


def test_closing_ends_every_child(tmp_path: Path) -> None:
    readers = Readers(tmp_path, [tmp_path], MAX_PIXELS, few=0)
    list(readers.submit(write(tmp_path, 80)))
    pids = pids_of(readers)
    readers.close()
    assert pids and not any(alive(pid) for pid in pids)


def test_where_no_process_can_be_started_photos_are_read_here(
    tmp_path: Path, opened: Callable[..., Readers], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    assert all(isinstance(outcome, PhotoInfo) for outcome, _ in opened(tmp_path).submit(write(tmp_path, 9)))


def look(root: Path, few: int, monkeypatch: pytest.MonkeyPatch) -> Scan:
    def readers(*arguments: object) -> Readers:
        return Readers(*arguments, few=few)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(folder_module, "Readers", readers)
        return scan(root, roots=[root])


def test_the_zoo_is_the_same_read_by_children_and_by_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "zoo"
    try:
        merged([case for case in CASES if not case.error and not case.needs_rights]).build(root)
    except CannotBuild as reason:
        pytest.skip(str(reason))
    assert look(root, 0, monkeypatch).token == look(root, 10**6, monkeypatch).token


def test_a_scan_that_is_given_up_leaves_no_child_behind(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / name, 300)

    class Enough(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done > 400:
            raise Enough

    with pytest.raises(Enough):
        scan(tmp_path, roots=[tmp_path], on_progress=stop)
    eventually(lambda: not children_of(os.getpid()), "no reader is left")


def test_a_reader_that_starts_while_all_are_given_up_is_given_up_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers = Readers(tmp_path, [tmp_path], MAX_PIXELS, few=0)
    pids: list[int] = []
    shut_down = readers._pool.shutdown

    def shut_down_late(*, cancel_futures: bool) -> None:
        readers._responder().start()
        pids.extend(pids_of(readers))
        shut_down(cancel_futures=cancel_futures)

    monkeypatch.setattr(readers._pool, "shutdown", shut_down_late)
    closing = threading.Thread(target=readers.close, daemon=True)
    closing.start()
    closing.join(PATIENCE)
    assert not closing.is_alive() and len(pids) == 1 and not alive(pids[0])


def pids_of(readers: Readers) -> list[int]:
    return [responder.pid for responder in readers._responders if responder.pid is not None]


def children_of(pid: int) -> list[str]:
    """Return the readers that a process has started and that still live."""
    if not Path(f"/proc/{pid}/task/{pid}/children").exists():
        pytest.skip("the system does not tell which children a process has")
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # a thread or a child may end while it is looked at
            for child in (task / "children").read_text().split():
                if b"core.data.scan.readers" in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.append(child)
    return found
