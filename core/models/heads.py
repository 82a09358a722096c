"""The head: what turns a backbone's features into class probabilities.

Importing this module does not import Keras, so a recipe may hold a `Head`; the functions are the trainer's.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import RecipeError
from core.language import tr
from core.models.backbones import Backbone

if TYPE_CHECKING:
    import keras

LARGEST_DROPOUT = 0.9
HEAD_LAYERS = ("pool", "head_norm", "head_dropout", "head")
"""The names of the head's layers, from input to output; "pool" is there only if the features are a map, "head_norm"
only if the head has one."""

AVERAGE, MAX, FLATTEN = "average", "max", "flatten"

POOLING_LAYERS = {AVERAGE: "GlobalAveragePooling2D", MAX: "GlobalMaxPooling2D", FLATTEN: "Flatten"}
"""What makes features of a map: its name in a recipe, and the layer in Keras."""


@dataclass(frozen=True)
class Head:
    """How the head is made.

    Attributes:
        dropout: Fraction of the features left out at random while training, 0 to 0.9.
        pooling: A key of `POOLING_LAYERS`.
        batch_norm: Whether features are normalised by their batch before anything else.
        seed: Fixes the first weights and what is left out.

    Raises:
        RecipeError: The fraction is out of range, or there is no such pooling.
    """

    dropout: float = 0.2
    pooling: str = AVERAGE
    batch_norm: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the fraction."""
        if not 0 <= self.dropout <= LARGEST_DROPOUT:
            raise RecipeError(
                tr(
                    "The head's dropout is {dropout}, but must be between 0 and {largest}; 0.2 is usual.",
                    dropout=str(self.dropout),
                    largest=str(LARGEST_DROPOUT),
                )
            )
        if self.pooling not in POOLING_LAYERS:
            raise RecipeError(
                tr(
                    "The head's pooling is {pooling}, but must be one of {known}.",
                    pooling=repr(self.pooling),
                    known=", ".join(POOLING_LAYERS),
                )
            )


@dataclass(frozen=True)
class EarlierHead:
    """The head of a saved classifier, of which a new one of the same backbone takes over what it has learned.

    Attributes:
        head: How it was made.
        classes: Its number of classes.
        columns: For each class of the new head the number of the same class here, or -1.
    """

    head: Head
    classes: int
    columns: tuple[int, ...]

    @property
    def known(self) -> tuple[int, ...]:
        """The classes of the new head, by number, that are taken over."""
        return tuple(number for number, column in enumerate(self.columns) if column >= 0)

    @property
    def knows_all(self) -> bool:
        """Whether all classes of the new head are taken over."""
        return len(self.known) == len(self.columns)


def feature_width(backbone: Backbone, pooling: str) -> int:
    """Return the number of features D per photo that a head with this pooling reads."""
    last = backbone.blocks[-1]
    return last.side**2 * last.channels if pooling == FLATTEN else backbone.feature_width


def attach(features: "keras.KerasTensor", head: Head, class_count: int) -> "keras.KerasTensor":
    """Put a head on features.

    Args:
        features: A map (B, h, w, C), which is pooled to (B, C) or flattened, or features (B, C).
        head: How the head is made.
        class_count: Number of classes K, at least 2.

    Returns:
        Probabilities (B, K), float32, each row summing to 1.

    Raises:
        RecipeError: There are fewer than two classes.
    """
    import keras

    if class_count < 2:
        raise RecipeError(
            tr("A classifier was asked for {count} classes, but needs at least 2; add a class.", count=class_count)
        )
    pool, norm, dropout, dense = HEAD_LAYERS
    pooling = getattr(keras.layers, POOLING_LAYERS[head.pooling])
    x = pooling(name=pool)(features) if len(features.shape) == 4 else features
    x = keras.layers.BatchNormalization(name=norm)(x) if head.batch_norm else x
    x = keras.layers.Dropout(head.dropout, seed=head.seed, name=dropout)(x)
    first = keras.initializers.GlorotUniform(seed=head.seed)
    return keras.layers.Dense(class_count, activation="softmax", kernel_initializer=first, dtype="float32", name=dense)(
        x
    )


def features_of(model: "keras.Model") -> "keras.KerasTensor":
    """Return the tensor that a model's head reads; for a bare backbone its output."""
    names = {layer.name for layer in model.layers}
    first = next((name for name in HEAD_LAYERS if name in names), None)
    return model.get_layer(first).input if first else model.output


def pooled_features_of(model: "keras.Model") -> "keras.KerasTensor":
    """Return the features (B, D) of a classifier, which nothing of the head but its pooling has touched."""
    names = {layer.name for layer in model.layers}
    return model.get_layer("pool").output if "pool" in names else features_of(model)
