"""Here the baseline CNN is as published: networks themselves are tested."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def as_published(whole_baseline: None) -> None:
    """Every module takes it."""
