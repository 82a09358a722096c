"""Pixels whose encoding leaves open what they mean are read right, or refused with the reason; never silently wrong."""

import ast
import io
import struct
import zlib
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from core.data import encodings
from core.data.images import OF_ENCODINGS, decode, inspect
from core.errors import PhotoError
from tests.core.data.conftest import encode, noise
from tests.core.data.tiffs import DEFLATE, tiff

SIDE = 32
PICTURE = noise(8, 6).resize((64, 48), Image.Resampling.BICUBIC)
COLOURS, GREY = np.asarray(PICTURE), np.asarray(PICTURE.convert("L"))
DEEP, DEEP_GREY = COLOURS.astype(np.uint16), GREY.astype(np.uint16)
INFRARED = np.where(GREY < 110, 40, 220).astype(np.uint8)
CLEAR = np.zeros_like(GREY)
CUT_OUT = np.where(np.indices(GREY.shape)[1] < 20, 0, 255).astype(np.uint8)

Order = Literal["<", ">"]


def assert_shows(photo: bytes, truth: NDArray[Any], assumed: bool) -> None:
    """Check that a photo is read as these pixels, by decoding it and by inspecting it, and whether it says so."""
    expected = decode(encode(Image.fromarray(truth)), SIDE).astype(int)
    assert np.abs(decode(photo, SIDE).astype(int) - expected).mean() < 1
    found = inspect(photo)
    assert np.abs(np.frombuffer(found.fingerprint, np.uint8).astype(int) - prints(truth)).mean() < 1
    assert found.assumed == assumed


def prints(truth: NDArray[Any]) -> NDArray[np.intp]:
    return np.frombuffer(inspect(encode(Image.fromarray(truth))).fingerprint, np.uint8).astype(int)


def chunk(kind: bytes, content: bytes, checksum: int | None = None) -> bytes:
    found = zlib.crc32(kind + content) if checksum is None else checksum
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", found)


def png(pixels: NDArray[np.uint16], colour_type: int, extra: bytes = b"", checksum: int | None = None) -> bytes:
    """A PNG file of 16 bits a band; Pillow writes none in colour."""
    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0), checksum)
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_fewer_bits_than_16_are_scaled_by_what_is_used(bits: int) -> None:
    by = np.uint16(2 ** (bits - 8))
    for photo, truth in (
        (png(DEEP_GREY * by, 0), GREY),
        (png(DEEP * by, 2), COLOURS),
        (png(np.dstack([DEEP * by, np.full_like(DEEP_GREY, 65535)]), 6), COLOURS),
        (tiff(DEEP_GREY * by, 1), GREY),
        (tiff(DEEP * by, 2), COLOURS),
        (tiff(DEEP * by, 2, order=">"), COLOURS),
        (tiff(DEEP * by, 2, compression=DEFLATE, rows_per_strip=7), COLOURS),
        (tiff(np.uint16(2**bits - 1) - DEEP_GREY * by, 0), 255 - (255 - GREY)),
    ):
        assert_shows(photo, truth, assumed=bits < 16)


def test_what_a_file_says_about_its_bits_counts_before_its_largest_value() -> None:
    dark = DEEP_GREY // 4 * 16  # of 12 bits, with a largest value that 10 would hold
    assert_shows(tiff(dark, 1, tags={281: 4095}), GREY // 4, assumed=True)
    assert_shows(tiff(DEEP_GREY * 64, 1, tags={281: 16383}), GREY, assumed=True)


def test_a_dark_photo_of_16_bits_stays_dark() -> None:
    for darker in (4, 16):
        assert_shows(png(DEEP // darker * 257, 2), COLOURS // darker, assumed=False)
        assert_shows(png(DEEP_GREY // darker * 257, 0), GREY // darker, assumed=False)
        assert_shows(tiff(DEEP_GREY // darker * 257, 1), GREY // darker, assumed=False)
    assert_shows(png(DEEP_GREY * 0, 0), GREY * 0, assumed=False)


def test_a_photo_that_needs_15_bits_is_taken_for_one_of_16_and_this_is_told() -> None:
    for photo in (png(DEEP * 128 + 1, 2), png(DEEP_GREY * 128 + 1, 0), tiff(DEEP_GREY * 128 + 1, 1)):
        assert inspect(photo).assumed
        assert decode(photo, SIDE).max() < 128


@pytest.mark.parametrize("bits", [9, 11, 13, 15])
def test_any_number_of_bits_is_scaled_where_the_file_says_it(bits: int) -> None:
    by, said = np.uint16(2 ** (bits - 8)), bytes([bits])
    both = np.dstack([DEEP_GREY * by + 1, np.full_like(DEEP_GREY, 65535)])
    for photo, truth in (
        (png(DEEP_GREY * by + 1, 0, chunk(b"sBIT", said)), GREY),
        (png(DEEP * by + 1, 2, chunk(b"sBIT", said * 3)), COLOURS),
        (png(both, 4, chunk(b"sBIT", said + b"\x10")), GREY),
        (tiff(DEEP_GREY * by + 1, 1, tags={281: 2**bits - 1}), GREY),
        (tiff(DEEP * by + 1, 2, tags={281: 2**bits - 1}), COLOURS),
    ):
        assert_shows(photo, truth, assumed=True)


def test_bits_that_a_png_has_moved_up_as_its_standard_says_are_not_moved_again() -> None:
    dark = (DEEP_GREY // 16 * 257 & 0xFFE0).astype(np.uint16)
    assert_shows(png(dark, 0, chunk(b"sBIT", b"\x0b")), GREY // 16, assumed=True)


def test_grey_with_transparency_is_scaled_as_grey_is() -> None:
    for bits in (8, 10, 12, 14):
        photo = png(np.dstack([DEEP_GREY * np.uint16(2 ** (bits - 8)), np.full_like(DEEP_GREY, 65535)]), 4)
        assert_shows(photo, GREY, assumed=True)
    both = np.dstack([DEEP_GREY * 16 + 1, CUT_OUT.astype(np.uint16) * 257])
    assert_shows(png(both, 4), np.where(CUT_OUT > 0, GREY, 255).astype(np.uint8), assumed=True)


def test_12_bits_that_cannot_be_scaled_are_refused() -> None:
    photo = tiff(DEEP * 16, 2, separate=True, compression=DEFLATE)
    assert_refused(photo, "uses only the lowest of its 16 bits: save it as 8-bit")


def assert_refused(photo: bytes, reason: str) -> None:
    for read in (inspect, lambda source: decode(source, SIDE)):
        with pytest.raises(PhotoError, match=reason):
            read(photo)


@pytest.mark.parametrize("bands", [None, [1], [2]], ids=["unnamed", "associated", "unassociated"])
def test_a_fourth_band_of_a_tiff_that_is_no_transparency_is_passed_over(bands: list[int] | None) -> None:
    assert_shows(tiff(np.dstack([COLOURS, INFRARED]), 2, extra=bands), COLOURS, assumed=True)


@pytest.mark.parametrize("bands", [None, [1], [2]], ids=["unnamed", "associated", "unassociated"])
def test_a_real_transparency_of_a_tiff_is_white(bands: list[int] | None) -> None:
    shown = np.where(CUT_OUT[..., None] > 0, COLOURS, 255).astype(np.uint8)
    stored = np.where(CUT_OUT[..., None] > 0, COLOURS, 0).astype(np.uint8)
    assert_shows(tiff(np.dstack([stored, CUT_OUT]), 2, extra=bands), shown, assumed=False)


def test_premultiplied_colours_lie_over_white() -> None:
    half = np.where(np.indices(GREY.shape)[1] < 20, 128, 255).astype(np.uint8)
    stored = (COLOURS.astype(int) * half[..., None] // 255).astype(np.uint8)
    shown = (stored.astype(int) + 255 - half[..., None]).astype(np.uint8)
    assert_shows(tiff(np.dstack([stored, half]), 2, extra=[1]), shown, assumed=False)


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "TIFF"])
def test_a_transparency_that_hides_a_whole_picture_is_passed_over(file_format: str) -> None:
    options = {"lossless": True, "exact": True} if file_format == "WEBP" else {}
    hidden = Image.fromarray(np.dstack([COLOURS, CLEAR]))
    assert_shows(encode(hidden, file_format, **options), COLOURS, assumed=True)


def test_a_bitmap_whose_fourth_byte_is_unused_shows_its_picture() -> None:
    height, width = GREY.shape
    content = np.dstack([COLOURS[::-1, :, ::-1], CLEAR]).tobytes()
    header = struct.pack("<IiiHHIIiiII", 108, width, height, 1, 32, 3, len(content), 2835, 2835, 0, 0)
    header += struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + b"BGRs" + bytes(48)
    photo = b"BM" + struct.pack("<IHHI", 122 + len(content), 0, 0, 122) + header + content
    assert_shows(photo, COLOURS, assumed=True)


def layouts() -> Iterator[dict[str, Any]]:
    for order, compression, separate, rows in product("<>", (1, DEFLATE), (False, True), (0, 5)):
        yield {"order": order, "compression": compression, "separate": separate, "rows_per_strip": rows}


@pytest.mark.parametrize("layout", layouts(), ids=lambda layout: "-".join(map(str, layout.values())))
def test_every_way_of_storing_bands_is_read_right_or_refused(layout: dict[str, Any]) -> None:
    whole, whole_grey = DEEP * 257, DEEP_GREY * 257
    cases: list[tuple[bytes, NDArray[Any]]] = [
        (tiff(GREY, 1, **layout), GREY),
        (tiff(255 - GREY, 0, **layout), GREY),
        (tiff(whole_grey, 1, **layout), GREY),
        (tiff(COLOURS, 2, **layout), COLOURS),
        (tiff(whole, 2, **layout), COLOURS),
    ]
    for photo, truth in cases:
        assert_shows(photo, truth, assumed=False)
    doubtful: list[tuple[bytes, NDArray[Any]]] = [
        (tiff(65535 - whole_grey, 0, **layout), GREY),
        (tiff(np.dstack([255 - COLOURS, CLEAR]), 5, **layout), COLOURS),
        (tiff(np.dstack([255 - COLOURS, CLEAR]).astype(np.uint16) * 257, 5, **layout), COLOURS),
    ]
    for extra in (None, [0], [1], [2]):
        bands = np.dstack([COLOURS, INFRARED])
        doubtful += [(tiff(each, 2, extra=extra, **layout), COLOURS) for each in (bands, bands.astype(np.uint16) * 257)]
    for photo, truth in doubtful:
        try:
            decode(photo, SIDE)
        except PhotoError as error:
            assert "save it as 8-bit RGB" in str(error)
        else:
            assert_shows(photo, truth, inspect(photo).assumed)


def test_more_than_four_bands_are_refused_by_their_number() -> None:
    many = np.dstack([DEEP_GREY * 12 + band for band in range(13)])
    assert_refused(tiff(many, 1, extra=[0] * 12), "this TIFF image has 13 bands; a photo has 1, 3 or 4")
    five = np.dstack([COLOURS, INFRARED, INFRARED])
    assert_refused(tiff(five, 2, extra=[0, 0]), "this TIFF image has 5 bands")


def test_dicom_is_refused_by_its_name() -> None:
    assert_refused(bytes(128) + b"DICM" + bytes(40), "this is a DICOM image, which is not read: export it as PNG")


def pages(*images: Image.Image) -> bytes:
    return encode(images[0], "TIFF", save_all=True, append_images=list(images[1:]), compression="tiff_lzw")


def test_a_thumbnail_that_comes_first_gives_way_to_its_photo() -> None:
    small = PICTURE.resize((16, 12))
    assert_shows(pages(small, PICTURE), COLOURS, assumed=True)
    assert_shows(pages(small, PICTURE.resize((32, 24)), PICTURE), COLOURS, assumed=True)
    with Image.open(io.BytesIO(pages(small, PICTURE))) as image:
        assert image.size == (16, 12), "Pillow shows the first page"
    found = inspect(pages(small, PICTURE))
    assert (found.width, found.height) == PICTURE.size


def test_of_pages_that_are_no_thumbnails_the_first_counts() -> None:
    assert_shows(pages(PICTURE, noise(40, 64), noise(64, 48)), COLOURS, assumed=False)
    assert_shows(pages(PICTURE, PICTURE.resize((16, 12))), COLOURS, assumed=False)


def test_a_file_of_which_only_the_thumbnail_can_be_read_is_refused() -> None:
    assert_refused(tiff(COLOURS, 2, tags={254: 1}), "only a thumbnail of it can be read")


def test_the_limit_of_pixels_holds_for_the_page_that_is_read() -> None:
    with pytest.raises(PhotoError, match="too many pixels: 64 × 48"):
        inspect(pages(PICTURE.resize((16, 12)), PICTURE), max_pixels=1000)


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"tEXt", b"Comment\0hello", checksum=1),
        chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(70_000_000))),
        chunk(b"iCCP", b"profile\0\0" + b"no profile"),
        chunk(b"pHYs", bytes(9), checksum=7),
    ],
    ids=["checksum", "long text", "profile", "resolution"],
)
def test_damage_to_a_png_that_is_no_pixel_is_passed_over(extra: bytes) -> None:
    assert_shows(png(DEEP * 257, 2, extra), COLOURS, assumed=False)


def test_damage_to_the_pixels_of_a_png_is_named() -> None:
    assert_refused(png(DEEP * 257, 2, checksum=1), "the checksum of its part “IHDR” is wrong")


def test_a_photo_of_one_brightness_has_no_contrast() -> None:
    assert inspect(encode(Image.new("RGB", (40, 30), (90, 20, 200)))).contrast == 0
    assert inspect(encode(PICTURE)).contrast == pytest.approx(GREY.std(), abs=1)


def test_every_reason_is_marked_for_translation_by_whoever_tells_it() -> None:
    tree = ast.parse(Path(encodings.__file__).read_text("utf-8"))
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name))
    given = [call.args[0] for call in calls if call.func.id == "_because"]  # type: ignore[attr-defined]
    assert {text.value for text in given if isinstance(text, ast.Constant)} == set(OF_ENCODINGS)
    assert all(isinstance(text, ast.Constant) for text in given)
