"""Which cases of a parametrised test are always run; `uv run pytest -m thorough` runs the others."""

from collections.abc import Iterable
from typing import Any

import pytest


def cases(every: Iterable[Any], *always: Any) -> list[Any]:
    """All values of a parameter; those that are not `always` to be run are marked as thorough.

    Raises `ValueError` where one of `always` is none of the values.
    """
    values = list(every)
    if unknown := [each for each in always if each not in values]:
        raise ValueError(f"no such case: {unknown}")
    return [each if each in always else pytest.param(each, marks=pytest.mark.thorough) for each in values]
