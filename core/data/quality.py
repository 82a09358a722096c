"""How good a photo is, in numbers that a hint can rest on: blank, blurred, dark, tiny, a strip, or not surely read.

Hints point at photos worth a look. They are no verdict, and nothing is left out because of them.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import DataError

BLANK, BLURRED, DARK, TINY, STRIP, ASSUMED = HINTS = "blank", "blurred", "dark", "tiny", "strip", "assumed"

BLANK_BELOW = 3.0
"""Standard deviation of brightness, of 255: paper with a scanner's grain stays below, a thin line on it does not."""

JUDGED_SIDE = 224
"""Sharpness is judged at about this many pixels of the shorter side: about what networks see."""

TILE = 16
REACH = 8
"""Pixels over which an edge is followed. As wide as JPEG's blocks, so that their borders do not pass for edges."""

STRONG = 0.5
"""Tiles count whose edges are at least this share of the strong ones of the photo."""

BLURRED_BELOW = 0.35
"""Set on 3,119 flower photos with shorter sides of 224 pixels. One of them lies below; it is blurred all over. Of 250
that were blurred on purpose, all lie below after a Gaussian of 2 pixels or more, 248 when smeared sideways over 9
pixels, about 40 when smeared diagonally over 11, and 4 when left sharp in a disc 0.3 shorter sides wide."""

BLURRED_SIDE = 128
"""Least pixels of the shorter side at which blur is judged: smaller photos are often enlarged from a few pixels."""

DARK_BELOW = 40
"""Brightness, of 255, that nearly all of a dark photo stays below. The darkest of 3,119 flower photos has 64."""

BRIGHT_CELLS = 5
"""Cells of a fingerprint, of 256, that may be brighter in a dark photo: a lamp at night shows nothing else."""

TINY_SIDE = 32
"""Pixels: photos with a shorter side below it are tiny."""

STRIP_RATIO = 4.0
"""Photos whose longer side is more than this times the shorter are strips: most lies outside the middle square."""


def sharpness(grey: NDArray[np.uint8]) -> float:
    """Return how steep the sharpest of a photo's strong edges are, 0..1: 1 when an edge lies between two pixels.

    Each tile of 16 x 16 pixels is looked at in both directions: its largest step from one pixel to the next, less one
    for rounding, is divided by its largest step over 8 pixels. The 95th percentile over the tiles with strong edges
    counts, so a sharp subject is enough; of both directions the lower counts, so motion shows. The ratio does not
    depend on contrast. Where there is nothing to judge, in one flat colour or below 24 pixels, 1 is returned.

    Args:
        grey: Shape (height, width).
    """
    step = max(1, round(min(grey.shape) / JUDGED_SIDE))
    pixels = np.ascontiguousarray(grey[::step, ::step])
    if min(pixels.shape) < TILE + REACH:
        return 1.0
    edges = [_largest_steps(pixels, REACH, axis) for axis in (0, 1)]
    least = max(1.0, STRONG * max(_percentile(edge, 0.9) for edge in edges))
    counted = [edge >= least for edge in edges]
    ratios = [
        (np.maximum(_largest_steps(pixels, 1, axis)[strong], 1) - 1.0) / edges[axis][strong]
        for axis, strong in enumerate(counted)
        if strong.any()
    ]
    return min([1.0, *(_percentile(ratio, 0.95) for ratio in ratios)])


def hints(
    widths: ArrayLike,
    heights: ArrayLike,
    fingerprints: ArrayLike,
    sharpness: ArrayLike,
    contrast: ArrayLike,
    assumed: ArrayLike,
) -> dict[str, NDArray[np.intp]]:
    """Return the photos that deserve a look: for each of `HINTS` their positions, worst first.

    Args:
        widths: Shape (N,), in pixels.
        heights: Shape (N,), in pixels.
        fingerprints: Shape (N, 16, 16), uint8, as in `core.data.images.PhotoInfo`.
        sharpness: Shape (N,), as `sharpness` gives.
        contrast: Shape (N,), as in `PhotoInfo`.
        assumed: Shape (N,), bool, as in `PhotoInfo`.

    Raises:
        DataError: They differ in length.
    """
    width, height, sharp, deviation = (
        np.asarray(values, dtype=float) for values in (widths, heights, sharpness, contrast)
    )
    prints, guessed = np.asarray(fingerprints), np.asarray(assumed, dtype=bool)
    lengths = [len(values) for values in (width, height, prints, sharp, deviation, guessed)]
    if len(set(lengths)) > 1:
        raise DataError(
            "Expected a width, a height, a fingerprint, a sharpness, a contrast and whether something was assumed for"
            f" each photo; got {', '.join(map(str, lengths))}."
        )
    if not len(prints):
        return {key: np.empty(0, dtype=np.intp) for key in HINTS}
    short, long = np.minimum(width, height), np.maximum(width, height)
    bright = np.partition(prints.reshape(len(prints), -1), -BRIGHT_CELLS - 1, axis=1)[:, -BRIGHT_CELLS - 1]
    return {
        BLANK: _worst_first(deviation, deviation < BLANK_BELOW),
        BLURRED: _worst_first(sharp, (sharp < BLURRED_BELOW) & (short >= BLURRED_SIDE)),
        DARK: _worst_first(bright, bright < DARK_BELOW),
        TINY: _worst_first(short, short < TINY_SIDE),
        STRIP: _worst_first(short / long, long > STRIP_RATIO * short),
        ASSUMED: np.flatnonzero(guessed),
    }


def _largest_steps(pixels: NDArray[np.uint8], distance: int, axis: int) -> NDArray[np.uint8]:
    """Return the largest difference of two pixels that far apart, for each tile, in one dimension.

    Up to 23 rows and columns at the end are in no tile.
    """
    rows, columns = ((side - REACH) // TILE * TILE for side in pixels.shape)
    down, right = (distance, 0) if axis == 0 else (0, distance)
    here, there = pixels[:rows, :columns], pixels[down : down + rows, right : right + columns]
    steps = np.maximum(here, there)
    steps -= np.minimum(here, there)
    of_rows = steps.reshape(rows // TILE, TILE, columns).max(axis=1)
    largest: NDArray[np.uint8] = np.maximum.reduceat(of_rows, np.arange(0, columns, TILE), axis=1)
    return largest.ravel()


def _percentile(values: NDArray[np.uint8] | NDArray[np.float64], share: float) -> float:
    return float(np.sort(values)[int(share * (len(values) - 1))])


def _worst_first(values: NDArray[np.generic], chosen: NDArray[np.bool_]) -> NDArray[np.intp]:
    positions = np.flatnonzero(chosen)
    return positions[np.argsort(values[positions], kind="stable")]
