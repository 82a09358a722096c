import hashlib
import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter, features

from core.data import images
from core.data.images import MAX_PIXELS, TURNS, PhotoInfo, decode, inspect, thumbnail
from core.errors import DataError, PhotoError
from tests.core.data.conftest import encode, noise, plain
from tests.zoo import heic

INVERSE = {
    Image.Transpose.ROTATE_90: Image.Transpose.ROTATE_270,
    Image.Transpose.ROTATE_270: Image.Transpose.ROTATE_90,
}
LOSSLESS = ["PNG", "TIFF", "WEBP"]


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def stored_turned(upright: Image.Image, orientation: int) -> Image.Image:
    turn = TURNS.get(orientation)
    return upright if turn is None else upright.transpose(INVERSE.get(turn, turn))


def prints(info: PhotoInfo) -> NDArray[np.intp]:
    """Return a fingerprint as numbers, shape (16, 16)."""
    return np.frombuffer(info.fingerprint, np.uint8).reshape(16, 16).astype(int)


def png_header(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    checked = header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + checked + struct.pack(">I", 1000) + b"IDAT"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", LOSSLESS)
def test_the_eight_orientations_decode_to_equal_pixels(file_format: str, orientation: int) -> None:
    upright = noise(60, 40)
    options: dict[str, Any] = {"lossless": True} if file_format == "WEBP" else {}
    photo = encode(stored_turned(upright, orientation), file_format, exif=exif(orientation), **options)
    assert np.array_equal(decode(photo, 16), decode(encode(upright), 16))
    assert (inspect(photo).width, inspect(photo).height) == (60, 40)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_eight_orientations_have_one_fingerprint(orientation: int) -> None:
    upright = noise(6, 4).resize((64, 48), Image.Resampling.BICUBIC)
    photo = encode(stored_turned(upright, orientation), exif=exif(orientation))
    assert np.abs(prints(inspect(photo)) - prints(inspect(encode(upright)))).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_large_jpeg_is_turned_after_it_was_decoded_small(orientation: int) -> None:
    quarters = Image.new("RGB", (640, 400), "red")
    quarters.paste("blue", (320, 0, 640, 200))
    quarters.paste("lime", (0, 200, 320, 400))
    quarters.paste("white", (320, 200, 640, 400))
    photo = encode(stored_turned(quarters, orientation), "JPEG", quality=95, exif=exif(orientation))
    pixels = decode(photo, 20).astype(int)
    corners = [pixels[2, 2], pixels[2, 17], pixels[17, 2], pixels[17, 17]]
    assert np.allclose(corners, [[255, 0, 0], [0, 0, 255], [0, 255, 0], [255, 255, 255]], atol=12)
    found = inspect(photo)
    assert (found.width, found.height) == (640, 400)
    greys = prints(found)[[2, 2, 13, 13], [2, 13, 2, 13]]
    assert np.allclose(greys, [76, 29, 150, 255], atol=12), "the fingerprint is upright, too"


def test_damaged_exif_data_does_not_cost_the_photo() -> None:
    photo = encode(plain((200, 100, 50)), "JPEG", exif=b"Exif\0\0" + b"garbage" * 9)
    assert decode(photo, 4).shape == (4, 4, 3)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (plain(1, mode="1"), (255, 255, 255)),
        (plain(90, mode="L"), (90, 90, 90)),
        (plain((90, 255), mode="LA"), (90, 90, 90)),
        (plain((10, 20, 30)), (10, 20, 30)),
        (plain((10, 20, 30)).quantize(4), (10, 20, 30)),
        (plain((10, 20, 30, 255), mode="RGBA"), (10, 20, 30)),
        (plain((0, 0, 0, 0), mode="RGBA"), (255, 255, 255)),
        (plain((0, 100, 255, 128), mode="RGBA"), (127, 177, 255)),
        (plain((0, 0), mode="LA"), (255, 255, 255)),
    ],
    ids=["bilevel", "grey", "grey-alpha", "rgb", "palette", "opaque", "invisible", "half", "invisible-grey"],
)
def test_every_pixel_type_becomes_rgb_over_white(image: Image.Image, expected: tuple[int, int, int]) -> None:
    assert np.abs(decode(encode(image), 4).astype(int) - expected).max() <= 1


def test_a_transparent_palette_colour_becomes_white() -> None:
    image = plain(0, mode="P")
    image.putpalette([200, 0, 0, 0, 200, 0])
    assert (decode(encode(image, transparency=0), 4) == 255).all()
    assert (decode(encode(image, "GIF", transparency=0), 4) == 255).all()


def test_cmyk_photos_are_read() -> None:
    pixels = decode(encode(plain((0, 255, 255, 0), mode="CMYK"), "JPEG", quality=95), 4).astype(int)
    assert np.abs(pixels - (255, 0, 0)).max() < 12


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_not_clipped(file_format: str) -> None:
    values = np.repeat(np.array([[0, 16384, 32768, 65535]], dtype=np.uint16), 4, axis=0)
    pixels = decode(encode(Image.fromarray(values), file_format), 4)
    assert pixels[0, :, 0].tolist() == [0, 64, 128, 255]


def test_big_endian_16_bit_grey_is_the_same() -> None:
    image = Image.frombytes("I;16B", (2, 2), np.full((2, 2), 0x8000, dtype=">u2").tobytes())
    assert (decode(encode(image, "TIFF"), 2) == 128).all()


def test_pixels_without_a_fixed_range_are_refused() -> None:
    photo = encode(Image.fromarray(np.full((4, 4), 0.5, dtype=np.float32)), "TIFF")
    for read in (inspect, lambda source: decode(source, 4)):
        with pytest.raises(PhotoError, match="no fixed brightness range"):
            read(photo)


def test_the_middle_square_is_kept_undistorted() -> None:
    image = Image.new("RGB", (300, 100), "red")
    image.paste("blue", (100, 0, 200, 100))
    assert (decode(encode(image), 10)[:, 1:-1] == (0, 0, 255)).all()
    assert (decode(encode(image.transpose(Image.Transpose.ROTATE_90)), 10)[1:-1] == (0, 0, 255)).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (10, 4000), (4000, 10), (224, 224), (223, 225)])
@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
def test_every_shape_gives_the_square_asked_for(size: tuple[int, int], file_format: str) -> None:
    pixels = decode(encode(plain((40, 90, 160), size), file_format), 32)
    assert pixels.shape == (32, 32, 3) and pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - (40, 90, 160)).max() <= 3


@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
def test_fine_patterns_are_averaged_not_sampled(file_format: str) -> None:
    checks = np.indices((1024, 1024)).sum(axis=0) % 2 * 255
    pixels = decode(encode(Image.fromarray(checks.astype(np.uint8)), file_format), 64).astype(int)
    assert np.abs(pixels - 127).max() < 12


def test_a_jpeg_is_decoded_at_no_less_than_one_and_a_half_times_the_size(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    square = images._square

    def noting_square(image: Image.Image, size: int) -> NDArray[np.uint8]:
        seen.append(image.size)
        return square(image, size)

    monkeypatch.setattr(images, "_square", noting_square)
    for width, height in [(1000, 700), (700, 1000), (300, 200)]:
        decode(encode(plain("red", (width, height)), "JPEG"), 100)
    assert seen == [(250, 175), (175, 250), (300, 200)]


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_counts(file_format: str) -> None:
    frames: dict[str, Any] = {"save_all": True, "append_images": [plain("blue")]}
    pixels = decode(encode(plain("red"), file_format, **frames), 4).astype(int)
    assert np.abs(pixels - (255, 0, 0)).max() < 12


@pytest.mark.parametrize("file_format", ["JPEG", "MPO", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF"])
def test_every_format_is_read(file_format: str) -> None:
    if file_format == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    photo = encode(plain((200, 60, 30), (64, 48)), file_format)
    found = inspect(photo)
    assert (found.width, found.height) == (64, 48)
    assert np.abs(prints(found) - 98).max() < 6
    assert np.abs(decode(photo, 8).astype(int) - (200, 60, 30)).max() < 12


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("tile_size", [0, 64])
def test_photos_of_phones_are_upright_whether_one_picture_or_a_grid(orientation: int, tile_size: int) -> None:
    upright = noise(6, 4).resize((192, 128), Image.Resampling.NEAREST)
    photo = heic(stored_turned(upright, orientation), orientation, **({"tile_size": tile_size} if tile_size else {}))
    assert (inspect(photo).width, inspect(photo).height) == (192, 128)
    assert np.abs(decode(photo, 32).astype(int) - decode(encode(upright), 32)).max() <= 2


def test_ten_bits_of_a_phone_are_the_same_brightness_as_eight() -> None:
    upright = noise(6, 4).resize((96, 64), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    ten = (np.asarray(upright).astype(np.uint16) << 8).tobytes()
    pillow_heif.from_bytes(mode="RGB;16", size=upright.size, data=ten).save(buffer, quality=-1, chroma=444)
    assert pillow_heif.open_heif(buffer.getvalue(), convert_hdr_to_8bit=False).mode == "RGB;16"
    assert np.abs(decode(buffer.getvalue(), 32).astype(int) - decode(encode(upright), 32)).max() <= 2


def test_a_grid_with_missing_tiles_is_cut_off() -> None:
    photo = heic(noise(192, 128), tile_size=64)
    for length in (len(photo) // 2, len(photo) - 1):
        with pytest.raises(PhotoError, match="cut off"):
            inspect(photo[:length])


def test_without_a_decoder_a_photo_of_a_phone_is_refused_in_a_sentence() -> None:
    program = """if True:
        import sys
        sys.modules["pi_heif"] = None
        from core.data.images import decode
        from core.data.scan.walk import SUFFIX_HINTS
        print(SUFFIX_HINTS[".heic"])
        try:
            decode(bytes.fromhex(sys.argv[1]), 8)
        except Exception as error:
            print(type(error).__name__, error)
    """
    run = [sys.executable, "-c", program, heic(noise(20, 20)).hex()]
    said = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert (
        said.count("HEIC photos are not supported on this computer: save the photo as JPEG") == 2
        and "PhotoError" in said
    )


def test_a_file_and_its_bytes_give_the_same(tmp_path: Path) -> None:
    path = tmp_path / "写真 📷.jpg"
    path.write_bytes(encode(noise(50, 40), "JPEG"))
    assert np.array_equal(decode(path, 16), decode(path.read_bytes(), 16))
    assert inspect(path) == inspect(path.read_bytes())


def test_the_digest_is_the_same_for_equal_files_only() -> None:
    photo = encode(noise(20, 20), "JPEG")
    found = inspect(photo)
    assert found.digest == hashlib.blake2b(photo, digest_size=16).digest()
    assert inspect(photo + b"\n").digest != found.digest
    assert inspect(photo + b"\n").fingerprint == found.fingerprint


def test_the_fingerprint_averages_the_photo_in_grey() -> None:
    grey = np.random.default_rng(2).integers(0, 256, (160, 320), dtype=np.uint8)
    averages = grey.reshape(16, 10, 16, 20).mean(axis=(1, 3))
    assert np.abs(prints(inspect(encode(Image.fromarray(grey)))) - averages).max() <= 1
    large = np.kron(grey[:16, :16], np.ones((60, 40), np.uint8))
    for file_format in ("PNG", "JPEG"):
        found = prints(inspect(encode(Image.fromarray(large), file_format)))
        assert np.abs(found - grey[:16, :16]).max() <= 6, "however large the photo, and also where it is decoded small"


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (plain((0, 0, 0, 0), mode="RGBA"), 255),
        (plain(0, mode="1"), 0),
        (plain((255, 0, 0)), 76),
        (plain((255, 0, 0)).quantize(4), 76),
        (Image.fromarray(np.full((8, 12), 32768, np.uint16)), 128),
    ],
    ids=["invisible", "bilevel", "red", "palette", "16-bit"],
)
def test_the_fingerprint_sees_what_the_network_sees(image: Image.Image, expected: int) -> None:
    assert np.abs(prints(inspect(encode(image))) - expected).max() <= 1


def test_a_blurred_photo_is_less_sharp() -> None:
    sharp = noise(300, 260).resize((600, 520))
    assert inspect(encode(sharp.filter(ImageFilter.GaussianBlur(6)))).sharpness < inspect(encode(sharp)).sharpness


@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
def test_the_limit_of_pixels_can_be_set(file_format: str) -> None:
    photo = encode(noise(30, 20), file_format)
    assert inspect(photo, max_pixels=600).width == 30
    assert decode(photo, 4, max_pixels=600).shape == (4, 4, 3)
    for read in (lambda: inspect(photo, max_pixels=599), lambda: decode(photo, 4, max_pixels=599)):
        with pytest.raises(PhotoError, match="too many pixels: 30 × 20; the limit is 599"):
            read()


def test_a_thumbnail_shows_what_decode_returns() -> None:
    photo = encode(plain((200, 60, 30), (64, 48)))
    with Image.open(io.BytesIO(thumbnail(photo, 16))) as shown:
        assert shown.format == "JPEG"
        assert np.abs(np.asarray(shown).astype(int) - decode(photo, 16)).max() < 6


BROKEN = {
    "empty": (b"", "the file is empty"),
    "html": (b"\n<!DOCTYPE html><html>404 not found</html>", r"web page \(HTML\)"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
    "pdf": (b"%PDF-1.7", "PDF"),
    "zip": (b"PK\x03\x04" + bytes(40), "ZIP"),
    "heic": (b"\0\0\0\x18ftypheic" + bytes(40), "HEIC"),
    "text": (b"just some words", "not a photo that can be read"),
    "jpeg half": (encode(noise(64, 64), "JPEG")[:-2000], "cut off"),
    "jpeg end": (encode(noise(64, 64), "JPEG")[:-40], "cut off"),
    "progressive": (encode(noise(64, 64), "JPEG", progressive=True)[:-2000], "cut off"),
    "png": (encode(noise(64, 64))[:-2000], "cut off"),
    "gif": (encode(noise(64, 64), "GIF")[:-2000], "cut off"),
    "bmp": (encode(noise(64, 64), "BMP")[:-2000], "cut off"),
    "webp": (encode(noise(64, 64), "WEBP")[:-500], "not a photo|cut off|damaged"),
    "tiff": (encode(noise(64, 64), "TIFF")[:-2000], "not a photo|cut off|damaged"),
    "bomb": (png_header(12000, 9000), "too many pixels: 12,000 × 9,000; the limit is 89,478,485"),
    "giant bomb": (png_header(60000, 60000), "too many pixels: 3,600,000,000; the limit is 89,478,485"),
}


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(("content", "reason"), BROKEN.values(), ids=BROKEN.keys())
def test_what_cannot_be_read_says_why(content: bytes, reason: str) -> None:
    for read in (inspect, lambda source: decode(source, 4)):
        with pytest.raises(PhotoError, match=reason):
            read(content)


@pytest.mark.filterwarnings("error::PIL.Image.DecompressionBombWarning")
def test_a_bomb_is_refused_the_same_where_warnings_are_errors() -> None:
    with pytest.raises(PhotoError, match="too many pixels: 108,000,000"):
        inspect(png_header(12000, 9000))


def test_the_limit_of_pixels_is_where_pillow_warns() -> None:
    assert MAX_PIXELS == Image.MAX_IMAGE_PIXELS


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_randomly_damaged_files_are_read_or_refused_alike_by_both() -> None:
    rng = np.random.default_rng(5)
    photos = [encode(noise(24, 20), name) for name in ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")]
    photos += [heic(noise(24, 20)), heic(noise(150, 80), tile_size=64)]
    for turn in range(800):
        damaged = np.frombuffer(photos[turn % len(photos)], dtype=np.uint8).copy()
        damaged[rng.integers(0, min(len(damaged), 200), size=3)] = rng.integers(0, 256, size=3)
        outcomes = []
        for read in (inspect, lambda source: decode(source, 4)):
            try:
                outcomes.append(read(damaged.tobytes()) is not None)
            except PhotoError as error:
                outcomes.append(not str(error))
        assert outcomes[0] == outcomes[1]


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match="no longer there"):
        decode(tmp_path / "gone.jpg", 4)
    with pytest.raises(PhotoError, match="this is a folder"):
        inspect(tmp_path)


def test_a_size_below_one_is_refused() -> None:
    with pytest.raises(DataError, match="at least 1"):
        decode(encode(plain("red")), 0)
