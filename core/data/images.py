"""From bytes to pixels: the only place where a photo is decoded.

Checking a folder, training, evaluating, predicting and an exported model all call `decode`, so a network is never asked
about pixels that were made in another way than those it learned from.
"""

import hashlib
import io
import logging
import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError, features

from core.data import quality
from core.data.encodings import PART_MISSING, Reason, UnclearPixels, eight_bit, why_unread, with_heif, with_photo
from core.errors import DataError, PhotoError, PhotoOutOfReach
from core.files import open_resolved
from core.language import tr, tr_mark
from core.settings import Limits

logging.getLogger("PIL").setLevel(logging.CRITICAL)  # what it has to say about a file is in the error, too

Result = TypeVar("Result")

MAX_PIXELS = Limits().pixels
"""Most pixels of one photo unless told otherwise: where Pillow itself begins to warn of decompression bombs."""

DIGEST_BYTES = 16
FINGERPRINT_SIDE = 16
LOOKED_AT = 256
"""Pixels of the shorter side at which a photo is judged; about what networks see."""

HEIF = "HEIF"
"""The name by which `pi_heif` makes itself known to Pillow."""

FORMATS = (
    *("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"),
    *(("AVIF",) if features.check("avif") else ()),
    *((HEIF,) if with_heif() else ()),
)
"""Pillow's names of the formats that are read. Its JPEG reader also takes MPO, which several phones write."""

HEIF_SUFFIXES = frozenset({".heic", ".heif", ".hif"})
"""Endings that phones and cameras give to HEIC photos."""

PHOTO_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff"}
    | ({".avif"} if "AVIF" in FORMATS else set())
    | (HEIF_SUFFIXES if HEIF in FORMATS else set())
)
"""Endings of file names, in lower case, that are taken for photos."""

MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "I;16", "I;16L", "I;16B"})
"""Pillow's pixel modes that have a known brightness range, and so one meaning as 8-bit RGB."""

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What to do for each value of the EXIF tag Orientation (0x0112, Exif 2.32, 4.6.4) but 1, which means upright."""

SIDEWAYS = frozenset({5, 6, 7, 8})
"""Values of the EXIF tag Orientation that exchange width and height."""

NO_HEIF = tr_mark("HEIC photos are not supported on this computer: save the photo as JPEG")

NOT_PHOTOS = {
    rb"\s*<(!doctype html|html|head|body)": tr_mark("this is a web page (HTML), not a photo"),
    rb"\s*<(\?xml|svg)": tr_mark("this is a drawing or text (SVG, XML), not a photo"),
    rb"(?s).{128}DICM": tr_mark("this is a DICOM image, which is not read: export it as PNG or JPEG"),
    rb"%PDF": tr_mark("this is a PDF document, not a photo"),
    rb"PK\x03\x04": tr_mark("this is a ZIP archive, not a photo"),
    rb"(?s)....ftyp(mp4|isom|iso2|qt|M4V|avc1|3gp)": tr_mark("this is a video, not a photo"),
    rb"(?s)....ftyp(hei|hev|mif1)": tr_mark(
        "this HEIC photo is damaged, or of a kind that is not read: save it as JPEG"
    )
    if HEIF in FORMATS
    else NO_HEIF,
}
"""How files that are often mistaken for photos begin, as regular expressions, and what to say of them."""

OF_ENCODINGS = (
    tr_mark("the photo is cut off: part of the file is missing"),
    tr_mark("only a thumbnail of it can be read: save the photo itself as 8-bit RGB"),
    tr_mark("this TIFF image has {bands} bands; a photo has 1, 3 or 4: save red, green and blue as 8-bit RGB"),
    tr_mark("it uses only the lowest of its 16 bits: save it as 8-bit RGB or grey"),
    tr_mark("it stores {bands} bands one after the other: save it as 8-bit RGB or grey"),
    tr_mark("this PNG photo is damaged: the checksum of its part “{part}” is wrong"),
    tr_mark(
        "this TIFF image stores its pixels in a way that is not read ({bands} × {bits} bits): save it as 8-bit RGB"
    ),
)
"""What `core.data.encodings` says, which cannot mark its texts: exported scripts hold its source."""

FILE_TROUBLE: dict[type[OSError], str] = {
    FileNotFoundError: tr_mark("the file is no longer there"),
    PermissionError: tr_mark("the file may not be read: permission denied"),
    IsADirectoryError: tr_mark("this is a folder, not a photo"),
}

# What Pillow raises on damaged bytes. The first row was seen on 170,000 randomly damaged files of all formats; the
# second is what its readers catch or pass on in places that those files did not reach.
BROKEN = (
    *(OSError, SyntaxError, ValueError, RuntimeError),
    *(LookupError, TypeError, EOFError, ArithmeticError, MemoryError, struct.error, zlib.error),
)
CUT_OFF = re.compile("truncated|end of file|not enough|buffer is not large enough", re.IGNORECASE)


@dataclass(frozen=True)
class PhotoInfo:
    """A photo that was read to its end and can be decoded.

    Attributes:
        width: In pixels, as shown upright.
        height: In pixels, as shown upright.
        digest: BLAKE2b of the file, 16 bytes: equal for files that are equal byte for byte.
        fingerprint: 256 bytes: the upright photo in grey, averaged down to 16 x 16, values 0..255, row by row.
        sharpness: See `core.data.quality.sharpness`.
        contrast: Standard deviation of its brightness, 0 to 127.5.
        assumed: Whether its file left open what its numbers mean; see `core.data.encodings.eight_bit`.
    """

    width: int
    height: int
    digest: bytes
    fingerprint: bytes
    sharpness: float
    contrast: float
    assumed: bool


def decode(source: Path | bytes, size: int, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Decode a photo, given as a file or as its bytes, to the square that a network takes.

    The photo is turned upright as its EXIF data says, brought to 8-bit RGB (16 bits are divided by 256, or by less if
    fewer are used; transparent parts lie over white, of an animation the first frame counts, colour profiles are not
    applied), then scaled with antialiasing so that its shorter side is `size` pixels, and the middle square is kept:
    nothing is distorted.

    Returns pixels of shape (size, size, 3), values 0..255.

    Raises:
        PhotoError: The photo cannot be decoded. The message is the bare reason; whoever knows the file's name adds it.
        DataError: `size` is less than 1.
    """
    if size < 1:
        raise DataError(tr("A photo was asked for at {size} pixels a side; at least 1 is needed.", size=str(size)))

    def shown(image: ImageFile.ImageFile) -> NDArray[np.uint8]:
        # A JPEG can be decoded at a half, quarter or eighth. One and a half times the size is kept, in either
        # direction, whatever the orientation, so that the scaling below still averages over pixels: on 12-megapixel
        # photos that differs from decoding them in full by 0.4 of 255 on average, in half the time.
        image.draft(None, (3 * size // 2, 3 * size // 2))
        photo, _ = eight_bit(image)
        orientation = _orientation(image)
        return _square(photo.transpose(TURNS[orientation]) if orientation in TURNS else photo, size)

    with _stream(source) as stream:
        return _read(stream, max_pixels, shown)


def inspect(source: Path | bytes, max_pixels: int = MAX_PIXELS) -> PhotoInfo:
    """Read a photo to its end, as cheaply as its format allows, to know that `decode` will succeed.

    Raises:
        PhotoError: The photo cannot be decoded; the message is the bare reason.
    """
    content = source if isinstance(source, bytes) else _content(source)
    return _read(io.BytesIO(content), max_pixels, lambda image: _judged(image, content))


def content_digest(content: bytes) -> bytes:
    """What tells a photo's file from others, `DIGEST_BYTES` long."""
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()


def file_digest(path: Path) -> bytes:
    """The same of a file whose path is resolved; raises `OSError` where it cannot be read."""
    with open_resolved(path) as file:
        return content_digest(file.read())


def _judged(image: ImageFile.ImageFile, content: bytes) -> PhotoInfo:
    width, height = image.size
    image.draft("L", (LOOKED_AT, LOOKED_AT))  # a JPEG's colours are read, too, but not turned into pixels
    photo, assumed = eight_bit(image)
    orientation = _orientation(image)
    grey = photo.reduce(max(1, min(photo.size) // LOOKED_AT)).convert("L")
    if orientation in SIDEWAYS:
        width, height = height, width
    small = grey.resize((FINGERPRINT_SIDE, FINGERPRINT_SIDE), Image.Resampling.BOX)
    fingerprint = small.transpose(TURNS[orientation]) if orientation in TURNS else small
    digest = content_digest(content)
    pixels = np.asarray(grey)
    return PhotoInfo(
        width, height, digest, fingerprint.tobytes(), quality.sharpness(pixels), float(pixels.std()), assumed
    )


def thumbnail(source: Path | bytes, size: int, max_pixels: int = MAX_PIXELS) -> bytes:
    """Return what `decode` makes of a photo as a JPEG file, so that what is shown is what a network sees.

    Raises:
        PhotoError: The photo cannot be decoded; the message is the bare reason.
        DataError: `size` is less than 1.
    """
    buffer = io.BytesIO()
    Image.fromarray(decode(source, size, max_pixels)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _read(stream: BinaryIO, max_pixels: int, use: Callable[[ImageFile.ImageFile], Result]) -> Result:
    """Open a photo whose size and pixel mode are acceptable, and return what `use` makes of it, not yet loaded."""
    start = stream.read(512)
    if not start:
        raise PhotoError(tr("the file is empty"))

    def checked(image: ImageFile.ImageFile) -> Result:
        _check(image, max_pixels)
        return use(image)

    try:
        return with_photo(stream, FORMATS, checked)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PhotoError(_too_many_pixels(_first_number(error), max_pixels)) from error
    except UnclearPixels as error:
        raise PhotoError(_of_encoding(error.args[0])) from error
    except UnidentifiedImageError as error:
        why = why_unread(stream)
        raise PhotoError(_of_encoding(why) if why else _what_it_is(start)) from error
    except BROKEN as error:
        raise PhotoError(_what_broke(error)) from error


def _stream(source: Path | bytes) -> BinaryIO:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    try:
        return open_resolved(source)
    except OSError as error:
        raise _out_of_reach(error) from error


def _content(source: Path) -> bytes:
    try:
        with _stream(source) as stream:
            return stream.read()
    except OSError as error:
        raise _out_of_reach(error) from error


def _out_of_reach(error: OSError) -> PhotoOutOfReach:
    known = FILE_TROUBLE.get(type(error))
    return PhotoOutOfReach(tr(known) if known else tr("the file cannot be read: {reason}", reason=str(error.strerror)))


def _of_encoding(reason: str) -> str:
    """The reason that `core.data.encodings` gives, in the reader's language."""
    return tr(reason.message, **(reason.values or {})) if isinstance(reason, Reason) else reason


def _check(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise PhotoError(_too_many_pixels(tr("{width} × {height}", width=width, height=height), max_pixels))
    if width < 1 or height < 1:
        raise PhotoError(tr("the photo has no pixels: {width} × {height}", width=width, height=height))
    if image.mode not in MODES:
        raise PhotoError(
            tr(
                "its pixel type ({mode}) has no fixed brightness range: save it as 8-bit RGB or grey",
                mode=str(image.mode),
            )
        )


def _too_many_pixels(found: str, most: int) -> str:
    return tr("too many pixels: {found}; the limit is {limit}", found=found, limit=most)


def _first_number(error: Exception | Warning) -> str:
    found = re.search(r"\d+", str(error))
    return tr("{number}", number=int(found[0])) if found else tr("far too many")


def _what_it_is(start: bytes) -> str:
    matches = (name for pattern, name in NOT_PHOTOS.items() if re.match(pattern, start, re.IGNORECASE))
    known = next(matches, "")
    return tr(known) if known else tr("this is not a photo that can be read ({formats})", formats=", ".join(FORMATS))


def _what_broke(error: BaseException) -> str:
    if CUT_OFF.search(str(error)):
        return _of_encoding(PART_MISSING)
    return tr("the photo is damaged ({reason})", reason=str(error))


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 where there is none or the EXIF data is damaged: the pixels can still be fine."""
    try:
        found = image.getexif().get(ExifTags.Base.Orientation, 1)
    except BROKEN:
        return 1
    return found if isinstance(found, int) else 1


def _square(image: Image.Image, size: int) -> NDArray[np.uint8]:
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    scaled = image.resize(
        (size, size), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side), reducing_gap=2.0
    )
    return np.array(scaled.convert("RGB"), dtype=np.uint8)
