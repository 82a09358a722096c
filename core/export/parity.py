"""The parity report of an export: how close its predictions are to the run's own, and whether that is close enough."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ExportError, words_of
from core.export.formats import Precision
from core.language import from_json, kept, number, retold, tr, tr_mark

SENTENCES = ("failures", "warnings")


@dataclass(frozen=True)
class ParityReport:
    """What was measured, by a process that had nothing but the content of the ZIP file.

    Attributes:
        format: Key of the format.
        precision: Name of its precision.
        run: Name of the run.
        made: When, as ISO 8601.
        photos: How many photos were compared.
        kinds: How many of them are of which kind.
        tested: How many of them are unchanged test photos.
        max_difference, mean_difference: Of a probability, over all photos and classes; nan where the export gave none.
        equal_top1: The share of photos for which the predicted class is the same.
        accuracy, run_accuracy: On the test photos, of the export and of the run's own; None where there are
            none.
        milliseconds: Median for one photo on this machine, reading it included.
        bytes: Size of the model alone.
        versions: Of Python and of the packages that `predict.py` used, and the machine.
        failures: Why it is not offered, a sentence each; empty if it is.
        warnings: What should be known before it is used, a sentence each.
    """

    format: str
    precision: str
    run: str
    made: str
    photos: int
    kinds: Mapping[str, int]
    tested: int
    max_difference: float
    mean_difference: float
    equal_top1: float
    accuracy: float | None
    run_accuracy: float | None
    milliseconds: float
    bytes: int
    versions: Mapping[str, str]
    failures: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def proven(self) -> bool:
        """Whether nothing falls short."""
        return not self.failures

    def to_values(self) -> dict[str, Any]:
        """Plain JSON values, with sentences in the reader's language."""
        values = asdict(self)
        return {**values, **{name: [retold(text) for text in values[name]] for name in SENTENCES}}

    def to_json(self) -> dict[str, Any]:
        """JSON values that keep of each sentence what it was made of."""
        return {**asdict(self), **{name: [kept(text) for text in vars(self)[name]] for name in SENTENCES}}

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> "ParityReport":
        """What `to_values` or `to_json` gave; raises `ExportError` for anything else."""
        try:
            given = {each.name: values[each.name] for each in fields(cls)}
            lists = {name: tuple(from_json(each) for each in given[name]) for name in SENTENCES}
            return cls(**{**given, **lists})
        except (KeyError, TypeError, ValueError) as error:
            raise ExportError(
                tr(
                    "The certificate of an export cannot be read ({reason}). Make the export again.",
                    reason=words_of(error),
                )
            ) from error


@dataclass(frozen=True, eq=False)
class PairedPredictions:
    """What the run's own model and the exported one predict for N photos, the first T of them test photos.

    Attributes:
        expected, given: (N, K), probabilities.
        labels: (T,), classes of the first T photos.
    """

    expected: NDArray[np.float32]
    given: NDArray[np.float32]
    labels: NDArray[np.intp]

    @property
    def usable(self) -> bool:
        """Whether the export gave a number for each."""
        return self.given.shape == self.expected.shape and bool(np.isfinite(self.given).all())

    @property
    def max_difference(self) -> float:
        """The largest difference of a probability."""
        return float(np.abs(self.given - self.expected).max()) if self.usable else float("nan")

    @property
    def mean_difference(self) -> float:
        """The mean difference of a probability."""
        return float(np.abs(self.given - self.expected).mean()) if self.usable else float("nan")

    @property
    def equal_top1(self) -> float:
        """The share of photos with the same predicted class."""
        return float((self.given.argmax(1) == self.expected.argmax(1)).mean()) if self.usable else 0.0

    def accuracy(self, probabilities: NDArray[np.float32]) -> float | None:
        """The share of test photos that are classified correctly; None where there are none."""
        count = len(self.labels)
        return float((probabilities[:count].argmax(1) == self.labels).mean()) if count and self.usable else None

    @property
    def lost(self) -> float:
        """How many percentage points of accuracy the export has lost; on photos without labels, changed predictions."""
        mine, theirs = self.accuracy(self.given), self.accuracy(self.expected)
        lost = theirs - mine if mine is not None and theirs is not None else 1 - self.equal_top1
        return round(100 * lost, 6)


def failures(pairs: PairedPredictions, precision: Precision) -> tuple[str, ...]:
    """Where an export does not reach what its precision requires, a sentence each."""
    if not pairs.usable:
        return (tr("It did not give {count} probabilities for each photo.", count=pairs.expected.shape[1]),)
    found = []
    if precision.most_difference is not None and pairs.max_difference > precision.most_difference:
        found.append(
            tr(
                "A probability differs from the run's by {difference}; at most {most} is accepted ({precision}).",
                difference=f"{pairs.max_difference:.2g}",
                most=f"{precision.most_difference:g}",
                precision=precision.name,
            )
        )
    if pairs.equal_top1 < precision.least_equal:
        changed = round((1 - pairs.equal_top1) * len(pairs.given))
        if precision.least_equal < 1:
            message = tr_mark(
                "{count} of {total} photos get another class than from the run's own model; at most {share} are"
                " accepted ({precision})."
            )
        else:
            message = tr_mark(
                "{count} of {total} photos get another class than from the run's own model; none may be ({precision})."
            )
        accepted, total = f"{1 - precision.least_equal:.0%}", len(pairs.given)
        found.append(tr(message, count=changed, total=total, share=accepted, precision=precision.name))
    if precision.most_loss is not None and pairs.lost > precision.most_loss:
        found.append(
            tr(
                "It loses {points} percentage points of accuracy against the run's own model; at most {most} are"
                " accepted.",
                points=number(pairs.lost, 1),
                most=f"{precision.most_loss:g}",
            )
        )
    return tuple(found)


def warnings(pairs: PairedPredictions, precision: Precision) -> tuple[str, ...]:
    """What somebody should know before using the export, a sentence each."""
    if precision.worrying_loss is not None and pairs.usable and pairs.lost > precision.worrying_loss:
        points = number(pairs.lost, 1)
        return (tr("It loses {points} percentage points of accuracy, which is a lot.", points=points),)
    return ()


def as_text(found: ParityReport) -> str:
    """The report for people to read."""
    lines = [
        tr("Parity certificate: PASSED") if found.proven else tr("Parity certificate: FAILED"),
        "",
        tr(
            "Run {run}, format {format} ({precision}), {time}.",
            run=found.run,
            format=found.format,
            precision=found.precision,
            time=found.made,
        ),
        "",
        tr(
            "A separate process with nothing but the content of this ZIP file ran predict.py on {count} photos,\n"
            "and its predictions were compared with those of the model in Unfreeze.",
            count=found.photos,
        ),
        "",
        *(f"  {name}: {value}" for name, value in figures(found)),
        "",
        tr("Photos:"),
        *(f"  {count} {tr(kind)}" for kind, count in found.kinds.items()),
        "",
        tr("Versions:"),
        *(f"  {name} {version}" for name, version in found.versions.items()),
    ]
    for title, told in ((tr("Why it failed:"), found.failures), (tr("Note:"), found.warnings)):
        if told:
            lines += ["", title, *(f"  {retold(sentence)}" for sentence in told)]
    return "\n".join(lines) + "\n"


def figures(found: ParityReport) -> list[tuple[str, str]]:
    """What was measured, with a name each."""
    same = tr("{share} of {count} photos", share=share(found.equal_top1), count=found.photos)
    return [
        (tr("Largest difference in a probability"), f"{found.max_difference:.1e}"),
        (tr("Mean difference"), f"{found.mean_difference:.1e}"),
        (tr("Same predicted class"), same),
        *_accuracies(found),
        (tr("Milliseconds per photo"), f"{found.milliseconds:.0f}"),
        (tr("Model size"), tr("{number} MB", number=number(found.bytes / 1e6, 1))),
    ]


def _accuracies(found: ParityReport) -> list[tuple[str, str]]:
    if found.accuracy is None or found.run_accuracy is None:
        return []
    words = tr("{share} (the run: {original})", share=share(found.accuracy), original=share(found.run_accuracy))
    return [(tr("Accuracy on {count} test photos", count=found.tested), words)]


def share(value: float) -> str:
    """A share in percent; 100 % only where it is all of them."""
    rounded = min(round(100 * value, 1), 99.9) if value < 1 else 100
    return tr("{number} %", number=number(rounded, 0 if rounded == round(rounded) else 1))
