"""A recipe: every choice that a training run depends on, checked when it is made."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.data.scan.folder import ImageFolder
from core.data.split import limit_training
from core.errors import RecipeError
from core.json_values import parsed
from core.language import tr
from core.models.backbones import Backbone, backbone
from core.models.heads import AVERAGE, LARGEST_DROPOUT, POOLING_LAYERS, Head
from core.recipe.augmentations import AUGMENTATION_OF, Choice, default_augmentations
from core.runs.store import RUN_ID

VERSION = 3

WEIGHTS = ("imagenet", "random")
OPTIMIZERS = ("adam", "adamw", "sgd", "rmsprop")
SCHEDULES = ("cosine", "plateau", "constant")
HEAD_STARTS = REGRESSION, AT_RANDOM = ("regression", "random")

CHOICES: Mapping[str, tuple[str, ...]] = {
    "weights": WEIGHTS,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "pooling": tuple(POOLING_LAYERS),
    "head_start": HEAD_STARTS,
}
"""What the choices may be that are words."""

SWITCHES = ("class_weights", "unlabelled", "gradual", "shuffle", "head_batch_norm", "tensorboard")
"""The choices that are true or false."""

LISTS = ("more_epochs", "without_classes")
"""The choices that are lists in JSON."""


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
    "dropout": Range(0, LARGEST_DROPOUT),
    "drop_connect": Range(0, 0.9),
    "views": Range(0, 64),
    "photos_per_class": Range(0, 1_000_000),
    "minutes": Range(0, 1440),
    "split_seed": Range(0, 2**31 - 1),
    "momentum": Range(0, 0.999),
    "weight_decay": Range(0, 1),
    "warm_up_epochs": Range(0, 100),
    "plateau_patience": Range(1, 100),
    "plateau_factor": Range(0.01, 0.99),
    "early_stopping": Range(0, 1000),
    "label_smoothing": Range(0, 0.9),
    "mixup": Range(0, 10),
    "cutmix": Range(0, 10),
    "ema": Range(0, 0.9999),
    "steps_per_epoch": Range(0, 1_000_000),
    "validate_every": Range(0, 1_000_000),
}

WHOLE = (
    "seed",
    "split_seed",
    "head_epochs",
    "fine_tune_epochs",
    "batch_size",
    "views",
    "photos_per_class",
    "plateau_patience",
    "early_stopping",
    "steps_per_epoch",
    "validate_every",
)


@dataclass(frozen=True)
class Recipe:
    """Every training choice; raises `RecipeError` when made with one that cannot be.

    Attributes:
        dataset: Absolute path of the class folders.
        backbone: Key of a row in the table of backbones.
        weights: "imagenet" for pretrained weights, "random" only after an explicit choice.
        start_from: Id of the run whose model it begins with, in place of pretrained weights; empty for none. See
            `core.recipe.start_point`.
        unfreeze_point: The block from which on the backbone learns in fine-tuning; "none" for the head alone.
        augmentations: Strength and probability by key of the table of augmentations; what is not named is off.
        head_epochs, fine_tune_epochs: Epochs with the backbone frozen, and from the unfreeze point on.
        more_epochs: Epochs that were added after the run had ended, one number for each time.
        unfreeze_layer: The layer within the unfreeze point's block from which on the block learns; empty for all of it.
        gradual: Whether fine-tuning begins with the last block alone and frees one more at a time.
        head_learning_rate, fine_tune_learning_rate: Peak learning rates of the two phases.
        scratch_learning_rate: Peak learning rate where nothing is pretrained and everything learns from the start.
        optimizer: "adam", "adamw", "sgd" (with `momentum`, 0 to 0.999) or "rmsprop".
        weight_decay: How much AdamW shrinks the weights in a step, in relation to the learning rate.
        schedule: How the learning rate goes on from its peak: "cosine" falls to 0 along half a wave, "plateau" is
            multiplied by `plateau_factor` after `plateau_patience` validations without a better loss, "constant" stays.
        warm_up_epochs: Epochs over which it rises to the peak at the beginning of each phase.
        early_stopping: Validations without a better loss after which a phase ends; 0 for never. Fine-tuning has
            to be better than the head was alone.
        label_smoothing: Share of the truth that is spread evenly over all classes in training.
        mixup, cutmix: Parameter α of the Beta distribution that two photos are mixed by; 0 for never. With both, each
            batch takes one of them.
        ema: Momentum of an exponential moving average of the weights, which is what is validated and kept; it rises to
            this with the steps, see `core.training.schedule`. 0 for none.
        without_classes: Names of classes of the dataset whose photos are not used.
        batch_size: Photos per step.
        steps_per_epoch: Steps in an epoch; 0 for as many as show each training photo once.
        validate_every: Steps from one validation to the next; 0 for one at the end of each epoch.
        shuffle: Whether each epoch takes the photos in an order of its own.
        pooling: What makes features of the last map; a key of `POOLING_LAYERS`.
        head_start: What the head begins with: "regression", the logistic regression on the features of the first
            epoch's photos, where those are cached and the head has no BatchNorm, or "random" weights.
        head_batch_norm: Whether the head normalises features by their batch.
        tensorboard: Whether logs for TensorBoard are written into the run's folder.
        dropout: Share of features dropped before the head, 0 to 0.9.
        drop_connect: Chance that the last block is skipped in a training step; earlier blocks in proportion to depth.
        class_weights: Whether photos of rare classes count more, so that all classes count alike.
        unlabelled: Whether photos that nobody has labelled are learned from, too, by labels that spread to them, each
            as much as it is certain.
        photos_per_class: Training photos of each class that are learned from; a class that has fewer gives all it has.
            0 for all. Validation and test photos stay as they are.
        views: Augmented versions of each photo that pass through the frozen part once and are kept, for the epochs to
            take in turn. 0 caches nothing: every epoch runs the whole network, on newly augmented photos.
        minutes: How long the run may take; the variant, views and epochs are then chosen to fit when it starts. 0 for
            as long as it takes.
        seed: Fixes the head's first weights, the order of photos and the augmentations; with the seed of the split also
            which photos `photos_per_class` takes.
        split_seed: Fixes which photo is in which part.
    """

    dataset: str
    backbone: str = "efficientnet-b0"
    weights: str = "imagenet"
    unfreeze_point: str = "none"
    augmentations: Mapping[str, Choice] = field(default_factory=dict)
    head_epochs: int = 3
    fine_tune_epochs: int = 5
    head_learning_rate: float = 1e-2
    fine_tune_learning_rate: float = 1e-4
    scratch_learning_rate: float = 1e-3
    batch_size: int = 32
    dropout: float = 0.2
    drop_connect: float = 0.2
    class_weights: bool = False
    unlabelled: bool = False
    photos_per_class: int = 0
    views: int = 4
    minutes: float = 0
    seed: int = 0
    split_seed: int = 0
    more_epochs: tuple[int, ...] = ()
    without_classes: tuple[str, ...] = ()
    unfreeze_layer: str = ""
    gradual: bool = False
    optimizer: str = "adam"
    momentum: float = 0.9
    weight_decay: float = 0.004
    schedule: str = "cosine"
    warm_up_epochs: float = 0.0
    plateau_patience: int = 2
    plateau_factor: float = 0.3
    early_stopping: int = 0
    label_smoothing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    ema: float = 0.0
    steps_per_epoch: int = 0
    validate_every: int = 0
    shuffle: bool = True
    pooling: str = AVERAGE
    head_start: str = REGRESSION
    head_batch_norm: bool = False
    tensorboard: bool = True
    start_from: str = ""
    version: int = VERSION

    def __post_init__(self) -> None:
        """Check every field, and make floats of whole numbers where any number is allowed."""
        if self.version != VERSION:
            raise RecipeError(
                tr(
                    "This recipe has version {version}; this Unfreeze reads version {own}.",
                    version=str(self.version),
                    own=VERSION,
                )
            )
        if not isinstance(self.dataset, str) or not self.dataset.strip():
            raise RecipeError(tr("The dataset is {value}; it must be the path of a folder.", value=repr(self.dataset)))
        for name, words in CHOICES.items():
            _check_word(name, getattr(self, name), words)
        for name, allowed in RANGES.items():
            _check_number(name, getattr(self, name), allowed)
            if name not in WHOLE:  # JSON and people write 1 for 1.0, and Keras takes no whole number for some of these
                object.__setattr__(self, name, float(getattr(self, name)))
        for name in SWITCHES:
            if not isinstance(getattr(self, name), bool):
                raise RecipeError(_not_a_switch(name, getattr(self, name)))
        _check_more_epochs(self.more_epochs)
        _check_left_out(self.without_classes)
        _check_start(self.start_from)
        _check_augmentations(self.augmentations)
        chosen = backbone(self.backbone)
        chosen.trainable_blocks(self.unfreeze_point)
        _check_layer(self.unfreeze_layer, self.unfreeze_point, chosen)
        if self.head_epochs + self.fine_tune_epochs == 0:
            raise RecipeError(tr("There are no epochs to train: give the head or the fine-tuning at least one."))

    @property
    def head(self) -> Head:
        """How the head is made."""
        return Head(self.dropout, self.pooling, self.head_batch_norm, self.seed)

    @property
    def mixes_photos(self) -> bool:
        """Whether photos are mixed with each other."""
        return bool(self.mixup or self.cutmix)

    @property
    def needs_soft_targets(self) -> bool:
        """Whether targets are shares of classes rather than one class."""
        return bool(self.label_smoothing or self.mixes_photos)

    def limited(self, folder: ImageFolder, parts: NDArray[np.int8]) -> NDArray[np.int8]:
        """The subsets of photos, `(N,)`, with -1 for training photos that `photos_per_class` leaves out."""
        return limit_training(folder, parts, self.photos_per_class, (self.split_seed, self.seed))

    def training_photos(self, of_class: Sequence[int]) -> int:
        """How many photos it learns from where there are so many training photos of each class."""
        return sum(min(count, self.photos_per_class or count) for count in of_class)

    def to_json(self) -> str:
        """The recipe as JSON, readable by `from_json` and by people."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Recipe":
        """Read what `to_json` wrote; raises `RecipeError` for anything else."""
        try:
            values = parsed(text, dict)
        except ValueError as error:
            raise RecipeError(tr("This is not a recipe: {reason}.", reason=str(error))) from error
        return cls.from_values(values)

    @classmethod
    def from_values(cls, values: Any) -> "Recipe":
        """Make a recipe of what `to_json` wrote, already parsed; raises `RecipeError` for anything else."""
        if not isinstance(values, dict) or "dataset" not in values:
            raise RecipeError(tr("This is not a recipe: it must be a JSON object that names a dataset."))
        unknown = sorted(set(values) - {known.name for known in fields(cls)})
        if unknown:
            raise RecipeError(tr("This recipe holds unknown choices: {choices}.", choices=", ".join(unknown)))
        return cls(**_in_present_form(values))


def _in_present_form(values: Mapping[str, Any]) -> dict[str, Any]:
    """Parsed JSON as the values of fields; what an older version wrote, as this one would have written it.

    In version 1 the seed fixed the split, too, and augmentations had a strength alone; up to version 2 the head began
    with random weights.
    """
    found = dict(values)
    if found.get("version") == 1:
        found |= {"version": 2, "split_seed": found.get("seed", 0)}
    if found.get("version") == 2:
        found = {"head_start": AT_RANDOM, **found, "version": VERSION}
    found |= {name: tuple(found[name]) for name in LISTS if isinstance(found.get(name), list)}
    if isinstance(found.get("augmentations"), dict):
        found["augmentations"] = {key: _as_choice(key, value) for key, value in found["augmentations"].items()}
    return found


def _as_choice(key: str, value: Any) -> Any:
    """A strength alone, or both as an object, as a `Choice`; anything else as it is, for the check to refuse."""
    if isinstance(value, dict) and set(value) == {"strength", "probability"}:
        return Choice(**value)
    if key in AUGMENTATION_OF and isinstance(value, int | float):
        return Choice(value, AUGMENTATION_OF[key].probability)
    return value


def _words(name: str) -> str:
    """What a choice is called in errors; see `core.recipe.wording.NAMES`."""
    return tr(name.replace("_", " "))


def _not_a_switch(name: str, value: Any) -> str:
    if name.endswith("s"):
        return tr("The {choice} are {value}; they must be true or false.", choice=_words(name), value=repr(value))
    return tr("The {choice} is {value}; it must be true or false.", choice=_words(name), value=repr(value))


def _check_word(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    if value in allowed:
        return
    values = {"choice": _words(name), "value": str(value), "allowed": ", ".join(allowed)}
    if name.endswith("s"):
        raise RecipeError(tr("The {choice} are “{value}”; they must be one of {allowed}.", **values))
    raise RecipeError(tr("The {choice} is “{value}”; it must be one of {allowed}.", **values))


def _check_more_epochs(added: Any) -> None:
    whole = isinstance(added, tuple) and all(type(number) is int and number >= 1 for number in added)
    if not whole:
        raise RecipeError(
            tr("The additional epochs are {value}; they must be whole numbers from 1 on.", value=repr(added))
        )


def _check_left_out(names: Any) -> None:
    if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
        raise RecipeError(tr("The classes left out are {value}; they must be a list of names.", value=repr(names)))


def _check_start(run: Any) -> None:
    if not isinstance(run, str) or (run and not RUN_ID.fullmatch(run)):
        raise RecipeError(
            tr("The run to start from is {value}; it must be the id of a run, or empty.", value=repr(run))
        )


def _check_layer(layer: Any, point: str, chosen: Backbone) -> None:
    if layer and (not isinstance(layer, str) or chosen.block_of(layer) != point):
        raise RecipeError(
            tr(
                "The unfreeze layer is {layer}; it must be in the block of the unfreeze point, which is {point}.",
                layer=repr(layer),
                point=repr(point),
            )
        )


def _check_number(name: str, value: Any, allowed: Range) -> None:
    words = _words(name)
    if isinstance(value, bool) or not isinstance(value, int if name in WHOLE else int | float):
        if name in WHOLE:
            raise RecipeError(
                tr("The {choice} is {value}; it must be a whole number.", choice=words, value=repr(value))
            )
        raise RecipeError(tr("The {choice} is {value}; it must be a number.", choice=words, value=repr(value)))
    if not allowed.low <= value <= allowed.high:
        raise RecipeError(
            tr(
                "The {choice} is {value}; it must be between {low} and {high}.",
                choice=words,
                value=str(value),
                low=str(allowed.low),
                high=str(allowed.high),
            )
        )


def _check_augmentations(augmentations: Any) -> None:
    if not isinstance(augmentations, Mapping):
        raise RecipeError(
            tr("The augmentations are {value}; they must give a choice for each name.", value=repr(augmentations))
        )
    for key, choice in augmentations.items():
        if key not in AUGMENTATION_OF:
            known = ", ".join(AUGMENTATION_OF)
            raise RecipeError(tr("There is no augmentation “{key}”; there are {known}.", key=str(key), known=known))
        if not isinstance(choice, Choice):
            raise RecipeError(
                tr(
                    "The augmentation “{key}” is {value}; it must have a strength and a probability.",
                    key=str(key),
                    value=repr(choice),
                )
            )
        AUGMENTATION_OF[key].check(choice)


FEW_PHOTOS = 8
"""Training photos a class, in the mean, below which fine-tuning brought nothing; see docs/recipes.md."""


def are_few(training_photos: int, classes: int) -> bool:
    """Whether there are too few photos to fine-tune with, so that by default the head alone learns."""
    return training_photos < FEW_PHOTOS * classes


def default_unfreeze_point(chosen: Backbone, *, few: bool = False) -> str:
    """The point from which on the last blocks hold half of the backbone's weights; the usual compromise.

    On EfficientNet-B0 that is block6. With few photos it is "none": the head alone learns.
    """
    return "none" if few else unfreeze_point_for(chosen, 0.5)


def unfreeze_point_for(chosen: Backbone, share: float) -> str:
    """The latest point from which on the blocks hold at least this share, 0 to 1, of the backbone's weights."""
    wanted = share * chosen.learnable_parameters("all")
    return next(point for point in chosen.unfreeze_points if chosen.learnable_parameters(point) >= wanted)


HEAD_EPOCHS = 3
"""The head begins near where it ends, so that a few epochs, each with its own version of the photos, are enough."""

USUAL: Mapping[str, Any] = {"head_learning_rate": 1e-3, "early_stopping": 3}
"""What the Train page begins with where that is not what a recipe has that does not name it."""


def usual(name: str) -> Any:
    """What the Train page begins with for a choice."""
    return USUAL.get(name, getattr(Recipe, name))


def default_epochs(training_photos: int, *, few: bool = False) -> tuple[int, int]:
    """Epochs for the head and, at most, for fine-tuning: fewer photos are seen more often, within limits.

    With too few photos for fine-tuning it has none.
    """
    return HEAD_EPOCHS, 0 if few else min(12, max(5, round(9_000 / max(1, training_photos))))


def default_recipe(
    folder: ImageFolder, training_photos: int, chosen: Backbone, seed: int = 0, *, always_fine_tuned: bool = False
) -> Recipe:
    """What the Train page offers before anything is changed, for a dataset and a variant.

    With few photos that is the head alone, unless it shall be fine-tuned with however few.
    """
    few = not always_fine_tuned and chosen.pretrained and are_few(training_photos, len(folder.class_names))
    head_epochs, fine_tune_epochs = default_epochs(training_photos, few=few)
    return Recipe(
        dataset=str(folder.root),
        backbone=chosen.key,
        unfreeze_point=default_unfreeze_point(chosen, few=few),
        augmentations=default_augmentations(folder.class_names),
        head_epochs=head_epochs,
        fine_tune_epochs=fine_tune_epochs,
        seed=seed,
        split_seed=seed,
        **USUAL,
    )
