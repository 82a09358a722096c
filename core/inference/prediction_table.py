"""The predictions of a model for many photos: filtered, sorted, corrected by hand, downloaded and saved."""

import io
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from tempfile import TemporaryFile
from typing import IO
from zipfile import ZIP_STORED, ZipFile

import numpy as np
from numpy.typing import NDArray

from core.csv_files import csv_file
from core.data.class_names import shown_names
from core.data.intake import collect
from core.data.intake.file_names import safe_name
from core.data.scan.walk import LeftOut
from core.errors import PhotoError
from core.inference.decision import KINDS, PREDICTED, Decisions
from core.inference.sources import Photo
from core.language import tr, tr_mark
from core.settings import GIGABYTE, Limits

MOST_BYTES = 2 * GIGABYTE
"""What a sorted archive may hold, since it passes through the memory of the server."""

LATEST = tr_mark("newest first")

ORDERS: Mapping[str, Callable[["PredictionTable"], NDArray[np.intp]]] = {
    tr_mark("as they came"): lambda found: np.arange(len(found)),
    LATEST: lambda found: np.arange(len(found))[::-1],
    tr_mark("name"): lambda found: np.argsort(
        np.array([photo.name.casefold() for photo in found.photos]), kind="stable"
    ),
    tr_mark("least sure first"): lambda found: np.argsort(found.decisions.confidence, kind="stable"),
    tr_mark("most sure first"): lambda found: np.argsort(-found.decisions.confidence, kind="stable"),
    tr_mark("least like the training photos first"): lambda found: np.argsort(
        -found.decisions.ood_scores, kind="stable"
    ),
}
"""In which order photos can be shown; the names go through `tr` where they are shown."""


@dataclass(frozen=True, eq=False)
class PredictionTable:
    """N photos, K classes, and the predictions for each.

    Attributes:
        class_names: K.
        photos: N.
        decisions: Of the N photos.
        corrected: Classes that a person has given, by position of the photo.
    """

    class_names: tuple[str, ...]
    photos: tuple[Photo, ...]
    decisions: Decisions
    corrected: Mapping[int, int] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many photos there are."""
        return len(self.photos)

    @cached_property
    def classes(self) -> NDArray[np.intp]:
        """The class that each photo is sorted into, (N,): the corrected or the predicted one, else -1."""
        found = np.where(self.decisions.kinds == PREDICTED, self.decisions.predicted, -1)
        for place, label in self.corrected.items():
            found[place] = label
        return found

    def is_open(self, kind: str) -> NDArray[np.bool_]:
        """Which photos are of a kind of `core.inference.decision` that gives no class, and not corrected, (N,)."""
        return np.asarray((self.decisions.kinds == kind) & (self.classes < 0), bool)

    @property
    def shown_names(self) -> tuple[str, ...]:
        """The names of the classes as the screen shows them, K."""
        return shown_names(self.class_names)

    def top(self, place: int, k: int) -> list[tuple[str, float]]:
        """The k most probable classes of a photo, as shown, with their probabilities, the most probable first."""
        shares = self.decisions.probabilities[place]
        return [(self.shown_names[label], float(shares[label])) for label in np.argsort(-shares, kind="stable")[:k]]

    def counts(self) -> NDArray[np.int64]:
        """How many photos are sorted into each class, (K,)."""
        return np.bincount(self.classes[self.classes >= 0], minlength=len(self.class_names)).astype(np.int64)

    def folder(self, place: int) -> str:
        """The name of the folder that a photo is sorted into."""
        if self.classes[place] >= 0:
            return self.class_names[int(self.classes[place])]
        return str(self.decisions.kinds[place])


def as_csv(found: PredictionTable) -> bytes:
    """One row a photo, see `core.csv_files`."""
    head = ("photo", "predicted class", "confidence", "note", "corrected class", *found.class_names)
    return csv_file(head, (_row(found, place) for place in range(len(found))))


def _row(found: PredictionTable, place: int) -> tuple[str, ...]:
    decisions, kind = found.decisions, str(found.decisions.kinds[place])
    predicted, confidence = found.class_names[decisions.predicted[place]], f"{decisions.confidence[place]:.6f}"
    corrected = found.class_names[found.corrected[place]] if place in found.corrected else ""
    shares = (f"{share:.6f}" for share in decisions.probabilities[place])
    return (found.photos[place].name, predicted, confidence, "" if kind == PREDICTED else kind, corrected, *shares)


def as_sorted_zip(found: PredictionTable, most_bytes: int = MOST_BYTES) -> IO[bytes]:
    """A ZIP archive with a folder for each class, one for unsure photos and one for those unlike the training photos.

    Names are made safe and unique. What can no longer be read, and what is above `most_bytes`, is named in a text file
    at the top. The photos themselves are only read.
    """
    file: IO[bytes] = TemporaryFile()  # noqa: SIM115 - whoever asked for it closes it
    taken: set[str] = set()
    lost: list[LeftOut] = []
    done = 0
    with ZipFile(file, "w", ZIP_STORED) as archive:
        for place, photo in enumerate(found.photos):
            try:
                content = photo.read()
                done += len(content)
                if done > most_bytes:
                    raise PhotoError(
                        tr("the archive would be larger than {size} GB", size=f"{most_bytes / GIGABYTE:g}")
                    )
                archive.writestr(_free(f"{safe_name(found.folder(place))}/{safe_name(photo.name)}", taken), content)
            except PhotoError as error:
                lost.append(LeftOut(photo.name, error.text))
        if lost:
            archive.writestr("left out.txt", "".join(f"{entry.path}: {entry.reason}\n" for entry in lost))
    file.seek(0)
    return file


def _free(path: str, taken: set[str]) -> str:
    """A path that is not taken yet, whatever the case of its letters."""
    stem, suffix = path.removesuffix(PurePosixPath(path).suffix), PurePosixPath(path).suffix
    number = 1
    while (name := path if number == 1 else f"{stem} {number}{suffix}").casefold() in taken:
        number += 1
    taken.add(name.casefold())
    return name


@dataclass(frozen=True)
class Saved:
    """What was saved into a dataset: by class how many photos, and what was not, with reasons."""

    dataset: Path
    added: Mapping[str, int]
    left_out: tuple[LeftOut, ...]


def save(
    found: PredictionTable, places: Iterable[int], dataset: Path, limits: Limits, *, datasets_folder: Path
) -> Saved:
    """Add photos to a dataset of our own, each to the class that it is sorted into; classes are made as needed.

    Photos without a class, because the model is unsure and nobody has corrected it, are left out.

    Raises:
        DataError: A class cannot be made of a name.
        FolderError: As `core.data.intake.collect.add_photos`.
    """
    chosen = list(places)
    left_out = [
        LeftOut(found.photos[place].name, _uncertain(found, place)) for place in chosen if found.classes[place] < 0
    ]
    added: Counter[str] = Counter()
    for label in sorted({int(found.classes[place]) for place in chosen} - {-1}):
        name = _class_in(dataset, found.class_names[label], datasets_folder)
        members = [found.photos[place] for place in chosen if found.classes[place] == label]
        for start in range(0, len(members), limits.uploads):
            files = _readable(members[start : start + limits.uploads], left_out)
            came = collect.add_photos(dataset, name, files, limits, datasets_folder=datasets_folder)
            added[name] += came.added
            left_out += came.left_out
    return Saved(dataset, dict(added), tuple(sorted(left_out)))


def _uncertain(found: PredictionTable, place: int) -> str:
    kind = tr(KINDS[str(found.decisions.kinds[place])])
    return tr("{kind}: correct it by hand to give it a class", kind=kind)


def _class_in(dataset: Path, name: str, datasets_folder: Path) -> str:
    """The class of this name, in whatever case; made where there is none."""
    known = {each.casefold(): each for each in collect.class_counts(dataset, datasets_folder=datasets_folder)}
    return known.get(safe_name(name).casefold()) or collect.new_class(dataset, name, datasets_folder=datasets_folder)


def _readable(photos: Iterable[Photo], left_out: list[LeftOut]) -> list[tuple[str, io.BytesIO]]:
    files = []
    for photo in photos:
        try:
            files.append((photo.name, io.BytesIO(photo.read())))
        except PhotoError as error:
            left_out.append(LeftOut(photo.name, error.text))
    return files
