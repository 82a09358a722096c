from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from core.data import quality
from core.data.images import inspect
from core.data.intake.sample import write_sample
from core.data.quality import ASSUMED, BLANK, BLURRED, DARK, HINTS, STRIP, TINY, hints, sharpness
from core.errors import DataError
from tests.core.data.conftest import encode
from tests.core.data.tiffs import tiff


def shapes(seed: int = 0, width: int = 300, height: int = 224) -> Image.Image:
    """Draw discs with sharp edges, in random places and greys."""
    random = np.random.default_rng(seed)
    image = Image.new("L", (width, height), int(random.integers(40, 90)))
    draw = ImageDraw.Draw(image)
    for _ in range(60):
        x, y, radius = (int(random.integers(low, high)) for low, high in ((0, width), (0, height), (6, 40)))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=int(random.integers(20, 256)))
    return image


def soft(image: Image.Image, pixels: float) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(pixels))


def smeared(image: Image.Image, pixels: int) -> Image.Image:
    """Move the camera sideways while the shutter is open."""
    moves = [np.roll(np.asarray(image, dtype=float), move, axis=1) for move in range(pixels)]
    return Image.fromarray(np.mean(moves, axis=0).astype(np.uint8))


def of(image: Image.Image) -> float:
    return sharpness(np.asarray(image))


def found(*photos: bytes) -> dict[str, list[int]]:
    infos = [inspect(photo) for photo in photos]
    prints = np.array([list(info.fingerprint) for info in infos], dtype=np.uint8).reshape(-1, 16, 16)
    given = hints(
        [info.width for info in infos],
        [info.height for info in infos],
        prints,
        [info.sharpness for info in infos],
        [info.contrast for info in infos],
        [info.assumed for info in infos],
    )
    return {key: positions.tolist() for key, positions in given.items()}


def stored_photos(folder: Path, step: int) -> list[Path]:
    return sorted(folder.rglob("*.jpg"))[::step]


@pytest.mark.parametrize("seed", range(4))
def test_more_blur_is_less_sharp(seed: int) -> None:
    image = shapes(seed)
    values = [of(soft(image, pixels)) for pixels in (0, 1, 2, 4)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.8 and values[2] < quality.BLURRED_BELOW


@pytest.mark.parametrize("seed", range(4))
def test_a_sharp_subject_before_a_soft_background_is_sharp(seed: int) -> None:
    image = shapes(seed)
    portrait = soft(image, 8)
    box = (100, 60, 200, 160)
    portrait.paste(image.crop(box), box)
    assert of(portrait) > quality.BLURRED_BELOW > of(soft(image, 8))


def test_contrast_does_not_matter() -> None:
    for image in (shapes(), soft(shapes(), 4)):
        pale = image.point([round(100 + value / 4) for value in range(256)])
        assert of(pale) == pytest.approx(of(image), abs=0.1)
        assert (of(pale) < quality.BLURRED_BELOW) == (of(image) < quality.BLURRED_BELOW)


def test_motion_in_one_direction_is_blur_either_way() -> None:
    image = smeared(shapes(), 15)
    assert of(image) < quality.BLURRED_BELOW and of(image.transpose(Image.Transpose.ROTATE_90)) < quality.BLURRED_BELOW


def test_a_blurred_photo_stays_blurred_at_twice_the_size_and_as_a_jpeg() -> None:
    image = soft(shapes(), 4)
    large = image.resize((2 * image.width, 2 * image.height), Image.Resampling.BICUBIC)
    assert of(large) < quality.BLURRED_BELOW
    assert found(encode(large, "JPEG", quality=60), encode(image, "JPEG", quality=60))[BLURRED] != []


@pytest.mark.parametrize("shape", [(224, 224), (1, 1), (23, 500), (24, 24), (16, 4000), (600, 40)])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_one_flat_colour_has_no_edge_to_judge(shape: tuple[int, int], value: int) -> None:
    assert sharpness(np.full(shape, value, dtype=np.uint8)) == 1


@pytest.mark.parametrize("shape", [(23, 23), (24, 24), (40, 31), (255, 257), (511, 680), (30, 900)])
def test_sharpness_is_a_share_for_every_size(shape: tuple[int, int]) -> None:
    assert 0 <= sharpness(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)) <= 1


def test_blurred_photos_come_worst_first() -> None:
    images = [shapes(1), soft(shapes(2), 3), soft(shapes(3), 8), shapes(4)]
    result = found(*(encode(image) for image in images))
    assert result[BLURRED] == [2, 1] and result[DARK] == result[TINY] == result[STRIP] == []


def test_a_small_photo_is_not_called_blurred() -> None:
    small = soft(shapes(), 4).crop((0, 0, 200, quality.BLURRED_SIDE - 1))
    large = soft(shapes(), 4).crop((0, 0, 200, quality.BLURRED_SIDE))
    assert found(encode(small), encode(large))[BLURRED] == [1]


def test_dark_means_that_nearly_nothing_can_be_seen() -> None:
    image = shapes()
    night = image.point([value // 10 for value in range(256)])
    lamp = night.copy()
    lamp.paste(255, (10, 10, 40, 30))
    bouquet = Image.new("L", image.size, 0)
    bouquet.paste(image.crop((80, 60, 220, 160)), (80, 60))
    black = Image.new("L", image.size, 0)
    result = found(*(encode(each) for each in (image, night, lamp, bouquet, black)))
    assert sorted(result[DARK]) == [1, 2, 4] and result[DARK][0] == 4


def test_blank_is_a_page_with_nothing_on_it() -> None:
    random = np.random.default_rng(0)
    paper = Image.fromarray(random.normal(240, 1.5, (200, 200)).astype(np.uint8))
    line = paper.copy()
    line.paste(0, (20, 100, 180, 102))
    flat = Image.new("RGB", (60, 60), (200, 30, 90))
    assert found(*(encode(each) for each in (shapes(), paper, line, flat)))[BLANK] == [3, 1]


def test_files_that_leave_their_meaning_open_are_told() -> None:
    grey = np.asarray(shapes()).astype(np.uint16)
    assert found(encode(shapes()), tiff(grey * 16, 1), tiff(grey * 257, 1))[ASSUMED] == [1]


@pytest.mark.parametrize(("side", "tiny"), [(quality.TINY_SIDE - 1, True), (quality.TINY_SIDE, False)])
def test_tiny_is_a_matter_of_the_shorter_side(side: int, tiny: bool) -> None:
    assert (found(encode(shapes(width=60, height=side)))[TINY] == [0]) == tiny


def test_strips_are_longer_than_four_times_their_shorter_side() -> None:
    sizes = [(400, 100), (401, 100), (100, 401), (900, 100), (100, 100)]
    result = found(*(encode(shapes(width=width, height=height)) for width, height in sizes))
    assert result[STRIP] == [3, 1, 2]


def test_the_two_smallest_photos_are_judged_too() -> None:
    result = found(encode(shapes(width=1, height=1)), encode(shapes(width=4000, height=10)))
    assert result[TINY] == [0, 1] and result[STRIP] == [1] and result[BLURRED] == []


def test_no_photos_give_no_hints() -> None:
    nothing = hints([], [], np.empty((0, 16, 16), dtype=np.uint8), [], [], [])
    assert nothing.keys() == set(HINTS) and all(len(positions) == 0 for positions in nothing.values())
    assert all(positions.dtype == np.intp for positions in nothing.values())


def test_columns_of_different_lengths_are_refused() -> None:
    prints: NDArray[np.uint8] = np.zeros((2, 16, 16), dtype=np.uint8)
    with pytest.raises(DataError, match="got 2, 2, 2, 1, 2, 2"):
        hints([9, 9], [9, 9], prints, [1.0], [40, 40], [False, False])


def test_enlarged_digits_are_not_blurred(tmp_path: Path) -> None:
    digits = sorted(write_sample(tmp_path).rglob("*.png"))[::10]
    assert found(*(path.read_bytes() for path in digits))[BLURRED] == []


def test_of_real_photos_few_are_called_blurred_and_of_blurred_ones_nearly_all(shared_flowers: Path) -> None:
    paths = stored_photos(shared_flowers, 12)
    result = found(*(path.read_bytes() for path in paths))
    assert len(result[BLURRED]) <= 0.015 * len(paths) and result[DARK] == result[TINY] == result[STRIP] == []
    blurred = []
    for path in paths[::4]:
        with Image.open(path) as image:
            blurred.append(encode(soft(image, 4), "JPEG", quality=85))
    assert len(found(*blurred)[BLURRED]) >= 0.95 * len(blurred)
