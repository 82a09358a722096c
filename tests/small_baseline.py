"""The baseline CNN on photos of 96 instead of 224 pixels, as nearly all tests have it: a run takes half the time.

Nothing but the sizes of its maps changes. `tests/conftest.py` makes it small in the processes that run tests, and
`tests/nursery.py` in those that they start; where it must be as published, take the fixture `whole_baseline`.
"""

from dataclasses import replace
from typing import Any

from core.models.backbones import Backbone, backbone

WHOLE = "UNFREEZE_TEST_WHOLE_BASELINE"
"""Tells processes that tests start that the baseline is as published."""

SIDES = (47, 22, 10, 1)
"""Side of the map that each of its blocks puts out."""

DENSE = 10 * 10 * 32 * 128 + 128
"""Weights of its last block."""

_row = backbone("baseline-cnn")
_published = replace(_row)


def _small(row: Backbone) -> Backbone:
    blocks = [replace(block, side=side) for block, side in zip(row.blocks, SIDES, strict=True)]
    return replace(
        row,
        resolution=96,
        parameters=row.parameters - row.blocks[-1].learnable + DENSE,
        flops=94**2 * 864 + 45**2 * 9216 + 20**2 * 9216 + DENSE - 128,
        blocks=(*blocks[:-1], replace(blocks[-1], learnable=DENSE)),
    )


def _become(row: Backbone) -> None:
    """Change the row of the table itself: many modules hold the table."""
    changed: dict[str, Any] = vars(row)
    vars(_row).update(changed)


def shrink() -> None:
    """Make it small in this process."""
    _become(_small(_published))


def restore() -> None:
    """Make it as published again."""
    _become(_published)
