"""The head: what turns a backbone's features into class probabilities.

Importing this module does not import Keras, so a recipe may hold a `Head`; the functions are the trainer's.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import RecipeError

if TYPE_CHECKING:
    import keras

LARGEST_DROPOUT = 0.9
HEAD_LAYERS = ("pool", "head_dropout", "head")
"""The names of the head's layers, from input to output; "pool" is there only if the features are a map."""


@dataclass(frozen=True)
class Head:
    """How the head is made.

    Attributes:
        dropout: Fraction of the features left out at random while training, 0 to 0.9.

    Raises:
        RecipeError: The fraction is out of range.
    """

    dropout: float = 0.2

    def __post_init__(self) -> None:
        """Check the fraction."""
        if not 0 <= self.dropout <= LARGEST_DROPOUT:
            raise RecipeError(
                f"The head's dropout is {self.dropout}, but must be between 0 and {LARGEST_DROPOUT}; 0.2 is usual."
            )


def attach(features: "keras.KerasTensor", head: Head, class_count: int) -> "keras.KerasTensor":
    """Put a head on features.

    Args:
        features: A map (B, h, w, C), which is averaged to (B, C), or features (B, C).
        head: How the head is made.
        class_count: Number of classes K, at least 2.

    Returns:
        Probabilities (B, K), float32, each row summing to 1.

    Raises:
        RecipeError: There are fewer than two classes.
    """
    import keras

    if class_count < 2:
        raise RecipeError(f"A classifier was asked for {class_count} classes, but needs at least 2; add a class.")
    pool, dropout, dense = HEAD_LAYERS
    x = keras.layers.GlobalAveragePooling2D(name=pool)(features) if len(features.shape) == 4 else features
    x = keras.layers.Dropout(head.dropout, name=dropout)(x)
    return keras.layers.Dense(class_count, activation="softmax", dtype="float32", name=dense)(x)


def features_of(model: "keras.Model") -> "keras.KerasTensor":
    """Return the tensor that a model's head reads; for a bare backbone its output."""
    names = {layer.name for layer in model.layers}
    first = next((name for name in HEAD_LAYERS if name in names), None)
    return model.get_layer(first).input if first else model.output
