"""Many runs from one recipe: repeats, one or two things varied, augmentations one by one, a published study.

All runs of a sweep keep the base recipe's dataset and `split_seed`, so that they learn from and are tested on the same
photos.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.data.subsets import NO_SUBSET, SUBSETS
from core.errors import RecipeError
from core.language import tr, tr_mark
from core.models import weights
from core.models.backbones import BACKBONES, Backbone, backbone
from core.recipe.augmentations import AUGMENTATION_OF, AUGMENTATIONS
from core.recipe.combinations import check_combination
from core.recipe.plan import phases_of, starts_from_nothing
from core.recipe.recipe import CHOICES, RANGES, Recipe, default_unfreeze_point
from core.recipe.wording import describe_choice, describe_probability, title_of
from core.settings import Settings

MOST_RUNS = 200
"""More is a slip of the hand rather than a question."""

NO_AUGMENTATION = tr_mark("No augmentation")

LADDER = (0.1, 0.3, 1.0, 3.0, 10.0)
"""Learning rates, as multiples of that of the recipe."""

FIRST_SIZES = (5, 2, 1)
"""Training photos per class with which a series begins that doubles them: the first that leaves three sizes."""

HALF = 0.5
"""How much less often an augmentation is applied in its form "with probability"."""

STUDY_AUGMENTATIONS = ("flip_horizontal", "rotation", "contrast", "zoom", "translation", "crop")

STUDY_BACKBONE = "mobilenetv2"

LAYER_100, BLOCK_OF_LAYER_100 = "block_11_expand_relu", "block5"
"""The layer at index 100 of `keras.applications.MobileNetV2(include_top=False)`, and its block. A layer without
weights; what learns begins with the depthwise convolution behind it."""

BASELINE_NAME = "Baseline CNN, no augmentation"
EXTRACTOR, FINE_TUNED = "feature extractor", "fine-tuned from"

PUBLISHED: Mapping[str, tuple[float, float]] = {
    BASELINE_NAME: (0.650, 0.679),
    EXTRACTOR: (0.894, 0.894),
    FINE_TUNED: (0.948, 0.948),
}
"""Validation accuracy that the study gives, lowest and highest, by words in the name of a variant."""

BEST_AUGMENTED = 0.732
"""The highest validation accuracy that it gives for the baseline CNN with any augmentation."""

LEARNING_RATE = "learning_rate"
"""Stands for the rate that matters most in a recipe; see `learning_rate_field`."""


@dataclass(frozen=True)
class Planned:
    """A run to come.

    Attributes:
        name: What it is called; all names of a sweep differ.
        variant: What is special to it; repeats of the same recipe share it.
        recipe: All that it is trained with.
    """

    name: str
    variant: str
    recipe: Recipe


@dataclass(frozen=True)
class Factor:
    """Something that can be varied.

    Attributes:
        key: The field of the recipe, or `LEARNING_RATE`.
        values: Worth trying for a recipe, the recipe's own among them, where the largest class has so many training
            photos.
        message: Its name on the screen, in English; empty where it is that of the field.
    """

    key: str
    values: Callable[[Recipe, int], tuple[Any, ...]]
    message: str = ""

    @property
    def title(self) -> str:
        """Its name on the screen."""
        return tr(self.message) if self.message else title_of(self.key).capitalize()


def _numbers(name: str, *worth_trying: float) -> Factor:
    def values(recipe: Recipe, most: int) -> tuple[Any, ...]:
        return tuple(sorted({*worth_trying, getattr(recipe, name)}))

    return Factor(name, values)


def _words(name: str, *all_of_them: str | bool) -> Factor:
    return Factor(name, lambda recipe, most: all_of_them)


FACTORS: tuple[Factor, ...] = (
    Factor("unfreeze_point", lambda recipe, most: backbone(recipe.backbone).unfreeze_points),
    Factor("backbone", lambda recipe, most: tuple(row.key for row in BACKBONES)),
    Factor(LEARNING_RATE, lambda recipe, most: learning_rates(recipe), tr_mark("Learning rate")),
    _numbers("fine_tune_epochs", 0, 5, 10, 20),
    _numbers("batch_size", 8, 16, 32, 64),
    _words("optimizer", *CHOICES["optimizer"]),
    _words("schedule", *CHOICES["schedule"]),
    _numbers("dropout", 0.0, 0.2, 0.5),
    _numbers("label_smoothing", 0.0, 0.1),
    _numbers("mixup", 0.0, 0.2),
    _numbers("cutmix", 0.0, 1.0),
    _numbers("ema", 0.0, 0.99),
    _words("pooling", *CHOICES["pooling"]),
    _words("class_weights", False, True),
    _words("unlabelled", False, True),
    Factor("photos_per_class", lambda recipe, most: sizes(recipe, most)),
)
"""What the page offers to vary; `grid` takes any other field of a recipe, too."""


def learning_rate_field(recipe: Recipe) -> str:
    """The field of the learning rate that matters most: that of the last phase."""
    chosen = backbone(recipe.backbone)
    if starts_from_nothing(recipe, chosen):
        return "scratch_learning_rate"
    fine_tuned = recipe.unfreeze_point != "none" and recipe.fine_tune_epochs
    return "fine_tune_learning_rate" if fine_tuned else "head_learning_rate"


def learning_rates(recipe: Recipe) -> tuple[float, ...]:
    """A ladder of rates around the recipe's own, each about three times the one before, within what is allowed."""
    name = learning_rate_field(recipe)
    own, allowed = getattr(recipe, name), RANGES[name]
    return tuple(rate for step in LADDER if allowed.low <= (rate := float(f"{own * step:.6g}")) <= allowed.high)


def sizes(recipe: Recipe, most: int) -> tuple[int, ...]:
    """Training photos per class: a series that doubles, from 5 on where that leaves two below `most`, and 0 for all."""
    first = next(size for size in FIRST_SIZES if 2 * size < most or size == 1)
    series = {first << step for step in range(most.bit_length()) if first << step < most}
    return (*sorted(series | {recipe.photos_per_class} - {0}), 0)


def changed(recipe: Recipe, field: str, value: Any) -> Recipe:
    """The recipe with another value, and with what hangs on it: a variant brings its usual unfreeze point, if any.

    Another variant cannot start from the earlier run that the recipe starts from, and takes pretrained weights.

    Raises `RecipeError` where the value cannot be.
    """
    if field == LEARNING_RATE:
        return replace(recipe, **{learning_rate_field(recipe): value})
    if field == "backbone":
        point = (
            "none" if recipe.unfreeze_point == "none" and backbone(value).pretrained else usual_point(backbone(value))
        )
        start = recipe.start_from if value == recipe.backbone else ""
        return replace(recipe, backbone=value, unfreeze_point=point, unfreeze_layer="", start_from=start)
    if field == "unfreeze_point":
        return replace(recipe, unfreeze_point=value, unfreeze_layer="")
    return replace(recipe, **{field: value})


def usual_point(chosen: Backbone) -> str:
    """Where a variant is unfrozen unless somebody says otherwise."""
    return default_unfreeze_point(chosen) if chosen.pretrained else "all"


def repeats(recipe: Recipe, count: int) -> tuple[Planned, ...]:
    """The same recipe with so many seeds, the recipe's own first; 1 or more."""
    name = backbone(recipe.backbone).name
    return repeated([Planned(name, name, recipe)], count)


def repeated(runs: Iterable[Planned], count: int) -> tuple[Planned, ...]:
    """Each of these runs so many times, with one seed after the other; a single time leaves them as they are."""
    if count < 1:
        raise RecipeError(tr("Each run is to be made {count} times; it must be 1 or more.", count=count))
    found = tuple(again for run in runs for again in _again(run, count))
    if len(found) > MOST_RUNS:
        raise RecipeError(
            tr(
                "These are {count} runs; at most {most} are queued at once. Choose fewer values.",
                count=len(found),
                most=MOST_RUNS,
            )
        )
    return found


def _again(run: Planned, count: int) -> tuple[Planned, ...]:
    if count == 1:
        return (run,)
    last = int(RANGES["seed"].high) + 1
    seeds = [(run.recipe.seed + number) % last for number in range(count)]
    return tuple(
        Planned(
            tr("{run}, {place} of {count}", run=run.name, place=place, count=count),
            run.variant,
            replace(run.recipe, seed=seed),
        )
        for place, seed in enumerate(seeds, start=1)
    )


def vary(recipe: Recipe, field: str, values: Sequence[Any]) -> tuple[Planned, ...]:
    """One thing varied, a run for each value; raises `RecipeError` where a value cannot be."""
    return grid(recipe, {field: values})


def grid(recipe: Recipe, choices: Mapping[str, Sequence[Any]]) -> tuple[Planned, ...]:
    """Several things crossed: a run for each combination of values, by field.

    A variant is changed before all else, since the unfreeze points hang on it. Raises `RecipeError` where a combination
    cannot be.
    """
    order = sorted(choices, key=lambda field: field != "backbone")
    found = []
    for values in product(*(choices[field] for field in order)):
        run, names = recipe, []
        for field, value in zip(order, values, strict=True):
            names.append(describe_choice(learning_rate_field(run) if field == LEARNING_RATE else field, value))
            run = changed(run, field, value)
        check_combination(run)
        name = " · ".join(names)
        found.append(Planned(name, name, run))
    return repeated(found, 1)


def unfreeze_points(recipe: Recipe) -> tuple[Planned, ...]:
    """A run for each unfreeze point of the recipe's variant, from the head alone to everything."""
    return vary(recipe, "unfreeze_point", backbone(recipe.backbone).unfreeze_points)


def each_augmentation_alone(
    recipe: Recipe, keys: Sequence[str] = (), *, also_half: bool = False
) -> tuple[Planned, ...]:
    """None at first, then each augmentation alone as it is when switched on, and perhaps half as often.

    `keys` names rows of the table of augmentations; without any, all are tried.
    """
    rows = [AUGMENTATION_OF[key] for key in keys] or AUGMENTATIONS
    none = tr(NO_AUGMENTATION)
    found = [Planned(none, none, replace(recipe, augmentations={}))]
    for share in (1.0, HALF) if also_half else (1.0,):
        for row in rows:
            choice = replace(row.choice(), probability=share * row.probability)
            share_of_photos = describe_probability(choice.probability)
            name = (
                tr("{augmentation}, {share}", augmentation=row.name, share=share_of_photos) if also_half else row.name
            )
            found.append(Planned(name, name, replace(recipe, augmentations={row.key: choice})))
    return repeated(found, 1)


@dataclass(frozen=True)
class Study:
    """A published comparison as runs of ours.

    Attributes:
        runs: What is to be trained.
        note: What is not as in the study; empty where all is.
    """

    runs: tuple[Planned, ...]
    note: str


def published_accuracy(variant: str) -> tuple[float, float] | None:
    """The lowest and highest validation accuracy that the study gives for a variant of it; None for the others."""
    return next((found for words, found in PUBLISHED.items() if words in variant), None)


def flower_study(recipe: Recipe, settings: Settings, count: int = 4) -> Study:
    """The comparison that a published study of flower photos made, for any dataset.

    The baseline CNN without augmentation `count` times, with each of six augmentations alone, each of them half as
    often, then MobileNetV2 as feature extractor, then fine-tuned from layer 100. Length, seed and split are those of
    the recipe. Where MobileNetV2's weights are not here and cannot be downloaded, EfficientNet-Lite0 takes its place.
    """
    baseline = replace(
        recipe, backbone="baseline-cnn", weights="imagenet", unfreeze_point="all", unfreeze_layer="", start_from=""
    )
    alone = each_augmentation_alone(baseline, STUDY_AUGMENTATIONS, also_half=True)
    plain = Planned(BASELINE_NAME, BASELINE_NAME, alone[0].recipe)
    extractor, tuned, note = _pretrained_part(plain.recipe, settings)
    return Study((*repeated([plain], count), *alone[1:], extractor, tuned), note)


def _pretrained_part(recipe: Recipe, settings: Settings) -> tuple[Planned, Planned, str]:
    """The two runs of the study with a pretrained network, and what is not as in the study."""
    chosen, stand_in = backbone(STUDY_BACKBONE), backbone("efficientnet-lite0")
    if chosen.weights is None or weights.look_up(chosen, settings):
        head = replace(recipe, backbone=chosen.key, unfreeze_point="none")
        tuned = replace(head, unfreeze_point=BLOCK_OF_LAYER_100, unfreeze_layer=LAYER_100)
        return _named(chosen.name, head, EXTRACTOR), _named(chosen.name, tuned, f"{FINE_TUNED} layer 100"), ""
    tuned = changed(recipe, "backbone", stand_in.key)
    head = changed(tuned, "unfreeze_point", "none")
    name = f"{stand_in.name.removeprefix('EfficientNet-')} for {chosen.name}"
    note = tr(
        "The weights of {network} are not on this computer, so {other} takes its place. To reproduce the study as"
        " published, put the file {file} into {folder}.",
        network=chosen.name,
        other=stand_in.name,
        file=chosen.weights.file_name,
        folder=str(settings.weights_folder),
    )
    return _named(name, head, EXTRACTOR), _named(name, tuned, f"{FINE_TUNED} {tuned.unfreeze_point}"), note


def _named(network: str, recipe: Recipe, what: str) -> Planned:
    name = f"{network}, {what}"
    return Planned(name, name, recipe)


def few_per_class(
    labels: NDArray[np.int32], parts: NDArray[np.int8], per_class: int, seed: int = 0
) -> NDArray[np.int8]:
    """Keep so many photos of each class, in their parts; the others get no part, so that runs leave them out.

    Parts of a class shrink alike, but none to nothing; so a class may keep up to two photos more.

    Args:
        labels: Shape (N,), classes.
        parts: Shape (N,), positions in `SUBSETS`, or -1 for photos that are not used anyway.
        per_class: Photos of each class, 1 or more.
        seed: Fixes which ones.

    Returns parts, shape (N,), int8.
    """
    kept = np.full(len(parts), NO_SUBSET, dtype=np.int8)
    random = np.random.default_rng(seed)
    for label in np.unique(labels[parts != NO_SUBSET]):
        of_class = int(((labels == label) & (parts != NO_SUBSET)).sum())
        for part in range(len(SUBSETS)):
            members = random.permutation(np.flatnonzero((labels == label) & (parts == part)))
            wanted = max(1, round(per_class * len(members) / of_class))
            kept[members[:wanted]] = part
    return kept


@dataclass(frozen=True)
class Past:
    """What a run that has finished took: its recipe, the training photos that it had, and seconds."""

    recipe: Recipe
    photos: int
    seconds: float


def estimated_seconds(runs: Iterable[Planned], of_class: Sequence[int], known: Sequence[Past]) -> float | None:
    """How long runs will take one after the other, from what runs with the same variant took; None where there is none.

    Seconds go by epochs and training photos, of which there are so many of each class; of the runs that are known,
    those with the same unfreeze point count first, and of these the median.
    """
    seconds = [_seconds_of(run.recipe, run.recipe.training_photos(of_class), known) for run in runs]
    told = [value for value in seconds if value is not None]
    return sum(told) if len(told) == len(seconds) else None


def _seconds_of(recipe: Recipe, photos: int, known: Sequence[Past]) -> float | None:
    same = [
        past for past in known if past.recipe.backbone == recipe.backbone and past.photos and epochs_of(past.recipe)
    ]
    nearest = [past for past in same if past.recipe.unfreeze_point == recipe.unfreeze_point] or same
    if not nearest:
        return None
    pace = median(past.seconds / (past.photos * epochs_of(past.recipe)) for past in nearest)
    return pace * photos * epochs_of(recipe)


def epochs_of(recipe: Recipe) -> int:
    """Epochs in all phases together."""
    return sum(phase.epochs for phase in phases_of(recipe, backbone(recipe.backbone)))
