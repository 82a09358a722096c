"""Reading many photos on all cores: a few in threads, more in child processes.

Pillow lets go of the interpreter's lock while it decodes, but for small photos that is too little of the work: two
threads are slower than one. Child processes use every core whatever the size, and a photo that crashes one leaves
the server alone.
"""

import base64
import json
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from core.data.images import PhotoInfo, inspect
from core.data.scan.index import Outcome
from core.data.scan.walk import PhotoFile, check_photo
from core.errors import PhotoError, PhotoOutOfReach
from core.language import from_json, kept, tr, tr_mark
from core.processes.children import ATTENDED, module_command, settle_in
from core.processes.responder import Responder, ResponderDied, read_line

FEW = 256
"""So many photos are read before child processes are started, which takes as long as reading some hundreds."""

CHUNK, CHUNK_BYTES = 32, 8_000_000
"""Photos that are handed over at a time: so many, or fewer where they are large."""

FATAL = tr_mark("reading it crashed the reader, so the photo is treated as damaged")

Reading = tuple[Outcome, bool]
"""What a photo is, or why it cannot be used, and whether that stays so as long as the file is the same."""


class Readers:
    """Reads photos below one folder. What is submitted is read in the order in which it came, roughly."""

    def __init__(self, root: Path, roots: Sequence[Path], max_pixels: int, *, few: int = FEW) -> None:
        """Start nothing yet. `roots` are the folders where photos may be, resolved."""
        self._root, self._roots, self._max_pixels = root, tuple(roots), max_pixels
        self._few, self._submitted = few, 0
        self._pool = ThreadPoolExecutor(max_workers=os.cpu_count() or 1)
        self._mine = threading.local()
        self._responders: list[Responder] = []
        self._closed = False

    def submit(self, files: Sequence[PhotoFile]) -> Iterator[Reading]:
        """Begin to read photos; the iterator waits for each, in order."""
        way = self._in_thread if self._submitted < self._few else self._in_child
        self._submitted += len(files)
        return _in_order([self._pool.submit(way, chunk) for chunk in _chunks(files)])

    def close(self) -> None:
        """Stop reading; what has not been read yet is not read."""
        self._closed = True
        self._end_responders()
        self._pool.shutdown(cancel_futures=True)
        self._end_responders()  # one may have been started while the others were being ended

    def command(self) -> list[str]:
        """Return the command of a child process."""
        facts = {"root": str(self._root), "roots": [str(root) for root in self._roots], "max_pixels": self._max_pixels}
        return module_command("core.data.scan.readers", json.dumps(facts))

    def _end_responders(self) -> None:
        for responder in self._responders:
            responder.close()

    def _in_thread(self, paths: Sequence[str]) -> list[Reading]:
        return [read(self._root / path, self._roots, self._max_pixels) for path in paths]

    def _in_child(self, paths: Sequence[str]) -> list[Reading]:
        """Have photos read by this thread's child. When it dies, each is read alone, to find the cause."""
        if self._closed:
            return []
        try:
            return _ask(self._responder(), paths)
        except OSError:  # no more processes can be started
            return self._in_thread(paths)
        except ResponderDied:
            if len(paths) == 1:
                return [(tr(FATAL), False)]
            return [reading for path in paths for reading in self._in_child([path])]

    def _responder(self) -> Responder:
        responder: Responder | None = getattr(self._mine, "responder", None)
        if responder is None:
            responder = self._mine.responder = Responder(self.command())
            self._responders.append(responder)
        return responder


def read(path: Path, roots: Sequence[Path], max_pixels: int) -> Reading:
    """Read a photo to its end, if it is within `roots`."""
    try:
        return inspect(check_photo(path, roots), max_pixels), True
    except PhotoOutOfReach as error:
        return error.text, False
    except PhotoError as error:
        return error.text, True


def _chunks(files: Sequence[PhotoFile]) -> Iterator[list[str]]:
    chunk: list[str] = []
    size = 0
    for file in files:
        chunk.append(file.path)
        size += file.size
        if len(chunk) == CHUNK or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _in_order(futures: "Sequence[Future[list[Reading]]]") -> Iterator[Reading]:
    return (reading for future in futures for reading in future.result())


def _ask(responder: Responder, paths: Sequence[str]) -> list[Reading]:
    request = json.dumps(list(paths)).encode() + b"\n"
    return responder.ask(
        lambda requests: requests.write(request),
        lambda answers: [_received(row) for row in json.loads(read_line(answers))],
    )


def _received(row: list[object]) -> Reading:
    if len(row) == 2:
        return from_json(row[0]), bool(row[1])
    width, height, digest, fingerprint, sharpness, contrast, assumed = row
    info = PhotoInfo(
        int(str(width)),
        int(str(height)),
        base64.b64decode(str(digest)),
        base64.b64decode(str(fingerprint)),
        float(str(sharpness)),
        float(str(contrast)),
        bool(assumed),
    )
    return info, True


def _sent(reading: Reading) -> list[object]:
    found, lasting = reading
    if isinstance(found, str):
        return [kept(found), lasting]
    texts = (base64.b64encode(value).decode() for value in (found.digest, found.fingerprint))
    return [found.width, found.height, *texts, found.sharpness, found.contrast, found.assumed]


def main() -> None:
    """Answer each line of paths with a line of what the photos are, until the input ends."""
    settle_in(ATTENDED)
    facts = json.loads(sys.argv[1])
    root, roots, max_pixels = Path(facts["root"]), [Path(path) for path in facts["roots"]], int(facts["max_pixels"])
    for line in sys.stdin:
        rows = [_sent(read(root / path, roots, max_pixels)) for path in json.loads(line)]
        sys.stdout.write(json.dumps(rows) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
