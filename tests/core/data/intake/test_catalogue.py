import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from core.data.intake import catalogue
from core.data.intake.catalogue import CANCELLED, FAILED, FINISHED, OFFERED, RUNNING, Fetch, Progress, Request, start
from core.data.intake.catalogue_records import find_builder, find_columns, folder_names, parts_of
from core.data.intake.catalogue_worker import Reporter, explain, fetch_dataset
from core.data.scan.layout import Layout, place
from core.data.scan.walk import Walk
from core.data.subsets import TEST, TRAINING
from core.errors import DataError
from core.settings import Limits, Settings, settings_from
from tests.conftest import PROJECT, eventually

MODULES = ("tests.core.data.tiny_builders",)

needs_tfds = pytest.mark.skipif(
    find_spec("tensorflow_datasets") is None,
    reason=f"the package tensorflow-datasets is not installed ({catalogue.INSTALL})",
)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation of its own, whose user's home must stay empty."""
    (tmp_path / "user").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # TensorFlow Datasets leaves empty folders there
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    return settings_from({"UNFREEZE_HOME": str(tmp_path / "home")})


@pytest.fixture
def begin(settings: Settings) -> Iterator[Any]:
    """Starts fetches of tiny datasets; none outlives the test."""
    fetches: list[Fetch] = []

    def starter(name: str, **limits: int) -> Fetch:
        fetches.append(start(name, replace(settings, limits=Limits(**limits)), MODULES))
        return fetches[-1]

    yield starter
    for fetch in fetches:
        fetch.cancel()


class _Drip(BaseHTTPRequestHandler):
    """Gives a third of a file of 9 MB under /slow, and then nothing more; nothing at all elsewhere."""

    def do_GET(self) -> None:
        if self.path != "/slow":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", "9000000")
        self.end_headers()
        self.wfile.write(bytes(3_000_000))
        self.wfile.flush()
        time.sleep(300)

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a web server on this computer."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Drip) as running:
        running.daemon_threads, running.block_on_close = True, False
        Thread(target=running.serve_forever, daemon=True).start()
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def ended(fetch: Fetch) -> Progress:
    """Wait until a fetch has ended."""
    eventually(lambda: fetch.read().state != RUNNING, f"the fetch ended: {fetch.read()}")
    return fetch.read()


def wait_for(fetch: Fetch, reached: Callable[[Progress], bool]) -> None:
    """Wait until a fetch has got somewhere; fail when it ends before."""
    eventually(lambda: reached(fetch.read()) or fetch.read().state != RUNNING, "the fetch got on")
    assert fetch.read().state == RUNNING, fetch.log_file.read_text()


def photos_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def asked(settings: Settings, name: str, most: int = 1000) -> Reporter:
    """Write a request as `start` does, for work in this process."""
    request = Request(name, str(settings.home / "data"), str(settings.datasets_folder), most, MODULES)
    fetch = Fetch(settings.home / "work")
    fetch.work_folder.mkdir(parents=True)
    (fetch.work_folder / "request.json").write_text(json.dumps(request.__dict__))
    fetch.write(Progress(name, created=time.time()))
    return Reporter(fetch)


@pytest.mark.parametrize(
    "name", ["", "Cifar10", "../secrets", "a b", "cifar10:newest", "huggingface:mnist", "-x", "a/"]
)
def test_what_is_no_name_is_refused(name: str, settings: Settings) -> None:
    with pytest.raises(DataError, match="not a name in the catalogue"):
        start(name, settings)
    assert not settings.home.exists()


def test_without_downloads_nothing_is_started(settings: Settings) -> None:
    with pytest.raises(DataError, match=r"switched off.*UNFREEZE_OFFLINE.*another computer"):
        start("cifar10", replace(settings, allow_downloads=False))
    assert not settings.home.exists() and catalogue.current(settings) is None


def test_without_the_package_the_command_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert not catalogue.is_installed()
    with pytest.raises(DataError, match=r"--extra tfds app\.py"):
        start("cifar10", settings)


@needs_tfds
def test_an_offered_dataset_above_the_limit_is_refused_before_it_is_downloaded(settings: Settings) -> None:
    with pytest.raises(DataError, match="101,000 photos; at most 1,000"):
        start("food101", replace(settings, limits=Limits(files=1000)))


def test_the_server_imports_no_tensorflow_for_it() -> None:
    script = (
        "import sys, core.data.intake.catalogue as c; c.is_installed();"
        " print(*[m for m in sys.modules if 'tensorf' in m])"
    )
    said = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert said.stdout.split() == []


@pytest.mark.parametrize(
    ("splits", "expected"),
    [
        (["train"], {"train": ""}),
        (["test", "train"], {"test": "test", "train": "train"}),
        (["train", "validation", "test"], {"train": "train", "validation": "validation", "test": "test"}),
        (["train", "val", "extra"], {"train": "train", "val": "validation"}),
        (["train", "unlabelled"], {"train": ""}),
        (["test", "validation"], {"test": "", "validation": ""}),
        (["test"], {"test": ""}),
        (["real", "sketch"], {"real": "", "sketch": ""}),
    ],
)
def test_parts_become_a_ready_split_where_there_is_training_and_more(
    splits: list[str], expected: dict[str, str]
) -> None:
    assert parts_of(dict.fromkeys(splits)) == expected


def test_names_of_classes_become_folders_that_every_system_can_tell_apart() -> None:
    names = ["a/b", "A_B", "a:b", "con", "..", "?", "薔薇", "n02085620-chihuahua"]
    assert folder_names(names) == ("a_b", "A_B 2", "a_b 3", "_con", "class 4", "class 5", "薔薇", "n02085620-chihuahua")


def test_what_was_begun_and_not_finished_is_removed(tmp_path: Path) -> None:
    whole, half = tmp_path / "downloads" / "x.tgz", tmp_path / "downloads" / f"x.tgz.tmp.{'0a' * 16}" / "x.tgz"
    records = tmp_path / "x" / "incomplete.AB12CD_1.0.0" / "records"
    for file in (whole, half, records, tmp_path / "x" / "incomplete.0123.json"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    catalogue.remove_incomplete(tmp_path)
    assert photos_in(tmp_path) == ["downloads/x.tgz"]
    assert [path.name for path in (tmp_path / "x").iterdir()] == []


def wrapped(error: Exception) -> Exception:
    outer = RuntimeError("Error while extracting")
    outer.__cause__ = error
    return outer


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(28, "No space left on device"), "disk became full"),
        (MemoryError(), "ran out of memory"),
        (ImportError("Failed importing pydub. Install it"), "needs a package .*pydub"),
        (wrapped(OSError(28, "No space left on device")), "disk became full"),
        (TimeoutError("timed out"), "timed out.*connection to the Internet.*sample"),
        (KeyError("odd"), "could not prepare “tiny”.*KeyError: 'odd'.*log.txt"),
    ],
)
def test_what_goes_wrong_is_said_in_words(error: Exception, words: str, settings: Settings) -> None:
    reporter = asked(settings, "tiny")
    assert re.search(words, explain(error, reporter.fetch))


@needs_tfds
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tf_flowerz", "no dataset “tf_flowerz”. Did you mean “tf_flowers”"),
        ("eurosat/rbg", "“eurosat” has no variant “rbg”. Did you mean “rgb”"),
        ("cifar10:9.9.9", "Leave out the version to get 3.0.2"),
        ("tiny_by_hand", "by hand"),
        ("tiny_heights", "no photos with one class each.*height"),
        ("celeb_a", "no photos with one class each.*landmarks"),
    ],
)
def test_what_cannot_be_trained_on_is_refused_before_anything_is_downloaded(
    name: str, words: str, settings: Settings
) -> None:
    __import__(MODULES[0])
    with pytest.raises(DataError, match=words):
        find_columns(find_builder(Request(name, str(settings.home), "", 1000)))
    assert not settings.home.exists()


@needs_tfds
@pytest.mark.parametrize("offer", OFFERED, ids=lambda offer: offer.name)
def test_the_table_of_offers_agrees_with_the_installed_catalogue(offer: catalogue.Offer, settings: Settings) -> None:
    builder = find_builder(Request(offer.name, str(settings.home), "", 1000))
    assert len(find_columns(builder).class_names) == offer.classes
    assert offer.megabytes == round(sum(int(info.size) for info in builder.url_infos.values()) / 1e6)


@needs_tfds
def test_a_dataset_is_written_out_by_a_process_of_its_own(settings: Settings, begin: Any) -> None:
    from tests.core.data.tiny_builders import jpeg

    (settings.datasets_folder / "tiny_squares").mkdir(parents=True)
    fetch = begin("tiny_squares")
    assert fetch.read().state == RUNNING
    progress = ended(fetch)
    folder = settings.datasets_folder / "tiny_squares 2"
    assert (progress.state, progress.folder, progress.photos) == (FINISHED, str(folder), 9), fetch.log_file.read_text()
    assert progress.words == "9 photos are written; left out: the part “extra”, photos without a class: 1"
    files = photos_in(folder)
    assert [Path(file).parent.as_posix() for file in files].count("train/a_b") == 3
    assert {(folder / file).read_bytes() for file in files} == {jpeg(number) for number in range(5)}, "byte for byte"
    assert sorted(path.name for path in settings.datasets_folder.iterdir()) == ["tiny_squares", "tiny_squares 2"]
    assert photos_in(settings.home / "tfds" / "data") == [], "the copy in records is gone"
    assert list((settings.home.parent / "user").iterdir()) == [], "nothing is written elsewhere"
    found = Walk(folder, [folder], Limits())
    parts = place(Layout(), folder, [file.path for file in found.files], []).subsets
    assert sorted(set(parts.values())) == sorted({TRAINING, TEST}), "it is read back as a ready split"
    assert catalogue.current(settings) == fetch, "it is found again"
    fetch.dismiss()
    assert catalogue.current(settings) is None and len(photos_in(folder)) == 9


@needs_tfds
def test_classes_lie_side_by_side_where_there_is_one_part(settings: Settings) -> None:
    reporter = asked(settings, "tiny_test")
    fetch_dataset(reporter.fetch.request(), reporter)
    folder = Path(reporter.fetch.read().folder)
    assert (
        photos_in(folder) == ["0/test_000003.png", "1/test_000001.png", "2/test_000002.png"]
        or len(photos_in(folder)) == 3
    )
    assert sorted(path.name for path in folder.iterdir()) == ["0", "1", "2"]
    assert {path.suffix for path in folder.rglob("*.*")} == {".png"}


@needs_tfds
def test_a_part_without_labels_leaves_no_ready_split(settings: Settings) -> None:
    reporter = asked(settings, "tiny_unlabelled")
    fetch_dataset(reporter.fetch.request(), reporter)
    assert sorted(path.name for path in Path(reporter.fetch.read().folder).iterdir()) == ["A_B 2", "a_b"]
    assert reporter.fetch.read().words == "4 photos are written; left out: photos without a class: 2"


@needs_tfds
def test_more_photos_than_the_limit_are_refused_before_they_are_written(settings: Settings) -> None:
    reporter = asked(settings, "tiny_test", most=2)
    with pytest.raises(DataError, match="has 3 photos; at most 2 are taken"):
        fetch_dataset(reporter.fetch.request(), reporter)
    assert not settings.datasets_folder.exists()


@needs_tfds
def test_a_disk_that_is_too_small_is_refused_before_the_download(
    settings: Settings, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reporter = asked(settings, "tf_flowers")
    usage = type("Usage", (), {"free": 600_000_000})
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage)
    with pytest.raises(DataError, match=r"needs up to 686.4 MB .* 600.0 MB are free"):
        fetch_dataset(reporter.fetch.request(), reporter)


@needs_tfds
def test_cancel_ends_a_download_in_the_middle(
    settings: Settings, begin: Any, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINY_URL", f"{server}/slow")
    fetch = begin("tiny_download")
    wait_for(fetch, lambda progress: progress.words == "Downloading: 3 of 9 MB")
    assert fetch.read().share == pytest.approx(1 / 3, abs=0.01)
    with pytest.raises(DataError, match="“tiny_download” is still being fetched"):
        begin("tiny_squares")
    with pytest.raises(DataError, match="still going"):
        fetch.dismiss()
    pid = int((fetch.work_folder / "pid").read_text())
    fetch.cancel()
    assert fetch.read().state == CANCELLED and "kept for the next try" in fetch.read().words
    assert photos_in(settings.home / "tfds" / "data") == [], "half an archive is of no use"
    eventually(lambda: not_running(pid), "the process was gone")
    fetch.cancel()
    fetch.dismiss(keep_download=False)
    assert catalogue.current(settings) is None and not (settings.home / "tfds" / "data" / "tiny_download").exists()


@pytest.mark.thorough
@needs_tfds
def test_cancel_while_photos_are_written_leaves_none(settings: Settings, begin: Any) -> None:
    fetch = begin("tiny_slow")
    wait_for(fetch, lambda progress: progress.photos > 1)
    assert list(settings.datasets_folder.rglob("*.jpg"))
    assert not (settings.datasets_folder / "tiny_slow").exists(), "it appears whole or not at all"
    fetch.cancel()
    assert fetch.read().state == CANCELLED
    assert list(settings.datasets_folder.iterdir()) == []
    assert photos_in(settings.home / "tfds" / "data" / "tiny_slow"), "what was prepared is kept"
    assert "by hand" in ended(begin("tiny_by_hand")).error
    assert not (settings.home / "tfds" / "data" / "tiny_slow").exists(), "until another dataset is fetched"


@needs_tfds
def test_a_killed_worker_is_noticed_and_the_next_start_sweeps_up(
    settings: Settings, begin: Any, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINY_URL", f"{server}/slow")
    fetch = begin("tiny_download")
    wait_for(fetch, lambda progress: progress.share is not None)
    os.kill(int((fetch.work_folder / "pid").read_text()), signal.SIGKILL)
    progress = ended(fetch)
    assert progress.state == FAILED and "without a message" in progress.error and "Start it again" in progress.error
    monkeypatch.setenv("TINY_URL", f"{server}/gone")
    progress = ended(begin("tiny_download"))
    assert progress.state == FAILED
    assert "127.0.0.1 did not deliver the file" in progress.error and "404" in progress.error
    assert photos_in(settings.home / "tfds" / "data") == []


def test_a_worker_that_never_comes_is_noticed(settings: Settings) -> None:
    reporter = asked(settings, "tiny")
    assert reporter.fetch.read().state == RUNNING
    reporter.fetch.write(Progress("tiny", created=time.time() - 2 * catalogue.START_SECONDS))
    assert reporter.fetch.read().state == FAILED
    (reporter.fetch.work_folder / "progress.json").write_text("{")
    assert "Start it again" in reporter.fetch.read().error


@needs_tfds
def test_without_a_connection_there_is_a_clear_sentence(settings: Settings, begin: Any) -> None:
    try:
        socket.create_connection(("www.cs.toronto.edu", 443), timeout=5).close()
    except OSError:
        progress = ended(begin("cifar10"))
        assert progress.state == FAILED
        assert "“cifar10” could not be downloaded from www.cs.toronto.edu" in progress.error
        assert "needs a connection to the Internet" in progress.error and "another computer" in progress.error
        assert "Traceback" not in progress.error
        assert "Traceback" in Fetch(settings.home / "tfds" / "fetch").log_file.read_text()
    else:
        pytest.skip("this computer has a connection to the Internet")


def not_running(pid: int) -> bool:
    """Whether a child has ended; it is waited for, as the server does when it starts its next one."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True
