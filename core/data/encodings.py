"""From an opened photo to 8-bit grey or RGB, also where its encoding leaves open what its numbers mean.

`core.data.images` reads every photo through this module, and the `predict.py` of an export holds its source: nothing
here may import from Unfreeze. Sources: TIFF 6.0 (Adobe, 1992) for tags; Portable Network Graphics, third edition (W3C)
for chunks.
"""

import io
import struct
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFile, TiffImagePlugin

Result = TypeVar("Result")

SUBFILE, BITS, PHOTOMETRIC, SAMPLES, LARGEST, PLANAR, EXTRA, FORMAT = 254, 258, 262, 277, 281, 284, 338, 339
"""Tags of a TIFF page."""

MOST_BANDS = 4

MOST_PAGES = 64
"""So many pages of a TIFF file are looked at for the photo that a thumbnail stands for."""

THUMBNAIL_SIDE, THUMBNAIL_SCALE = 256, 4
"""A first page up to so many pixels is a thumbnail if a later one is so many times as wide and as high."""

USUAL_BITS = (8, 10, 12, 14)
"""How many bits of 16 a file may use instead of all, as cameras and detectors have. Where it does not say how many, and
its largest value needs no more, a photo is scaled by these; taken for 16 bits it would be black. The numbers between
them are not guessed: the same camera's darker photos would come out brighter than the others."""

SPREAD = 257
"""8 bits that were made 16 by a program are multiples of this, from 0 to 65535: all bits are used, however dark."""

NEXT_TO_NOTHING = 16
"""Below it in the high byte of 16 bits, a photo would be black; it is refused where it cannot be scaled."""

ALPHA_SHARE = 0.5
"""A last band of a TIFF file is transparency if at least this share of it is entirely opaque or entirely clear."""

PNG_START = b"\x89PNG\r\n\x1a\n"

HEIF_BRANDS = (b"hei", b"hev", b"mif")
"""How the kinds of HEIC files begin (ISO/IEC 23008-12, 10)."""

PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
"""Chunks of a PNG file that its pixels need."""


def with_heif() -> bool:
    """Teach Pillow to read HEIC photos, without their depth maps and thumbnails; tells whether that can be.

    `pi_heif` has the decoder. It turns photos upright itself, puts the tiles of a grid together, and gives 8 of 10 or
    12 bits. Where there is no build of it for a computer, these photos are refused in a sentence.
    """
    try:
        import pi_heif
    except ImportError:
        return False
    pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
    return True


class Reason(str):
    """Why a photo is not read, in English, with the message and the values of which it is made."""

    message: str = ""
    values: Mapping[str, str] | None = None


def _because(message: str, **values: object) -> Reason:
    """Fill values into a message."""
    filled = Reason(message.format(**values))
    filled.message, filled.values = message, {name: str(value) for name, value in values.items()}
    return filled


PART_MISSING = _because("the photo is cut off: part of the file is missing")


class UnclearPixels(ValueError):
    """The numbers in a photo's file cannot be taken for brightness; the message is the bare reason."""


def with_photo(stream: BinaryIO, formats: tuple[str, ...], use: Callable[[ImageFile.ImageFile], Result]) -> Result:
    """Open a photo and return what `use` makes of it; it is handed the page that is the photo, not yet loaded.

    Damage to parts of a PNG file that are not pixels is passed over: `use` is then called once more.
    """
    try:
        return _with_page(stream, formats, use)
    except (OSError, SyntaxError, ValueError, LookupError, TypeError, EOFError, struct.error, zlib.error):
        bare = _pixels_only(stream)
        if bare is None:
            raise
        return _with_page(io.BytesIO(bare), formats, use)


def eight_bit(image: ImageFile.ImageFile) -> tuple[Image.Image, bool]:
    """Load a photo as 8-bit grey ("L") or RGB, with transparent parts over white.

    Returns:
        The photo, and whether something was assumed: that a file uses fewer bits than it stores, or all of them though
        its largest value needs fewer, that a band or a transparency is none, or that its first page is a thumbnail.

    Raises:
        UnclearPixels: Its numbers have no known meaning.
    """
    assumed = bool(_tags_of(image)) and image.tell() > 0
    photo, fewer_bits = _loaded(image)
    if photo.has_transparency_data:
        photo, no_transparency = _over_white(photo, image)
        assumed |= no_transparency
    return photo if photo.mode in ("L", "RGB") else photo.convert("RGB"), assumed or fewer_bits


def _with_page(stream: BinaryIO, formats: tuple[str, ...], use: Callable[[ImageFile.ImageFile], Result]) -> Result:
    stream.seek(0)
    with Image.open(stream, formats=formats) as image:
        if _tags_of(image):
            image.seek(_photo_page(image))
            if (bands := _tags_of(image).get(SAMPLES, 1)) > MOST_BANDS:
                raise UnclearPixels(_too_many_bands(bands))
        if image.format == "HEIF" and _is_cut_off(stream):
            raise OSError("truncated file")
        return use(image)


def _is_cut_off(stream: BinaryIO) -> bool:
    """Whether a part of a HEIC file reaches beyond its end; the decoder leaves tiles that are missing grey.

    The file is a row of boxes, each with its length before its kind (ISO/IEC 14496-12, 4.2).
    """
    end, at = stream.seek(0, io.SEEK_END), 0
    while at + 8 <= end:
        stream.seek(at)
        length = int.from_bytes((head := stream.read(16))[:4])
        if length == 1:
            length = int.from_bytes(head[8:])
        if not length:  # the last box, up to the end
            return False
        at += max(length, 8)
    return at > end


def _tags_of(image: Image.Image) -> Mapping[int, Any]:
    """The tags of a TIFF page by number; none for other photos."""
    found: Mapping[int, Any] = getattr(image, "tag_v2", {})
    return found


def _photo_page(image: ImageFile.ImageFile) -> int:
    """The page of a TIFF file that is the photo: the first, unless that is a thumbnail of a later one."""
    (width, height), marked = image.size, bool(_tags_of(image).get(SUBFILE, 0) & 1)
    best, most = 0, width * height
    for page in range(1, MOST_PAGES):
        try:
            image.seek(page)
        except EOFError:
            break
        except (SyntaxError, OSError, ValueError, LookupError, TypeError):
            continue  # it is of a kind that is not read
        wide, high = image.size[0] / width, image.size[1] / height
        similar = abs(wide / high - 1) < 0.03
        small = max(width, height) <= THUMBNAIL_SIDE and min(wide, high) >= THUMBNAIL_SCALE
        if (marked or similar or small) and image.size[0] * image.size[1] > most:
            best, most = page, image.size[0] * image.size[1]
    if marked and not best:
        raise UnclearPixels(_because("only a thumbnail of it can be read: save the photo itself as 8-bit RGB"))
    return best


def _too_many_bands(bands: int) -> str:
    return _because(
        "this TIFF image has {bands} bands; a photo has 1, 3 or 4: save red, green and blue as 8-bit RGB", bands=bands
    )


def _loaded(image: ImageFile.ImageFile) -> tuple[Image.Image, bool]:
    """Load the pixels with 8 bits a band; returns whether they were found to use fewer bits than are stored, too."""
    if tags := _tags_of(image):
        image.tile = [_with_raw_mode(tile, _mended(_raw_mode(tile), tile, tags)) for tile in image.tile]
    stream, page, tiles = image.fp, image.tell(), list(image.tile)
    said = _bits_said(image) if any(";16" in _raw_mode(tile) for tile in tiles) else 16
    image.load()
    if image.mode.startswith("I;16"):
        return _grey_of_16(image, said)
    dim = _dim_bands(image) if any(";16" in _raw_mode(tile) for tile in tiles) else []
    if not dim or stream is None:
        return image, False
    if tags.get(PLANAR, 1) == 2 and tiles[0].codec_name != "raw":
        if not np.asarray(image)[..., dim].any() or np.asarray(image)[..., dim].max() >= NEXT_TO_NOTHING:
            return image, bool(np.asarray(image)[..., dim].any())
        raise UnclearPixels(_because("it uses only the lowest of its 16 bits: save it as 8-bit RGB or grey"))
    # Pillow keeps the high byte of 16 bits. Here it holds little, so the low byte is read as if it were high.
    with Image.open(stream, formats=(str(image.format),)) as again:
        again.seek(page)
        again.tile = [_with_raw_mode(tile, _swapped(_raw_mode(tile))) for tile in tiles]
        again.load()
        low = np.asarray(again)
    if _raw_mode(tiles[0]).startswith("LA"):
        low = low[..., [1, 1, 1, 3]]
    values = np.asarray(image).astype(np.uint16)[..., dim] << 8 | low[..., dim]
    eight = np.array(image)
    eight[..., dim] = _scaled(values, _bits_used(values, said, image))
    return Image.fromarray(eight), _is_assumed(values)


def _dim_bands(image: Image.Image) -> list[int]:
    """The bands that may use fewer than 16 bits, if all colours are among them."""
    if image.mode not in ("RGB", "RGBA"):
        return []
    dim = [number for number, band in enumerate(image.split()) if not any(band.histogram()[128:])]
    return dim if len(dim) >= len(image.getbands()) - (image.mode == "RGBA") else []


def _mended(raw: str, tile: ImageFile._Tile, tags: Mapping[int, Any]) -> str:
    """The raw mode by which Pillow is to read the numbers of a TIFF page, where its own is wrong."""
    if tags.get(PLANAR, 1) == 2:
        bits, kind, bands = tags.get(BITS, (1,)), tags.get(PHOTOMETRIC, 0), tags.get(SAMPLES, 1)
        extra = tags.get(EXTRA, ())
        by_pillow = tile.codec_name == "raw"  # which takes one letter of the raw mode for each band
        ignored = len(extra) if extra and not max(extra) and not by_pillow else 0
        if bands > 1 and (kind != 2 or bands - ignored != 3):
            raise UnclearPixels(
                _because("it stores {bands} bands one after the other: save it as 8-bit RGB or grey", bands=bands)
            )
        order = getattr(tags, "prefix", b"II")
        if bands == 1 and by_pillow:
            return TiffImagePlugin.OPEN_INFO[(order, kind, tags.get(FORMAT, (1,)), 1, bits, ())][1]
        return f"{raw};16{'L' if order == b'II' else 'B'}" if max(bits) == 16 and by_pillow else raw
    return raw.replace("RGBa", "RGBA")  # else Pillow divides the colours by the last band, which may be no transparency


def _raw_mode(tile: ImageFile._Tile) -> str:
    return tile.args if isinstance(tile.args, str) else str((tile.args or ("",))[0])


def _with_raw_mode(tile: ImageFile._Tile, raw: str) -> ImageFile._Tile:
    return tile._replace(args=raw if isinstance(tile.args, str) else (raw, *(tile.args or ("",))[1:]))


def _swapped(raw: str) -> str:
    """The raw mode of 16 bits with their bytes exchanged; that of four bytes for grey and alpha."""
    if raw.startswith("LA"):
        return "RGBA"
    native = "L" if sys.byteorder == "little" else "B"
    return raw[:-1] + {"L": "B", "B": "L"}[native if raw[-1] == "N" else raw[-1]]


def _grey_of_16(image: ImageFile.ImageFile, said: int) -> tuple[Image.Image, bool]:
    values = np.asarray(image).astype(np.uint16)
    bits, assumed = _bits_used(values, said, image), _is_assumed(values)
    if _tags_of(image).get(PHOTOMETRIC) == 0:  # white is zero, which Pillow heeds up to 8 bits
        values = np.uint16((1 << bits) - 1) - values
    return Image.fromarray(_scaled(values, bits)), assumed


def _bits_said(image: ImageFile.ImageFile) -> int:
    """How many bits of 16 its file says that a photo uses; 16 where it says nothing."""
    if image.format == "PNG" and image.fp is not None:
        at = image.fp.tell()
        image.fp.seek(len(PNG_START))
        kind, text = next((kind, text) for kind, _, text in _chunks(image.fp) if kind in (b"sBIT", b"IDAT"))
        image.fp.seek(at)
        said = text[8:-4] if kind == b"sBIT" else b""
        return max(said[:3] if len(said) > 2 else said[:1], default=16)  # behind the colours comes transparency
    tags = _tags_of(image)
    bits, largest = max(tags.get(BITS, (16,))), tags.get(LARGEST, 0)
    largest = max(largest) if isinstance(largest, tuple) else largest
    return bits if bits < 16 else int(largest).bit_length() or 16


def _bits_used(values: NDArray[np.uint16], said: int, image: ImageFile.ImageFile) -> int:
    """How many bits the numbers have: as the file says, or else as the largest of them needs."""
    needed = int(values.max(initial=0)).bit_length()
    if 8 <= said < 16:
        # The PNG standard wants them moved up to fill 16 bits, so that the lowest are 0; many programs leave them.
        if image.format == "PNG" and not (values & ((1 << (16 - said)) - 1)).any():
            return 16
        if needed <= said:
            return said
    usual = USUAL_BITS if (values % SPREAD).any() else ()
    return next((bits for bits in usual if needed <= bits), 16)


def _is_assumed(values: NDArray[np.uint16]) -> bool:
    return bool((values % SPREAD).any()) and int(values.max()).bit_length() < 16


def _scaled(values: NDArray[np.uint16], bits: int) -> NDArray[np.uint8]:
    return (values >> (bits - 8)).astype(np.uint8)


def _over_white(photo: Image.Image, image: ImageFile.ImageFile) -> tuple[Image.Image, bool]:
    """Lay a photo over white; returns whether what looks like transparency was passed over instead, too.

    That is a transparency that would hide a whole picture, or a band of a TIFF file with values of all kinds, such as
    near infrared.
    """
    layer = photo.convert("RGBA")
    alpha, colours = layer.getchannel("A"), layer.convert("RGB")
    shares = alpha.histogram()
    hidden = shares[0] == sum(shares) and any(max(band.histogram()) < sum(shares) for band in colours.split())
    tags = _tags_of(image)
    if hidden or (tags and shares[0] + shares[255] < ALPHA_SHARE * sum(shares)):
        return colours, True
    if tags.get(EXTRA) == (1,):  # the colours have been multiplied by it
        return ImageChops.add(colours, Image.merge("RGB", [ImageChops.invert(alpha)] * 3)), False
    paper = Image.new("RGB", layer.size, "white")
    paper.paste(layer, mask=alpha)
    return paper, False


def why_unread(stream: BinaryIO) -> str:
    """Why Pillow cannot open a TIFF, PNG or HEIC file, as the bare reason; empty where that is not known."""
    stream.seek(0)
    start, brand = stream.read(8), stream.read(3)
    if start[4:] == b"ftyp" and brand in HEIF_BRANDS:
        return PART_MISSING if _is_cut_off(stream) else ""
    stream.seek(8)
    if start == PNG_START:
        damaged = next((kind for kind, whole, _ in _chunks(stream) if not whole), b"").decode("latin-1")
        if not damaged.isalpha():
            return ""
        return _because("this PNG photo is damaged: the checksum of its part “{part}” is wrong", part=damaged)
    if start[:4] not in (b"II*\0", b"MM\0*"):
        return ""
    tags = TiffImagePlugin.ImageFileDirectory_v2(start)
    try:
        stream.seek(struct.unpack("<L" if start[:2] == b"II" else ">L", start[4:])[0])
        tags.load(stream)
        bands, bits = int(tags.get(SAMPLES, 1)), tags.get(BITS, (1,))
    except (OSError, SyntaxError, ValueError, LookupError, TypeError, EOFError, struct.error):
        return ""
    if bands > MOST_BANDS:
        return _too_many_bands(bands)
    return _because(
        "this TIFF image stores its pixels in a way that is not read ({bands} × {bits} bits): save it as 8-bit RGB",
        bands=bands,
        bits=bits[0],
    )


def _chunks(stream: IO[bytes]) -> Iterator[tuple[bytes, bool, bytes]]:
    """The kind of each part of a PNG file, whether it is whole, and its bytes; `stream` is behind the file's start."""
    while len(head := stream.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        rest = stream.read(length + 4)
        whole = len(rest) == length + 4 and zlib.crc32(rest[:-4], zlib.crc32(kind)) == int.from_bytes(rest[-4:], "big")
        yield kind, whole, head + rest


def _pixels_only(stream: BinaryIO) -> bytes | None:
    """A PNG file without what its pixels do not need; None if there is nothing of that kind, or it is no PNG file.

    What tells how the camera was held, and how many bits it has, stays if it is whole.
    """
    stream.seek(0)
    if stream.read(len(PNG_START)) != PNG_START:
        return None
    chunks = list(_chunks(stream))
    kept = [text for kind, whole, text in chunks if kind in PIXEL_CHUNKS or (kind in (b"eXIf", b"sBIT") and whole)]
    return b"".join([PNG_START, *kept]) if len(kept) < len(chunks) else None
