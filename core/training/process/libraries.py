"""Loading TensorFlow and Keras, which takes seconds."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


def load_keras() -> None:
    """Import what training needs; returns at once where that was done."""
    with without_scikit_learn():
        import core.models.trainable
        import core.training.inputs.data_loader  # noqa: F401


@contextmanager
def without_scikit_learn() -> Iterator[None]:
    """Spare the second that Keras takes to load scikit-learn, for wrappers around models that are not used here."""
    if "sklearn" in sys.modules:
        yield
        return
    sys.modules["sklearn"] = None  # type: ignore[assignment] # makes importing it an ImportError, which Keras expects
    try:
        yield
    finally:
        del sys.modules["sklearn"]
