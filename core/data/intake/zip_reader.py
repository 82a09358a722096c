"""The table of contents of a ZIP archive, and the bytes of its entries, read with distrust.

Why not Python's `zipfile`: tried behind the same limits (Python 3.11.7), it fails 26 of the 140 cases of
tests/core/data/intake/test_archive.py. One entry with a damaged extra field, a large number that is missing or a name
that is no UTF-8 loses the whole archive; bzip2 is unpacked without a bound; errors other than `BadZipFile` come out.
Overlapping entries are rejected from 3.11.8 on only, and the floor cannot be raised to that: Debian 12 has 3.11.2, and
a school's network need not let another Python in. Here nothing is believed before it is checked, and one bad entry
costs one entry.

Source: PKWARE, APPNOTE.TXT 6.3.10, "4.3 General Format of a .ZIP file" to "4.6 Third Party Mappings".
"""

import bz2
import re
import stat
import struct
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from core.errors import DataError, PhotoError
from core.language import tr, tr_mark

CHUNK = 1 << 16
"""Bytes that are read, and at most unpacked, at a time."""

END = struct.Struct("<4s4H2LH")
END_SIGNATURE = b"PK\x05\x06"
"""APPNOTE 4.3.16: the end of the table of contents; a comment of at most 65,535 bytes may follow."""

LOCATOR = struct.Struct("<4sLQL")
LOCATOR_SIGNATURE = b"PK\x06\x07"
END64 = struct.Struct("<4sQ2H2L4Q")
END64_SIGNATURE = b"PK\x06\x06"
"""APPNOTE 4.3.14 and 4.3.15: where the numbers are that do not fit into the end."""

ROW = struct.Struct("<4s6H3L5H2L")
ROW_SIGNATURE = b"PK\x01\x02"
"""APPNOTE 4.3.12: a row of the table of contents."""

HEADER = struct.Struct("<4s22s2H")
HEADER_SIGNATURE = b"PK\x03\x04"
"""APPNOTE 4.3.7: what stands before an entry's bytes; of it only the lengths of name and extra field are needed."""

FULL = 0xFFFF_FFFF
"""Stands in a field of four bytes for a number that is in the zip64 extra field (0x0001) instead."""

ENCRYPTED = 0x2041
"""APPNOTE 4.4.4: flags for encryption, strong encryption, and hidden headers."""

MOST_NAME_BYTES = 1000
"""Longer names are cut, so that names take no more memory than other things do."""

BYTES_PER_ROW = 1000
SPARE_BYTES = 1_000_000
"""A table of contents may have this many bytes per entry that is allowed, and in addition."""

KINDS = {
    rb"\Z": tr_mark("the file is empty"),
    rb"PK\x03\x04": tr_mark(
        "this archive is cut off: its end, with the table of contents, is missing. Copy or load it anew"
    ),
    rb"PK\x07\x08": tr_mark("this is one part of an archive that was divided into several"),
    rb"Rar!": tr_mark("this is a RAR archive"),
    rb"7z\xbc\xaf\x27\x1c": tr_mark("this is a 7z archive"),
    rb"\x1f\x8b": tr_mark("this is a gzip archive (.gz, .tgz)"),
    rb"BZh": tr_mark("this is a bzip2 archive (.bz2)"),
    rb"\xfd7zXZ": tr_mark("this is an XZ archive (.xz)"),
    rb"\x28\xb5\x2f\xfd": tr_mark("this is a Zstandard archive (.zst)"),
    rb"(?s).{257}ustar": tr_mark("this is a tar archive"),
    rb"\s*<(!doctype html|html|head|body)": tr_mark(
        "this is a web page (HTML), perhaps in place of a download that failed"
    ),
    rb"%PDF": tr_mark("this is a PDF document"),
    rb"(?s)\xff\xd8\xff|\x89PNG|GIF8|RIFF....WEBP": tr_mark("this is a single photo"),
}
"""How files begin that are taken for ZIP archives, as regular expressions, and what to say of them."""

DAMAGED = tr_mark("its table of contents is damaged. Copy or load it anew")

OTHER_METHODS = {
    1: "Shrink",
    6: "Implode",
    9: "Deflate64",
    14: "LZMA",
    93: "Zstandard",
    95: "XZ",
    98: "PPMd",
    99: tr_mark("encryption (AES)"),
}
"""APPNOTE 4.4.5: ways of packing that are not read."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the table of contents; all of it is only what the archive says of itself.

    Attributes:
        name: With "/" between folders, whichever slash was used; cut where it is too long.
        flags: General purpose flags, APPNOTE 4.4.4.
        method: How it is packed, APPNOTE 4.4.5.
        crc: CRC-32 of the unpacked bytes.
        packed: Bytes in the archive.
        size: Bytes once unpacked.
        offset: Where its header begins, in bytes from the start of the file.
        mode: File type and permissions as Unix has them, 0 where the archive was made elsewhere.
        name_bytes: How long the name is.
    """

    name: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    mode: int
    name_bytes: int

    @property
    def is_folder(self) -> bool:
        """Whether it only says that a folder exists."""
        return self.name.endswith("/") or stat.S_ISDIR(self.mode)

    @property
    def is_special(self) -> bool:
        """Whether it is a link, a device or something else that is neither a file nor a folder."""
        return stat.S_IFMT(self.mode) not in (0, stat.S_IFREG, stat.S_IFDIR)

    @property
    def is_encrypted(self) -> bool:
        """Whether a password is needed."""
        return bool(self.flags & ENCRYPTED) or self.method == 99

    @property
    def unread_method(self) -> str:
        """How it is packed, where that way is not read; else empty."""
        if self.method in UNPACKERS:
            return ""
        known = OTHER_METHODS.get(self.method)
        return tr(known) if known else tr("method {number}", number=str(self.method))


class ZipReader:
    """An archive whose table of contents has been read.

    Attributes:
        entries: In the order of the table of contents.

    Raises:
        DataError: The file is no ZIP archive that can be read, or has more entries than are allowed.
    """

    def __init__(self, file: BinaryIO, most_entries: int) -> None:
        """Read the table of contents of a seekable file; nothing is unpacked."""
        self.file = file
        table = _find_table(file, most_entries)
        self.entries = tuple(_rows(file, table, most_entries))
        self._end = table.start
        self._starts = sorted({table.start, *(entry.offset for entry in self.entries)})

    def content(self, entry: Entry) -> Iterator[bytes]:
        """Yield an entry's bytes unpacked, at most 64 KiB at a time, and never more in all than it says.

        Raises:
            PhotoError: The bytes are damaged, run into another entry, or are not what the table of contents says; the
                message is the bare reason.
            DataError: The file cannot be read any more.
        """
        done, crc = 0, 0
        try:
            for chunk in UNPACKERS[entry.method](self._packed(entry)):
                done, crc = done + len(chunk), zlib.crc32(chunk, crc)
                if done > entry.size:
                    raise PhotoError(
                        tr("it is larger than the archive says ({count} bytes): this may be a trap", count=entry.size)
                    )
                yield chunk
        except (zlib.error, OSError, EOFError) as error:
            reason = error.args[0] if isinstance(error, EOFError) and error.args else str(error)
            raise PhotoError(tr("it is damaged in the archive ({reason})", reason=reason)) from error
        if (done, crc) != (entry.size, entry.crc):
            raise PhotoError(tr("it is damaged in the archive (its checksum or its size is wrong)"))

    def _packed(self, entry: Entry) -> Iterator[bytes]:
        """Yield an entry's bytes as they are in the archive."""
        start = self._start(entry)
        following = bisect_right(self._starts, entry.offset)
        if start + entry.packed > self._starts[following]:
            raise PhotoError(tr("its bytes run into another entry of the archive, which is damaged or a trap"))
        for position in range(start, start + entry.packed, CHUNK):
            yield _read(self.file, position, min(CHUNK, start + entry.packed - position))

    def _start(self, entry: Entry) -> int:
        inside = 0 <= entry.offset <= self._end - HEADER.size
        fixed = _read(self.file, entry.offset, HEADER.size) if inside else b""
        signature, _, name_length, extra_length = HEADER.unpack(fixed.ljust(HEADER.size, b"\0"))
        if signature != HEADER_SIGNATURE:
            raise PhotoError(tr("it is damaged in the archive (there is nothing where it should begin)"))
        return int(entry.offset + HEADER.size + name_length + extra_length)


@dataclass(frozen=True)
class _Table:
    """Where the table of contents lies: first byte, number of bytes, and by how much all offsets must be moved."""

    start: int
    size: int
    shift: int


def _find_table(file: BinaryIO, most_entries: int) -> _Table:
    """Find the table of contents without reading it.

    Raises:
        DataError: There is none, or it is too long.
    """
    length = _length(file)
    tail_start = max(0, length - END.size - 0xFFFF)
    tail = _read(file, tail_start, length - tail_start)
    found = tail.rfind(END_SIGNATURE)
    if found < 0 or found + END.size > len(tail):
        raise DataError(_what_it_is(_read(file, 0, 512)))
    end = tail_start + found
    _, disk, first_disk, _, count, size, offset, _ = END.unpack_from(tail, found)
    large = _end64(file, end)
    if large is not None:
        end, disk, first_disk, count, size, offset = large
    if disk or first_disk:
        raise DataError(_not_read(tr("this is the last part of an archive that was divided into several")))
    _check_length(count, size, most_entries)
    if size > end:
        raise DataError(_not_read(tr(DAMAGED)))
    return _Table(end - size, size, end - size - offset)


def _end64(file: BinaryIO, end: int) -> tuple[int, int, int, int, int, int] | None:
    """Return where the larger end is and its disk, first disk, count, size and offset; None where there is none."""
    locator = end - LOCATOR.size
    if locator < 0:
        return None
    signature, _, said, _ = LOCATOR.unpack(_read(file, locator, LOCATOR.size))
    if signature != LOCATOR_SIGNATURE:
        return None
    for position in (locator - END64.size, said):  # after something put before the archive, the second is wrong
        record = _read(file, position, END64.size) if 0 <= position < end else b""
        if len(record) == END64.size and record.startswith(END64_SIGNATURE):
            _, _, _, _, disk, first_disk, _, count, size, offset = END64.unpack(record)
            return position, disk, first_disk, count, size, offset
    raise DataError(_not_read(tr(DAMAGED)))


def _check_length(count: int, size: int, most_entries: int) -> None:
    if count > most_entries:
        raise DataError(
            tr(
                "This ZIP archive holds {count} files; at most {limit} are taken. Pack fewer, or raise “files” under"
                " [limits] in settings.toml.",
                count=count,
                limit=most_entries,
            )
        )
    most = most_entries * BYTES_PER_ROW + SPARE_BYTES
    if size > most:
        raise DataError(
            tr(
                "The table of contents of this ZIP archive takes {size} bytes; at most {limit} are read. Pack fewer"
                " files, with shorter names.",
                size=size,
                limit=most,
            )
        )


def _rows(file: BinaryIO, table: _Table, most_entries: int) -> Iterator[Entry]:
    """Read the table of contents row by row; how many rows the end announces does not matter."""
    position, end = table.start, table.start + table.size
    count = 0
    while position < end:
        fixed = _read(file, position, ROW.size)
        if len(fixed) < ROW.size or not fixed.startswith(ROW_SIGNATURE):
            raise DataError(_not_read(tr(DAMAGED)))
        fields = ROW.unpack(fixed)
        lengths = fields[10:13]
        count += 1
        if count > most_entries:
            raise DataError(
                tr(
                    "This ZIP archive holds more than {limit} files; at most {limit} are taken. Pack fewer, or raise"
                    " “files” under [limits] in settings.toml.",
                    limit=most_entries,
                )
            )
        yield _entry(fields, _read(file, position + ROW.size, lengths[0] + lengths[1]), table.shift)
        position += ROW.size + sum(lengths)


def _entry(fields: tuple[int, ...], variable: bytes, shift: int) -> Entry:
    flags, method, _, _, crc, packed, size, name_length = fields[3:11]
    raw, extra = variable[:name_length], dict(_extra_fields(variable[name_length:]))
    size, packed, offset = _large((size, packed, fields[16]), extra.get(0x0001, b""))
    spelt = _unicode_path(raw, extra.get(0x7075, b""))
    name = _decode(spelt)[:MOST_NAME_BYTES].replace("\\", "/")
    return Entry(name, flags, method, crc, packed, size, offset + shift, fields[15] >> 16, len(spelt))


def _extra_fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of each extra field; what is damaged ends it."""
    position = 0
    while position + 4 <= len(extra):
        number, length = struct.unpack_from("<HH", extra, position)
        yield number, extra[position + 4 : position + 4 + length]
        position += 4 + length


def _large(values: Iterable[int], extra: bytes) -> list[int]:
    """Replace full numbers by those of the zip64 extra field, APPNOTE 4.5.3, as far as it goes."""
    numbers = iter([number for (number,) in struct.iter_unpack("<Q", extra[: len(extra) // 8 * 8])])
    return [next(numbers, value) if value == FULL else value for value in values]


def _unicode_path(raw: bytes, extra: bytes) -> bytes:
    """Return the name in the Unicode Path extra field, APPNOTE 4.6.9, if there is one that belongs to this name."""
    belongs = len(extra) > 5 and extra[0] == 1 and struct.unpack_from("<L", extra, 1)[0] == zlib.crc32(raw)
    return extra[5:] if belongs else raw


def _decode(raw: bytes) -> str:
    """Return a name as text. UTF-8 is tried whatever the flags say: macOS does not set the one that means it."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp437")


def _inflate(chunks: Iterable[bytes]) -> Iterator[bytes]:
    stream = zlib.decompressobj(-15)
    for chunk in chunks:
        while chunk and not stream.eof:
            yield stream.decompress(chunk, CHUNK)
            chunk = stream.unconsumed_tail
    yield stream.flush()  # a few kilobytes: what one last piece of input can stand for
    if not stream.eof:
        raise EOFError(tr("its end is missing"))


def _bunzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    stream = bz2.BZ2Decompressor()
    for chunk in chunks:
        yield b"" if stream.eof else stream.decompress(chunk, CHUNK)
        while not (stream.eof or stream.needs_input):
            yield stream.decompress(b"", CHUNK)
    if not stream.eof:
        raise EOFError(tr("its end is missing"))


UNPACKERS: dict[int, Callable[[Iterable[bytes]], Iterator[bytes]]] = {0: iter, 8: _inflate, 12: _bunzip}
"""Ways of packing that are read, by number: stored as it is, Deflate, bzip2."""


def _length(file: BinaryIO) -> int:
    try:
        return file.seek(0, 2)
    except (OSError, ValueError) as error:
        raise DataError(tr("The archive cannot be read ({reason}). Choose it again.", reason=str(error))) from error


def _read(file: BinaryIO, position: int, size: int) -> bytes:
    """Read up to so many bytes.

    Raises:
        DataError: The file cannot be read.
    """
    try:
        file.seek(position)
        return file.read(size)
    except (OSError, ValueError) as error:
        raise DataError(tr("The archive cannot be read ({reason}). Choose it again.", reason=str(error))) from error


def _what_it_is(start: bytes) -> str:
    kinds = (kind for pattern, kind in KINDS.items() if re.match(pattern, start, re.IGNORECASE))
    known = next(kinds, "")
    return _not_read(tr(known) if known else tr("this is no ZIP archive"))


def _not_read(what: str) -> str:
    return tr("The archive cannot be read: {what}. Expected a whole ZIP archive (.zip).", what=what)
