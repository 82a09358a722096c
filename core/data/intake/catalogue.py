"""TensorFlow Datasets as a source of photos: they are fetched by name and written out as class folders.

The server only starts and watches. The work is done by a child process,
`python -m core.data.intake.catalogue_worker WORK_FOLDER`, because it needs TensorFlow.
The two communicate through that one folder alone, so a fetch is found again
after a reload, and after a restart of the server.
"""

import importlib.util
import json
import os
import re
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from core.errors import DataError
from core.files import write_atomically
from core.json_values import read_json
from core.language import from_json, kept, sentences, tr, tr_mark
from core.processes.children import NO_GPU, QUIET, module_command, not_started, start_logged_job
from core.processes.locks import is_locked, locked
from core.settings import Settings

RUNNING, FINISHED, FAILED, CANCELLED = "running", "finished", "failed", "cancelled"

INSTALL = "uv run --no-dev --extra tfds app.py"
"""The command that starts the app with the package that is needed here; once is enough."""

NAME = re.compile(
    r"(?P<dataset>[a-z][a-z0-9_]*)(/(?P<variant>[A-Za-z0-9_.-]+))?(:(?P<version>[0-9]+(\.([0-9]+|\*)){2}))?"
)
"""A dataset in the catalogue's own way of writing: `name`, `name/variant`, `name:1.2.3` or `name/variant:1.2.3`."""

START_SECONDS = 30.0
"""How long a new worker may take to lock its folder before it counts as dead."""

END_SECONDS = 10.0
"""How long a killed worker may take to be gone."""

INCOMPLETE = re.compile(r"incomplete\.|.*\.tmp\.[0-9a-f]{32}$")
"""What TensorFlow Datasets calls files and folders that it has not finished; it never goes on with them."""

WAY_OUT = tr_mark(
    "You can also download photos on another computer and open their folder here, or begin with the built-in sample."
)
DIED = tr_mark(
    "The download ended without a message; perhaps memory or the disk was full, or the computer was switched off. Start"
    " it again: files that had arrived completely are not downloaded a second time."
)


@dataclass(frozen=True)
class Offer:
    """A dataset that is offered in a menu.

    Attributes:
        name: In the catalogue.
        title_message: The name that people read, in English.
        classes: How many classes.
        photos: How many photos, in all its parts.
        megabytes: Size of the download, in units of 1,000,000 bytes.
    """

    name: str
    title_message: str
    classes: int
    photos: int
    megabytes: int

    @property
    def title(self) -> str:
        """The name that people read."""
        return tr(self.title_message)


OFFERED: tuple[Offer, ...] = (
    Offer("tf_flowers", tr_mark("Flowers of 5 kinds"), 5, 3_670, 229),
    Offer("cats_vs_dogs", tr_mark("Cats and dogs"), 2, 23_262, 825),
    Offer("stanford_dogs", tr_mark("Dogs of 120 breeds"), 120, 20_580, 816),
    Offer("food101", tr_mark("Food: 101 dishes"), 101, 101_000, 4_996),
    Offer("cifar10", tr_mark("Tiny pictures of 10 kinds of animals and vehicles"), 10, 60_000, 170),
    Offer("cifar100", tr_mark("Tiny pictures of 100 kinds of things"), 100, 60_000, 169),
)
"""Classes and photos as published in the TFDS catalogue, https://www.tensorflow.org/datasets/catalog/overview; sizes as
in the lists of checksums in the package tensorflow-datasets 4.9.10. Pictures of CIFAR are 32 × 32 pixels."""


@dataclass(frozen=True)
class Request:
    """What a worker is asked to do.

    Attributes:
        name: The dataset, see `NAME`.
        data_folder: Where TensorFlow Datasets keeps its own files for it.
        datasets_folder: Where the class folders go.
        most_photos: More photos are refused.
        modules: Python modules to import first; datasets that they define are known by name, too.
    """

    name: str
    data_folder: str
    datasets_folder: str
    most_photos: int
    modules: tuple[str, ...] = ()


@dataclass(frozen=True)
class Progress:
    """How far a fetch is; replaced as a whole, so that a reader never sees half of it.

    Attributes:
        name: The dataset.
        state: "running", "finished", "failed" or "cancelled".
        words: What is being done, or how it ended, as a sentence without a full stop.
        share: Share of the present step that is done, 0 to 1, or None where it is unknown.
        photos: How many photos are written.
        error: The sentences to show when it failed.
        folder: The new dataset, once it is finished.
        created: When it was asked for, in seconds since 1970 UTC.
        arrived: Whether the worker has begun.
        unfinished: The hidden folder that is being written, or empty.
    """

    name: str = ""
    state: str = RUNNING
    words: str = ""
    share: float | None = None
    photos: int = 0
    error: str = ""
    folder: str = ""
    created: float = 0.0
    arrived: bool = False
    unfinished: str = ""


@dataclass(frozen=True)
class Fetch:
    """A handle on one fetch; holds nothing but the path of its work folder."""

    work_folder: Path

    @property
    def log_file(self) -> Path:
        """What the worker printed, with the traceback when it failed."""
        return self.work_folder / "log.txt"

    @property
    def _request_file(self) -> Path:
        return self.work_folder / "request.json"

    @property
    def _progress_file(self) -> Path:
        return self.work_folder / "progress.json"

    @property
    def _lock_file(self) -> Path:
        return self.work_folder / "lock"

    @property
    def _pid_file(self) -> Path:
        return self.work_folder / "pid"

    @property
    def _temporary_folder(self) -> Path:
        """Where libraries leave what they forget to remove."""
        return self.work_folder / "temporary"

    def read(self) -> Progress:
        """The progress as written, corrected for a worker that died without a message; never fails."""
        written = self._written()
        if written.state != RUNNING or self._is_locked():
            return written
        if not written.arrived and time.time() - written.created < START_SECONDS:
            return written
        written = self._written()  # it may have written its end between our first look and the lock's release
        return written if written.state != RUNNING else replace(written, state=FAILED, share=None, error=tr(DIED))

    def cancel(self) -> None:
        """End the worker at once and remove what it has written; nothing happens where it has ended already.

        Archives that had arrived completely are kept until another dataset is fetched, so that the next try has them.

        Raises:
            DataError: The worker cannot be ended.
        """
        if self.read().state != RUNNING:
            return
        self._kill()
        deadline = time.monotonic() + END_SECONDS
        while self._is_locked():
            if time.monotonic() > deadline:
                raise DataError(tr("The download could not be stopped. Try again in a moment."))
            time.sleep(0.05)
        self.clean_up()
        written = self._written()
        if written.state == RUNNING:
            words = tr("Cancelled. Files that had arrived completely are kept for the next try")
            self.write(replace(written, state=CANCELLED, words=words, share=None, photos=0, unfinished=""))

    def dismiss(self, keep_download: bool = True) -> None:
        """Forget a fetch that has ended. The dataset that it made stays.

        Args:
            keep_download: Whether archives that had arrived completely are kept for the next try.

        Raises:
            DataError: It is still going.
        """
        if self.read().state == RUNNING:
            raise DataError(tr("The download is still going. Cancel it first."))
        self.clean_up()
        if not keep_download:
            with suppress(DataError):
                shutil.rmtree(self.request().data_folder, ignore_errors=True)
        shutil.rmtree(self.work_folder, ignore_errors=True)

    def request(self) -> Request:
        """What was asked for; raises `DataError` where it cannot be read."""
        try:
            values = _known(Request, read_json(self._request_file, dict))
            return Request(**{**values, "modules": tuple(values["modules"])})
        except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
            raise DataError(
                tr(
                    "{file} cannot be read ({reason}). Start the download again.",
                    file=str(self._request_file),
                    reason=str(error),
                )
            ) from error

    def clean_up(self) -> None:
        """Remove what was begun and is of no use; only for the worker at its end, or once it is gone."""
        with suppress(DataError):
            request, unfinished = self.request(), self._written().unfinished
            remove_incomplete(Path(request.data_folder))
            if unfinished and Path(unfinished).parent == Path(request.datasets_folder):
                shutil.rmtree(unfinished, ignore_errors=True)

    def write(self, progress: Progress) -> None:
        """Replace the progress as a whole."""
        texts = {"words": kept(progress.words), "error": kept(progress.error)}
        write_atomically(self._progress_file, json.dumps({**asdict(progress), **texts}, indent=1))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock that proves life; the system frees it when the process ends, however it ends.

        Raises:
            DataError: Another worker holds it.
        """
        with locked(self._lock_file, seconds=5) as held:
            if not held:
                raise DataError(tr("Another process is already downloading this dataset."))
            self._pid_file.write_text(str(os.getpid()))
            yield

    def _written(self) -> Progress:
        try:
            values = _known(Progress, read_json(self._progress_file, dict))
            return Progress(**{**values, **{key: from_json(values.get(key, "")) for key in ("words", "error")}})
        except (OSError, ValueError, TypeError, AttributeError) as error:
            unknown = tr("It is not known how far the download is ({reason}). Start it again.", reason=str(error))
            return Progress(state=FAILED, error=unknown)

    def _is_locked(self) -> bool:
        return is_locked(self._lock_file)

    def _begin(self, request: Request, keras_home: Path) -> None:
        """Write the request and start the worker; Keras, which TensorFlow loads, writes to `keras_home`."""
        shutil.rmtree(self.work_folder, ignore_errors=True)
        self._temporary_folder.mkdir(parents=True)
        self._request_file.write_text(json.dumps(asdict(request), indent=1), "utf-8")
        self.write(Progress(request.name, words=tr("Starting"), created=time.time()))
        folders = {"KERAS_HOME": str(keras_home), "TMPDIR": str(self._temporary_folder)}
        child = start_logged_job(
            module_command("core.data.intake.catalogue_worker", str(self.work_folder)),
            self.log_file,
            environ={**os.environ, "PYTHONUNBUFFERED": "1", **QUIET, **NO_GPU, **folders},
        )
        self._pid_file.write_text(str(child.pid))

    def _kill(self) -> None:
        """End the worker with all its children: it leads a group of processes of its own."""
        kill_group = getattr(os, "killpg", os.kill)  # not everywhere are there groups
        try:
            kill_group(int(self._pid_file.read_text()), getattr(signal, "SIGKILL", signal.SIGTERM))
        except (ProcessLookupError, FileNotFoundError):
            return
        except (OSError, ValueError) as error:
            raise DataError(tr("The download could not be stopped ({reason}).", reason=str(error))) from error


def is_installed() -> bool:
    """Whether the package tensorflow-datasets is there; nothing is imported."""
    return importlib.util.find_spec("tensorflow_datasets") is not None


def current(settings: Settings) -> Fetch | None:
    """The fetch that is going, or that has ended and was not dismissed; None when there is none."""
    fetch = Fetch(_work_folder(settings))
    return fetch if fetch.work_folder.is_dir() else None


def start(name: str, settings: Settings, modules: Sequence[str] = ()) -> Fetch:
    """Begin to fetch a dataset, and return at once. A fetch that has ended is dismissed.

    Args:
        name: The dataset, see `NAME`; blanks around it do not matter.
        settings: Where things are, and what is allowed.
        modules: Python modules that define more datasets than the catalogue has.

    Raises:
        DataError: It is no name, it is not allowed, the package is missing, or another fetch is still going.
    """
    dataset = _checked(name.strip(), settings)
    home = settings.home / "tfds"
    request = Request(
        name=name.strip(),
        data_folder=str(home / "data" / dataset),
        datasets_folder=str(settings.datasets_folder),
        most_photos=settings.limits.files,
        modules=tuple(modules),
    )
    fetch = Fetch(_work_folder(settings))
    try:
        home.mkdir(parents=True, exist_ok=True)
        with locked(home / ".exclusive", seconds=10) as held:
            if not held:
                raise DataError(tr("Somebody else is starting a download at this very moment. Try again."))
            _dismiss_ended(fetch)
            _clear_downloads(home / "data", keep=dataset)
            fetch._begin(request, settings.keras_home)
    except OSError as error:
        raise DataError(not_started(tr("The download into {folder}", folder=str(home)), error)) from error
    return fetch


def _clear_downloads(folder: Path, keep: str) -> None:
    """Remove what earlier tries have left, except complete archives of the dataset that is tried again."""
    for left in folder.iterdir() if folder.is_dir() else ():
        if left.name != keep:
            shutil.rmtree(left, ignore_errors=True)
    remove_incomplete(folder)


def remove_incomplete(folder: Path) -> None:
    """Remove what TensorFlow Datasets has begun below a folder and not finished; nobody may be at work there."""
    for parent, folders, files in os.walk(folder):
        for name in filter(INCOMPLETE.match, folders):
            shutil.rmtree(Path(parent) / name, ignore_errors=True)
        folders[:] = [name for name in folders if not INCOMPLETE.match(name)]
        for name in filter(INCOMPLETE.match, files):
            (Path(parent) / name).unlink(missing_ok=True)


def _work_folder(settings: Settings) -> Path:
    return settings.home / "tfds" / "fetch"


def _checked(name: str, settings: Settings) -> str:
    """Return the dataset's name without variant and version; raises `DataError` as `start`."""
    match = NAME.fullmatch(name)
    if match is None:
        raise DataError(
            tr(
                "“{name}” is not a name in the catalogue of TensorFlow Datasets. Names are made of lower-case"
                " letters, digits and underscores, as in “tf_flowers”, “eurosat/rgb” or “cifar10:3.0.2”.",
                name=name[:60],
            )
        )
    if not settings.allow_downloads:
        raise DataError(
            sentences(
                tr(
                    "Downloads are switched off (by UNFREEZE_OFFLINE, or by “offline” in the file settings.toml)."
                    " Switch them on, and try again."
                ),
                tr(WAY_OUT),
            )
        )
    if not is_installed():
        raise DataError(
            tr(
                "The package tensorflow-datasets is not installed. End the app and start it once with “{command}”.",
                command=INSTALL,
            )
        )
    photos = next((offer.photos for offer in OFFERED if offer.name == match["dataset"]), 0)
    check_count(name, photos, settings.limits.files)
    return match["dataset"]


def check_count(name: str, photos: int, most: int) -> None:
    """Raise `DataError` when a dataset has more photos than are taken."""
    if photos > most:
        raise DataError(
            tr(
                "“{name}” has {photos} photos; at most {limit} are taken. Choose a smaller one, or raise the limit"
                " “files” in the file settings.toml.",
                name=name,
                photos=photos,
                limit=most,
            )
        )


def _dismiss_ended(fetch: Fetch) -> None:
    before = fetch.read() if fetch.work_folder.is_dir() else None
    if before is not None and before.state == RUNNING:
        raise DataError(
            tr(
                "“{name}” is still being fetched. Wait for it or cancel it, then start the next one.",
                name=before.name,
            )
        )
    if before is not None:
        fetch.dismiss()


def _known(kind: type, values: dict[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in values.items() if name in names}
