"""What a person has decided about a dataset, kept beside the photos and never in them, with undo."""

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import portalocker

from core.data.scan.index import file_stem
from core.data.scan.layout import Layout
from core.errors import DataError, UnfreezeError
from core.files import saving, write_atomically
from core.json_values import parsed
from core.language import Text, from_json, kept, retold, tr

VERSION = 1

EXCLUDE, RELABEL, KEEP = "exclude", "relabel", "keep"
ACTIONS = (EXCLUDE, RELABEL, KEEP)


@dataclass(frozen=True)
class Decision:
    """One decision about one or more photos.

    Attributes:
        action: "exclude": do not use them; "relabel": use them as `label`; "keep": they are right as they are.
        photos: Path relative to the dataset's folder → BLAKE2b of the file in hexadecimal digits. A decision holds for
            the very photo that a person looked at; another one that has taken its name is not touched by it.
        label: The class, for "relabel"; else empty.
        why: What it was that called for a decision, in a few words.
        made: Seconds since 1970.

    Raises:
        DataError: The action is none of these, there are no photos, or the label is missing or too much.
    """

    action: str
    photos: Mapping[str, str]
    label: str = ""
    why: str = ""
    made: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        """Check the fields."""
        if self.action not in ACTIONS:
            raise DataError(
                tr(
                    "A decision is “{given}”; it must be one of {expected}.",
                    given=str(self.action),
                    expected=", ".join(ACTIONS),
                )
            )
        texts = isinstance(self.photos, Mapping) and all(isinstance(text, str) for text in self.photos.values())
        if not texts or not self.photos:
            raise DataError(tr("A decision must name at least one photo, each with the digest of its file."))
        if not (isinstance(self.label, str) and isinstance(self.why, str) and isinstance(self.made, int | float)):
            raise DataError(tr("The label and the reason of a decision must be text, and its time a number."))
        if bool(self.label) != (self.action == RELABEL):
            raise DataError(
                tr("A decision to {action} photos has the label “{label}”.", action=self.action, label=self.label)
            )

    def is_because(self, message: str) -> bool:
        """Whether this message, in English, is the reason."""
        return (self.why.message if isinstance(self.why, Text) else self.why) == message


@dataclass(frozen=True)
class Review:
    """Everything that was decided about a dataset.

    Attributes:
        root: The dataset's folder, resolved.
        layout: Where its labels come from.
        decisions: Oldest first; a later one about the same photo counts.
        classes: Of photos that are labelled by hand, in the order in which they were named; their place gives the key
            that labels a photo.

    Raises:
        DataError: Two of the classes have the same name, or one has none.
    """

    root: Path
    layout: Layout = field(default_factory=Layout)
    decisions: tuple[Decision, ...] = ()
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the classes."""
        if not all(isinstance(name, str) and name for name in self.classes):
            raise DataError(tr("Each class needs a name."))
        if len(set(self.classes)) < len(self.classes):
            raise DataError(
                tr("Two classes must not have the same name; got {classes}.", classes=", ".join(self.classes))
            )

    def standing(self) -> dict[str, Decision]:
        """Return the decision that counts, by path."""
        return {path: decision for decision in self.decisions for path in decision.photos}

    def labels_by_hand(self) -> dict[str, Decision]:
        """Return the last decision that gave a photo a label, by path, whatever was decided about it since."""
        labelling = (decision for decision in self.decisions if decision.action == RELABEL)
        return {path: decision for decision in labelling for path in decision.photos}

    def with_decision(self, decision: Decision) -> "Review":
        """Return the review with one decision more."""
        return replace(self, decisions=(*self.decisions, decision))

    def without(self, position: int) -> "Review":
        """Return the review without the decision at this position, 0 for the oldest; -1 undoes the last one."""
        kept = list(self.decisions)
        del kept[position]
        return replace(self, decisions=tuple(kept))

    def without_decision(self, decision: Decision) -> "Review":
        """Return the review without this decision; as it is when somebody else has already taken it back."""
        places = [i for i, known in enumerate(self.decisions) if known == decision]
        return self.without(places[-1]) if places else self

    def to_json(self) -> str:
        """The review as JSON, readable by `from_json` and by people."""
        dataset = os.fsencode(self.root).decode(errors="replace")
        values = {"version": VERSION, "dataset": dataset, "layout": asdict(self.layout)}
        if self.classes:
            values["classes"] = self.classes
        rows = [
            {**asdict(decision), "photos": dict(decision.photos), "why": kept(decision.why)}
            for decision in self.decisions
        ]
        return json.dumps({**values, "decisions": rows}, indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str, root: Path) -> "Review":
        """Read what `to_json` wrote; raises `DataError` for anything else."""
        try:
            values = parsed(text, dict)
            if values["version"] != VERSION:
                raise DataError(
                    tr(
                        "it has version {version}, this Unfreeze reads version {known}",
                        version=str(values["version"]),
                        known=str(VERSION),
                    )
                )
            decisions = tuple(_made(Decision, _with_text(row)) for row in values["decisions"])
            classes = values.get("classes", [])
            if not isinstance(classes, list):
                raise DataError(tr("expected a list of classes, got {found}", found=repr(classes)))
            return cls(root, _made(Layout, values["layout"]), decisions, tuple(classes))
        except (ValueError, KeyError, TypeError, DataError) as error:
            raise DataError(
                tr("This is not a list of decisions about a dataset ({reason}).", reason=_reason(error))
            ) from error


def _reason(error: Exception) -> str:
    return error.text if isinstance(error, UnfreezeError) else str(error)


def _with_text(row: Any) -> Any:
    """The row of a decision whose reason is a text again, where it holds what the text was made of."""
    return {**row, "why": from_json(row["why"])} if isinstance(row, dict) and isinstance(row.get("why"), dict) else row


def _made(kind: type[Any], values: Any) -> Any:
    if not isinstance(values, dict):
        expected = tr("expected a layout, got {found}", found=repr(values))
        raise DataError(tr("expected a decision, got {found}", found=repr(values)) if kind is Decision else expected)
    known = {entry.name for entry in fields(kind)}
    return kind(**{name: value for name, value in values.items() if name in known})


class ReviewStore:
    """The reviews of all datasets, one file each."""

    def __init__(self, folder: Path) -> None:
        """Keep them in this folder."""
        self.folder = folder

    def file(self, root: Path) -> Path:
        """Return the file with the decisions about a dataset."""
        return self.folder / f"{file_stem(root)}.json"

    def read(self, root: Path) -> Review:
        """Return what was decided about the dataset `root`, which must be resolved; nothing at first.

        Raises:
            DataError: The file cannot be read.
        """
        file = self.file(root)
        try:
            return Review.from_json(file.read_text("utf-8"), root)
        except FileNotFoundError:
            return Review(root)
        except (OSError, ValueError, DataError) as error:
            raise DataError(
                tr(
                    "The decisions about {dataset} cannot be read from {file}: {reason} – repair it, or move it away"
                    " to start over.",
                    dataset=root.name,
                    file=str(file),
                    reason=_reason(error),
                )
            ) from error

    def change(self, root: Path, how: Callable[[Review], Review]) -> Review:
        """Read, change and write the review of a dataset; nobody else's change in between is lost.

        Raises:
            DataError: It cannot be read, or another process has held it for ten seconds.
            StorageError: It cannot be saved; what was kept before is still there.
        """
        try:
            with saving(self.file(root)):
                self.folder.mkdir(parents=True, exist_ok=True)
                with portalocker.Lock(self.folder / ".exclusive", timeout=10):
                    review = how(self.read(root))
                    self.write(review)
        except portalocker.LockException as error:
            raise DataError(
                tr(
                    "The decision could not be saved in {folder} ({reason}). Try again.",
                    folder=str(self.folder),
                    reason=str(error),
                )
            ) from error
        return review

    def write(self, review: Review) -> None:
        """Keep a review; the file is replaced as a whole.

        Raises:
            StorageError: It cannot be saved; what was kept before is still there.
        """
        file = self.file(review.root)
        with saving(file):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(file, review.to_json())


def rows_of(decisions: Sequence[Decision]) -> list[dict[str, str]]:
    """Return one row for each photo of each decision: photo, what was decided, class, why, when."""
    return [
        {
            "photo": path,
            "decision": decision.action,
            "class": decision.label,
            "because": retold(decision.why),
            "when": time.strftime("%Y-%m-%d %H:%M", time.localtime(decision.made)),
        }
        for decision in decisions
        for path in decision.photos
    ]
