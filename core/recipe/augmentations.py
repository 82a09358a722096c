"""The table of augmentations: what a person can switch on, how strong and how often.

Nothing here imports TensorFlow: a row's key is the name of its function in `core.training.inputs.transforms`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from core.errors import RecipeError
from core.language import tr, tr_mark

GEOMETRY, COLOUR, SHARPNESS, MIXTURES = (
    tr_mark("Geometry"),
    tr_mark("Colour"),
    tr_mark("Sharpness"),
    tr_mark("Mixtures"),
)
GROUPS = (GEOMETRY, COLOUR, SHARPNESS, MIXTURES)
"""In the order in which a page shows them, through `tr`."""


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
        key: Its name in a recipe, and of its function in `core.training.inputs.transforms`.
        name_message: Its name on the screen, in English; `name` is in the reader's language.
        group: Where it stands on the screen; one of `GROUPS`.
        explanation_message: One or two sentences of help, in English; `explanation` is in the reader's language.
        default: The strength that a slider starts with.
        maximum: The largest strength; strengths lie in (0, maximum]. For a row without strength it is 1.
        probability: The share of photos that are changed at first.
        scale, unit: A strength s reads as s × scale with this unit.
        warps: Whether it only moves pixels along straight lines; all such changes of a photo are computed as one.
        has_strength: Whether there is a strength to set.
        mirrors: Whether it turns letters and digits into something else.
    """

    key: str
    name_message: str
    group: str
    explanation_message: str
    default: float = 1
    maximum: float = 1
    probability: float = 1.0
    scale: float = 100
    unit: str = "%"
    warps: bool = False
    has_strength: bool = True
    mirrors: bool = False

    @property
    def name(self) -> str:
        """Its name on the screen."""
        return tr(self.name_message)

    @property
    def explanation(self) -> str:
        """One or two sentences of help."""
        return tr(self.explanation_message)

    def choice(self) -> Choice:
        """What is chosen when the row is switched on."""
        return Choice(self.default, self.probability)

    def check(self, choice: Choice) -> None:
        """Raise `RecipeError` unless the strength lies in (0, maximum] and the probability in (0, 1]."""
        strength, probability = choice.strength, choice.probability
        if not _is_number(strength):
            raise RecipeError(
                tr("The strength of “{name}” is {value}; it must be a number.", name=self.name, value=repr(strength))
            )
        if not 0 < strength <= self.maximum:
            raise RecipeError(
                tr(
                    "The strength of “{name}” is {value}; it must be above 0 and at most {most}.",
                    name=self.name,
                    value=str(strength),
                    most=f"{self.maximum:g}",
                )
            )
        if not _is_number(probability):
            raise RecipeError(
                tr(
                    "The probability of “{name}” is {value}; it must be a number.",
                    name=self.name,
                    value=repr(probability),
                )
            )
        if not 0 < probability <= 1:
            raise RecipeError(
                tr(
                    "The probability of “{name}” is {value}; it must be above 0 and at most {most}.",
                    name=self.name,
                    value=str(probability),
                    most="1",
                )
            )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


AUGMENTATIONS: tuple[Augmentation, ...] = (
    Augmentation(
        "flip_horizontal",
        tr_mark("Flip left–right"),
        GEOMETRY,
        tr_mark("Mirrors photos. Good for most things; wrong for text and for left or right hands."),
        probability=0.5,
        warps=True,
        has_strength=False,
        mirrors=True,
    ),
    Augmentation(
        "flip_vertical",
        tr_mark("Flip upside down"),
        GEOMETRY,
        tr_mark("Turns photos upside down. For photos from above, such as leaves on a table or cells."),
        probability=0.5,
        warps=True,
        has_strength=False,
        mirrors=True,
    ),
    Augmentation(
        "rotation",
        tr_mark("Rotation"),
        GEOMETRY,
        tr_mark("Turns each photo by a random angle up to this one, to either side."),
        default=0.05,
        maximum=0.5,
        scale=360,
        unit="°",
        warps=True,
    ),
    Augmentation(
        "zoom",
        tr_mark("Zoom"),
        GEOMETRY,
        tr_mark("Moves the camera nearer or further away, up to this much."),
        default=0.15,
        maximum=0.5,
        warps=True,
    ),
    Augmentation(
        "translation",
        tr_mark("Translation"),
        GEOMETRY,
        tr_mark("Shifts each photo sideways and up or down, up to this share of its width and height."),
        default=0.1,
        maximum=0.5,
        warps=True,
    ),
    Augmentation(
        "shear",
        tr_mark("Shear"),
        GEOMETRY,
        tr_mark("Slants the photo, as if its frame were pushed askew, up to this much."),
        default=0.1,
        maximum=0.5,
        warps=True,
    ),
    Augmentation(
        "crop",
        tr_mark("Crop"),
        GEOMETRY,
        tr_mark(
            "Cuts out a part from anywhere in the photo and enlarges it; up to this share of the width is cut away."
        ),
        default=0.2,
        maximum=0.8,
        warps=True,
    ),
    Augmentation(
        "perspective",
        tr_mark("Perspective"),
        GEOMETRY,
        tr_mark("Tilts the photo, as if it were seen from the side, from above or from below."),
        default=0.3,
        maximum=0.8,
        warps=True,
    ),
    Augmentation(
        "elastic",
        tr_mark("Elastic"),
        GEOMETRY,
        tr_mark("Bends the photo like rubber, up to this share of its width. For handwriting or cells."),
        default=0.04,
        maximum=0.2,
        probability=0.5,
    ),
    Augmentation(
        "brightness",
        tr_mark("Brightness"),
        COLOUR,
        tr_mark("Makes photos darker or lighter, up to this share of the full range."),
        default=0.1,
        maximum=0.9,
    ),
    Augmentation(
        "contrast",
        tr_mark("Contrast"),
        COLOUR,
        tr_mark("Makes photos flatter or punchier, up to this much."),
        default=0.2,
        maximum=0.9,
    ),
    Augmentation(
        "saturation",
        tr_mark("Saturation"),
        COLOUR,
        tr_mark("Makes colours paler or stronger, up to this much."),
        default=0.4,
        maximum=1,
    ),
    Augmentation(
        "hue",
        tr_mark("Hue"),
        COLOUR,
        tr_mark("Turns all colours round the colour circle, up to this angle. Wrong where colour tells classes apart."),
        default=0.1,
        maximum=1,
        scale=180,
        unit="°",
    ),
    Augmentation(
        "colour_jitter",
        tr_mark("Colour jitter"),
        COLOUR,
        tr_mark(
            "Brightness, contrast, saturation and a little hue, all at once. Stands for another camera or"
            " another light."
        ),
        default=0.3,
        maximum=0.9,
    ),
    Augmentation(
        "greyscale",
        tr_mark("Greyscale"),
        COLOUR,
        tr_mark("Takes the colours away, so that the model learns shapes, too."),
        probability=0.2,
        has_strength=False,
    ),
    Augmentation(
        "posterise",
        tr_mark("Posterise"),
        COLOUR,
        tr_mark("Leaves only a few shades of each colour, as on a poster: up to this many of the 8 bits are cut off."),
        default=4,
        maximum=7,
        probability=0.3,
        scale=1,
        unit=" bits",
    ),
    Augmentation(
        "solarise",
        tr_mark("Solarise"),
        COLOUR,
        tr_mark("Inverts the lightest parts, as in a negative, up to this share of the range."),
        default=0.3,
        maximum=1,
        probability=0.2,
    ),
    Augmentation(
        "sharpness",
        tr_mark("Sharpness"),
        SHARPNESS,
        tr_mark("Makes photos crisper or softer, up to this much."),
        default=0.5,
        maximum=2,
    ),
    Augmentation(
        "blur",
        tr_mark("Blur"),
        SHARPNESS,
        tr_mark("Blurs photos as a lens out of focus does, up to this share of their width."),
        default=0.01,
        maximum=0.05,
        probability=0.3,
    ),
    Augmentation(
        "erasing",
        tr_mark("Erasing"),
        SHARPNESS,
        tr_mark(
            "Covers a rectangle with noise, up to this share of the photo, so that the model looks at more than"
            " one spot."
        ),
        default=0.2,
        maximum=0.6,
        probability=0.5,
    ),
    Augmentation(
        "rand_augment",
        tr_mark("RandAugment"),
        MIXTURES,
        tr_mark("Two changes at random out of eleven, of shape, colour and sharpness. One slider instead of many."),
        default=0.3,
        maximum=1,
    ),
    Augmentation(
        "aug_mix",
        tr_mark("AugMix"),
        MIXTURES,
        tr_mark(
            "Blends the photo with three differently changed copies of itself. Makes models robust against bad photos."
        ),
        default=0.3,
        maximum=1,
    ),
)

AUGMENTATION_OF: Mapping[str, Augmentation] = {row.key: row for row in AUGMENTATIONS}

GENTLE = tr_mark("Gentle")

PRESETS: Mapping[str, Mapping[str, Choice]] = {
    tr_mark("None"): {},
    GENTLE: {key: AUGMENTATION_OF[key].choice() for key in ("flip_horizontal", "rotation", "zoom")},
    tr_mark("Strong"): {
        "flip_horizontal": Choice(1, 0.5),
        "rotation": Choice(0.1, 0.8),
        "zoom": Choice(0.3, 0.8),
        "translation": Choice(0.15, 0.5),
        "perspective": Choice(0.3, 0.5),
        "colour_jitter": Choice(0.3, 0.8),
        "erasing": Choice(0.2, 0.3),
    },
    tr_mark("RandAugment"): {"flip_horizontal": Choice(1, 0.5), "rand_augment": Choice(0.3)},
}
"""Sets to start from; their names go through `tr` where they are shown."""


def reads_as_characters(class_names: Iterable[str]) -> bool:
    """Whether every class is named by one letter or digit, so that mirroring a photo would change its label."""
    return all(len(name) == 1 and name.isalnum() for name in class_names)


def preset(name: str, class_names: Iterable[str]) -> dict[str, Choice]:
    """What a set switches on; without what mirrors where classes are characters."""
    spare_mirrors = reads_as_characters(class_names)
    chosen = PRESETS[name].items()
    return {key: choice for key, choice in chosen if not (spare_mirrors and AUGMENTATION_OF[key].mirrors)}


def default_augmentations(class_names: Iterable[str]) -> dict[str, Choice]:
    """By key, what is on at first: mild geometry, and no mirroring where classes are characters."""
    return preset(GENTLE, class_names)
