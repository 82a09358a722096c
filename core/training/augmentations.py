"""The table of augmentations: what a person can switch on, how strong, and which Keras layer does it.

Nothing here imports Keras: a row names its layer as a string, and `core.training.augmenter` builds it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import RecipeError

FILL: Mapping[str, Any] = {"fill_mode": "reflect"}
PIXELS: Mapping[str, Any] = {"value_range": (0, 255)}


@dataclass(frozen=True)
class Choice:
    """What is chosen for a row that is on.

    Attributes:
        strength: How much a photo is changed at most; in (0, the row's maximum], and 1 where a row has no strength.
        probability: How often: the share of photos that are changed, in (0, 1].
    """

    strength: float
    probability: float = 1.0


@dataclass(frozen=True)
class Augmentation:
    """A row: one random change to a training photo.

    Attributes:
        key: Its name in a recipe.
        name: Its name on the screen.
        explanation: One sentence of help.
        layer: The class in `core.training.layers`, or else in `keras.layers`.
        strength_arguments: The layer's arguments that take the strength; none where there is no strength.
        arguments: Its other arguments.
        maximum: The largest strength; strengths lie in (0, maximum]. For a row without strength it is 1.
        default: The strength that a slider starts with.
        probability: The share of photos that are changed at first.
        scale, unit: A strength s reads as s × scale with this unit.
        mirrors: Whether it turns letters and digits into something else.
    """

    key: str
    name: str
    explanation: str
    layer: str
    strength_arguments: tuple[str, ...]
    arguments: Mapping[str, Any]
    maximum: float
    default: float
    probability: float = 1.0
    scale: float = 100
    unit: str = "%"
    mirrors: bool = False

    @property
    def has_strength(self) -> bool:
        """Whether there is anything to set beyond on and off."""
        return bool(self.strength_arguments)

    def choice(self) -> Choice:
        """What is chosen when the row is switched on."""
        return Choice(self.default, self.probability)

    def check(self, choice: Choice) -> None:
        """Raise `RecipeError` unless the strength lies in (0, maximum] and the probability in (0, 1]."""
        for what, value, maximum in (
            ("strength", choice.strength, self.maximum),
            ("probability", choice.probability, 1.0),
        ):
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise RecipeError(f"The {what} of “{self.name}” is {value!r}; it must be a number.")
            if not 0 < value <= maximum:
                raise RecipeError(
                    f"The {what} of “{self.name}” is {value}; it must be above 0 and at most {maximum:g}."
                )


AUGMENTATIONS: tuple[Augmentation, ...] = (
    Augmentation(
        "flip_horizontal",
        "Flip left–right",
        "Mirrors photos. Good for most things; wrong for text and for left or right hands.",
        "Flip",
        (),
        {"axis": 2},
        maximum=1,
        default=1,
        probability=0.5,
        mirrors=True,
    ),
    Augmentation(
        "flip_vertical",
        "Flip upside down",
        "Turns photos upside down. For photos from above, such as leaves on a table or cells.",
        "Flip",
        (),
        {"axis": 1},
        maximum=1,
        default=1,
        probability=0.5,
        mirrors=True,
    ),
    Augmentation(
        "rotation",
        "Rotation",
        "Turns each photo by a random angle up to this one, to either side.",
        "RandomRotation",
        ("factor",),
        FILL,
        maximum=0.5,
        default=0.05,
        scale=360,
        unit="°",
    ),
    Augmentation(
        "zoom",
        "Zoom",
        "Moves the camera nearer or further away, up to this much.",
        "RandomZoom",
        ("height_factor",),
        FILL,
        maximum=0.5,
        default=0.15,
    ),
    Augmentation(
        "translation",
        "Translation",
        "Shifts each photo sideways and up or down, up to this share of its width and height.",
        "RandomTranslation",
        ("height_factor", "width_factor"),
        FILL,
        maximum=0.5,
        default=0.1,
    ),
    Augmentation(
        "contrast",
        "Contrast",
        "Makes photos flatter or punchier, up to this much.",
        "RandomContrast",
        ("factor",),
        PIXELS,
        maximum=0.9,
        default=0.2,
    ),
    Augmentation(
        "brightness",
        "Brightness",
        "Makes photos darker or lighter, up to this share of the full range.",
        "RandomBrightness",
        ("factor",),
        PIXELS,
        maximum=0.9,
        default=0.1,
    ),
)

AUGMENTATION_OF: Mapping[str, Augmentation] = {row.key: row for row in AUGMENTATIONS}

DEFAULT_KEYS = ("flip_horizontal", "rotation", "zoom")


def reads_as_characters(class_names: Iterable[str]) -> bool:
    """Whether every class is named by one letter or digit, so that mirroring a photo would change its label."""
    return all(len(name) == 1 and name.isalnum() for name in class_names)


def default_augmentations(class_names: Iterable[str]) -> dict[str, Choice]:
    """By key, what is on at first: mild geometry, and no mirroring where classes are characters."""
    spare_mirrors = reads_as_characters(class_names)
    rows = (AUGMENTATION_OF[key] for key in DEFAULT_KEYS)
    return {row.key: row.choice() for row in rows if not (spare_mirrors and row.mirrors)}
