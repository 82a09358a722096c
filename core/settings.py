"""What can be set from outside: folders and limits, read once from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Settings:
    """Folders and limits of one installation; handed to whatever needs them, never read from a global.

    Attributes:
        home: The one folder that Unfreeze writes to: runs, sample data, downloaded weights.
        dataset_roots: Folders under which datasets may be picked, resolved.
        weights_folder: Where a person puts weights files by hand; the file names are Keras' own.
        keras_cache: Where Keras keeps downloaded weights.
        allow_downloads: Whether weights may be fetched over the network.
        max_photo_bytes: Largest photo that is read, in bytes.
        max_uploads: Most photos taken in one upload.
    """

    home: Path
    dataset_roots: tuple[Path, ...]
    weights_folder: Path
    keras_cache: Path
    allow_downloads: bool = True
    max_photo_bytes: int = 50 * MEGABYTE
    max_uploads: int = 200

    @property
    def runs_folder(self) -> Path:
        """Where runs are kept."""
        return self.home / "runs"

    @property
    def keras_home(self) -> Path:
        """Where Keras in our own processes keeps its configuration, which it writes when it is first imported."""
        return self.home / "keras"

    @property
    def datasets_folder(self) -> Path:
        """Where datasets made by Unfreeze are kept; always the first of the roots."""
        return self.home / "datasets"


def settings_from(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from environment variables.

    `UNFREEZE_HOME` (default `~/unfreeze`), `UNFREEZE_DATASETS` (folders, joined as in PATH; default the user's home),
    `UNFREEZE_WEIGHTS` (default `weights` in the home above), `KERAS_HOME` (default `~/.keras`) and
    `UNFREEZE_OFFLINE=1` to forbid downloads.
    """
    user = Path.home()
    home = Path(environ.get("UNFREEZE_HOME") or user / "unfreeze").expanduser().resolve()
    listed = [Path(part).expanduser() for part in environ.get("UNFREEZE_DATASETS", "").split(os.pathsep) if part]
    roots = [home / "datasets", *(listed or [user])]
    return Settings(
        home=home,
        dataset_roots=tuple(root.resolve() for root in roots),
        weights_folder=Path(environ.get("UNFREEZE_WEIGHTS") or home / "weights").expanduser().resolve(),
        keras_cache=Path(environ.get("KERAS_HOME") or user / ".keras").expanduser().resolve() / "models",
        allow_downloads=environ.get("UNFREEZE_OFFLINE", "") not in ("1", "true", "yes"),
    )
