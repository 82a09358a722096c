"""A recipe: every choice that a training run depends on, checked when it is made."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from core.data.folder import ImageFolder
from core.errors import RecipeError
from core.models.backbones import Backbone, backbone
from core.training.augmentations import AUGMENTATION_OF, default_augmentations

VERSION = 1

WEIGHTS = ("imagenet", "random")


@dataclass(frozen=True)
class Range:
    """The values a number may take, both ends included."""

    low: float
    high: float


RANGES: Mapping[str, Range] = {
    "seed": Range(0, 2**31 - 1),
    "head_epochs": Range(0, 1000),
    "fine_tune_epochs": Range(0, 1000),
    "head_learning_rate": Range(1e-7, 1),
    "fine_tune_learning_rate": Range(1e-8, 1),
    "scratch_learning_rate": Range(1e-8, 1),
    "batch_size": Range(1, 512),
    "dropout": Range(0, 0.9),
    "drop_connect": Range(0, 0.9),
    "views": Range(0, 64),
    "minutes": Range(0, 1440),
}

WHOLE = ("seed", "head_epochs", "fine_tune_epochs", "batch_size", "views")


@dataclass(frozen=True)
class Recipe:
    """Every training choice; raises `RecipeError` when made with one that cannot be.

    Attributes:
        dataset: Absolute path of the class folders.
        backbone: Key of a row in the table of backbones.
        weights: "imagenet" for pretrained weights, "random" only after an explicit choice.
        unfreeze_point: The block from which on the backbone learns in fine-tuning; "none" for the head alone.
        augmentations: Strength by key of the table of augmentations; what is not named is off.
        head_epochs, fine_tune_epochs: Epochs with the backbone frozen, and from the unfreeze point on.
        head_learning_rate, fine_tune_learning_rate: Peak learning rates of the two phases (Adam, cosine decay).
        scratch_learning_rate: Peak learning rate where nothing is pretrained and everything learns from the start.
        batch_size: Photos per step.
        dropout: Share of features dropped before the head, 0 to 0.9.
        drop_connect: Chance that the last block is skipped in a training step; earlier blocks in proportion to depth.
        class_weights: Whether photos of rare classes count more, so that all classes count alike.
        views: Augmented versions of each photo that pass through the frozen part once and are kept, for the epochs to
            take in turn. 0 keeps nothing: every epoch computes the frozen part anew, on photos augmented anew.
        minutes: How long the run may take; the variant, views and epochs are then chosen to fit when it starts. 0 for
            as long as it takes.
        seed: Fixes the split, the head's first weights, the order of photos and the augmentations.
    """

    dataset: str
    backbone: str = "efficientnet-b0"
    weights: str = "imagenet"
    unfreeze_point: str = "none"
    augmentations: Mapping[str, float] = field(default_factory=dict)
    head_epochs: int = 3
    fine_tune_epochs: int = 5
    head_learning_rate: float = 1e-2
    fine_tune_learning_rate: float = 1e-4
    scratch_learning_rate: float = 1e-3
    batch_size: int = 32
    dropout: float = 0.2
    drop_connect: float = 0.2
    class_weights: bool = False
    views: int = 4
    minutes: float = 0
    seed: int = 0
    version: int = VERSION

    def __post_init__(self) -> None:
        """Check every field."""
        if self.version != VERSION:
            raise RecipeError(f"This recipe has version {self.version}; this Unfreeze reads version {VERSION}.")
        if not isinstance(self.dataset, str) or not self.dataset.strip():
            raise RecipeError(f"The dataset is {self.dataset!r}; it must be the path of a folder.")
        if self.weights not in WEIGHTS:
            raise RecipeError(f"The weights are “{self.weights}”; they must be one of {', '.join(WEIGHTS)}.")
        for name, allowed in RANGES.items():
            _check_number(name, getattr(self, name), allowed)
        if not isinstance(self.class_weights, bool):
            raise RecipeError(f"The class weights are {self.class_weights!r}; they must be true or false.")
        _check_augmentations(self.augmentations)
        backbone(self.backbone).trainable_blocks(self.unfreeze_point)
        if self.head_epochs + self.fine_tune_epochs == 0:
            raise RecipeError("There are no epochs to train: give the head or the fine-tuning at least one.")

    def to_json(self) -> str:
        """The recipe as JSON, readable by `from_json` and by people."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Recipe":
        """Read what `to_json` wrote; raises `RecipeError` for anything else."""
        try:
            values = json.loads(text)
        except ValueError as error:
            raise RecipeError(f"This is not a recipe: it is not valid JSON ({error}).") from error
        return cls.from_values(values)

    @classmethod
    def from_values(cls, values: Any) -> "Recipe":
        """Make a recipe of what `to_json` wrote, already parsed; raises `RecipeError` for anything else."""
        if not isinstance(values, dict) or "dataset" not in values:
            raise RecipeError("This is not a recipe: it must be a JSON object that names a dataset.")
        unknown = sorted(set(values) - {known.name for known in fields(cls)})
        if unknown:
            raise RecipeError(f"This recipe holds unknown choices: {', '.join(unknown)}.")
        return cls(**values)


def _check_number(name: str, value: Any, allowed: Range) -> None:
    words = name.replace("_", " ")
    if isinstance(value, bool) or not isinstance(value, int if name in WHOLE else int | float):
        kind = "a whole number" if name in WHOLE else "a number"
        raise RecipeError(f"The {words} is {value!r}; it must be {kind}.")
    if not allowed.low <= value <= allowed.high:
        raise RecipeError(f"The {words} is {value}; it must lie between {allowed.low} and {allowed.high}.")


def _check_augmentations(augmentations: Any) -> None:
    if not isinstance(augmentations, Mapping):
        raise RecipeError(f"The augmentations are {augmentations!r}; they must give a strength for each name.")
    for key, strength in augmentations.items():
        if key not in AUGMENTATION_OF:
            known = ", ".join(AUGMENTATION_OF)
            raise RecipeError(f"There is no augmentation “{key}”; there are {known}.")
        if isinstance(strength, bool) or not isinstance(strength, int | float):
            raise RecipeError(f"The strength of “{key}” is {strength!r}; it must be a number.")
        AUGMENTATION_OF[key].check(strength)


def default_unfreeze_point(chosen: Backbone) -> str:
    """The point from which on the last blocks hold half of the backbone's weights; the usual compromise.

    On EfficientNet-B0 that is block6.
    """
    return unfreeze_point_for(chosen, 0.5)


def unfreeze_point_for(chosen: Backbone, share: float) -> str:
    """The latest point from which on the blocks hold at least this share, 0 to 1, of the backbone's weights."""
    wanted = share * chosen.learnable_parameters("all")
    return next(point for point in chosen.unfreeze_points if chosen.learnable_parameters(point) >= wanted)


def default_epochs(training_photos: int) -> tuple[int, int]:
    """Epochs for the head and for fine-tuning: fewer photos are seen more often, within limits."""
    photos = max(1, training_photos)
    return min(8, max(3, round(4_500 / photos))), min(12, max(5, round(9_000 / photos)))


def default_recipe(folder: ImageFolder, training_photos: int, chosen: Backbone, seed: int = 0) -> Recipe:
    """What the Train page offers before anything is changed, for a dataset and a variant."""
    head_epochs, fine_tune_epochs = default_epochs(training_photos)
    return Recipe(
        dataset=str(folder.root),
        backbone=chosen.key,
        unfreeze_point=default_unfreeze_point(chosen),
        augmentations=default_augmentations(folder.class_names),
        head_epochs=head_epochs,
        fine_tune_epochs=fine_tune_epochs,
        seed=seed,
    )
