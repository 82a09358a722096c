"""The process that fetches a dataset: `python -m core.data.intake.catalogue_worker WORK_FOLDER`.

`core.data.intake.catalogue` is the server's side.

TensorFlow Datasets first writes its own copy, as records; from these the photos are written out as files, byte for byte
as they were recorded, and then the copy is removed.
"""

import importlib
import os
import re
import shutil
import socket
import sys
import threading
import time
import traceback
import urllib.error
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.data.intake.catalogue import FAILED, FINISHED, WAY_OUT, Fetch, Request, check_count
from core.data.intake.catalogue_records import Written, find_builder, find_columns, parts_of, write_out
from core.data.intake.incoming import folder_name, free_names, in_words, move_in, unfinished
from core.errors import DataError, UnfreezeError
from core.language import number, placeholders, tr, tr_context, tr_mark, tr_plural
from core.processes.children import BACKGROUND, settle_in
from core.settings import MEGABYTE

CONNECT_SECONDS, SILENT_SECONDS, RETRIES = 8, 30, 2
"""How long to wait for a connection and for the next bytes, and how often to try again."""

COPIES = 3
"""How many times the size of its download a dataset may need at the same time: archive, records, photos."""

BLOCK = 4096
"""What a file takes on disk beyond its bytes, at most, on usual file systems."""

REPORT_SECONDS = 0.5


NETWORK = (urllib.error.URLError, ConnectionError, TimeoutError, socket.gaierror)

FAILURES: tuple[tuple[Callable[[BaseException], bool], str], ...] = (
    (
        lambda error: bool(re.search("no space left|quota exceeded", str(error), re.IGNORECASE)),
        tr_mark("The disk became full while “{name}” was fetched. Make room, or choose a smaller dataset."),
    ),
    (
        lambda error: isinstance(error, MemoryError),
        tr_mark("This computer ran out of memory while “{name}” was fetched. Choose a smaller dataset."),
    ),
    (
        lambda error: isinstance(error, ImportError),
        tr_mark("“{name}” needs a package that is not installed: {message}. Choose another dataset."),
    ),
    (
        lambda error: type(error).__name__ == "NonMatchingChecksumError",
        tr_mark(
            "What arrived for “{name}” is not what the catalogue expects: the file was cut off, or its owners have"
            " changed it. Try again; if that does not help, choose another dataset."
        ),
    ),
    (
        lambda error: type(error).__name__ == "DownloadError",
        tr_mark(
            "“{name}” could not be downloaded: {host} did not deliver the file ({message}). Its owners may have moved"
            " it. Try again later, or choose another dataset."
        ),
    ),
    (
        lambda error: isinstance(error, NETWORK) or type(error).__module__.startswith("requests."),
        tr_mark(
            "“{name}” could not be downloaded from {host} ({reason}). Unfreeze needs a connection to the Internet for"
            " it; check it, and try again. {way_out}"
        ),
    ),
)
"""The message for an error, or for one that caused it; the first that fits."""

UNKNOWN_FAILURE = tr_mark(
    "TensorFlow Datasets could not prepare “{name}” ({kind}: {message}). Its whole output is in {log}. {way_out}"
)


class Reporter:
    """Writes how far a fetch is, from any thread."""

    def __init__(self, fetch: Fetch) -> None:
        """Go on from what is written."""
        self.fetch, self._progress = fetch, fetch.read()
        self._lock = threading.Lock()
        self._next = 0.0

    def tell(self, **changes: Any) -> None:
        """Write at once."""
        with self._lock:
            self._progress = replace(self._progress, **changes)
            self.fetch.write(self._progress)
            self._next = time.monotonic() + REPORT_SECONDS

    def tell_often(self, **changes: Any) -> None:
        """Write if the last time was long enough ago."""
        if time.monotonic() >= self._next:
            self.tell(**changes)


def main(work_folder: Path) -> None:
    """Carry out the request in a work folder, holding its lock from the first moment to the last."""
    settle_in(BACKGROUND)
    fetch = Fetch(work_folder)
    with fetch.held():
        reporter = Reporter(fetch)
        reporter.tell(words=tr("Loading TensorFlow Datasets"), arrived=True)
        try:
            _prepare_libraries()
            fetch_dataset(fetch.request(), reporter)
        except Exception as error:
            # The process is about to end: whatever it was, the person who waits must read of it.
            traceback.print_exc()
            fetch.clean_up()
            sentence = error.text if isinstance(error, UnfreezeError) else explain(error, fetch)
            reporter.tell(state=FAILED, words=tr("Failed"), share=None, photos=0, unfinished="", error=sentence)
            sys.stderr.flush()
            os._exit(1)  # other downloads of the same dataset may still be going on in threads; nobody waits for them


def fetch_dataset(request: Request, reporter: Reporter) -> None:
    """Download a dataset, write it out, and remove the download.

    Raises:
        DataError: It is not known, holds no photos with classes, is too large, or there is no room for it.
        Exception: Whatever TensorFlow Datasets raises; see `explain`.
    """
    for module in request.modules:
        importlib.import_module(module)
    builder = find_builder(request)
    columns = find_columns(builder)
    _download(builder, Path(request.data_folder), reporter)
    parts = parts_of(builder.info.splits)
    splits = [builder.info.splits[name] for name in parts]
    total = sum(split.num_examples for split in splits)
    check_count(request.name, total, request.most_photos)
    wanted = Path(request.datasets_folder) / _folder_name(request.name)
    needed = sum(split.num_bytes for split in splits) + total * BLOCK

    def on_photo(done: int) -> None:
        words = tr("Writing photos: {count} of {total}", count=done, total=total)
        reporter.tell_often(words=words, share=done / max(1, total), photos=done)

    with unfinished(wanted.parent, needed) as hidden:
        reporter.tell(words=tr("Writing photos"), share=0.0, unfinished=str(hidden))
        written = write_out(builder, columns, parts, hidden / "photos", on_photo)
        folder = move_in(written.folder, free_names(wanted))
    shutil.rmtree(request.data_folder, ignore_errors=True)
    words = _in_the_end(written, [name for name in builder.info.splits if name not in parts])
    reporter.tell(state=FINISHED, words=words, share=1.0, photos=written.photos, folder=str(folder), unfinished="")


def explain(error: BaseException, fetch: Fetch) -> str:
    """The message for what went wrong while a dataset was fetched, and what can be done about it."""
    name, chain = fetch.request().name, list(_chain(error))
    fitting = ((sentence, link) for fits, sentence in FAILURES for link in chain if fits(link))
    sentence, cause = next(fitting, (UNKNOWN_FAILURE, error))
    values = {
        "name": name,
        "host": _host(chain),
        "kind": type(cause).__name__,
        "message": _first_line(cause),
        "reason": _reason(cause),
        "log": str(fetch.log_file),
        "way_out": tr(WAY_OUT),
    }
    return tr(sentence, **{each: values[each] for each in placeholders(sentence)})


def _prepare_libraries() -> None:
    """Make downloads fail soon: by default they are tried ten times, for 200 s, and wait for an answer for ever."""
    import requests  # type: ignore[import-untyped, unused-ignore]
    import tensorflow_datasets as tfds  # type: ignore[import-untyped, unused-ignore]
    from tensorflow_datasets.core.download import downloader  # type: ignore[import-untyped, unused-ignore]

    send = requests.adapters.HTTPAdapter.send

    def send_in_time(self: Any, request: Any, **options: Any) -> Any:
        return send(
            self, request, **{**options, "timeout": options.get("timeout") or (CONNECT_SECONDS, SILENT_SECONDS)}
        )

    requests.adapters.HTTPAdapter.send = send_in_time  # type: ignore[method-assign, assignment, unused-ignore]
    downloader.MAX_RETRIES = RETRIES
    socket.setdefaulttimeout(SILENT_SECONDS)  # for FTP
    tfds.disable_progress_bar()


def _download(builder: Any, data_folder: Path, reporter: Reporter) -> None:
    import tensorflow_datasets as tfds  # type: ignore[import-untyped, unused-ignore]

    archives = data_folder / "downloads"
    expected = _download_size(builder)
    _check_room(builder.name, COPIES * expected - _bytes_in(data_folder), data_folder)
    config = tfds.download.DownloadConfig(try_download_gcs=False)
    with _watched(archives, expected, reporter):
        builder.download_and_prepare(download_dir=archives, download_config=config)


def _download_size(builder: Any) -> int:
    """Return how many bytes a dataset downloads, or 0 where it is not known: the list is one for all variants."""
    known = {} if len(builder.BUILDER_CONFIGS) > 1 else builder.url_infos or {}
    return sum(int(info.size) for info in known.values())


def _check_room(name: str, needed: int, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            tr(
                "“{name}” needs up to {needed} on the disk while it is fetched, and {free} are free for {folder}. Make"
                " room, choose a smaller dataset, or set UNFREEZE_HOME to a folder on a larger disk.",
                name=str(name),
                needed=in_words(needed),
                free=in_words(free),
                folder=str(folder),
            )
        )


@contextmanager
def _watched(archives: Path, expected: int, reporter: Reporter) -> Iterator[None]:
    """Tell how much has arrived, from a thread of its own, as long as the block lasts."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(REPORT_SECONDS):
            reporter.tell(**_arrived(_bytes_in(archives), expected))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _arrived(found: int, expected: int) -> dict[str, Any]:
    """Return what to tell when so many bytes of those expected (0: unknown) are there."""
    if not expected:
        arriving = tr("Downloading and sorting: {size} have arrived", size=in_words(found))
        return {"words": arriving if found else tr("Downloading and sorting"), "share": None}
    if not found:
        return {"words": tr("Requesting the download"), "share": None}
    if found >= expected:
        return {"words": tr("Unpacking and sorting what has arrived; this can take some minutes"), "share": None}
    words = tr(
        "Downloading: {arrived} of {total} MB",
        arrived=number(found / MEGABYTE),
        total=number(expected / MEGABYTE),
    )
    return {"words": words, "share": found / expected}


def _bytes_in(folder: Path) -> int:
    """Return the size of all archives below a folder; what was unpacked from them does not count."""
    total = 0
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != "extracted"]
        for name in files:
            total += _size(Path(parent) / name)
    return total


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # a finished download has just been renamed
        return 0


def _folder_name(name: str) -> str:
    return folder_name(name.partition(":")[0].replace("/", "-"), "a dataset")


def _in_the_end(written: Written, other_parts: list[str]) -> str:
    left_out: list[str] = [tr("the part “{part}”", part=name) for name in other_parts]
    left_out += [tr("photos without a class: {count}", count=written.unlabelled)] if written.unlabelled else []
    if not left_out:
        return tr_plural("{count} photo is written", "{count} photos are written", written.photos)
    all_of_it = left_out[0]
    for each in left_out[1:]:
        all_of_it = tr_context("list", "{before}, {next}", before=all_of_it, next=each)
    return tr_plural(
        "{count} photo is written; left out: {what}",
        "{count} photos are written; left out: {what}",
        written.photos,
        what=all_of_it,
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _host(chain: list[BaseException]) -> str:
    asked = (getattr(getattr(link, "request", None), "url", None) for link in chain)
    found = (re.search(r"https?://[^\s/]+", str(link)) for link in chain)
    address = next(filter(None, asked), None) or next((match[0] for match in found if match), "")
    return urllib.parse.urlsplit(address).hostname or tr("its owners' server")


def _reason(error: BaseException) -> str:
    """Return the bare reason: what libraries wrap around it does not help the person who waits."""
    inner = getattr(error.args[0], "reason", None) if error.args else None
    return _first_line(inner or error).rpartition("): ")[2][:200] or type(error).__name__


def _first_line(error: object) -> str:
    return next(iter(str(error).strip().splitlines()), "")[:300].rstrip(".")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
