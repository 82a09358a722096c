"""The texts of a run that was packed elsewhere, each read as what it must be: status, metrics, classes, names."""

import json
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

from core.data.intake.incoming import UNSEEN
from core.errors import TransferError
from core.files import write_atomically
from core.recipe.phases import PHASE_KEYS
from core.runs.messages import Message
from core.runs.store import FAILED, FINISHED, STOPPED, STORED_AS, Label, Run, Status

LONGEST_TEXT, LONGEST_NAME = 2_000, 255
MAX_FACTS = 60

MARKUP = re.compile(r"[\[\]<>`$]")
"""What would make links, pictures or formulas of a text that pages show."""

KEPT_STATES = (FINISHED, FAILED)
"""What the state of a run can be that was taken in; any other becomes "stopped"."""

LATEST = 32_503_680_000.0
"""The year 3000, in seconds since 1970: no run was made later."""

RANGES: Mapping[str, float] = {
    **dict.fromkeys(("progress", "best_val_accuracy", "test_accuracy", "first_accuracy"), 1.0),
    **dict.fromkeys(("created", "started", "ended"), LATEST),
}
"""How large numbers of a status may be that cannot be as large as any other; all are 0 or more."""

LARGEST = 1e12

TOGETHER = (
    ("best_epoch", "best_val_loss", "best_val_accuracy"),
    ("first_accuracy", "first_training", "first_validation", "first_seconds"),
)
"""What a status has all of, or nothing."""

ROW: Mapping[str, tuple[type, ...]] = {
    "phase": (str,),
    "epoch": (int,),
    "step": (int,),
    "position": (int, float),
    "partial": (bool,),
    "seconds": (int, float),
    "learning_rate": (int, float),
}
"""What every line of the metrics holds."""

MEASURED = ("version", "loss", "accuracy", "images_per_second", "val_loss", "val_accuracy", "val_seconds")
"""What it may hold besides: numbers."""


@dataclass(frozen=True)
class Tested:
    """How many of how many test photos a run named correctly, counted anew."""

    correct: int
    count: int


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file; raises `TransferError` for anything else."""
    found = read_json(path)
    if not isinstance(found, dict):
        raise TransferError(f"“{path.name}” holds {type(found).__name__}, not an object.")
    return found


def read_json(path: Path) -> Any:
    """The JSON value in a file; raises `TransferError` where there is none."""
    try:
        return _parsed(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise TransferError(f"“{path.name}” is no JSON that can be read ({str(error)[:200]}).") from error


def class_names(unpacked: Path) -> tuple[str, ...]:
    """The classes, in the order of the model's outputs; raises `TransferError` where they cannot be."""
    names = read_object(unpacked / "classes.json").get("class_names")
    listed = names if isinstance(names, list) else []
    fits = all(isinstance(name, str) and 0 < len(name) <= LONGEST_NAME for name in listed)
    if not fits or len(listed) < 2 or listed != sorted(set(listed)):
        raise TransferError("The classes of this run must be two or more names, sorted and all different.")
    return tuple(listed)


def status(unpacked: Path, has_model: bool, tested: Tested | None) -> Status:
    """The status that the run has here: of a run that has ended, whatever it was; test figures are counted anew."""
    values, kinds = read_object(unpacked / "status.json"), get_type_hints(Status)
    stored = {each.name: STORED_AS.get(each.name, each.name) for each in fields(Status)}
    checked = {name: _checked(key, values[key], kinds[name]) for name, key in stored.items() if key in values}
    found: dict[str, Any] = {**vars(Status(**checked))}
    for names_together in TOGETHER:
        if any(found[name] is None for name in names_together):
            found |= dict.fromkeys(names_together)
    if found["state"] == FINISHED and not (has_model and tested):
        raise TransferError("This run says that it has finished, but it brings no model, or no test of it.")
    found["message"] = Message("finished" if found["state"] == FINISHED else "exported-unfinished")
    found["state"] = found["state"] if found["state"] in KEPT_STATES else STOPPED
    found["created"] = found["created"] or time.time()
    found["ended"] = found["ended"] or found["created"]
    found["error"] = _cleaned(found["error"])
    found |= {"test_correct": None, "test_count": None, "test_accuracy": None}
    if tested:
        accuracy = tested.correct / tested.count
        found |= {"test_correct": tested.correct, "test_count": tested.count, "test_accuracy": accuracy}
    return Status(**{**found, "phase": "", "progress": None, "seconds_left": None})


def write_metrics(unpacked: Path, run: Run) -> int:
    """Write the metrics anew, line by line, and return how many validations they tell of."""
    file = unpacked / run.metrics_file.name
    if not file.exists():
        return 0
    validations = 0
    with (
        file.open(encoding="utf-8", errors="replace") as lines,
        run.metrics_file.open("w", encoding="utf-8") as kept,
    ):
        for number, line in enumerate(lines, start=1):
            if not line.endswith("\n"):  # what a power cut has cut short; it is no line yet for our own reader either
                break
            row = _row(line, number)
            validations += "val_loss" in row
            kept.write(json.dumps(row) + "\n")
    return validations


def write_left_out(unpacked: Path, run: Run) -> None:
    """Write the list of photos that could not be read anew, if there is one."""
    file = unpacked / run.left_out_file.name
    if not file.exists():
        return
    rows = read_json(file)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise TransferError(f"“{file.name}” is no list of photos with reasons.")
    kept = [{name: _text(row.get(name)) for name in ("file", "reason")} for row in rows]
    write_atomically(run.left_out_file, json.dumps(kept, indent=1, ensure_ascii=False))


def environment(unpacked: Path) -> dict[str, Any]:
    """Versions and hardware; what is no short text, number or list of texts is dropped."""
    file = unpacked / "environment.json"
    found = read_object(file) if file.exists() else {}
    return {_text(name): _fact(value) for name, value in list(found.items())[:MAX_FACTS]}


def label(unpacked: Path) -> Label:
    """What people call the run."""
    file = unpacked / "label.json"
    found = read_object(file) if file.exists() else {}
    return Label(**{each.name: _text(found.get(each.name, ""))[:LONGEST_NAME] for each in fields(Label)})


def moment(value: Any) -> float:
    """Seconds since 1970, or now where that is none."""
    sane = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < LATEST
    return float(value) if sane else time.time()


def _parsed(text: str) -> Any:
    return json.loads(text, parse_constant=_refuse)


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _checked(name: str, value: Any, kind: Any) -> Any:
    if value is None and kind not in (str, int, float):
        return None
    if kind is str and isinstance(value, str):
        return _text(value)
    if kind is Message:
        return _message(name, value)
    whole = kind in (int, int | None)
    if _is_number(value, whole) and 0 <= value <= RANGES.get(name, LARGEST):
        return value
    raise TransferError(f"The status of this run has {name} = {str(value)[:40]!r}, which cannot be.")


def _message(name: str, value: Any) -> Message:
    try:
        found = Message.from_json(value)
    except ValueError as error:
        raise TransferError(f"The status of this run has a {name} that cannot be: {error}.") from error
    numbers = [each for each in found.values.values() if not isinstance(each, str)]
    if len(found.values) > MAX_FACTS or not all(_is_number(each) and abs(each) <= LARGEST for each in numbers):
        raise TransferError(f"The status of this run has a {name} with values that cannot be.")
    cleaned = {key: _cleaned(each) if isinstance(each, str) else each for key, each in found.values.items()}
    return Message(_cleaned(found.key), {_cleaned(key): each for key, each in cleaned.items()})


def _cleaned(text: str) -> str:
    return MARKUP.sub("", _text(text))


def _is_number(value: Any, whole: bool = False) -> bool:
    kinds = int if whole else int | float
    return isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value)


def _row(line: str, number: int) -> dict[str, Any]:
    try:
        found = _parsed(line)
    except (ValueError, RecursionError) as error:
        raise TransferError(f"Line {number:,} of the metrics is no JSON ({str(error)[:100]}).") from error
    fits = isinstance(found, dict) and all(type(found.get(name)) in kinds for name, kinds in ROW.items())
    if (
        not fits
        or found["phase"] not in PHASE_KEYS
        or not all(_is_fine(found[name]) for name in ROW if name != "phase")
    ):
        raise TransferError(f"Line {number:,} of the metrics is not one: {line[:100]!r}.")
    wrong = next((name for name in MEASURED if name in found and not _is_fine(found[name])), None)
    if wrong:
        raise TransferError(f"Line {number:,} of the metrics has {wrong} = {str(found[wrong])[:40]!r}.")
    return {name: found[name] for name in (*ROW, *MEASURED) if name in found}


def _is_fine(value: Any) -> bool:
    return isinstance(value, bool) or (_is_number(value) and abs(value) <= LARGEST)


def _fact(value: Any) -> Any:
    if isinstance(value, list):
        return [_text(each) for each in value[:MAX_FACTS]]
    return value if value is None or isinstance(value, bool) or _is_number(value) else _text(value)


def _text(value: Any) -> str:
    """A short text without what would disturb the screen; empty for anything else."""
    return UNSEEN.sub("\ufffd", value[:LONGEST_TEXT]) if isinstance(value, str) else ""
