import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageEnhance

from core.data.duplicates import Duplicates, conflicts, find, leaks
from core.data.images import inspect
from core.data.intake.sample import write_sample
from core.errors import DataError
from tests.conftest import write_colours
from tests.core.data.conftest import encode, noise, plain, scene


def look(*photos: bytes | Path) -> Duplicates:
    infos = [inspect(photo) for photo in photos]
    prints = np.frombuffer(b"".join(info.fingerprint for info in infos), dtype=np.uint8).reshape(-1, 16, 16)
    return find(np.frombuffer(b"".join(info.digest for info in infos), dtype="S16"), prints)


def lists(sets: list[NDArray[np.intp]]) -> list[list[int]]:
    return [members.tolist() for members in sets]


def digests(count: int) -> NDArray[np.uint8]:
    """Return digests that all differ."""
    return np.arange(count, dtype=np.uint64).repeat(2).view(np.uint8).reshape(count, 16)


def cropped(image: Image.Image, *, left: float = 0, top: float = 0, right: float = 0, bottom: float = 0) -> Image.Image:
    width, height = image.size
    box = (width * left, height * top, width * (1 - right), height * (1 - bottom))
    return image.crop((round(box[0]), round(box[1]), round(box[2]), round(box[3])))


def resized(image: Image.Image, factor: float) -> Image.Image:
    return image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.LANCZOS)


def turned(image: Image.Image) -> bytes:
    """Store the photo on its side, with an EXIF tag that says so."""
    tags = Image.Exif()
    tags[0x0112] = 6
    return encode(image.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=92, exif=tags)


VARIANTS: dict[str, Callable[[Image.Image], bytes]] = {
    "half the size": lambda image: encode(resized(image, 0.5)),
    "twice the size": lambda image: encode(resized(image, 2), "JPEG"),
    "64 pixels": lambda image: encode(image.resize((64, 64))),
    "JPEG at quality 40": lambda image: encode(image, "JPEG", quality=40),
    "WEBP": lambda image: encode(image, "WEBP", quality=60),
    "GIF": lambda image: encode(image, "GIF"),
    "brighter": lambda image: encode(ImageEnhance.Brightness(image).enhance(1.1)),
    "darker": lambda image: encode(ImageEnhance.Brightness(image).enhance(0.9)),
    "more contrast": lambda image: encode(ImageEnhance.Contrast(image).enhance(1.1)),
    "less contrast": lambda image: encode(ImageEnhance.Contrast(image).enhance(0.9)),
    "grey": lambda image: encode(image.convert("L")),
    "stored on its side": turned,
    "cropped by 2 % on one side": lambda image: encode(cropped(image, left=0.02)),
    "cropped by 1 % on each side": lambda image: encode(cropped(image, left=0.01, top=0.01, right=0.01, bottom=0.01)),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_of_a_photo_look_alike(variant: str) -> None:
    photos = [scene(seed, side=224) for seed in range(6)]
    result = look(*(encode(photo) for photo in photos), *(VARIANTS[variant](photo) for photo in photos))
    assert lists(result.sets(exact=False)) == [[i, i + 6] for i in range(6)]
    assert result.sets(exact=True) == []


def test_identical_files_are_found_and_share_the_set_of_look_alikes() -> None:
    one, other = (encode(scene(seed)) for seed in (1, 2))
    result = look(one, other, one, encode(scene(1), "JPEG"), other)
    assert result.exact.tolist() == [0, 1, 0, 2, 1] and result.near.tolist() == [0, 1, 0, 0, 1]
    assert lists(result.sets(exact=True)) == [[0, 2], [1, 4]]
    assert lists(result.sets(exact=False)) == [[0, 2, 3], [1, 4]]


def test_different_photos_do_not_look_alike() -> None:
    result = look(*(encode(scene(seed)) for seed in range(40)), *(encode(noise(60, 40, seed)) for seed in range(40)))
    assert result.near.tolist() == list(range(80)) and result.sets(exact=False) == []


def test_noise_in_two_colours_does_not_look_alike(tmp_path: Path) -> None:
    photos = sorted(write_colours(tmp_path / "colours").rglob("*.png"))
    assert look(*photos).sets(exact=False) == []


def test_empty_sheets_look_alike_only_when_they_are_equal() -> None:
    sheets = [encode(plain((grey, grey, grey), (40, 30))) for grey in (255, 254, 250, 0)]
    again = encode(plain((255, 255, 255), (80, 70)), "JPEG")
    assert look(*sheets, again).near.tolist() == [0, 1, 2, 3, 0]


def test_faint_grain_on_empty_sheets_is_no_likeness() -> None:
    random = np.random.default_rng(0)
    sheets = [encode(Image.fromarray(random.integers(238, 246, (160, 160)).astype(np.uint8))) for _ in range(30)]
    assert look(*sheets).sets(exact=False) == []


def test_shaded_empty_sheets_do_not_look_alike_for_their_shade() -> None:
    random = np.random.default_rng(0)
    shade = 200 + 25 * np.sin(np.linspace(0, 3, 160))
    sheets = [shade + random.normal(0, 8, (160, 160)) for _ in range(30)]
    result = look(*(encode(Image.fromarray(sheet.astype(np.uint8))) for sheet in sheets))
    assert result.sets(exact=False) == []


def test_handwritten_digits_do_not_chain_into_large_sets(tmp_path: Path) -> None:
    photos = sorted(write_sample(tmp_path).rglob("*.png"))
    result = look(*photos)
    assert max((len(members) for members in result.sets(exact=False)), default=1) <= 3
    labels = np.array([int(path.parent.name) for path in photos])
    assert conflicts(result.near, labels) == []


def test_a_thousand_shots_of_one_scene_become_one_set_and_hide_no_other() -> None:
    random = np.random.default_rng(0)
    still = np.asarray(scene(3).convert("L").resize((16, 16), Image.Resampling.BOX), dtype=float)
    prints = np.clip(still + random.normal(0, 3, (1000, 16, 16)), 0, 255).astype(np.uint8)
    pair = np.asarray(scene(5).convert("L").resize((16, 16), Image.Resampling.BOX))
    result = find(digests(1002), np.concatenate([prints, pair[None], pair[None] // 2 * 2]))
    assert [len(members) for members in result.sets(exact=False)] == [1000, 2]


def test_ten_thousand_equal_fingerprints_are_one_set() -> None:
    prints = np.repeat(np.asarray(scene(1).convert("L").resize((16, 16)))[None], 10_000, axis=0)
    result = find(digests(10_000), prints)
    assert lists(result.sets(exact=False)) == [list(range(10_000))] and result.sets(exact=True) == []


def test_finding_twice_gives_the_same_sets() -> None:
    photos = [encode(scene(seed)) for seed in range(12)] + [encode(scene(seed), "JPEG") for seed in range(12)]
    one, other = look(*photos), look(*photos)
    assert np.array_equal(one.near, other.near) and np.array_equal(one.exact, other.exact)


@pytest.mark.parametrize("as_given", ["S16", "V16", "rows"])
def test_digests_may_be_bytes_or_rows_even_when_they_end_in_zero(as_given: str) -> None:
    rows = np.zeros((3, 16), dtype=np.uint8)
    rows[1, 0], rows[2, 15] = 7, 7
    given = rows if as_given == "rows" else rows.view(as_given).ravel()
    result = find(given, np.random.default_rng(0).integers(0, 256, (3, 16, 16), dtype=np.uint8))
    assert result.exact.tolist() == [0, 1, 2]


@pytest.mark.parametrize("count", [0, 1])
def test_no_photo_and_one_photo_are_alike_to_nothing(count: int) -> None:
    result = find(digests(count), np.zeros((count, 16, 16), dtype=np.uint8))
    assert result.exact.tolist() == result.near.tolist() == list(range(count))
    assert result.sets(exact=True) == result.sets(exact=False) == []
    assert conflicts(result.near, result.near) == leaks(result.near, result.near) == []


@pytest.mark.parametrize(
    ("keys", "prints", "complaint"),
    [
        (np.zeros((2, 15), np.uint8), np.zeros((2, 16, 16), np.uint8), "digests of 16 bytes"),
        (np.zeros((2, 16), np.int64), np.zeros((2, 16, 16), np.uint8), "digests of 16 bytes"),
        (np.zeros((2, 16), np.uint8), np.zeros((2, 256), np.uint8), "shape \\(photos, 16, 16\\)"),
        (np.zeros((2, 16), np.uint8), np.zeros((2, 16, 16), np.float32), "whole numbers 0..255"),
        (np.zeros((2, 16), np.uint8), np.zeros((3, 16, 16), np.uint8), "one fingerprint for each of 2 digests; got 3"),
    ],
)
def test_arrays_of_another_kind_are_refused(keys: ArrayLike, prints: ArrayLike, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        find(keys, prints)


@pytest.mark.parametrize(
    ("exact", "near", "complaint"),
    [
        ([0, 1], [0], "as many numbers"),
        ([0, 1], [1, 0], "“near” to count from 0"),
        ([0, 2], [0, 1], "“exact” to count from 0"),
        ([0, 0], [0, 1], "in the same set of look-alikes"),
        ([[0]], [[0]], "in one dimension"),
        ([0.0, 1.0], [0, 1], "whole numbers"),
    ],
)
def test_sets_that_cannot_be_are_refused(exact: ArrayLike, near: ArrayLike, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        Duplicates(np.asarray(exact), np.asarray(near))


def test_sets_cannot_be_changed_afterwards() -> None:
    given = np.array([0, 1, 0])
    result = Duplicates(given, given)
    given[1] = 0
    assert result.exact.tolist() == [0, 1, 0]
    with pytest.raises(ValueError, match="read-only"):
        result.near[0] = 5


def test_conflicts_are_sets_with_several_labels() -> None:
    groups = [0, 1, 0, 2, 1, 3, 2]
    assert lists(conflicts(groups, [5, 6, 5, 7, 8, 9, 7])) == [[1, 4]]
    assert lists(conflicts(groups, range(7))) == [[0, 2], [1, 4], [3, 6]]
    assert conflicts(groups, [4] * 7) == []


def test_leaks_are_sets_in_several_parts_that_are_used() -> None:
    groups = [0, 1, 0, 2, 1, 2, 2]
    assert lists(leaks(groups, [0, 1, 2, 0, 1, -1, 0])) == [[0, 2]]
    assert lists(leaks(groups, [0, 1, -1, 0, 2, -1, 1])) == [[1, 4], [3, 6]]
    assert leaks(groups, [-1] * 7) == []


@pytest.mark.parametrize("ask", [conflicts, leaks])
def test_questions_about_sets_need_one_value_for_each_photo(
    ask: Callable[[ArrayLike, ArrayLike], list[NDArray[np.intp]]],
) -> None:
    with pytest.raises(DataError, match="for each of 3 photos; got 2"):
        ask([0, 0, 1], [0, 1])
    with pytest.raises(DataError, match="whole numbers"):
        ask([0, 0], [0.5, 1])


@pytest.fixture(scope="module")
def shared_photos(shared_flowers: Path) -> list[Path]:
    return sorted(shared_flowers.rglob("*.jpg"))


def test_of_real_photos_the_two_known_pairs_are_identical_and_few_others_alike(shared_photos: list[Path]) -> None:
    result = look(*shared_photos)
    pairs = result.sets(exact=True)
    assert [len(pair) for pair in pairs] == [2, 2]
    assert {shared_photos[i].parent.name for pair in pairs for i in pair} == {"sunflowers"}
    alike = result.sets(exact=False)
    assert len(pairs) < len(alike) <= 30 and max(len(members) for members in alike) <= 4


def test_real_photos_are_found_again_when_cropped(shared_photos: list[Path]) -> None:
    chosen = shared_photos[::40]
    changed = []
    for path in chosen:
        with Image.open(io.BytesIO(path.read_bytes())) as image:
            crop = cropped(image, left=0.03, top=0.03, right=0.03, bottom=0.03)
            changed.append(encode(crop, "JPEG", quality=80))
    near = look(*chosen, *changed).near
    found_again = near[: len(chosen)] == near[len(chosen) :]
    assert found_again.mean() >= 0.9, f"{found_again.sum()} of {len(chosen)}"
