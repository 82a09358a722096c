"""What can be set from outside: folders and limits, read once from the environment and a settings file."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import SettingsError, words_of
from core.language import tr, tr_mark

MEGABYTE = 1_000_000
GIGABYTE = 1_000 * MEGABYTE


@dataclass(frozen=True)
class Limits:
    """How much is taken in and kept; what lies above is left out, with its reason.

    Attributes:
        files: Most photos in a dataset, and most entries in a ZIP archive.
        total_bytes: Most bytes that one archive or upload may have once unpacked.
        file_bytes: Largest photo, in bytes.
        pixels: Most pixels of a photo, width times height.
        ratio: How many times smaller than its content an entry of an archive may be.
        depth: How many folders deep a photo may lie.
        uploads: Most photos taken in one upload.
        feature_cache_bytes: Most bytes of the feature cache on disk; 0 switches it off.
        session_upload_bytes: Most bytes of uploads that one browser tab may hold in memory.
        server_upload_bytes: Most bytes of uploads that all tabs together may hold in memory.
    """

    files: int = 200_000
    total_bytes: int = 20 * GIGABYTE
    file_bytes: int = 50 * MEGABYTE
    pixels: int = 89_478_485
    ratio: int = 100
    depth: int = 20
    uploads: int = 200
    feature_cache_bytes: int = 10 * GIGABYTE
    session_upload_bytes: int = 1_200 * MEGABYTE
    server_upload_bytes: int = 2_400 * MEGABYTE


RANGES: Mapping[str, tuple[int, int]] = {
    "files": (1, 10_000_000),
    "total_bytes": (1, 10_000 * GIGABYTE),
    "file_bytes": (1, 2 * GIGABYTE),
    "pixels": (1, 178_956_970),
    "ratio": (1, 1_100),
    "depth": (1, 100),
    "uploads": (1, 10_000),
    "feature_cache_bytes": (0, 10_000 * GIGABYTE),
    "session_upload_bytes": (1, 1_000 * GIGABYTE),
    "server_upload_bytes": (1, 1_000 * GIGABYTE),
}
"""What each limit can be set to. Pillow itself refuses photos above twice 89,478,485 pixels; ZIP packs 1,032 : 1."""


@dataclass(frozen=True)
class Settings:
    """Folders and limits of one installation; handed to whatever needs them, never read from a global.

    Attributes:
        home: The one folder that Unfreeze writes to: runs, sample data, downloaded weights.
        dataset_roots: Folders under which datasets may be picked, resolved, each once.
        weights_folder: Where a person puts weights files by hand; the file names are Keras' own.
        keras_cache: Where Keras keeps downloaded weights.
        allow_downloads: Whether weights may be fetched over the network.
        keep_warm: Whether a trainer may wait, with TensorFlow loaded, while somebody chooses what to train.
        parallel: How many runs may go at once, 1 to 16; further ones wait in the queue.
        hosts: Names besides its addresses by which the server may be called, without port.
        limits: How much is taken in.
    """

    home: Path
    dataset_roots: tuple[Path, ...]
    weights_folder: Path
    keras_cache: Path
    allow_downloads: bool = True
    keep_warm: bool = True
    parallel: int = 1
    hosts: tuple[str, ...] = ()
    limits: Limits = Limits()

    @property
    def runs_folder(self) -> Path:
        """Where runs are kept."""
        return self.home / "runs"

    @property
    def keras_home(self) -> Path:
        """Where Keras in our own processes keeps its configuration, which it writes when it is first imported."""
        return self.home / "keras"

    @property
    def index_folder(self) -> Path:
        """Where it is kept what scans have found."""
        return self.home / "index"

    @property
    def augmentation_costs_file(self) -> Path:
        """What augmentations cost on this machine."""
        return self.home / "augmentation_costs.json"

    @property
    def feature_cache_folder(self) -> Path:
        """Where the feature cache is: outputs of frozen networks for photos."""
        return self.home / "trunk"

    @property
    def architectures_folder(self) -> Path:
        """Where the layers of networks are listed."""
        return self.home / "architectures"

    @property
    def reviews_folder(self) -> Path:
        """Where decisions about photos are kept, beside the photos and never in them."""
        return self.home / "reviews"

    @property
    def label_checks_folder(self) -> Path:
        """Where thorough label checks are kept, in folders like those of runs."""
        return self.home / "label_checks"

    @property
    def recipes_folder(self) -> Path:
        """Where recipes are kept that somebody has saved under a name."""
        return self.home / "recipes"

    @property
    def datasets_folder(self) -> Path:
        """Where datasets made by Unfreeze are kept; always the first of the roots."""
        return self.home / "datasets"


FILE_NAME = "settings.toml"
KINDS: Mapping[str, tuple[type, str]] = {
    "datasets": (list, tr_mark("a list of folders")),
    "weights": (str, tr_mark("a folder")),
    "offline": (bool, tr_mark("true or false")),
    "warm": (bool, tr_mark("true or false")),
    "parallel": (int, tr_mark("a whole number from 1 to 16")),
    "hosts": (list, tr_mark("a list of names")),
    "limits": (dict, tr_mark("a table of limits")),
}
"""What a settings file may hold."""

BOOLEANS: Mapping[str, bool] = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}
"""What a variable that switches something can be, in any case."""

MOST_PARALLEL = 16
LONGEST_SHOWN = 80
"""Characters of a wrong value that are repeated."""


def settings_from(environ: Mapping[str, str] = os.environ, *, shared: bool = False) -> Settings:
    """Read the settings from environment variables, and what they leave open from `settings.toml` in the home.

    `UNFREEZE_HOME` (default `~/unfreeze`), `UNFREEZE_DATASETS` (folders, joined as in PATH; default the user's home),
    `UNFREEZE_WEIGHTS` (default `weights` in the home above), `KERAS_HOME` (default `~/.keras`) and
    `UNFREEZE_OFFLINE=1` to forbid downloads, `UNFREEZE_WARM=0` to have no trainer wait with TensorFlow loaded (both
    take any of `BOOLEANS`), `UNFREEZE_PARALLEL` (default 1) for how many runs may go at once, and `UNFREEZE_HOSTS` for
    names of the server, with commas between. In the file: `datasets`, `weights`, `offline`, `warm`, `parallel`,
    `hosts`, and a table `[limits]` with whole numbers by the names of `Limits`. On a server that is `shared` with
    other computers, datasets may be picked in the user's home only where that is listed. Where there is no home
    directory but `UNFREEZE_HOME` is set, the other defaults lie in it.

    Raises `SettingsError` when the file or a variable holds anything else.
    """
    user = home_of_user()
    if not environ.get("UNFREEZE_HOME") and user is None:
        raise SettingsError(
            tr(
                "There is no home directory: HOME is not set, and this user has none. Set UNFREEZE_HOME to a folder"
                " that Unfreeze may write to."
            )
        )
    home = _folder(environ.get("UNFREEZE_HOME") or f"{user}/unfreeze", WRONG_VARIABLE, name="UNFREEZE_HOME")
    filed = _from_file(home / FILE_NAME)
    listed = [part for part in environ.get("UNFREEZE_DATASETS", "").split(os.pathsep) if part]
    own = [] if shared or user is None else [str(user)]
    file = str(home / FILE_NAME)
    roots = [_folder(root, WRONG_IN_VARIABLE, name="UNFREEZE_DATASETS") for root in listed] or [
        _folder(root, WRONG_IN_FILE, file=file) for root in filed.get("datasets") or own
    ]
    weights = environ.get("UNFREEZE_WEIGHTS")
    return Settings(
        home=home,
        dataset_roots=tuple(dict.fromkeys((home / "datasets", *roots))),
        weights_folder=_folder(weights, WRONG_VARIABLE, name="UNFREEZE_WEIGHTS")
        if weights
        else _folder(filed.get("weights") or str(home / "weights"), WRONG_IN_FILE, file=file),
        keras_cache=_folder(environ.get("KERAS_HOME") or f"{user or home}/.keras", WRONG_VARIABLE, name="KERAS_HOME")
        / "models",
        allow_downloads=not _switch(environ, "UNFREEZE_OFFLINE", filed.get("offline", False)),
        keep_warm=_switch(environ, "UNFREEZE_WARM", filed.get("warm", True)),
        hosts=tuple(environ.get("UNFREEZE_HOSTS", "").replace(",", " ").split() or filed.get("hosts", ())),
        parallel=_parallel(home / FILE_NAME, filed.get("parallel", 1), environ.get("UNFREEZE_PARALLEL", "")),
        limits=_limits(home / FILE_NAME, filed.get("limits", {})),
    )


def make_home(settings: Settings) -> None:
    """Make the folder that everything is written to, if it is not there; raises `SettingsError` where that fails."""
    try:
        settings.datasets_folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            tr(
                "Unfreeze keeps what it makes in {folder}, which cannot be used ({reason}). Set UNFREEZE_HOME to a"
                " folder that may be written to.",
                folder=str(settings.home),
                reason=str(error.strerror),
            )
        ) from error


def home_of_user() -> Path | None:
    """The home directory; None where there is none, as for a user id without a name in a container."""
    try:
        return Path.home()
    except RuntimeError:
        return None


WRONG_VARIABLE = tr_mark(
    "The variable {name} is {path}, which cannot be a folder ({reason}). Correct it, or remove it."
)
WRONG_IN_VARIABLE = tr_mark(
    "A folder in {name} is {path}, which cannot be a folder ({reason}). Correct it, or remove it."
)
WRONG_IN_FILE = tr_mark(
    "In the settings file {file}, a folder is {path}, which cannot be a folder ({reason}). Correct it, or remove it."
)
"""What is told of a setting that names no folder, by where it was set."""


def _folder(path: str, wrong: str, **where: str) -> Path:
    """The folder that a setting names; raises `SettingsError` with the sentence given where it can be none."""
    try:
        if path.strip():
            return Path(path).expanduser().resolve()
        reason: str = tr("it is empty")
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error)
    raise SettingsError(tr(wrong, path=_shown(path), reason=reason, **where))


def _from_file(file: Path) -> dict[str, Any]:
    if not os.access(file.parent, os.X_OK):  # whether it must be there is for whoever writes to it to say
        return {}
    try:
        if file.exists() and not file.is_file():  # a pipe would wait for somebody to write into it
            raise OSError(tr("it is no file"))
        values = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(
            tr(
                "The settings file {file} cannot be read ({reason}). Correct it, or remove it.",
                file=str(file),
                reason=words_of(error),
            )
        ) from error
    for name, value in values.items():
        kind, words = KINDS.get(name, (type(None), tr_mark("one of {known}")))
        texts = value if isinstance(value, list) else []
        if not isinstance(value, kind) or not all(isinstance(text, str) for text in texts):
            raise SettingsError(
                tr(
                    "The settings file {file} has {name} = {value}; it must be {expected}.",
                    file=str(file),
                    name=name,
                    value=_shown(value),
                    expected=tr(words, known=", ".join(KINDS)),
                )
            )
    return values


def _shown(value: Any) -> str:
    """A value as it is written in Python, shortened; numbers may have more digits than Python writes."""
    try:
        text = repr(value)
    except ValueError:
        return tr("a number with thousands of digits")
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]} …"


def _switch(environ: Mapping[str, str], name: str, filed: bool) -> bool:
    text = environ.get(name, "").strip()
    if text and text.lower() not in BOOLEANS:
        raise SettingsError(
            tr(
                "The variable {name} is {value}; it must be one of {known}.",
                name=name,
                value=repr(text),
                known=", ".join(BOOLEANS),
            )
        )
    return BOOLEANS[text.lower()] if text else filed


def _parallel(file: Path, filed: Any, variable: str) -> int:
    number = variable or _shown(filed)
    if not number.isdecimal() or len(number) > LONGEST_SHOWN or not 1 <= int(number) <= MOST_PARALLEL:
        if variable:
            raise SettingsError(
                tr(
                    "The variable UNFREEZE_PARALLEL is {value}; it must be a whole number from 1 to {most}.",
                    value=repr(variable),
                    most=MOST_PARALLEL,
                )
            )
        raise SettingsError(
            tr(
                "{file} has parallel = {value}; it must be a whole number from 1 to {most}.",
                file=str(file),
                value=_shown(filed),
                most=MOST_PARALLEL,
            )
        )
    return int(number)


FORMER_NAMES = {"trunk_bytes": "feature_cache_bytes"}
"""Names of limits in settings files of version 0.1.0, which are still accepted."""


def _limits(file: Path, filed: Mapping[str, Any]) -> Limits:
    values = {FORMER_NAMES.get(name, name): value for name, value in filed.items()}
    for name, value in values.items():
        if name not in RANGES:
            raise SettingsError(
                tr(
                    "The settings file {file} has a limit called “{name}”, which is not known; the limits are {known}.",
                    file=str(file),
                    name=name,
                    known=", ".join(RANGES),
                )
            )
        low, high = RANGES[name]
        if type(value) is not int or not low <= value <= high:
            raise SettingsError(
                tr(
                    "The settings file {file} has the limit {name} = {value}; it must be a whole number from {lowest}"
                    " to {highest}.",
                    file=str(file),
                    name=name,
                    value=_shown(value),
                    lowest=low,
                    highest=high,
                )
            )
    return Limits(**values)
