"""What augmentations cost on this machine: measured once by the preview's process, and kept in a small file."""

import json
import math
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock

from core.files import write_atomically
from core.json_values import checked, read_json
from core.language import number, tr
from core.recipe.augmentations import AUGMENTATION_OF, Choice

SLOW = 5.0
"""Milliseconds for a photo from which on an augmentation counts as slow."""


class AugmentationCosts:
    """Milliseconds for a photo that is changed, by key, on a machine with as many cores as this one."""

    def __init__(self, file: Path) -> None:
        """Keep them in this file, which need not exist yet."""
        self._file = file
        self._measured: dict[str, float] = {}
        self._writing = Lock()  # sessions of the server measure, nobody else

    def known(self) -> dict[str, float]:
        """What was measured; nothing where the file is of another machine or cannot be read."""
        try:
            kept = checked(read_json(self._file, dict), {"cores": int, "milliseconds": dict}, {})
            measured = kept["milliseconds"] if kept["cores"] == os.cpu_count() else {}
            filed = checked(measured, dict.fromkeys(AUGMENTATION_OF, float), {})
        except (OSError, ValueError, KeyError):  # it is measured again
            filed = {}
        return filed | self._measured

    def unknown(self, keys: Iterable[str]) -> list[str]:
        """Those of the keys that were not measured yet."""
        known = self.known()
        return [key for key in keys if key not in known]

    def add(self, measured: Mapping[str, float]) -> None:
        """Keep more of them; where the disk does not take them, as long as this process lives."""
        self._measured.update(measured)
        with suppress(OSError), self._writing:
            kept = {"cores": os.cpu_count(), "milliseconds": self.known()}
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._file, json.dumps(kept, indent=2))

    def milliseconds(self, choices: Mapping[str, Choice]) -> float | None:
        """What all of these take for a photo on average, or None where one was not measured yet."""
        known = self.known()
        if not set(choices) <= set(known):
            return None
        warps = [key for key in choices if AUGMENTATION_OF[key].warps]  # which are computed as one
        unmoved = math.prod(1 - choices[key].probability for key in warps)
        single = sum(known[key] * choice.probability for key, choice in choices.items() if key not in warps)
        return single + (1 - unmoved) * max((known[key] for key in warps), default=0.0)


def describe_costs(milliseconds: float | None, photos: int) -> str:
    """What a pass over this many photos costs, as a sentence for the screen; None where it is not known."""
    if milliseconds is None:
        return tr("Their cost on this machine is measured when the Augmentations page is opened.")
    seconds = milliseconds * photos / 1000
    if seconds < 1:
        time = tr("less than a second")
    elif seconds < 120:
        time = tr("{seconds} s", seconds=number(seconds))
    else:
        time = tr("{minutes} min", minutes=str(round(seconds / 60)))
    return tr(
        "They take {milliseconds} ms a photo on this machine: {time} for each pass over your {count} training photos.",
        milliseconds=number(milliseconds, 1),
        time=time,
        count=photos,
    )
