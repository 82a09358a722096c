"""How fast this machine is, said before a run starts: what former runs measured here, or else a guess.

Nothing here imports Keras. A trainer calls `remember`, pages call `known_throughput`.
"""

import json
import math
import os
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median_low
from typing import Any

import numpy as np

from core.files import write_atomically
from core.json_values import LARGEST, fits, read_json
from core.models.backbones import BACKBONES, Backbone, backbone
from core.processes.locks import locked
from core.training.budget.cost_model import Throughput, augmenting_seconds

FILE_NAME, FIXED_FILE_NAME = "pace.json", "fixed_seconds.json"

LOCK_SECONDS = 1.0
"""How long to wait for another process that keeps what it has measured."""

ENOUGH = 1_000
"""Photos that a measurement rests on at least."""

RUNS_KEPT = 5
"""Of each backbone, what no choice changes is kept for so many runs, the latest last; their lower median counts.

The first run also converts its network, may download weights, and has no warm trainer; later ones tell what is usual.
"""

EFFICIENCY = 0.68
"""How many operations of an EfficientNet are done in the time of one of a matrix product on all cores.

165 photos a second go through B0 where two cores multiply matrices at 95 gigaflops each.
"""

PRODUCT_SIDE, PRODUCTS, GUESS_SECONDS = 64, 8, 0.05
"""What is timed to guess: products of square matrices so small that numpy computes them on one core."""


@dataclass(frozen=True)
class Known:
    """How fast this machine is, as far as that is known.

    Attributes:
        throughput: The throughput.
        measured: Whether a run has measured it here; else it is a guess.
    """

    throughput: Throughput
    measured: bool


def remember(home: Path, key: str, photos: int, seconds: float) -> None:
    """Keep, for a backbone, how long so many photos took to go through its frozen part, as last measured here.

    Decoding is included, and so is augmenting. A few photos say nothing, because getting ready takes seconds; what
    cannot be kept is measured again by the next run.
    """
    if photos < ENOUGH or seconds <= 0:
        return
    with suppress(OSError):
        home.mkdir(parents=True, exist_ok=True)
        with locked(home / f".{FILE_NAME}.lock", LOCK_SECONDS):  # trainers may end at the same time
            rates = _read(home) | {key: {"photos_per_second": photos / seconds, "measured": time.time()}}
            write_atomically(home / FILE_NAME, json.dumps(rates, indent=1))


def remember_fixed(home: Path, key: str, seconds: float) -> None:
    """Keep how long a run with a backbone took beside its epochs and its first look at photos."""
    if not 0 < seconds < LARGEST:
        return
    with suppress(OSError):
        home.mkdir(parents=True, exist_ok=True)
        with locked(home / f".{FILE_NAME}.lock", LOCK_SECONDS):
            found = _read_fixed(home)
            found[key] = [*found.get(key, []), round(seconds, 2)][-RUNS_KEPT:]
            write_atomically(home / FIXED_FILE_NAME, json.dumps(found, indent=1))


def known_throughput(home: Path, chosen: Backbone, guess: Throughput) -> Known:
    """What runs with this backbone measured, or those with others; where there were none, the guess."""
    known, fixed = _known_rate(home, chosen, guess), _read_fixed(home)
    runs = fixed.get(chosen.key) or [seconds for several in fixed.values() for seconds in several]
    if not runs:
        return known
    return replace(known, throughput=replace(known.throughput, fixed_seconds=median_low(runs)))


def _known_rate(home: Path, chosen: Backbone, guess: Throughput) -> Known:
    rates = _read(home)
    key = chosen.key if chosen.key in rates else max(rates, key=lambda each: rates[each]["measured"], default="")
    if not key:
        return Known(guess, False)
    row = backbone(key)
    whole = 1 / rates[key]["photos_per_second"]
    forward = max(whole / 2, whole - augmenting_seconds(row))
    return Known(Throughput(1 / forward, row.flops), True)


def guessed_throughput() -> Throughput:
    """A guess from how fast numpy multiplies matrices here; takes a twentieth of a second."""
    cores = os.cpu_count() or 1
    reference = backbone("efficientnet-b0")
    return Throughput(EFFICIENCY * cores * _gigaflops() * 1e9 / (2 * reference.flops), reference.flops)


def _gigaflops() -> float:
    left = np.random.default_rng(0).random((PRODUCT_SIDE, PRODUCT_SIDE), np.float32)
    product = left @ left
    fastest, end = math.inf, time.perf_counter() + GUESS_SECONDS
    while fastest == math.inf or time.perf_counter() < end:
        began = time.perf_counter()
        for _ in range(PRODUCTS):
            np.matmul(left, left, out=product)
        fastest = min(fastest, time.perf_counter() - began)
    return 2 * PRODUCT_SIDE**3 * PRODUCTS / fastest / 1e9


def _read(home: Path) -> dict[str, dict[str, float]]:
    """What was remembered; a file that is damaged is as good as none, since the next run replaces it."""
    try:
        values = read_json(home / FILE_NAME, dict)
    except (OSError, ValueError):
        return {}
    return {row.key: values[row.key] for row in BACKBONES if _is_entry(values.get(row.key))}


def _read_fixed(home: Path) -> dict[str, list[float]]:
    """Seconds that no choice changed, of the latest runs with each backbone; nothing where the file is damaged."""
    try:
        values = read_json(home / FIXED_FILE_NAME, dict)
    except (OSError, ValueError):
        return {}
    kept = {row.key: values[row.key] for row in BACKBONES if isinstance(values.get(row.key), list)}
    return {
        key: runs[-RUNS_KEPT:]
        for key, runs in kept.items()
        if runs and all(fits(seconds, float, math.ulp(0.0), LARGEST) for seconds in runs)
    }


def _is_entry(entry: Any) -> bool:
    names = ("photos_per_second", "measured")
    return isinstance(entry, dict) and all(fits(entry.get(name), float, math.ulp(0.0), LARGEST) for name in names)
