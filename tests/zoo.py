"""A zoo of nasty dataset folders: everything that people's photos, disks and downloads do to a scan, a case for each.

Every case starts from a small good dataset of two classes, `GOOD`, and adds one nasty thing. All content is made here.
`build_all` writes the whole zoo, to be looked at.
"""

import io
import os
import shutil
import stat
import struct
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image, ImageDraw

from core.data.images import FORMATS, TURNS
from core.settings import MEGABYTE, Limits
from tests.core.data.conftest import encode

LIMITS = Limits()
GOOD = {"cat": 3, "dog": 3}
"""Usable photos of each class that every case starts with."""

Build = Callable[[Path], None]
Content = Callable[[], bytes]


class CannotBuild(Exception):
    """This file system, system or Pillow does not allow what a case needs; the message says what."""


@dataclass(frozen=True)
class Case:
    """A dataset with something nasty in it, and what a scan must make of it.

    Attributes:
        name: In words, unique.
        adds: What is added, in this order, to the good dataset.
        photos: Usable photos by class.
        left_out: Path of everything that is left out, with words that the reason must hold.
        ignored: How many housekeeping files and folders are passed over.
        error: Words of the sentence when the folder as a whole is refused; then the three above do not count.
        begins_with: Photos of each class of the good dataset.
        needs_rights: Nothing is nasty for somebody who may read every file, as the user "root" may.
    """

    name: str
    adds: tuple[Build, ...]
    photos: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    ignored: int = 0
    error: str = ""
    begins_with: Mapping[str, int] = field(default_factory=lambda: GOOD)
    needs_rights: bool = False

    def build(self, root: Path) -> None:
        """Write the dataset into `root`, which need not exist; raises `CannotBuild` where that is impossible."""
        root.mkdir(parents=True, exist_ok=True)
        good(root, self.begins_with)
        for add in self.adds:
            add(root)


# ---------------------------------------------------------------- pictures and bytes


def picture(seed: int, size: tuple[int, int] = (64, 48)) -> Image.Image:
    """A few coloured discs; no two seeds look alike."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", size, tuple(random.integers(0, 256, 3).tolist()))
    pen = ImageDraw.Draw(image)
    for x, y, reach, *colour in random.integers(0, 256, (6, 6)).tolist():
        centre_x, centre_y, radius = x * size[0] // 256, y * size[1] // 256, 2 + reach * min(size) // 800
        box = (centre_x - radius, centre_y - radius, centre_x + radius, centre_y + radius)
        pen.ellipse(box, fill=tuple(colour))
    return image


def blocks() -> Image.Image:
    """A picture of 8 x 8 blocks of one colour each, which a JPEG of full colour keeps the same however it is turned."""
    colours = np.random.default_rng(1).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return Image.fromarray(colours.repeat(8, axis=0).repeat(8, axis=1))


def jpeg(seed: int = 1, **options: object) -> bytes:
    """A good photo."""
    return encode(picture(seed), "JPEG", **options)


def in_mode(mode: str, file_format: str = "PNG") -> Content:
    """A photo with another kind of pixels."""
    seed = zlib.crc32(f"{mode} {file_format}".encode())
    return lambda: encode(picture(seed).convert(mode), file_format)


def in_format(file_format: str) -> Content:
    """A photo in another format."""

    def content() -> bytes:
        if file_format == "AVIF" and file_format not in FORMATS:
            raise CannotBuild("this Pillow has no AVIF")
        return encode(picture(zlib.crc32(file_format.encode())), file_format)

    return content


def heic(image: Image.Image, orientation: int = 1, **options: object) -> bytes:
    """A photo as iPhones write it, without loss; `tile_size` makes it a grid of tiles, as theirs are."""
    tags = Image.Exif()
    tags[0x0112] = orientation
    buffer = io.BytesIO()
    pillow_heif.from_pillow(image).save(buffer, quality=-1, chroma=444, exif=tags.tobytes(), **options)
    return buffer.getvalue()


def animation(file_format: str) -> Content:
    """A red frame, then blue ones."""
    first, *rest = (Image.new("RGB", (40, 30), colour) for colour in ("red", "blue", "navy"))
    return lambda: encode(first, file_format, save_all=True, append_images=rest, duration=100)


def two_in_one() -> bytes:
    """An MPO file, as phones with two lenses write them: a JPEG with a second one behind it."""
    return encode(picture(4), "MPO", save_all=True, append_images=[picture(5)])


def turned(orientation: int, file_format: str) -> Content:
    """`blocks` as a camera stores it that was held another way, with the EXIF tag that says so."""
    opposite = {6: 8, 8: 6}.get(orientation, orientation)
    tags = Image.Exif()
    tags[0x0112] = orientation
    options = {"quality": 95, "subsampling": 0} if file_format == "JPEG" else {}
    stored = blocks().transpose(TURNS[opposite]) if opposite in TURNS else blocks()
    return lambda: encode(stored, file_format, exif=tags, **options)


def png(width: int, height: int, depth: int, colour_type: int, pixels: bytes) -> bytes:
    """A PNG file written by hand (PNG 1.2, chapters 3 and 4.1.1), for what Pillow does not write.

    `pixels` are the rows, each with its filter byte before it.
    """
    head = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(pixels)), (b"IEND", b""))
    packed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def deep_png(colour_type: int, channels: int) -> Content:
    """A PNG of 16 bits for each value."""
    values = np.random.default_rng(3).integers(0, 65536, (20, 30 * channels)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    return lambda: png(30, 20, 16, colour_type, rows)


def jpeg_that_claims(width: int, height: int) -> bytes:
    """A good JPEG with other numbers in its frame header (ITU T.81, B.2.2)."""
    content = jpeg()
    start = content.index(b"\xff\xc0") + 5
    return content[:start] + struct.pack(">HH", height, width) + content[start + 4 :]


def poster() -> bytes:
    """A whole, honest photo of a little more pixels than are read, two colours of them."""
    return encode(Image.new("1", (10_000, LIMITS.pixels // 10_000 + 1)), "PNG")


def with_broken_exif() -> bytes:
    """A good photo whose EXIF data points to nowhere."""
    return jpeg(6, exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(range(200)))


HTML = b"<!DOCTYPE html>\n<html><body><h1>404 Not Found</h1></body></html>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n"
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)
"""The beginning of an iPhone's photo, and no more of it."""
VIDEO = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(200)
THUMBS = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(200)

# ---------------------------------------------------------------- what a case adds to the good dataset


def write(path: Path, content: bytes) -> None:
    """Write a file and the folders above it.

    Raises `CannotBuild` when the system refuses the name, or takes it for the name of another file.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            raise CannotBuild("this file system does not tell these names apart")
        path.write_bytes(content)
    except OSError as error:
        raise CannotBuild(f"this file system does not take the name {path.name!r} ({error.strerror})") from error


def good(root: Path, classes: Mapping[str, int]) -> None:
    """Write a good dataset."""
    for number, name in enumerate(name for name, photos in classes.items() for _ in range(photos)):
        write(root / name / f"{number + 1}.jpg", jpeg(100 + number))


def files(contents: Mapping[str, Content]) -> Build:
    """Add files, each made when it is written."""

    def build(root: Path) -> None:
        for path, content in contents.items():
            write(root / path, content())

    return build


def copies(*paths: str) -> Build:
    """Add good photos under these names."""
    return files({path: partial(jpeg, zlib.crc32(os.fsencode(path))) for path in paths})


def links(targets: Mapping[str, str]) -> Build:
    """Add links; targets are relative to the folder of the link, or absolute."""

    def build(root: Path) -> None:
        for path, target in targets.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            try:
                (root / path).symlink_to(target, target_is_directory=(root / path).parent.joinpath(target).is_dir())
            except OSError as error:
                raise CannotBuild(f"links cannot be made here ({error.strerror})") from error

    return build


def empty_folders(*paths: str) -> Build:
    """Add folders with nothing in them."""

    def build(root: Path) -> None:
        for path in paths:
            (root / path).mkdir(parents=True)

    return build


def pipe(path: str) -> Build:
    """Add a named pipe: whoever opens it waits for ever."""

    def build(root: Path) -> None:
        if not hasattr(os, "mkfifo"):
            raise CannotBuild("this system has no named pipes")
        os.mkfifo(root / path)

    return build


def release(path: Path) -> bool:
    """Let everybody go on who waits at a named pipe, as if it were an empty file; tells whether anybody did."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return stat.S_ISFIFO(path.lstat().st_mode)


def locked(*paths: str) -> Build:
    """Take away the right to read files and folders."""

    def build(root: Path) -> None:
        if sys.platform == "win32":
            raise CannotBuild("rights are set in another way on this system")
        for path in paths:
            (root / path).chmod(0)

    return build


def unlock(root: Path) -> None:
    """Give the right to read everything below a folder back, so that it can be looked at and deleted."""
    for folder, inner, names in os.walk(root):
        for path in (Path(folder, name) for name in (*inner, *names)):
            if not path.is_symlink():
                path.chmod(0o700 if path.is_dir() else 0o600)


def holding(path: str, size: int) -> Build:
    """Add a file that begins as a photo and has this many bytes, most of which take no room on the disk."""

    def build(root: Path) -> None:
        write(root / path, jpeg(7))
        os.truncate(root / path, size)

    return build


# ---------------------------------------------------------------- the cases


def case(
    name: str,
    *adds: Build,
    more: Mapping[str, int] | None = None,
    left_out: Mapping[str, str] | None = None,
    ignored: int = 0,
    needs_rights: bool = False,
) -> Case:
    """A case of the good dataset and what `adds` add; `more` counts the usable photos among it."""
    photos = dict(Counter(GOOD) + Counter(more or {}))
    return Case(name, adds, photos, left_out or {}, ignored, needs_rights=needs_rights)


def fine(name: str, contents: Mapping[str, Content]) -> Case:
    """A case whose odd files, all of the class cat, can be used."""
    return case(name, files(contents), more={"cat": len(contents)})


def bad(name: str, path: str, content: Content, reason: str) -> Case:
    """A case of one file that cannot be used."""
    return case(name, files({path: content}), left_out={path: reason})


def alone(name: str, begins_with: Mapping[str, int], *adds: Build, error: str) -> Case:
    """A case of a folder that as a whole is no dataset."""
    return Case(name, adds, error=error, begins_with=begins_with)


def deep(folders: int) -> str:
    """The path of the folder that lies this many folders deep, the class counted."""
    return "cat/" + "/".join(f"in {number}" for number in range(2, folders + 1))


CUT = "cut off"
SYSTEM_ROOT = Path(sys.executable).anchor
ELSEWHERE = Path(sys.executable).resolve().as_posix()

ODD_PIXELS = (
    fine("CMYK JPEG", {"cat/print shop.jpg": in_mode("CMYK", "JPEG")}),
    fine("grey JPEG", {"cat/old.jpg": in_mode("L", "JPEG")}),
    fine("progressive JPEG", {"cat/web.jpg": lambda: jpeg(8, progressive=True)}),
    fine("palette PNG", {"cat/palette.png": in_mode("P")}),
    fine("16-bit grey PNG", {"cat/microscope.png": deep_png(0, 1)}),
    fine("16-bit colour PNG", {"cat/scanner.png": deep_png(2, 3)}),
    fine("16-bit colour PNG with alpha", {"cat/render.png": deep_png(6, 4)}),
    fine("grey PNG", {"cat/grey.png": in_mode("L")}),
    fine("black and white PNG", {"cat/fax.png": in_mode("1")}),
    fine("alpha PNG", {"cat/cut out.png": in_mode("RGBA")}),
    fine("grey PNG with alpha", {"cat/grey cut out.png": in_mode("LA")}),
    fine("AVIF", {"cat/new.avif": in_format("AVIF")}),
    fine("HEIC", {"cat/IMG_1.HEIC": lambda: heic(picture(30))}),
    fine("HEIC named .jpg", {"cat/IMG_2.jpg": lambda: heic(picture(31), tile_size=32)}),
    fine("TIFF", {"cat/scan.tif": in_format("TIFF"), "cat/scan 2.TIFF": in_mode("CMYK", "TIFF")}),
    fine("BMP", {"cat/paint.bmp": in_format("BMP")}),
    fine("WebP", {"cat/web.webp": in_format("WEBP")}),
    fine("MPO", {"cat/two lenses.mpo": two_in_one, "cat/two lenses.jpg": two_in_one}),
    fine("GIF named .jpg", {"cat/gif.jpg": in_format("GIF")}),
    fine("PNG named .jpg", {"cat/png.jpg": in_format("PNG")}),
    fine("animated GIF", {"cat/moving.gif": animation("GIF")}),
    fine("animated WebP", {"cat/moving.webp": animation("WEBP")}),
    fine("JPEG with garbage behind it", {"cat/longer.jpg": lambda: jpeg(9) + b"garbage" * 500}),
    fine("JPEG with broken EXIF", {"cat/edited.jpg": with_broken_exif}),
    fine(
        "all eight EXIF orientations",
        {
            f"cat/held {n}.{ending}": turned(n, kind)
            for n in range(1, 9)
            for kind, ending in (("JPEG", "jpg"), ("PNG", "png"))
        },
    ),
    fine("1 x 1 photo", {"cat/dot.png": lambda: encode(picture(10, (1, 1)))}),
    fine("10 x 4000 strip", {"cat/strip.png": lambda: encode(picture(11, (10, 4000)))}),
)
"""Photos that are unusual and can be used."""

BROKEN = (
    bad("truncated JPEG", "cat/half.jpg", lambda: jpeg()[:-700], CUT),
    bad("JPEG without its end", "cat/nearly.jpg", lambda: jpeg()[:-20], CUT),
    bad("truncated progressive JPEG", "cat/half web.jpg", lambda: jpeg(progressive=True)[:-700], CUT),
    bad("truncated PNG", "cat/half.png", lambda: encode(picture(1))[:-300], CUT),
    bad("empty file", "cat/nothing.jpg", bytes, "empty"),
    bad("nothing but zeros", "cat/zeros.jpg", lambda: bytes(5000), "not a photo"),
    bad("HTML named .jpg", "cat/download.jpg", lambda: HTML, "HTML"),
    bad("SVG", "cat/drawing.svg", lambda: SVG, ".svg files are not photos"),
    bad("SVG named .png", "cat/drawing.png", lambda: SVG, "SVG"),
    bad("PDF named .png", "cat/letter.png", lambda: PDF, "PDF"),
    bad("damaged HEIC named .jpg", "cat/phone.jpg", lambda: HEIC, "HEIC"),
    bad("HEIC cut off", "cat/phone.heic", lambda: heic(picture(32), tile_size=32)[:-100], CUT),
    bad("a video named .jpg", "cat/video.jpg", lambda: VIDEO, "not a photo"),
    bad("a video", "cat/video.mp4", lambda: VIDEO, ".mp4 files are not photos"),
    bad("text", "cat/notes.txt", lambda: b"my cats", ".txt files are not photos"),
    bad("name without ending", "cat/IMG_0001", jpeg, "no ending"),
    bad("PNG header bomb", "cat/bomb.png", lambda: png(20_000, 20_000, 8, 2, b""), "too many pixels: 400,000,000"),
    bad("JPEG header bomb", "cat/bomb.jpg", lambda: jpeg_that_claims(20_000, 20_000), "too many pixels: 400,000,000"),
    bad("more pixels than are read", "cat/poster.png", poster, "too many pixels"),
    bad("PNG header without pixels", "cat/flat.png", lambda: png(0, 20, 8, 2, b""), "not a photo"),
    bad("JPEG header without pixels", "cat/flat.jpg", lambda: jpeg_that_claims(0, 48), "not a photo"),
    case(
        "larger file than is read",
        holding("cat/huge.jpg", LIMITS.file_bytes + MEGABYTE),
        left_out={"cat/huge.jpg": "too large: 51.0 MB; the limit is 50 MB"},
    ),
    case("a pipe named .jpg", pipe("cat/pipe.jpg"), left_out={"cat/pipe.jpg": "neither a file nor a folder"}),
    case("a folder named .jpg", copies("cat/album.jpg/inside.jpg"), more={"cat": 1}),
    bad("a photo beside the classes", "stray.jpg", jpeg, "next to the class folders"),
)
"""Files that cannot be used, or look as if."""

NAMES = (
    case("Chinese names", copies("cat/照片 1.jpg", "cat/花园/薔薇.jpg"), more={"cat": 2}),
    case("Korean names", copies("cat/장미.jpg", "cat/고양이/사진.jpg"), more={"cat": 2}),
    case("Arabic names", copies("cat/وردة.jpg"), more={"cat": 1}),
    case("emoji names", copies("cat/😀.jpg", "cat/👩‍🌾 1.jpg"), more={"cat": 2}),
    case("Chinese classes", copies("猫/照片 1.jpg", "猫/花园/二.jpg"), more={"猫": 2}),
    case("Korean classes", copies("고양이/사진.jpg"), more={"고양이": 1}),
    case("emoji classes", copies("🐈‍⬛/1.jpg", "🐕/👩‍🌾.jpg"), more={"🐈‍⬛": 1, "🐕": 1}),
    case("names with spaces", copies("cat/a b  c.jpg", "cat/ 1.jpg", "cat/2 .jpg"), more={"cat": 3}),
    case("names with quotes", copies("cat/it's; a, 'b' \"c\".jpg", "cat/`x`$y.jpg"), more={"cat": 2}),
    case(
        "names of Markdown and HTML", copies("cat/_a_ **b** [c](d) :smile:.jpg", "cat/<b>%20&lt;.jpg"), more={"cat": 2}
    ),
    case(
        "classes of signs",
        copies('dog\'s "best"/1.jpg', "<b>my* [cat]/1.jpg"),
        more={'dog\'s "best"': 1, "<b>my* [cat]": 1},
    ),
    case("names with line breaks", copies("cat/a\nb.jpg", "cat/c\td\\e.jpg", "cat/f\r.jpg"), more={"cat": 3}),
    case("names that begin with a dot", copies("cat/.hidden.jpg", "cat/._1.jpg", ".trash/cat.jpg"), ignored=3),
    case("names of 250 characters", copies("cat/" + "x" * 246 + ".jpg"), more={"cat": 1}),
    case("names of 255 bytes", copies("cat/" + "猫" * 83 + "ab.jpg"), more={"cat": 1}),
    case("a class of 255 bytes", copies("犬" * 85 + "/1.jpg"), more={"犬" * 85: 1}),
    case(
        "names that differ in case only",
        copies("cat/A.jpg", "cat/a.jpg", "cat/a.JPG", "Cat/a.jpg"),
        more={"cat": 3, "Cat": 1},
    ),
    case("names that differ in how an accent is written", copies("cat/\u00e9.jpg", "cat/e\u0301.jpg"), more={"cat": 2}),
    case(
        "names that are no UTF-8",
        copies("cat/" + os.fsdecode(b"caf\xe9.jpg")),
        left_out={"cat/caf\ufffd.jpg": "rename it"},
    ),
    case(
        "a class whose name is no UTF-8",
        copies(os.fsdecode(b"\xb0\xa1") + "/1.jpg"),
        left_out={"\ufffd\ufffd": "rename it"},
    ),
)
"""Names that other programs stumble over."""

HOUSEKEEPING = (
    case(
        "DS_Store of macOS",
        files({".DS_Store": lambda: b"\0\0\0\1Bud1", "cat/.DS_Store": lambda: b"\0\0\0\1Bud1"}),
        ignored=2,
    ),
    case("Thumbs of Windows", files({"cat/Thumbs.db": lambda: THUMBS, "dog/thumbs.DB": lambda: THUMBS}), ignored=2),
    case("MACOSX of zips", copies("__MACOSX/cat/._1.jpg", "__MACOSX/cat/1.jpg", "cat/__MACOSX/1.jpg"), ignored=2),
    case(
        "ipynb_checkpoints of Jupyter",
        copies(".ipynb_checkpoints/a.jpg", "cat/.ipynb_checkpoints/1-checkpoint.jpg"),
        ignored=2,
    ),
    case(
        "desktop.ini of Windows and @eaDir of Synology",
        files({"desktop.ini": lambda: b"[x]", "cat/@eaDir/1.jpg": jpeg}),
        ignored=2,
    ),
)
"""What systems leave behind."""

THOUSAND = {f"class {number:04d}": 1 for number in range(1000 - len(GOOD))}


CLASSES = (
    case("an empty class", empty_folders("fox"), left_out={"fox": "no photo in this folder"}),
    case(
        "a class of broken photos",
        files({"wolf/1.jpg": lambda: HTML, "wolf/2.jpg": bytes}),
        left_out={"wolf": "no photo in this folder", "wolf/1.jpg": "HTML", "wolf/2.jpg": "empty"},
    ),
    case(
        "a class of housekeeping", files({"bear/Thumbs.db": lambda: THUMBS}), left_out={"bear": "no photo"}, ignored=1
    ),
    case("a class with one photo", copies("fox/1.jpg"), more={"fox": 1}),
    case("a thousand classes", partial(good, classes=THOUSAND), more=THOUSAND),
    case(
        "photos too deep",
        copies(f"{deep(LIMITS.depth)}/last.jpg", f"{deep(LIMITS.depth + 1)}/1.jpg", f"{deep(LIMITS.depth + 2)}/2.jpg"),
        more={"cat": 1},
        left_out={deep(LIMITS.depth + 1): "folders deep"},
    ),
    alone("one class only", {"cat": 3}, error="only one class"),
    alone("one class with photos and an empty one", {"cat": 3}, empty_folders("dog"), error="only one class"),
    alone("one class with readable photos", {"cat": 3}, files({"dog/1.jpg": lambda: HTML}), error="only one class"),
    alone("no class", {}, copies("1.jpg", "2.jpg"), error="no class"),
    alone("nothing but housekeeping", {}, files({"cat/.DS_Store": bytes, "Thumbs.db": bytes}), error="no class"),
    alone("an empty folder", {}, error="no class"),
)
"""Classes that are odd."""

CIRCLE = "links in a circle through both classes"

LINKS = (
    case(
        CIRCLE,
        links({"cat/to dog": "../dog", "dog/to cat": "../cat"}),
        more={"cat": 3, "dog": 3},
        left_out={"cat/to dog/to cat": "already read", "dog/to cat/to dog": "already read"},
    ),
    case(
        "links to the folders above",
        links({"cat/up": "..", "cat/here": ".", "dog/in/deep/up": "../../.."}),
        left_out={"cat/up": "points back", "cat/here": "already read", "dog/in/deep/up": "points back"},
    ),
    case(
        "links to themselves and nowhere",
        links({"cat/self.jpg": "self.jpg", "cat/one": "two", "cat/two": "one", "dog/gone.jpg": "never.jpg"}),
        left_out=dict.fromkeys(("cat/self.jpg", "cat/one", "cat/two", "dog/gone.jpg"), "is broken"),
    ),
    case(
        "links out of the root",
        links({"cat/system": SYSTEM_ROOT, "cat/secret.jpg": ELSEWHERE, "owl": "../.."}),
        left_out=dict.fromkeys(("cat/system", "cat/secret.jpg", "owl"), "outside the folders that may be read"),
    ),
    case(
        "a folder that is a link to its sibling",
        copies("cat/2023/a.jpg", "cat/2023/b.jpg"),
        links({"cat/2024": "2023", "cat/2025": "2023"}),
        more={"cat": 2},
        left_out=dict.fromkeys(("cat/2024", "cat/2025"), "already read"),
    ),
    case("a class that is a link to its sibling", links({"kitten": "cat"}), more={"kitten": 3}),
    case("a photo that is a link to its sibling", links({"cat/again.jpg": "1.jpg"}), more={"cat": 1}),
)
"""Links, good and bad."""

LOCKED = (
    case(
        "an unreadable folder",
        copies("cat/private/1.jpg"),
        locked("cat/private"),
        left_out={"cat/private": "Permission denied"},
        needs_rights=True,
    ),
    case(
        "an unreadable class",
        copies("fox/1.jpg"),
        locked("fox"),
        left_out={"fox": "ermission denied"},
        needs_rights=True,
    ),
    case(
        "an unreadable file",
        copies("cat/private.jpg"),
        locked("cat/private.jpg"),
        left_out={"cat/private.jpg": "permission denied"},
        needs_rights=True,
    ),
)
"""What may not be read."""


# ---------------------------------------------------------------- the whole zoo


CASES: tuple[Case, ...] = ODD_PIXELS + BROKEN + NAMES + HOUSEKEEPING + CLASSES + LINKS + LOCKED


def merged(cases: Iterable[Case]) -> Case:
    """One dataset of two classes with everything nasty in it of those cases that have these two classes only."""
    chosen = [each for each in cases if set(each.photos) == set(GOOD) and each.name != CIRCLE and not each.needs_rights]
    begins_with = {"cat": 3, "dog": 60}
    return Case(
        "zoo",
        adds=tuple(add for each in chosen for add in each.adds),
        photos=sum((Counter(each.photos) - Counter(GOOD) for each in chosen), Counter(begins_with)),
        left_out={path: words for each in chosen for path, words in each.left_out.items()},
        ignored=sum(each.ignored for each in chosen),
        begins_with=begins_with,
    )


def build_all(into: Path) -> tuple[Path, ...]:
    """Write every case that can be built here into a folder of its own, and most of them once more into one, "zoo".

    Returns the folders; the last is the zoo.
    """
    built = [each for each in CASES if _could_build(each, into / each.name)]
    zoo = merged(built)
    zoo.build(into / zoo.name)
    return tuple(into / each.name for each in (*built, zoo))


def _could_build(each: Case, root: Path) -> bool:
    try:
        each.build(root)
    except CannotBuild as reason:
        shutil.rmtree(root)
        print(f"{each.name}: {reason}")
        return False
    return True
