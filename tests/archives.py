"""A zoo of evil ZIP archives: everything that people, programs and attackers pack, a case for each.

Nearly every case holds two good photos, `GOOD`, and adds one nasty thing. All bytes are made here, record by record,
because no decent program writes most of them. `build_all` writes the whole zoo, to be looked at.
"""

import bz2
import io
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from PIL import Image

from core.settings import MEGABYTE, Limits
from tests.core.data.conftest import encode, noise

GOOD = ("cat/1.png", "dog/1.png")
"""What is unpacked of the good photos."""

LIMITS = Limits()
FULL = 0xFFFF_FFFF
UTF8 = 0x0800


@cache
def _raw_deflate(content: bytes) -> bytes:
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    return stream.compress(content) + stream.flush()


PACKERS: Mapping[int, Callable[[bytes], bytes]] = {0: bytes, 8: _raw_deflate, 12: bz2.compress}


@dataclass(frozen=True)
class Item:
    """One entry, as honest as its fields.

    Attributes:
        name: As bytes, or as text that becomes UTF-8.
        content: Unpacked; a small photo that differs with the name where it is None.
        method: How it is packed, and what the archive says of that.
        flags: General purpose flags.
        mode: File type and permissions of Unix.
        packed: What stands in the archive; by default the content, packed.
        size, packed_size, crc, offset: What the table of contents says, where that is not the truth.
        extra: Extra field in the table of contents.
        header: Whether header and bytes are written at all.
        zip64: Whether the numbers stand in the extra field for large ones.
    """

    name: bytes | str
    content: bytes | None = None
    method: int = 0
    flags: int = UTF8
    mode: int = 0
    packed: bytes | None = None
    size: int | None = None
    packed_size: int | None = None
    crc: int | None = None
    offset: int | None = None
    extra: bytes = b""
    header: bool = True
    zip64: bool = False

    @property
    def raw_name(self) -> bytes:
        """The name as it is written."""
        return self.name.encode() if isinstance(self.name, str) else self.name

    @property
    def bytes_inside(self) -> bytes:
        """What the entry unpacks to."""
        return photo(sum(self.raw_name)) if self.content is None else self.content

    @property
    def bytes_packed(self) -> bytes:
        """What stands in the archive."""
        return PACKERS.get(self.method, bytes)(self.bytes_inside) if self.packed is None else self.packed

    def local(self) -> bytes:
        """The header before the bytes, and the bytes."""
        name, packed = self.raw_name, self.bytes_packed
        sizes = zlib.crc32(self.bytes_inside), len(packed), len(self.bytes_inside)
        return _LOCAL.pack(b"PK\3\4", 20, self.flags, self.method, 0, 0x21, *sizes, len(name), 0) + name + packed

    def row(self, written_at: int) -> bytes:
        """The row in the table of contents."""
        size = len(self.bytes_inside) if self.size is None else self.size
        packed_size = len(self.bytes_packed) if self.packed_size is None else self.packed_size
        crc = zlib.crc32(self.bytes_inside) if self.crc is None else self.crc
        offset = written_at if self.offset is None else self.offset
        extra = self.extra
        if self.zip64:
            extra += struct.pack("<HHQQQ", 1, 24, size, packed_size, offset)
            size = packed_size = offset = FULL
        lengths = len(self.raw_name), len(extra), 0, 0, 0
        fields = 20, 20, self.flags, self.method, 0, 0x21, crc, packed_size, size, *lengths
        return _ROW.pack(b"PK\1\2", *fields, self.mode << 16, offset) + self.raw_name + extra


_LOCAL = struct.Struct("<4s5H3L2H")
_ROW = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")


def pack(
    *items: Item,
    before: bytes = b"",
    comment: bytes = b"",
    count: int | None = None,
    disk: int = 0,
    table: bytes | None = None,
    table_size: int | None = None,
    zip64: bool = False,
) -> bytes:
    """Write an archive; `count`, `disk`, `table` and `table_size` replace what would be right."""
    body, rows = b"", b""
    for item in items:
        rows += item.row(len(body))
        body += item.local() if item.header else b""
    rows = rows if table is None else table
    numbers = len(items) if count is None else count, len(rows) if table_size is None else table_size, len(body)
    large = b""
    if zip64:
        large = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, disk, disk, numbers[0], *numbers)
        large += struct.pack("<4sLQL", b"PK\6\7", 0, len(body) + len(rows), 1)
        numbers = 0xFFFF, FULL, FULL
    end = _END.pack(b"PK\5\6", disk, disk, numbers[0], *numbers, len(comment))
    return before + body + rows + large + end + comment


def photo(seed: int, width: int = 9, height: int = 7) -> bytes:
    """A small PNG; no two seeds give the same one."""
    return encode(noise(width, height, seed))


def good(*more: Item, **options: object) -> bytes:
    """An archive of the two good photos, then `more`."""
    return pack(*map(Item, GOOD), *more, **options)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Case:
    """An archive, and what must become of it.

    Attributes:
        name: In words, unique.
        build: Writes the archive.
        files: What the dataset holds afterwards, with "/".
        left_out: Path in the archive of everything that is left out, with words that the reason must hold.
        ignored: How many housekeeping files are passed over.
        error: Words of the sentence when the archive as a whole is refused; then the three above do not count.
        limits: How much is taken in.
    """

    name: str
    build: Callable[[], bytes]
    files: tuple[str, ...] = GOOD
    left_out: Mapping[str, str] = field(default_factory=dict)
    ignored: int = 0
    error: str = ""
    limits: Limits = LIMITS


def adding(name: str, *items: Item, files: tuple[str, ...] = (), **outcome: object) -> Case:
    """A case of the good photos and something more, of which `files` are unpacked."""
    return Case(name, lambda: good(*items), (*GOOD, *files), **outcome)  # type: ignore[arg-type]


def refused(name: str, build: Callable[[], bytes], words: str, limits: Limits = LIMITS) -> Case:
    """A case in which nothing at all is unpacked."""
    return Case(name, build, error=words, limits=limits)


def zeros(megabytes: int) -> bytes:
    """So many million bytes of nothing."""
    return bytes(megabytes * MEGABYTE)


def _by_python(unseekable: bool = False) -> bytes:
    """An archive that Python's own writer makes, with sizes after the bytes where it cannot go back."""

    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.written = io.BytesIO()

        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            return self.written.write(data)  # type: ignore[arg-type]

    pipe, target = Pipe(), io.BytesIO()
    with zipfile.ZipFile(pipe if unseekable else target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cat/", "")
        for name in GOOD:
            archive.writestr(name, photo(sum(name.encode())))
    return pipe.written.getvalue() if unseekable else target.getvalue()


def _tar(mode: str) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode=mode) as archive:  # type: ignore[call-overload]
        archive.addfile(tarfile.TarInfo("cat/1.png"), io.BytesIO())
    return target.getvalue()


def _swallowing() -> bytes:
    """An entry whose bytes reach over the next entry's header, as in the densest bombs."""
    inner = Item("cat/3.png", photo(3))
    outer = Item("cat/2.png", b"x" * 9 + inner.local(), packed=b"x" * 9)
    return good(replace(outer, packed_size=len(outer.bytes_inside)), inner)


def _shared() -> bytes:
    """Ten rows of the table of contents for the same bytes."""
    kernel = Item("cat/k.png", photo(5))
    start = len(Item(GOOD[0]).local()) + len(Item(GOOD[1]).local())
    return good(kernel, *(replace(kernel, name=f"cat/k{n}.png", header=False, offset=start) for n in range(9)))


def _hole() -> bytes:
    """An archive out of whose middle a piece is missing, while its end is there."""
    items = [Item("cat/1.png"), Item("cat/2.png", photo(2, 40, 40)), Item("dog/1.png")]
    whole = pack(*items)
    start = len(items[0].local()) + 200
    return whole[:start] + whole[start + 400 :]


def _million(count: int, said: int, zip64: bool = True) -> bytes:
    """An archive of so many empty entries in its table of contents, built by repeating one."""
    return pack(Item("a"), table=Item("a", b"").row(0) * count, count=said, zip64=zip64)


def _unicode_path(raw: bytes, name: str) -> bytes:
    content = struct.pack("<BL", 1, zlib.crc32(raw)) + name.encode()
    return struct.pack("<HH", 0x7075, len(content)) + content


def _bmp() -> bytes:
    return encode(Image.new("RGB", (500, 500), "white"), "BMP")


def _cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


LONG = "x" * 240 + ".png"
SHORTENED = "x" * 116 + ".png"

USUAL = (
    Case("two classes", good),
    Case("a folder around the classes", lambda: pack(*(Item(f"flowers/{name}") for name in GOOD))),
    Case("three folders around the classes", lambda: pack(*(Item(f"home/me/my pets/{name}") for name in GOOD))),
    Case("one class only", lambda: pack(Item("cat/1.png"), Item("cat/2.png")), ("cat/1.png", "cat/2.png")),
    Case("one class in a folder", lambda: pack(Item("pets/cat/1.png")), ("cat/1.png",)),
    Case(
        "a ready split",
        lambda: pack(*(Item(f"{part}/{name}") for part in ("train", "test") for name in GOOD)),
        tuple(f"{part}/{name}" for part in ("train", "test") for name in GOOD),
    ),
    Case(
        "a ready split in a folder",
        lambda: pack(*(Item(f"pets/{part}/{name}") for part in ("train", "val") for name in GOOD)),
        tuple(f"{part}/{name}" for part in ("train", "val") for name in GOOD),
    ),
    Case(
        "a table beside a folder of photos",
        lambda: pack(Item("pets/labels.csv", b"file,label\n1,cat\n"), Item("pets/photos/1.png")),
        ("labels.csv", "photos/1.png"),
    ),
    Case(
        "a table among photos",
        lambda: pack(Item("pets/LABELS.TSV", b"file\tlabel\n"), Item("pets/1.png")),
        ("LABELS.TSV", "1.png"),
    ),
    Case("photos without any folder", lambda: pack(Item("1.png"), Item("2.png")), ("1.png", "2.png")),
    Case("names that begin with ./", lambda: pack(*(Item(f"./{name}") for name in GOOD))),
    Case("backslashes between folders, as old Windows programs write", lambda: pack(Item("cat\\1.png"), Item(GOOD[1]))),
    adding("folders that are listed", Item("cat/", b""), Item("empty\\", b""), Item("x", b"", mode=stat.S_IFDIR)),
    adding("Deflate", Item("cat/2.png", method=8), files=("cat/2.png",)),
    adding("bzip2", Item("cat/2.png", method=12), files=("cat/2.png",)),
    Case("written by Python", _by_python),
    Case("written by Python to a pipe", lambda: _by_python(unseekable=True)),
    Case("zip64", lambda: pack(*(Item(name, zip64=True) for name in GOOD), zip64=True)),
    Case("zip64 behind a program", lambda: pack(*map(Item, GOOD), zip64=True, before=b"MZ" * 500)),
    Case("a program before the archive", lambda: good(before=b"MZ" * 500)),
    Case("a comment after the archive", lambda: good(comment=b"made by hand" * 99)),
    adding("a white picture that packs well", Item("cat/w.bmp", _bmp(), method=8), files=("cat/w.bmp",)),
)

SIDE_FILES = (
    adding(
        "what systems leave behind",
        *map(
            Item,
            ("__MACOSX/cat/._1.png", ".DS_Store", "cat/.DS_Store", "cat/Thumbs.db", "cat/.ipynb_checkpoints/1.png"),
        ),
        ignored=5,
    ),
    adding(
        "other files",
        *map(Item, ("readme.txt", "cat/notes.pdf", "cat/IMG.DCM", "cat/photo", "cat/x." + "y" * 90)),
        left_out={
            "readme.txt": ".txt files are not photos",
            "cat/notes.pdf": ".pdf files are not photos",
            "cat/IMG.DCM": "DICOM",
            "cat/photo": "no ending",
            "cat/x." + "y" * 90: "files of this kind",
        },
    ),
    adding(
        "lists of the photos of subsets",
        Item("meta/train.txt", b"cat/1\n"),
        Item("test_list.txt", b"cat/1\n"),
        Item("classes.txt", b"cat\n"),
        files=("meta/train.txt", "test_list.txt"),
        left_out={"classes.txt": ".txt files are not photos"},
    ),
    adding(
        "archives inside",
        Item("more.zip", pack(Item("cat/2.png"))),
        Item("cat/x.tar.gz"),
        left_out={"more.zip": "archive inside the archive", "cat/x.tar.gz": "archive inside the archive"},
    ),
    adding(
        "an archive that is named like a photo",
        Item("cat/2.png", pack(Item("cat/2.png"))),
        left_out={"cat/2.png": "ZIP archive, not a photo"},
    ),
    adding(
        "broken photos",
        Item("cat/cut.png", _cut(photo(1, 60, 60))),
        Item("cat/web.jpg", b"<!DOCTYPE html><p>404"),
        Item("new/empty.jpg", b""),
        left_out={"cat/cut.png": "cut off", "cat/web.jpg": "web page", "new/empty.jpg": "empty"},
    ),
)

NAMES = (
    adding(
        "names that lead upwards",
        *map(Item, ("../evil.png", "cat/../../evil.png", "..\\worse.png", "cat/..", "../")),
        left_out=dict.fromkeys(("../evil.png", "cat/../../evil.png", "../worse.png", "cat/..", "../"), "leads out"),
    ),
    adding(
        "absolute names",
        *map(Item, ("/etc/evil.png", "C:\\evil.png", "\\\\server\\share\\evil.png", "z:/evil.png", "//evil.png")),
        left_out=dict.fromkeys(
            ("/etc/evil.png", "C:/evil.png", "//server/share/evil.png", "z:/evil.png", "//evil.png"), "leads out"
        ),
    ),
    adding(
        "Chinese, Korean, emoji, quotes",
        *map(Item, ("猫/薔薇 🌹.png", "고양이/'\".png")),
        files=("猫/薔薇 🌹.png", "고양이/'_.png"),
    ),
    adding(
        "UTF-8 that is not announced, with accents apart, as macOS writes",
        Item("cafe\u0301/1.png".encode(), flags=0),
        files=("café/1.png",),
    ),
    adding("names in the oldest encoding", Item(b"caf\x82/1.png", flags=0), files=("café/1.png",)),
    adding(
        "a Unicode name beside an old one",
        Item(b"cat/?.png", flags=0, extra=_unicode_path(b"cat/?.png", "cat/猫.png")),
        Item(b"cat/_.png", flags=0, extra=_unicode_path(b"other", "cat/x.png")),
        files=("cat/猫.png", "cat/_.png"),
    ),
    adding(
        "names of 244 characters",
        Item(f"cat/{LONG}"),
        Item(f"cat/y{LONG}"),
        files=(f"cat/{SHORTENED}", f"cat/y{'x' * 115}.png"),
    ),
    adding(
        "long names that begin alike",
        Item(f"cat/{LONG}"),
        Item(f"cat/x{LONG}"),
        Item(f"{'d' * 300}/1.png"),
        Item(f"{'d' * 301}/1.png"),
        files=(f"cat/{SHORTENED}", f"cat/{'x' * 116} 2.png", f"{'d' * 120}/1.png", f"{'d' * 120} 2/1.png"),
    ),
    adding("a folder of 600 bytes", Item("猫" * 200 + "/1.png"), files=("猫" * 80 + "/1.png",)),
    adding(
        "a name that is far too long",
        Item("cat/" + "x" * 1200 + ".png"),
        left_out={"cat/" + "x" * 996: "1,208 bytes, at most 1,000"},
    ),
    adding("names that differ in case only", Item("cat/A.png"), Item("cat/a.png"), files=("cat/A.png", "cat/a.png")),
    adding(
        "the same name twice",
        Item("cat/1.png", photo(99)),
        Item("cat//1.png"),
        left_out={"cat/1.png": "same name", "cat//1.png": "same name"},
    ),
    adding(
        "names of devices on Windows", Item("con/aux.png"), Item("cat/NUL.png"), files=("_con/_aux.png", "cat/_NUL.png")
    ),
    adding(
        "names that Windows cannot hold",
        Item('a:b?/c*"d|.png'),
        Item("cat /1 .png"),
        files=("a_b_/c__d_.png", "cat 2/1 .png"),
    ),
    adding(
        "control characters and marks of direction",
        Item("ca\tt/\x1b[2J1.png"),
        Item("cat/2\0.png"),
        Item("cat/gnp\u202e.exe"),
        Item("cat/\u200e3.png"),
        files=("cat 2/[2J1.png", "cat/2.png", "cat/_3.png"),
        left_out={"cat/gnp\ufffd.exe": ".exe files"},
    ),
    adding(
        "a file where a folder is needed",
        Item("cat/x.png"),
        Item("cat/x.png/1.png"),
        files=("cat/x.png/1.png",),
        left_out={"cat/x.png": "folder of the same name"},
    ),
    adding(
        "too many folders inside each other",
        Item("a/" * 20 + "1.png"),
        Item("b/" * 21 + "1.png"),
        files=("a/" * 20 + "1.png",),
        left_out={"b/" * 21 + "1.png": "21 folders deep; at most 20"},
    ),
)

CONTENT = (
    adding(
        "links",
        Item("cat/link.png", b"/etc/passwd", mode=stat.S_IFLNK | 0o777),
        Item("linked", b"/etc", mode=stat.S_IFLNK | 0o777),
        Item("linked/", b"/etc", mode=stat.S_IFLNK | 0o777),
        left_out={"cat/link.png": "link", "linked": "link", "linked/": "link"},
    ),
    adding(
        "devices and pipes",
        *(Item(f"cat/{kind}.png", mode=kind) for kind in (stat.S_IFBLK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK)),
        left_out={f"cat/{kind}.png": "device" for kind in (stat.S_IFBLK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK)},
    ),
    adding(
        "entries with a password",
        Item("cat/old.png", flags=UTF8 | 1),
        Item("cat/strong.png", flags=UTF8 | 0x41),
        Item("cat/aes.png", flags=UTF8 | 1, method=99),
        left_out=dict.fromkeys(("cat/old.png", "cat/strong.png", "cat/aes.png"), "password"),
    ),
    adding(
        "ways of packing that are not read",
        Item("cat/9.png", method=9),
        Item("cat/14.png", method=14),
        Item("cat/93.png", method=93),
        Item("cat/77.png", method=77),
        left_out={"cat/9.png": "Deflate64", "cat/14.png": "LZMA", "cat/93.png": "Zstandard", "cat/77.png": "method 77"},
    ),
    adding(
        "wrong checksums",
        Item("cat/a.png", crc=1),
        Item("cat/b.png", crc=1, method=8),
        left_out={"cat/a.png": "checksum", "cat/b.png": "checksum"},
    ),
    adding(
        "packed bytes that are noise, cut off, or too few",
        Item("cat/noise.png", method=8, packed=b"\xff" * 50),
        Item("cat/bz.png", method=12, packed=b"\xff" * 50),
        Item("cat/cut.png", method=8, packed=_cut(_raw_deflate(photo(1)))),
        Item("cat/bzcut.png", method=12, packed=_cut(bz2.compress(photo(1)))),
        Item("cat/nothing.png", method=8, packed=b""),
        Item("cat/few.png", size=5000),
        left_out=dict.fromkeys(
            (f"cat/{name}.png" for name in ("noise", "bz", "cut", "bzcut", "nothing", "few")), "damaged in the archive"
        ),
    ),
    adding(
        "flat bombs",
        Item("cat/8.png", zeros(20), method=8),
        Item("cat/12.png", zeros(20), method=12),
        left_out={"cat/8.png": "times smaller", "cat/12.png": "times smaller"},
    ),
    adding(
        "flat bombs that say they are small",
        Item("cat/8.png", zeros(20), method=8, size=1000),
        Item("cat/12.png", zeros(20), method=12, size=1000),
        Item("cat/0.png", size=3),
        left_out=dict.fromkeys(("cat/8.png", "cat/12.png", "cat/0.png"), "larger than the archive says"),
    ),
    adding(
        "files that are too large",
        Item("cat/real.bmp", encode(noise(90, 90), "BMP")),
        Item("cat/said.png", size=FULL - 1, packed_size=FULL - 1),
        left_out={"cat/real.bmp": "too large", "cat/said.png": "4.3 GB"},
        limits=Limits(file_bytes=20_000),
    ),
    adding(
        "too many pixels",
        Item("cat/big.png", photo(0, 40, 40)),
        left_out={"cat/big.png": "pixels"},
        limits=Limits(pixels=900),
    ),
    adding("an extra field that is damaged", Item("cat/2.png", extra=b"\1\0\xff\xffxx"), files=("cat/2.png",)),
    adding(
        "large numbers that are announced and missing",
        Item("cat/2.png", size=FULL, packed_size=FULL, extra=b"\1\0\0\0"),
        left_out={"cat/2.png": "too large"},
    ),
    adding(
        "entries that begin nowhere",
        Item("cat/far.png", offset=FULL - 1),
        Item("cat/farther.png", offset=2**63 + 9, zip64=True),
        left_out=dict.fromkeys(("cat/far.png", "cat/farther.png"), "nothing where it should begin"),
    ),
)

OVERLAPS = (
    Case("an entry over another", _swallowing, (*GOOD, "cat/3.png"), {"cat/2.png": "run into another entry"}),
    Case(
        "ten entries of the same bytes",
        _shared,
        (*GOOD, "cat/k.png"),
        {f"cat/k{n}.png": "same bytes as another" for n in range(9)},
    ),
    Case(
        "an entry that begins inside another",
        lambda: good(Item("cat/2.png", offset=7)),
        ("dog/1.png",),
        {"cat/1.png": "run into another", "cat/2.png": "nothing where it should begin"},
    ),
    adding(
        "an entry over the table of contents",
        Item("cat/2.png", photo(2) + b"x" * 40, packed=photo(2), packed_size=len(photo(2)) + 40),
        left_out={"cat/2.png": "run into another"},
    ),
    Case("a piece that is missing", _hole, ("dog/1.png",), {"cat/1.png": "damaged", "cat/2.png": "damaged"}),
)

WHOLE = (
    refused("a million entries", lambda: _million(1_000_000, 1_000_000), "holds 1,000,000 files; at most 200,000"),
    refused(
        "a million entries that say they are five",
        lambda: _million(1_000_000, 5),
        "more than 50,000",
        Limits(files=50_000),
    ),
    refused("a number of entries beyond all sense", lambda: good(count=2**63, zip64=True), "9,223,372,036,854,775,808"),
    refused(
        "a table of contents beyond all sense", lambda: good(table_size=2**62, zip64=True), "4,611,686,018,427,387,904"
    ),
    refused(
        "a table of contents larger than the file", lambda: good(table_size=90_000), "table of contents is damaged"
    ),
    refused("a table of contents of something else", lambda: good(table=b"x" * 200), "table of contents is damaged"),
    refused(
        "a row that is cut off", lambda: good(table=Item("a").row(0) + b"PK\1\2xx"), "table of contents is damaged"
    ),
    refused("no larger end where one is announced", lambda: _without_larger_end(), "table of contents is damaged"),
    refused("too many bytes in all", good, "0.0 MB are taken", Limits(total_bytes=400)),
    refused("more files than are allowed", lambda: good(Item("a")), "holds 3 files; at most 2", Limits(files=2)),
    refused(
        "more folders than are allowed", lambda: pack(Item("a/b/c/d/1.png")), "more than 3 folders", Limits(files=3)
    ),
    refused("an archive that is cut off", lambda: _cut(good()), "is cut off"),
    refused("the last part of a divided archive", lambda: good(disk=2), "divided into several"),
    refused("the first part of a divided archive", lambda: b"PK\x07\x08" + _cut(good()), "divided into several"),
    refused("an empty archive", pack, "holds no photos. Expected one folder for each class"),
    refused("an archive of folders", lambda: pack(Item("cat/", b""), Item("dog/", b"")), "holds no photos"),
    refused("an archive of housekeeping", lambda: pack(Item(".DS_Store"), Item("__MACOSX/._x.png")), "holds no photos"),
    refused("a table alone", lambda: pack(Item("labels.csv", b"file,label\n1,cat\n")), "holds no photos"),
    refused(
        "only locked photos",
        lambda: pack(*(Item(n, flags=1) for n in GOOD)),
        "password: pack it again without one (2 times)",
    ),
    refused("only broken photos", lambda: pack(Item("cat/1.png", b"")), "the file is empty"),
    refused("an empty file", bytes, "the file is empty"),
    refused("a text", lambda: b"roses are red", "no ZIP archive"),
    refused("RAR", lambda: b"Rar!\x1a\x07\x01\x00" + bytes(99), "RAR archive"),
    refused("7z", lambda: b"7z\xbc\xaf\x27\x1c" + bytes(99), "7z archive"),
    refused("tar", lambda: _tar("w"), "tar archive"),
    refused("tar.gz", lambda: _tar("w:gz"), "gzip archive"),
    refused("tar.xz", lambda: _tar("w:xz"), "XZ archive"),
    refused("tar.bz2", lambda: _tar("w:bz2"), "bzip2 archive"),
    refused("a web page", lambda: b"\n<!doctype HTML><title>Sign in</title>", "web page"),
    refused("a photo", lambda: photo(1), "single photo"),
)


def _without_larger_end() -> bytes:
    whole = good(zip64=True)
    return whole.replace(b"PK\6\6", b"PK\0\0")


ARCHIVES: tuple[Case, ...] = USUAL + SIDE_FILES + NAMES + CONTENT + OVERLAPS + WHOLE


def build_all(into: Path) -> None:
    """Write every case into a folder, as `name.zip`."""
    into.mkdir(parents=True, exist_ok=True)
    for case in ARCHIVES:
        (into / f"{case.name.replace('/', '_')}.zip").write_bytes(case.build())
