"""The text files of an imported run, each checked for what it must hold: status, metrics, classes, names, versions."""

import json
import re
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from core.data.intake.incoming import UNSEEN
from core.errors import TransferError, words_of
from core.files import write_atomically
from core.json_values import LARGEST, fits, parsed
from core.language import ENGLISH, from_json, reading, tr
from core.recipe.phases import PHASE_KEYS
from core.runs.messages import Message
from core.runs.metrics import checked_metrics
from core.runs.store import FAILED, FINISHED, LATEST, STOPPED, Label, Run, Status, status_from

LONGEST_TEXT, LONGEST_NAME = 2_000, 255
MAX_FACTS = 60

MARKUP = re.compile(r"[\[\]<>`$]")
"""What would make links, pictures or formulas of a text on a page."""

COUNTED = ("test_correct", "test_count", "test_accuracy")
"""What is counted here, whatever the status says."""

TOGETHER = (
    ("best_epoch", "best_val_loss", "best_val_accuracy"),
    ("first_accuracy", "first_training", "first_validation", "first_seconds"),
)
"""Fields of a status that are all set, or none of them."""


@dataclass(frozen=True)
class TestResult:
    """How many of how many test photos a run classified correctly, counted by us."""

    correct: int
    count: int


def read_json(path: Path, kind: type = dict) -> Any:
    """The JSON object, or other kind of value, in a file; raises `TransferError` for anything else."""
    try:
        return parsed(path.read_text("utf-8", errors="replace"), kind)
    except ValueError as error:
        raise TransferError(tr("“{file}” cannot be used: {reason}.", file=path.name, reason=words_of(error))) from error


def class_names(unpacked: Path) -> tuple[str, ...]:
    """The classes, in the order of the model's outputs; raises `TransferError` unless they are valid."""
    names = read_json(unpacked / "classes.json").get("class_names")
    listed = names if isinstance(names, list) else []
    valid = all(isinstance(name, str) and 0 < len(name) <= LONGEST_NAME for name in listed)
    if not valid or len(listed) < 2 or listed != sorted(set(listed)):
        raise TransferError(tr("The classes of this run must be two or more names, sorted and all different."))
    return tuple(listed)


def status(unpacked: Path, has_model: bool, tested: TestResult | None) -> Status:
    """The status of the imported run: it has ended, whatever it says, and its test results are those we counted."""
    values = read_json(unpacked / "status.json")
    ours = {name: value for name, value in values.items() if name not in COUNTED}
    ended = ours.get("state") in (FINISHED, FAILED)
    try:
        with reading(ENGLISH):  # what it was made of is not taken over
            known = status_from(ours if ended else {**ours, "state": STOPPED})
    except ValueError as error:
        raise TransferError(tr("The status of this run cannot be used: {reason}.", reason=words_of(error))) from error
    found: dict[str, Any] = {
        name: _text(value) if isinstance(value, str) else value for name, value in vars(known).items()
    }
    found["caching"] = _message(known.caching)
    for names in TOGETHER:
        if any(found[name] is None for name in names):
            found |= dict.fromkeys(names)
    if found["state"] == FINISHED and not (has_model and tested):
        raise TransferError(
            tr("The status of this run is “finished”, but the file lacks its model or its test results.")
        )
    found["message"] = Message("finished" if found["state"] == FINISHED else "exported-unfinished")
    found["created"] = found["created"] or time.time()
    found["ended"] = found["ended"] or found["created"]
    found["error"] = _without_markup(found["error"])
    found |= dict.fromkeys(("progress", "seconds_left"))
    if tested:
        accuracy = tested.correct / tested.count
        found |= {"test_correct": tested.correct, "test_count": tested.count, "test_accuracy": accuracy}
    return Status(**{**found, "phase": ""})


def write_metrics(unpacked: Path, run: Run) -> int:
    """Write the checked metrics, line by line, and return the number of validations in them."""
    file = unpacked / run.metrics_file.name
    if not file.exists():
        return 0
    validations = 0
    with file.open(encoding="utf-8", errors="replace") as lines, run.metrics_file.open("w", encoding="utf-8") as kept:
        for number, line in enumerate(lines, start=1):
            if not line.endswith("\n"):  # cut short by a power failure; `read_metrics` passes it over, too
                break
            row = _metrics_row(line, number)
            validations += "val_loss" in row
            kept.write(json.dumps(row) + "\n")
    return validations


def write_left_out(unpacked: Path, run: Run) -> None:
    """Write the list of photos that could not be read, if there is one."""
    file = unpacked / run.left_out_file.name
    if not file.exists():
        return
    rows = read_json(file, list)
    if not all(isinstance(row, dict) for row in rows):
        raise TransferError(tr("“{file}” must be a list of photos with reasons.", file=file.name))
    kept = [{"file": _text(row.get("file")), "reason": _reason(row.get("reason"))} for row in rows]
    write_atomically(run.left_out_file, json.dumps(kept, indent=1, ensure_ascii=False))


def _reason(value: Any) -> str:
    try:
        with reading(ENGLISH):
            return _text(from_json(value))
    except ValueError:
        return ""


def environment(unpacked: Path) -> dict[str, Any]:
    """Versions and hardware; whatever is not a short text, a number or a list of texts is dropped."""
    file = unpacked / "environment.json"
    found = read_json(file) if file.exists() else {}
    return {_text(name): _fact(value) for name, value in list(found.items())[:MAX_FACTS]}


def label(unpacked: Path) -> Label:
    """The name and the group that people gave the run."""
    file = unpacked / "label.json"
    found = read_json(file) if file.exists() else {}
    return Label(**{each.name: _text(found.get(each.name, ""))[:LONGEST_NAME] for each in fields(Label)})


def moment(value: Any) -> float:
    """Seconds since 1970, or the present time where the value is not a possible one."""
    return float(value) if fits(value, float, 0, LATEST) else time.time()


def _metrics_row(line: str, number: int) -> dict[str, Any]:
    try:
        row = checked_metrics(parsed(line, dict))
    except ValueError as error:
        raise TransferError(
            tr("Line {number} of the metrics cannot be used: {reason}.", number=number, reason=words_of(error))
        ) from error
    if row["phase"] not in PHASE_KEYS:
        raise TransferError(tr("Line {number} of the metrics has an unknown phase.", number=number))
    return row


def _message(found: Message) -> Message:
    if len(found.values) > MAX_FACTS or not all(_is_plain(each) for each in found.values.values()):
        raise TransferError(
            tr("The status of this run has a message with too many values, or with values that are too large.")
        )
    values = {_without_markup(name): _without_markup(each) for name, each in found.values.items()}
    return Message(_without_markup(found.key), values)


def _fact(value: Any) -> Any:
    if isinstance(value, list):
        return [_text(each) for each in value[:MAX_FACTS]]
    return value if value is None or (_is_plain(value) and not isinstance(value, str)) else _text(value)


def _is_plain(value: Any) -> bool:
    """Whether a JSON value is a text, true or false, or a number that is not too large."""
    return isinstance(value, str | bool) or fits(value, float, -LARGEST, LARGEST)


def _text(value: Any) -> str:
    """A short text without invisible characters; empty for anything else."""
    return UNSEEN.sub("\ufffd", value[:LONGEST_TEXT]) if isinstance(value, str) else ""


def _without_markup(value: Any) -> Any:
    """A text that is shown as it is; other values unchanged."""
    return MARKUP.sub("", _text(value)) if isinstance(value, str) else value
