"""What a line of a run's metrics may hold."""

from collections.abc import Mapping
from typing import Any

from core.json_values import LARGEST, checked
from core.language import tr

REQUIRED: Mapping[str, type] = {
    "phase": str,
    "epoch": int,
    "step": int,
    "position": float,
    "partial": bool,
    "seconds": float,
    "learning_rate": float,
}
OPTIONAL = ("version", "loss", "accuracy", "images_per_second", "val_loss", "val_accuracy", "val_seconds")
METRICS: Mapping[str, type] = {**REQUIRED, **dict.fromkeys(OPTIONAL, float)}

MOST_EPOCHS = 100_000

RANGES: Mapping[str, tuple[float, float]] = {
    **dict.fromkeys(METRICS, (-LARGEST, LARGEST)),
    "epoch": (1, MOST_EPOCHS),
    "step": (0, LARGEST),
    "position": (0, MOST_EPOCHS),
}


def checked_metrics(row: Mapping[str, Any]) -> dict[str, Any]:
    """The known values of a line; raises `ValueError` where one is missing or not possible."""
    if missing := [name for name in REQUIRED if name not in row]:
        raise ValueError(tr("it has no {name}", name=missing[0]))
    return checked(row, METRICS, RANGES)


def is_metrics(row: Any) -> bool:
    """Whether a line holds metrics."""
    try:
        return isinstance(row, dict) and bool(checked_metrics(row))
    except ValueError:
        return False
