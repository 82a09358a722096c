"""What is known of the photos of a folder, kept in a file, so that the next scan reads only what has changed."""

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.data.images import FORMATS, PhotoInfo
from core.data.scan.walk import PhotoFile
from core.files import replacing
from core.language import Text, from_json, kept

VERSION = 4

Outcome = PhotoInfo | str
"""What reading a photo came to: what it is, or the reason why it cannot be used."""

SCHEMA = """
DELETE FROM made_with;
DROP TABLE IF EXISTS photo;
CREATE TABLE photo (
    path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, checksum BLOB,
    reason TEXT, width INTEGER, height INTEGER, digest BLOB, fingerprint BLOB, sharpness REAL,
    contrast REAL, assumed INTEGER
) WITHOUT ROWID;
"""

DAMAGE = (sqlite3.Error, ValueError, TypeError)
"""What reading a damaged file ends in; its texts may not be text any more."""

LOOK_UP = "SELECT * FROM photo WHERE path BETWEEN ? AND ?"
KEEP = "INSERT OR REPLACE INTO photo VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class PhotoIndex:
    """An SQLite file with one row for each photo that was read. It is only a memory: losing it costs time, no more.

    Attributes:
        trouble: Why nothing can be kept any more, for example because the disk is full; else empty.
    """

    def __init__(self, folder: Path | None, root: Path, max_pixels: int) -> None:
        """Open or make the index of the dataset `root` in `folder`; None keeps it in memory for one scan.

        What was found under another limit of pixels, or by another Pillow, does not count.
        """
        self.trouble = ""
        self._made_with = repr((VERSION, FORMATS, max_pixels))
        self._file = None if folder is None else index_file(folder, root)
        self._open()

    def close(self) -> None:
        """Keep what is not kept yet, and let go of the file."""
        self._attempt(self._connection.commit)
        self._connection.close()

    def known(self, files: Sequence[PhotoFile]) -> dict[str, Outcome]:
        """Return what is known of those files, sorted by path, that still have the size and the time they had."""
        if not files:
            return {}
        now = {file.path: (file.size, file.mtime_ns) for file in files}
        try:
            rows = self._connection.execute(LOOK_UP, (files[0].path, files[-1].path)).fetchall()
            return {path: _outcome(*found) for path, size, time, *found in rows if now.get(path) == (size, time)}
        except sqlite3.OperationalError as error:
            self._do_without(error)  # another process holds it, for example: it is not damaged
        except DAMAGE:
            self._start_anew()
        return {}

    def keep(self, found: Iterable[tuple[PhotoFile, Outcome]]) -> None:
        """Remember what was found, at once and for good."""
        rows = [(file.path, file.size, file.mtime_ns, *_columns(outcome)) for file, outcome in found]
        self._attempt(lambda: self._connection.executemany(KEEP, rows))
        self._attempt(self._connection.commit)

    def forget_others(self, paths: Iterable[str]) -> None:
        """Forget photos that are not among these."""

        def forget() -> None:
            here = set(paths)
            gone = [row for row in self._connection.execute("SELECT path FROM photo") if row[0] not in here]
            self._connection.executemany("DELETE FROM photo WHERE path = ?", gone)
            self._connection.commit()

        self._attempt(forget)

    def _open(self) -> None:
        try:
            if self._file is not None:
                self._file.parent.mkdir(parents=True, exist_ok=True)
            self._connection = self._connect(self._file)
        except (OSError, sqlite3.OperationalError) as error:
            self._do_without(error)
        except DAMAGE:
            self._start_anew()

    def _connect(self, file: Path | None) -> sqlite3.Connection:
        if file is not None and not file.exists():
            with replacing(file) as new, closing(self._connect(None)) as empty:  # SQLite would leave an empty file
                new.write(empty.serialize())
        connection = sqlite3.connect(file or ":memory:", timeout=30, check_same_thread=False)
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("CREATE TABLE IF NOT EXISTS made_with (fact TEXT PRIMARY KEY)")
        if connection.execute("SELECT fact FROM made_with").fetchall() != [(self._made_with,)]:
            connection.executescript(SCHEMA)
            connection.execute("INSERT INTO made_with VALUES (?)", (self._made_with,))
            connection.commit()
        return connection

    def _start_anew(self) -> None:
        """Put an empty index in the place of one that cannot be read; without a place, in memory."""
        with suppress(AttributeError):
            self._connection.close()
        try:
            if self._file is not None:
                self._file.unlink(missing_ok=True)
            self._connection = self._connect(self._file)
        except (OSError, *DAMAGE) as error:
            self._do_without(error)

    def _do_without(self, error: Exception) -> None:
        """Go on with an index in memory."""
        self.trouble = str(error.__cause__ or error)
        self._connection = self._connect(None)

    def _attempt(self, write: Callable[[], object]) -> None:
        try:
            write()
        except sqlite3.Error as error:
            self.trouble = str(error)
            with suppress(sqlite3.Error):
                self._connection.rollback()


@dataclass(frozen=True, slots=True)
class KnownDigest:
    """The digest that a photo's file had in a scan.

    Attributes:
        size: Of the file then, in bytes.
        mtime_ns: Its time of change then, in nanoseconds since 1970.
        digest: BLAKE2b of its content, 16 bytes.
    """

    size: int
    mtime_ns: int
    digest: bytes

    def holds_for(self, file: Path) -> bool:
        """Whether the file can be read, and still has that size and time of change."""
        status = file.stat()
        return (status.st_size, status.st_mtime_ns) == (self.size, self.mtime_ns) and os.access(file, os.R_OK)


def known_digests(folder: Path, root: Path) -> dict[str, KnownDigest]:
    """The digests that the index of the dataset `root` in `folder` holds, by path; none where it cannot be read.

    Looks only: the index may belong to a scan that is going on.
    """
    found = {}
    with suppress(*DAMAGE), closing(sqlite3.connect(f"{index_file(folder, root).as_uri()}?mode=ro", uri=True)) as index:
        for path, size, mtime_ns, *columns in index.execute("SELECT * FROM photo"):
            outcome = _outcome(*columns)
            if isinstance(outcome, PhotoInfo):
                found[path] = KnownDigest(size, mtime_ns, outcome.digest)
    return found


def index_file(folder: Path, root: Path) -> Path:
    """Return where the index of the dataset `root` lies; the name tells datasets of equal name apart."""
    return folder / f"{file_stem(root)}.sqlite"


def file_stem(root: Path) -> str:
    """Return a name for what is kept about a dataset: its own, shortened, and a number that its full path gives."""
    number = hashlib.blake2b(str(root).encode(errors="surrogateescape"), digest_size=6).hexdigest()
    plain = "".join(sign for sign in root.name if sign.isalnum() or sign in "-_ ")
    return f"{plain[:24]}-{number}"


def _columns(outcome: Outcome) -> tuple[object, ...]:
    reason = json.dumps(kept(outcome)) if isinstance(outcome, Text) else outcome
    columns: tuple[object, ...] = (reason, *[None] * 7)
    if isinstance(outcome, PhotoInfo):
        facts = (outcome.width, outcome.height, outcome.digest, outcome.fingerprint)
        columns = (None, *facts, outcome.sharpness, outcome.contrast, int(outcome.assumed))
    return (_check(columns), *columns)


def _outcome(check: object, *found: Any) -> Outcome:
    """Return what a row says; raises `ValueError` when it is not as it was written."""
    if check != _check(found):
        raise ValueError("a row of the index is damaged")
    reason, width, height, digest, fingerprint, sharpness, contrast, assumed = found
    if reason is not None:
        return from_json(json.loads(reason)) if reason.startswith("{") else str(reason)
    return PhotoInfo(width, height, digest, fingerprint, sharpness, contrast, bool(assumed))


def _check(columns: Sequence[object]) -> bytes:
    return hashlib.blake2b(repr(columns).encode(), digest_size=8).digest()
