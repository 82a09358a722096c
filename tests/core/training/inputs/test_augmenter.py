import hashlib
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from core.recipe.augmentations import AUGMENTATIONS, Choice
from core.training.inputs.versions import Versions

ALL_ON = {row.key: row.choice() for row in AUGMENTATIONS}
STRONG = {row.key: Choice(row.maximum) for row in AUGMENTATIONS}
SHAPE = (16, 16, 3)

PHOTOS = np.random.default_rng(0).integers(0, 256, (6, *SHAPE), dtype=np.uint8)
DIGESTS = [hashlib.blake2b(photo.tobytes(), digest_size=16).digest() for photo in PHOTOS]


@cache
def versions_of(seed: int) -> Versions:
    return Versions(ALL_ON, seed, SHAPE)


def made(number: int = 0, seed: int = 5, order: tuple[int, ...] = (0, 1, 2, 3, 4, 5)) -> NDArray[np.float32]:
    """A version of photos, in the order of the photos whatever the order they were made in."""
    chosen = list(order)
    found = versions_of(seed).make(PHOTOS[chosen], [DIGESTS[i] for i in chosen], number)
    result = np.zeros((len(PHOTOS), *SHAPE), np.float32)
    result[chosen] = found
    return result


def test_a_version_is_made_of_floats_in_the_range_of_photos() -> None:
    versions = Versions(STRONG, 0, SHAPE)
    for number in range(4):
        found = versions.make(PHOTOS, DIGESTS, number)
        assert found.shape == PHOTOS.shape and found.dtype == np.float32
        assert np.isfinite(found).all() and found.min() >= 0 and found.max() <= 255


def test_a_version_is_the_same_in_any_company_and_order_and_made_by_anybody() -> None:
    whole = made()
    np.testing.assert_array_equal(made(order=(5, 3, 1, 0, 2, 4)), whole)
    for alone in range(len(PHOTOS)):
        np.testing.assert_array_equal(made(order=(alone,))[alone], whole[alone])


def test_a_version_does_not_depend_on_what_was_made_before() -> None:
    before = made(0)
    versions_of(5).make(PHOTOS[:2], DIGESTS[:2], 7)
    np.testing.assert_array_equal(made(0), before)


def test_threads_that_ask_at_the_same_time_get_the_same_versions() -> None:
    versions = Versions(ALL_ON, 5, SHAPE)  # not the one of `made`, and traced while others ask
    jobs = [(number, photo) for number in range(3) for photo in range(len(PHOTOS))] * 2

    def make(job: tuple[int, int]) -> NDArray[np.float32]:
        number, photo = job
        [version] = versions.make(PHOTOS[photo : photo + 1], DIGESTS[photo : photo + 1], number)
        return np.asarray(version, np.float32)

    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(make, jobs))
    wanted = {number: made(number) for number in range(3)}
    for (number, photo), seen in zip(jobs, found, strict=True):
        np.testing.assert_array_equal(seen, wanted[number][photo])


def test_versions_differ_between_numbers_and_seeds_and_from_the_photo() -> None:
    seen = [PHOTOS.astype(np.float32), made(0), made(1), made(2), made(0, seed=6)]
    for i, one in enumerate(seen):
        for other in seen[i + 1 :]:
            assert all(np.abs(mine - theirs).max() > 1 for mine, theirs in zip(one, other, strict=True))


def test_each_photo_is_changed_in_its_own_way_even_where_two_look_alike() -> None:
    same = np.repeat(PHOTOS[:1], 6, axis=0)
    found = versions_of(5).make(same, DIGESTS, 0)
    assert len(np.unique(found.round(2).reshape(6, -1), axis=0)) == 6
    twins = versions_of(5).make(same[:2], [DIGESTS[0]] * 2, 0)
    np.testing.assert_array_equal(twins[0], twins[1])


def test_the_photos_that_are_handed_over_stay_as_they_are() -> None:
    before = PHOTOS.copy()
    made()
    np.testing.assert_array_equal(PHOTOS, before)


def test_names_tell_versions_apart_and_are_alike_for_the_same() -> None:
    usual = Versions({"zoom": Choice(0.1), "rotation": Choice(0.2)}, 3, SHAPE)
    others = [
        usual.name(1),
        Versions({"zoom": Choice(0.1), "rotation": Choice(0.2)}, 4, SHAPE).name(0),
        Versions({"zoom": Choice(0.1), "rotation": Choice(0.2, 0.9)}, 3, SHAPE).name(0),
        Versions({"zoom": Choice(0.1), "rotation": Choice(0.3)}, 3, SHAPE).name(0),
        Versions({"zoom": Choice(0.1)}, 3, SHAPE).name(0),
    ]
    assert len({usual.name(0), *others}) == 6
    assert Versions({"rotation": Choice(0.2), "zoom": Choice(0.1)}, 3, SHAPE).name(0) == usual.name(0)


def test_without_augmentations_there_are_no_versions() -> None:
    with pytest.raises(ValueError, match="at least one augmentation"):
        Versions({}, 0, SHAPE)
