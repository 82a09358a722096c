import functools
import hashlib
import inspect
import math
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from core.data.images import DIGEST_BYTES
from core.data.images import inspect as inspect_photo
from core.errors import DataError, FeatureCacheError, NoRoom, ShardBusy
from core.settings import GIGABYTE, MEGABYTE
from core.training.feature_cache import cache as feature_cache
from core.training.feature_cache.cache import KEY, LOCK, PHOTOS, RECORD_BYTES, ROWS, FeatureCache, Shard, ShardKey
from tests.conftest import PROJECT, Workplace, eventually

KEY_OF_ROWS = ShardKey("efficientnet-b0", "a1b2", 224, "block6a_expand_conv", "original", "f32", 1)
SHAPE = (5, 100)
ROW_BYTES = 1000


def digest_of(number: int) -> bytes:
    return hashlib.blake2b(str(number).encode(), digest_size=16).digest()


@functools.cache
def row_of(digest: bytes) -> NDArray[np.float16]:
    raw = hashlib.shake_128(digest).digest(1000)
    return np.frombuffer(raw, np.float16).reshape(5, 100)


def key_of(number: int) -> ShardKey:
    return replace(KEY_OF_ROWS, view=f"flip 0.5, seed 1, view {number}")


def rows_of(digests: Sequence[bytes]) -> NDArray[np.float16]:
    return np.stack([row_of(digest) for digest in digests])


def bits(rows: NDArray[np.float16]) -> NDArray[np.uint16]:
    """Rows in a form in which what is not a number equals itself."""
    return np.asarray(rows).view(np.uint16)


DIGESTS = [digest_of(number) for number in range(30)]

BEGINNING = f"""
import hashlib, itertools, random, resource, sys
from dataclasses import replace
import functools
from pathlib import Path
import numpy as np
from numpy.typing import NDArray
from core.errors import NoRoom, ShardBusy, FeatureCacheError
from core.training.feature_cache.cache import ShardKey, FeatureCache

{inspect.getsource(digest_of)}
{inspect.getsource(row_of)}
{inspect.getsource(key_of)}
KEY_OF_ROWS = {KEY_OF_ROWS!r}
cache = FeatureCache(Path(sys.argv[1]), int(sys.argv[2]))
"""
"""What every child process begins with; the rest of its script is in the test."""

HOLDER = """
with cache.open([(key_of(int(sys.argv[3])), (5, 100))], 0) as [shard]:
    shard.add([digest_of(0)], row_of(digest_of(0))[None])
    print("held", flush=True)
    sys.stdin.read()
"""

ADDER = """
random.seed(int(sys.argv[3]))
with cache.open([(KEY_OF_ROWS, (5, 100))], 0) as [shard]:
    print("adding", flush=True)
    numbers = itertools.count(len(shard))
    while True:
        digests = [digest_of(next(numbers)) for _ in range(random.randrange(1, 40))]
        shard.add(digests, np.stack([row_of(digest) for digest in digests]))
        if random.random() < 0.3:
            shard.commit()
"""

OPENER = """
random.seed(int(sys.argv[3]))
print("opening", flush=True)
while True:
    digests = [digest_of(number) for number in range(random.randrange(1, 30))]
    with cache.open([(key_of(random.randrange(8)), (5, 100))], 30 * 1024) as [shard]:
        shard.add(digests, np.stack([row_of(digest) for digest in digests]))
"""

VISITOR = """
random.seed(int(sys.argv[3]))
print("visiting", flush=True)
busy = 0
for visit in range(25):
    digests = [digest_of(number) for number in range(random.randrange(1, 30))]
    rows = np.stack([row_of(digest) for digest in digests])
    try:
        with cache.open([(key_of(random.randrange(6)), (5, 100))], 30 * 1024) as [shard]:
            shard.add(digests, rows)
            if not np.array_equal(shard.array()[shard.rows(digests)].view(np.uint16), rows.view(np.uint16)):
                sys.exit("other rows")
    except (NoRoom, ShardBusy):
        busy += 1
print(25 - busy)
"""

MEMORY = """
def anonymous() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) // 1000

block = np.random.default_rng(0).standard_normal((64, 7, 7, 320)).astype(np.float16)
with cache.open([(KEY_OF_ROWS, (7, 7, 320))], 0) as [shard]:
    before, most = anonymous(), 0
    for number in range(100):
        digests = [digest_of(number * 64 + place) for place in range(64)]
        shard.add(digests, block)
        most = max(most, anonymous())
    array = shard.array()
    same = True
    for start in range(0, len(shard), 64):
        same &= np.array_equal(array[start : start + 64], block)
        most = max(most, anonymous())
    print(array.nbytes // 1_000_000, most - before, same)
"""

CROWDED = """
resource.setrlimit(resource.RLIMIT_FSIZE, (20_500, resource.RLIM_INFINITY))
with cache.open([(KEY_OF_ROWS, (5, 100))], 0) as [shard]:
    for number in range(30):
        try:
            shard.add([digest_of(number)], row_of(digest_of(number))[None])
            shard.commit()
        except FeatureCacheError as error:
            print(number, type(error).__name__, error)
            break
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(len(shard), len(shard.array()))
    try:
        shard.add([digest_of(99)], row_of(digest_of(99))[None])
    except NoRoom:
        print("no more")
"""


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    return FeatureCache(tmp_path / "home" / "trunk", GIGABYTE)


def command(script: str, cache: FeatureCache, *arguments: object) -> list[str]:
    return [sys.executable, "-c", BEGINNING + script, str(cache.root), str(cache.limit), *map(str, arguments)]


@contextmanager
def child(script: str, cache: FeatureCache, *arguments: object) -> Iterator["subprocess.Popen[str]"]:
    """A real process that runs a script; it has said its first word when the block begins, and is killed at its end."""
    process = subprocess.Popen(
        command(script, cache, *arguments), cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None and process.stdout.readline()
        yield process
        process.kill()


def said(script: str, cache: FeatureCache) -> str:
    """What a process has said that was left to end by itself."""
    return subprocess.run(command(script, cache), cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=True).stdout


@contextmanager
def opened(cache: FeatureCache, key: ShardKey = KEY_OF_ROWS, needed: int = 0) -> Iterator[Shard]:
    with cache.open([(key, SHAPE)], needed) as [shard]:
        yield shard


def fill(cache: FeatureCache, key: ShardKey = KEY_OF_ROWS, digests: Sequence[bytes] = DIGESTS) -> Path:
    """Put rows on a shard; return its folder."""
    before = set(cache.root.iterdir()) if cache.root.exists() else set()
    with opened(cache, key) as shard:
        shard.add(digests, rows_of(digests))
    [folder] = {path for path in cache.root.iterdir() if path.is_dir()} - before
    return folder


def last_used(folder: Path, seconds_ago: float) -> None:
    then = time.time() - seconds_ago
    os.utime(folder / LOCK, (then, then))


def assert_holds(shard: Shard, digests: Sequence[bytes]) -> None:
    """These and no others are on the shard, each with the row that it should have, and everything works as usual."""
    assert len(shard) == len(digests) == len(shard.array())
    assert shard.missing(digests).tolist() == []
    if digests:
        np.testing.assert_array_equal(bits(shard.array()[shard.rows(digests)]), bits(rows_of(digests)))
    more = [digest_of(number) for number in range(10_000, 10_005)]
    shard.add(more, rows_of(more))
    np.testing.assert_array_equal(bits(shard.array()[shard.rows(more)]), bits(rows_of(more)))


def test_rows_come_back_as_they_were_put_down(cache: FeatureCache) -> None:
    with opened(cache) as shard:
        assert len(shard) == 0 and shard.array().shape == (0, *SHAPE)
        assert shard.missing(DIGESTS).tolist() == list(range(30))
        shard.add(DIGESTS[:20], rows_of(DIGESTS[:20]))
        assert shard.missing(DIGESTS).tolist() == list(range(20, 30))
        shard.add(DIGESTS[20:], rows_of(DIGESTS[20:]))
        shuffled = random.Random(0).sample(DIGESTS, 30)
        np.testing.assert_array_equal(bits(shard.array()[shard.rows(shuffled)]), bits(rows_of(shuffled)))
        assert shard.missing([]).tolist() == shard.rows([]).tolist() == []
    with opened(cache) as shard:
        assert_holds(shard, DIGESTS)


@pytest.mark.parametrize("shape", [(), (1280,), (14, 14, 112)])
def test_rows_may_have_any_shape(cache: FeatureCache, shape: tuple[int, ...]) -> None:
    rows = np.random.default_rng(0).standard_normal((3, *shape)).astype(np.float16)
    for _ in range(2):
        with cache.open([(KEY_OF_ROWS, shape)], 0) as [shard]:
            shard.add(DIGESTS[:3], rows)
            np.testing.assert_array_equal(shard.array(), rows)


def test_the_array_is_mapped_from_the_disk_and_cannot_be_written_to(cache: FeatureCache) -> None:
    with opened(cache) as shard:
        shard.add(DIGESTS[:2], rows_of(DIGESTS[:2]))
        earlier = shard.array()
        shard.add(DIGESTS[2:], rows_of(DIGESTS[2:]))
        assert isinstance(earlier, np.memmap) and earlier.shape == (2, *SHAPE) and earlier.dtype == np.float16
        np.testing.assert_array_equal(bits(earlier), bits(rows_of(DIGESTS[:2])))
        with pytest.raises(ValueError, match="read-only"):
            earlier[0] = 0


def test_rows_need_not_lie_in_one_piece(cache: FeatureCache) -> None:
    turned = np.ascontiguousarray(rows_of(DIGESTS).transpose(2, 1, 0)).transpose(2, 1, 0)
    with opened(cache) as shard:
        shard.add(DIGESTS, turned)
        assert_holds(shard, DIGESTS)


def test_a_digest_counts_once_and_keeps_its_first_row(cache: FeatureCache) -> None:
    one, other, third = DIGESTS[:3]
    with opened(cache) as shard:
        assert shard.missing([one, other, one, one]).tolist() == [0, 1]
        shard.add([one, other, one], rows_of([one, other, third]))
        shard.add([other, third], rows_of([one, third]))
        assert len(shard) == 3
        assert shard.rows([one, one, other]).tolist() == [0, 0, 1]
    with opened(cache) as shard:
        assert_holds(shard, [one, other, third])


def test_digests_are_those_of_a_scan(workplace: Workplace, cache: FeatureCache) -> None:
    photo = next(workplace.colours.rglob("*.png"))
    digest = inspect_photo(photo).digest
    assert len(digest) == DIGEST_BYTES
    with opened(cache) as shard:
        shard.add([digest], rows_of([digest]))
        assert shard.rows([digest]).tolist() == [0]


def test_a_second_process_reuses_what_the_first_has_kept(cache: FeatureCache) -> None:
    adding = "with cache.open([(KEY_OF_ROWS, (5, 100))], 0) as [shard]:\n"
    adding += "    shard.add([digest_of(n) for n in range(30)], np.stack([row_of(digest_of(n)) for n in range(30)]))"
    said(adding, cache)
    with opened(cache) as shard:
        assert shard.missing(DIGESTS).tolist() == []
        assert_holds(shard, DIGESTS)


def test_what_is_committed_does_not_wait_for_the_end(cache: FeatureCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_cache, "COMMIT_SECONDS", math.inf)
    with opened(cache) as shard:
        [photos] = cache.root.glob(f"*/{PHOTOS}")
        shard.add(DIGESTS[:5], rows_of(DIGESTS[:5]))
        assert photos.stat().st_size == 0
        shard.commit()
        assert photos.stat().st_size == 5 * RECORD_BYTES
        monkeypatch.setattr(feature_cache, "COMMIT_SECONDS", 0.0)
        shard.add(DIGESTS[5:7], rows_of(DIGESTS[5:7]))
        assert photos.stat().st_size == 7 * RECORD_BYTES, "committed by itself"


def test_what_was_added_before_an_error_is_kept(cache: FeatureCache) -> None:
    with pytest.raises(KeyboardInterrupt), opened(cache) as shard:
        shard.add(DIGESTS, rows_of(DIGESTS))
        raise KeyboardInterrupt
    with opened(cache) as shard:
        assert_holds(shard, DIGESTS)


def kill_while_adding(cache: FeatureCache, seed: int, kept: int, seconds: float) -> None:
    with child(ADDER, cache, seed):
        eventually(lambda: cache.used() > (kept + 1) * (ROW_BYTES + RECORD_BYTES), "rows were added")
        time.sleep(seconds)


@pytest.mark.thorough
def test_a_kill_at_any_moment_leaves_only_whole_rows(cache: FeatureCache) -> None:
    chance, kept = random.Random(1), 0
    for seed in range(10):
        kill_while_adding(cache, seed, kept, chance.uniform(0, 0.2))
        with opened(cache) as shard:
            assert len(shard) >= kept, "what was committed once stays"
            kept = len(shard)
            digests = [digest_of(number) for number in range(kept)]
            assert shard.missing(digests).tolist() == []
            assert shard.rows(digests).tolist() == list(range(kept))
            assert not kept or np.array_equal(bits(shard.array()), bits(rows_of(digests)))
    assert kept > 0


@pytest.mark.thorough
def test_a_kill_while_shards_are_opened_and_removed_leaves_only_whole_ones(cache: FeatureCache) -> None:
    small, chance = FeatureCache(cache.root, 100 * 1024), random.Random(2)
    for seed in range(6):
        with child(OPENER, small, seed) as process:
            time.sleep(chance.uniform(0, 0.3))
            assert process.poll() is None
        for number in range(8):
            with opened(small, key_of(number)) as shard:
                digests = [digest_of(place) for place in range(len(shard))]
                assert shard.missing(digests).tolist() == []
                assert not digests or np.array_equal(bits(shard.array()), bits(rows_of(digests)))
        assert small.used() <= small.limit
        assert list(small.root.glob(f"{feature_cache.DELETING}*")) == []


def test_processes_that_open_and_remove_at_once_do_one_another_no_harm(cache: FeatureCache) -> None:
    small = FeatureCache(cache.root, 100 * 1024)
    with child(VISITOR, small, 1) as one, child(VISITOR, small, 2) as other, child(VISITOR, small, 3) as third:
        visits = [process.communicate()[0] for process in (one, other, third)]
    assert all(int(made) > 0 for made in visits)
    for number in range(6):
        with opened(small, key_of(number)) as shard:
            digests = [digest_of(place) for place in range(len(shard))]
            assert not digests or np.array_equal(bits(shard.array()[shard.rows(digests)]), bits(rows_of(digests)))


@pytest.mark.parametrize(("left", "whole"), [(0, 0), (1, 0), (ROW_BYTES, 1), (7 * ROW_BYTES + 3, 7), (29_999, 29)])
def test_a_row_file_that_is_too_short_shortens_the_list(cache: FeatureCache, left: int, whole: int) -> None:
    os.truncate(fill(cache) / ROWS, left)
    for more in ([], [digest_of(number) for number in range(10_000, 10_005)]):
        with opened(cache) as shard:
            assert_holds(shard, DIGESTS[:whole] + more)


@pytest.mark.parametrize(
    ("left", "whole"), [(0, 0), (RECORD_BYTES - 1, 0), (RECORD_BYTES, 1), (12 * RECORD_BYTES + 5, 12)]
)
def test_a_list_that_is_too_short_cuts_off_the_rows(cache: FeatureCache, left: int, whole: int) -> None:
    folder = fill(cache)
    os.truncate(folder / PHOTOS, left)
    with opened(cache) as shard:
        assert (folder / ROWS).stat().st_size == whole * ROW_BYTES
        assert_holds(shard, DIGESTS[:whole])


def append(file: Path, content: bytes) -> None:
    file.write_bytes(file.read_bytes() + content)


def swap_records(file: Path) -> None:
    records = file.read_bytes()
    at = 20 * RECORD_BYTES
    swapped = records[at + RECORD_BYTES : at + 2 * RECORD_BYTES] + records[at : at + RECORD_BYTES]
    file.write_bytes(records[:at] + swapped + records[at + 2 * RECORD_BYTES :])


@pytest.mark.parametrize("rows_too", [True, False])
@pytest.mark.parametrize("content", [bytes(RECORD_BYTES), bytes(3 * RECORD_BYTES + 1), b"\xff" * 100, b"x"])
def test_a_torn_end_of_the_list_is_cut_off(cache: FeatureCache, content: bytes, rows_too: bool) -> None:
    folder = fill(cache)
    append(folder / PHOTOS, content)
    if rows_too:
        append(folder / ROWS, bytes(ROW_BYTES * 4 + 17))
    with opened(cache) as shard:
        assert_holds(shard, DIGESTS)


def test_a_record_in_the_wrong_place_ends_the_list(cache: FeatureCache) -> None:
    swap_records(fill(cache) / PHOTOS)
    with opened(cache) as shard:
        assert_holds(shard, DIGESTS[:20])


def test_the_list_of_another_shard_is_not_believed(cache: FeatureCache) -> None:
    mine, other = fill(cache), fill(cache, key_of(1))
    (mine / PHOTOS).write_bytes((other / PHOTOS).read_bytes())
    with opened(cache) as shard:
        assert_holds(shard, [])


def remove(file: Path) -> None:
    file.unlink()


def into_garbage(file: Path) -> None:
    file.write_bytes(b"\xff\xfe{")


def into_another_key(file: Path) -> None:
    file.write_text(file.read_text("utf-8").replace("a1b2", "a1b3"), "utf-8")


def into_half(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:40])


@pytest.mark.parametrize("change", [remove, into_garbage, into_another_key, into_half])
def test_a_shard_that_does_not_say_what_it_holds_is_discarded(
    cache: FeatureCache, change: Callable[[Path], None]
) -> None:
    change(fill(cache) / KEY)
    with opened(cache) as shard:
        assert_holds(shard, [])
    with opened(cache) as shard:
        assert len(shard) == 5, "and is a good one again"


@pytest.mark.parametrize("name", [ROWS, PHOTOS, LOCK])
def test_a_file_that_is_gone_costs_no_more_than_the_rows(cache: FeatureCache, name: str) -> None:
    (fill(cache) / name).unlink()
    with opened(cache) as shard:
        assert_holds(shard, DIGESTS if name == LOCK else [])


def test_rows_of_another_shape_are_discarded(cache: FeatureCache) -> None:
    fill(cache)
    with cache.open([(KEY_OF_ROWS, (100, 5))], 0) as [shard]:
        assert len(shard) == 0
    with opened(cache) as shard:
        assert_holds(shard, [])


@pytest.mark.parametrize(
    "change",
    [
        {"backbone": "resnet50"},
        {"weights": "ffff"},
        {"resolution": 240},
        {"boundary": "features"},
        {"view": "flip"},
        {"precision": "bf16"},
        {"code": 2},
    ],
)
def test_whatever_a_row_depends_on_gives_another_shard(cache: FeatureCache, change: dict[str, object]) -> None:
    fill(cache)
    with cache.open([(replace(KEY_OF_ROWS, **change), SHAPE), (KEY_OF_ROWS, SHAPE)], 0) as [other, mine]:  # type: ignore[arg-type]
        assert (len(other), len(mine)) == (0, 30)


@pytest.mark.parametrize("boundary", ["a/../b", "..", "写真", "x" * 300, "", "a b:c*?"])
def test_a_shard_has_a_plain_name_in_the_cache(cache: FeatureCache, boundary: str) -> None:
    folder = fill(cache, replace(KEY_OF_ROWS, boundary=boundary), DIGESTS[:1])
    assert folder.parent == cache.root and len(folder.name.encode()) < 150
    assert {path.name for path in folder.iterdir()} == {KEY, LOCK, PHOTOS, ROWS}


def test_several_shards_are_opened_at_once_and_one_may_be_named_twice(cache: FeatureCache) -> None:
    wanted = [(key_of(1), SHAPE), (KEY_OF_ROWS, (7,)), (key_of(1), SHAPE)]
    with cache.open(wanted, 0) as [one, other, again]:
        assert one is again
        one.add(DIGESTS, rows_of(DIGESTS))
        other.add(DIGESTS[:2], np.ones((2, 7), np.float16))
        assert (len(one), len(other)) == (30, 2)


def test_nothing_is_opened_where_one_is_in_use(cache: FeatureCache) -> None:
    with opened(cache, key_of(2)):
        with pytest.raises(ShardBusy), cache.open([(key_of(1), SHAPE), (key_of(2), SHAPE)], 0):
            pytest.fail("it was opened")
        with opened(cache, key_of(1)) as shard:
            assert_holds(shard, [])


def test_a_shard_of_another_process_is_busy_until_that_is_dead(cache: FeatureCache) -> None:
    with child(HOLDER, cache, 3):
        with pytest.raises(ShardBusy, match="Another run is using the feature cache"), opened(cache, key_of(3)):
            pytest.fail("it was opened")
        with opened(cache, key_of(4)) as shard:
            assert_holds(shard, [])
    with opened(cache, key_of(3)) as shard:
        assert len(shard) <= 1


def test_shards_that_were_not_used_for_longest_go_first(cache: FeatureCache) -> None:
    folders = [fill(cache, key_of(number)) for number in range(4)]
    for folder, days in zip(folders, (2, 4, 1, 3), strict=True):
        last_used(folder, days * 86_400)
    with opened(cache, key_of(1)) as shard:  # the oldest is used again
        assert_holds(shard, DIGESTS)
    one = max(feature_cache._size(folder) for folder in folders)
    tight = FeatureCache(cache.root, cache.used() + one // 2)
    with opened(tight, key_of(9), needed=one):
        assert [folder.exists() for folder in folders] == [True, True, True, False]
    with opened(tight, key_of(9), needed=3 * one):
        assert [folder.exists() for folder in folders] == [False, True, False, False]


def test_nothing_is_removed_while_there_is_room_or_when_it_would_not_help(cache: FeatureCache) -> None:
    folders = [fill(cache, key_of(number)) for number in range(3)]
    tight = FeatureCache(cache.root, cache.used() + 50_000)
    with opened(tight, key_of(0), needed=40_000) as shard:
        assert_holds(shard, DIGESTS)
    with pytest.raises(NoRoom, match="feature_cache_bytes allows"), opened(tight, key_of(0), needed=tight.limit):
        pytest.fail("its own shard does not count as room")
    assert all(folder.exists() for folder in folders)
    with opened(FeatureCache(cache.root, 1), key_of(0)) as shard:
        assert len(shard) == 35, "for what is there no room is needed"
    assert all(folder.exists() for folder in folders)


def test_shards_in_use_are_not_removed(cache: FeatureCache) -> None:
    mine = fill(cache, key_of(1))
    with child(HOLDER, cache, 2):
        [theirs] = {path for path in cache.root.iterdir() if path.is_dir()} - {mine}
        last_used(theirs, 86_400)
        tight = FeatureCache(cache.root, cache.used() + 10)
        with pytest.raises(NoRoom), opened(tight, key_of(5), needed=tight.limit - 20):
            pytest.fail("it was opened")
        with opened(tight, key_of(5), needed=20):
            assert theirs.exists() and not mine.exists()
        cache.clear()
        assert theirs.exists()
    cache.clear()
    assert not theirs.exists() and cache.used() == 0


def test_room_counts_what_could_be_removed(cache: FeatureCache) -> None:
    fill(cache, key_of(1))
    tight = FeatureCache(cache.root, cache.used() + 1000)
    assert tight.room(0) and tight.room(1000) and tight.room(tight.limit)
    assert not tight.room(tight.limit + 1)
    with opened(cache, key_of(1)):
        assert tight.room(1000) and not tight.room(1001 + RECORD_BYTES)


def test_some_of_the_disk_stays_free(cache: FeatureCache) -> None:
    boundless = FeatureCache(cache.root, 10**18)
    free, spare = boundless._disk()
    assert GIGABYTE <= spare <= 10 * GIGABYTE
    assert not boundless.room(free) and not boundless.room(free - spare // 2)
    with pytest.raises(NoRoom, match="are kept free"), opened(boundless, needed=free):
        pytest.fail("it was opened")
    assert boundless.room(MEGABYTE) == (free > spare + MEGABYTE)


def test_a_limit_of_zero_switches_the_cache_off(cache: FeatureCache) -> None:
    off = FeatureCache(cache.root, 0)
    assert not off.room(0) and off.used() == 0
    with pytest.raises(NoRoom, match="switched off"), opened(off):
        pytest.fail("it was opened")
    off.clear()
    assert not cache.root.exists()


def test_looking_writes_nothing(cache: FeatureCache) -> None:
    assert cache.room(1000) and cache.used() == 0 and cache.lacking([(KEY_OF_ROWS, SHAPE)], DIGESTS) > 0
    cache.clear()
    assert not cache.root.exists()


def test_it_is_told_how_many_bytes_are_lacking(cache: FeatureCache) -> None:
    each = ROW_BYTES + RECORD_BYTES
    fill(cache, digests=DIGESTS[:10])
    mine, other = (KEY_OF_ROWS, SHAPE), (key_of(1), SHAPE)
    assert cache.lacking([mine], DIGESTS[:10]) == 0
    assert cache.lacking([mine], [*DIGESTS, *DIGESTS]) == 20 * each
    assert cache.lacking([mine, other, other], DIGESTS) == 50 * each
    assert cache.lacking([(KEY_OF_ROWS, (100, 5))], DIGESTS) == 30 * each
    before = cache.used()
    with cache.open([mine, other], cache.lacking([mine, other], DIGESTS)) as shards:
        for shard in shards:
            shard.add(DIGESTS, rows_of(DIGESTS))
    label = max(len((folder / KEY).read_bytes()) for folder in cache.root.iterdir() if folder.is_dir())
    assert 50 * each <= cache.used() - before <= 50 * each + label


def test_clearing_takes_everything_and_leaves_a_cache_that_works(cache: FeatureCache) -> None:
    fill(cache, key_of(1))
    fill(cache, key_of(2)).rename(cache.root / f"{feature_cache.DELETING}1234")
    assert cache.used() > 60_000
    cache.clear()
    assert cache.used() == 0 and [path.name for path in cache.root.iterdir()] == [feature_cache.EXCLUSIVE]
    with opened(cache) as shard:
        assert_holds(shard, [])


def test_shards_that_stayed_empty_are_swept(cache: FeatureCache) -> None:
    with opened(cache, key_of(1)), opened(cache, key_of(2)):
        assert len([path for path in cache.root.iterdir() if path.is_dir()]) == 2
    with opened(cache, key_of(3)):
        assert len([path for path in cache.root.iterdir() if path.is_dir()]) == 1


def test_a_full_disk_ends_the_adding_and_spoils_nothing(cache: FeatureCache) -> None:
    first, rest, last = said(CROWDED, cache).splitlines()
    assert first.startswith("20 NoRoom The disk is full: the feature cache in ")
    assert (rest, last) == ("20 20", "no more")
    with opened(cache) as shard:
        assert_holds(shard, DIGESTS[:20])


def test_a_folder_that_cannot_be_made_gets_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file where a folder is needed")
    with (
        pytest.raises(FeatureCacheError, match="cannot be used"),
        opened(FeatureCache(tmp_path / "file" / "trunk", GIGABYTE)),
    ):
        pytest.fail("it was opened")


@pytest.mark.parametrize("digest", [b"", b"ab", "z" * 32, "ab" * 16, b"ab" * 16, 7])
def test_what_is_no_digest_is_refused(cache: FeatureCache, digest: object) -> None:
    asked = [DIGESTS[0], digest]
    with opened(cache) as shard:
        for ask in (shard.missing, shard.rows, lambda found: shard.add(found, rows_of(DIGESTS[:2]))):
            with pytest.raises(DataError, match="Expected digests"):
                ask(asked)  # type: ignore[arg-type]
        assert len(shard) == 0


@pytest.mark.parametrize(
    "rows", [np.ones((2, 5, 100), np.float32), np.ones((2, 500), np.float16), np.ones((3, *SHAPE), np.float16)]
)
def test_rows_of_another_kind_are_refused(cache: FeatureCache, rows: NDArray[np.float16]) -> None:
    with opened(cache) as shard:
        with pytest.raises(DataError, match=r"Expected rows of float16 \(2, 5, 100\)"):
            shard.add(DIGESTS[:2], rows)
        assert_holds(shard, [])


def test_a_photo_without_a_row_is_named(cache: FeatureCache) -> None:
    with opened(cache) as shard:
        shard.add(DIGESTS[:3], rows_of(DIGESTS[:3]))
        with pytest.raises(DataError, match=rf"{DIGESTS[3].hex()} has no row among the 3"):
            shard.rows(DIGESTS)


def test_a_shape_without_numbers_is_refused(cache: FeatureCache) -> None:
    with pytest.raises(DataError, match="all sides above 0"), cache.open([(KEY_OF_ROWS, (3, 0))], 0):
        pytest.fail("it was opened")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory by kind is only told on Linux")
def test_rows_do_not_stay_in_memory(cache: FeatureCache) -> None:
    megabytes, grown, same = said(MEMORY, cache).split()
    assert int(megabytes) > 190 and same == "True"
    assert int(grown) < 20


def test_the_store_lies_in_the_home_and_has_ten_gigabytes(workplace: Workplace) -> None:
    assert workplace.settings.feature_cache_folder == workplace.home / "trunk"
    assert workplace.settings.limits.feature_cache_bytes == 10 * GIGABYTE
