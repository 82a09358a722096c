"""How good a run's model is on labelled photos from elsewhere (an external test set), as it is kept with the run.

Each test is a folder in the run's `external_tests`, named after what was tested: `facts.json` (what it is),
`photos.json` (names of classes, photos, files left out), `predictions.npz`, `meant.json` (which classes of the model a
person has said are meant), and for a ZIP archive `photos/`, unpacked.
"""

import json
import os
import re
import secrets
import shutil
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
from numpy.typing import NDArray

from core.arrays import read_arrays
from core.data.class_names import find_class
from core.data.scan.walk import LeftOut
from core.data.subsets import SUBSETS, TRAINING, VALIDATION
from core.errors import DataError, RunError
from core.evaluation.metrics import Evaluation
from core.files import replacing, saving, write_atomically
from core.json_values import checked, read_json
from core.language import from_json, kept, tr
from core.runs.store import Run

UNKNOWN = -1
"""In place of a class of the model: it has none that is meant."""

NAME = re.compile(r"[0-9a-f]{32}")

FACTS, PHOTOS, PREDICTIONS, MEANT, UNPACKED = "facts.json", "photos.json", "predictions.npz", "meant.json", "photos"


@dataclass(frozen=True)
class Facts:
    """What was tested.

    Attributes:
        name: Of the folder, or of the archive.
        root: The folder; for an archive where it was unpacked, relative to the test's own folder.
        photos: How many photos were predicted.
        made: When, in seconds since 1970.
        model: When the training of the model ended, in seconds since 1970; None where that is not known.
        uncompared: How many photos of the run were not at hand, so that it is not known whether they are among these.
    """

    name: str
    root: str
    photos: int
    made: float
    model: float | None
    uncompared: int


@dataclass(frozen=True, eq=False)
class ExternalTest:
    """Predictions for N labelled photos from elsewhere, of G classes as they are called there.

    Attributes:
        run: Whose model was tested.
        id: What tells it from other tests of the run.
        facts: What was tested.
        class_names: G names, sorted.
        paths: N photos relative to `root`.
        labels: (N,), int32, 0..G-1.
        probabilities: (N, K), float32, under the K classes of the model.
        subsets: (N,), int8: the position in `core.data.subsets.SUBSETS` of those that are photos of the run, else -1.
        left_out: Files that could not be used, with reasons.
        meant: By name of a class, the class of the model that a person has said is meant; empty for none of them.

    Raises:
        ValueError: These do not fit each other.
    """

    run: Run
    id: str
    facts: Facts
    class_names: tuple[str, ...]
    paths: tuple[str, ...]
    labels: NDArray[np.int32]
    probabilities: NDArray[np.float32]
    subsets: NDArray[np.int8]
    left_out: tuple[LeftOut, ...] = ()
    meant: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        """Check shapes and ranges."""
        count = len(self.paths)
        if self.labels.shape != (count,) or self.subsets.shape != (count,) or len(self.probabilities) != count:
            raise ValueError(f"{count} photos do not fit labels {self.labels.shape} and subsets {self.subsets.shape}")
        if count and not 0 <= self.labels.min() <= self.labels.max() < len(self.class_names):
            raise ValueError(f"labels must be 0..{len(self.class_names) - 1}")
        if count and not -1 <= self.subsets.min() <= self.subsets.max() < len(SUBSETS):
            raise ValueError("a photo is in a subset that there is not")

    @property
    def is_unpacked(self) -> bool:
        """Whether the photos came in an archive, and lie with the run."""
        return not Path(self.facts.root).is_absolute()

    @property
    def root(self) -> Path:
        """The folder that the photos lie in."""
        return _folder(self.run, self.id) / self.facts.root  # which is that folder where it is absolute

    @cached_property
    def classes(self) -> NDArray[np.intp]:
        """The class of the model that each class is, (G,), else `UNKNOWN`; as a person has said, or by its name."""
        known, meant = self.run.class_names(), self.meant or {}
        found = [
            known.index(meant[name]) if meant.get(name) in known else None if name in meant else find_class(name, known)
            for name in self.class_names
        ]
        return np.array([UNKNOWN if label is None else label for label in found], np.intp)

    @cached_property
    def unknown(self) -> dict[str, int]:
        """How many photos there are of each class that the model does not know."""
        return {
            name: int((self.labels == given).sum())
            for given, name in enumerate(self.class_names)
            if self.classes[given] == UNKNOWN
        }

    @cached_property
    def learned(self) -> NDArray[np.bool_]:
        """Which photos the run has learned from, or has chosen its best epoch by, (N,); these are not counted."""
        return np.asarray(np.isin(self.subsets, (TRAINING, VALIDATION)))

    def of_run(self) -> dict[str, int]:
        """How many of the photos are in each subset of the run's own photos; those of which there are none apart."""
        counts = Counter(self.subsets[self.subsets >= 0].tolist())
        return {name: counts[place] for place, name in enumerate(SUBSETS) if counts[place]}

    @cached_property
    def evaluation(self) -> Evaluation | None:
        """The photos of known classes that the run has not learned from; None where there are none."""
        labels = self.classes[self.labels]
        counted = np.flatnonzero((labels != UNKNOWN) & ~self.learned)
        if not len(counted):
            return None
        paths = tuple(self.paths[i] for i in counted.tolist())
        return Evaluation(self.run.class_names(), paths, labels[counted].astype(np.int32), self.probabilities[counted])

    def saying(self, name: str, known: str) -> "ExternalTest":
        """The same once a person has said which class of the model is meant by a name, an empty text for none.

        Raises:
            DataError: The model has no such class, or these photos have none of that name.
            StorageError: It cannot be kept.
        """
        if name not in self.class_names:
            raise DataError(
                tr(
                    "These photos have no class “{name}”. Their classes: {classes}.",
                    name=name,
                    classes=", ".join(self.class_names),
                )
            )
        if known and known not in self.run.class_names():
            raise DataError(
                tr(
                    "The model has no class “{name}”. Its classes: {classes}.",
                    name=known,
                    classes=", ".join(self.run.class_names()),
                )
            )
        meant = {**(self.meant or {}), name: known}
        write_atomically(_folder(self.run, self.id) / MEANT, json.dumps(meant, ensure_ascii=False))
        return replace(self, meant=meant)


def _folder(run: Run, test: str) -> Path:
    return run.external_tests_folder / test


def kept_tests(run: Run, model: float | None) -> dict[str, Facts]:
    """What the present model of a run, trained until `model`, was tested on, by the tests' ids; the newest first."""
    found = {}
    for folder in run.external_tests_folder.glob("*") if run.external_tests_folder.is_dir() else ():
        if NAME.fullmatch(folder.name):
            try:
                facts = _facts(folder)
            except (OSError, ValueError, TypeError):
                continue
            if facts.model == model:
                found[folder.name] = facts
    return dict(sorted(found.items(), key=lambda each: -each[1].made))


def _facts(folder: Path) -> Facts:
    return Facts(**checked(read_json(folder / FACTS, dict), get_type_hints(Facts), {}))


def read_test(run: Run, test: str) -> ExternalTest:
    """A test that was kept with a run; raises `RunError` where it is gone or damaged."""
    folder = _folder(run, test)
    try:
        if not NAME.fullmatch(test):
            raise ValueError("this is no name of one")
        listed: dict[str, Any] = read_json(folder / PHOTOS, dict)
        meant = read_json(folder / MEANT, dict) if (folder / MEANT).exists() else {}
        arrays = read_arrays(folder / PREDICTIONS, "labels", "probabilities", "subsets")
        found = ExternalTest(
            run,
            test,
            _facts(folder),
            tuple(map(str, listed["class_names"])),
            tuple(map(str, listed["paths"])),
            arrays["labels"].astype(np.int32),
            arrays["probabilities"].astype(np.float32),
            arrays["subsets"].astype(np.int8),
            tuple(LeftOut(str(path), from_json(reason)) for path, reason in listed["left_out"]),
            {str(name): str(known) for name, known in meant.items()},
        )
        _ = found.evaluation  # which checks what it is made of
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            tr(
                "What was evaluated on other photos cannot be read ({reason}). Evaluate the photos again.",
                reason=str(error),
            )
        ) from error
    return found


def said_at(run: Run, test: str) -> int:
    """When a person last said which classes are meant, in nanoseconds since 1970; 0 where nobody has."""
    try:
        return (_folder(run, test) / MEANT).stat().st_mtime_ns
    except OSError:
        return 0


def keep_test(found: ExternalTest, making: Path) -> None:
    """Keep a test with its run in place of a former one of the same id; what a person said of that one still holds.

    Args:
        found: The test.
        making: A folder in the run's `external_tests` that becomes the test's folder; may hold `photos/`.

    Raises:
        StorageError: It cannot be kept.
    """
    facts = replace(found.facts, made=time.time())
    target, former = _folder(found.run, found.id), making.with_name(f".former-{secrets.token_hex(8)}")
    listed = {
        "class_names": found.class_names,
        "paths": found.paths,
        "left_out": [(entry.path, kept(entry.reason)) for entry in found.left_out],
    }
    write_atomically(making / PHOTOS, json.dumps(listed, ensure_ascii=False))
    with replacing(making / PREDICTIONS) as file:
        np.savez(file, labels=found.labels, probabilities=found.probabilities, subsets=found.subsets)
    write_atomically(making / FACTS, json.dumps(asdict(facts), ensure_ascii=False))
    with saving(target):
        if (target / MEANT).exists():
            shutil.copy(target / MEANT, making / MEANT)
        if target.exists():
            os.replace(target, former)
        os.replace(making, target)
    shutil.rmtree(former, ignore_errors=True)


def remove_test(run: Run, test: str) -> None:
    """Forget a test, and the photos that were unpacked for it; raises `RunError` where that cannot be."""
    doomed = run.external_tests_folder / f".former-{secrets.token_hex(8)}"
    try:
        os.replace(_folder(run, test), doomed)
    except OSError as error:
        raise RunError(tr("This evaluation cannot be removed ({reason}).", reason=str(error.strerror))) from error
    shutil.rmtree(doomed, ignore_errors=True)
