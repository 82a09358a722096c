"""A recipe in words, for people: each choice with its name and its value."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from core.language import tr, tr_mark, tr_plural
from core.models.backbones import backbone
from core.recipe.augmentations import AUGMENTATION_OF, Choice
from core.recipe.phases import FINE_TUNE
from core.recipe.plan import phases_of, starts_from_nothing
from core.recipe.recipe import CHOICES, Recipe, are_few

TITLES: Mapping[str, str] = {
    "backbone": tr_mark("variant"),
    "head_epochs": tr_mark("epochs for the head"),
    "fine_tune_epochs": tr_mark("epochs for fine-tuning"),
    "head_learning_rate": tr_mark("learning rate, head"),
    "fine_tune_learning_rate": tr_mark("learning rate, fine-tuning"),
    "scratch_learning_rate": tr_mark("learning rate, from scratch"),
    "head_batch_norm": tr_mark("BatchNorm in the head"),
    "head_start": tr_mark("head starts from"),
    "drop_connect": tr_mark("drop-connect"),
    "ema": tr_mark("moving average of weights"),
    "more_epochs": tr_mark("additional epochs"),
    "without_classes": tr_mark("classes left out"),
    "start_from": tr_mark("starts from the run"),
    "unlabelled": tr_mark("unlabelled photos"),
    "photos_per_class": tr_mark("training photos per class"),
    "views": tr_mark("cached versions of each photo"),
}
"""What choices are called where that is not their name in the recipe."""

NAMES = (
    *(tr_mark("dataset"), tr_mark("backbone"), tr_mark("weights"), tr_mark("unfreeze point"), tr_mark("augmentations")),
    *(tr_mark("head epochs"), tr_mark("fine tune epochs"), tr_mark("head learning rate"), tr_mark("batch size")),
    *(
        tr_mark("fine tune learning rate"),
        tr_mark("scratch learning rate"),
        tr_mark("dropout"),
        tr_mark("drop connect"),
    ),
    *(tr_mark("class weights"), tr_mark("unlabelled"), tr_mark("views"), tr_mark("minutes"), tr_mark("seed")),
    *(tr_mark("split seed"), tr_mark("unfreeze layer"), tr_mark("gradual"), tr_mark("optimizer"), tr_mark("momentum")),
    *(tr_mark("weight decay"), tr_mark("schedule"), tr_mark("warm up epochs"), tr_mark("plateau patience")),
    *(tr_mark("plateau factor"), tr_mark("early stopping"), tr_mark("label smoothing"), tr_mark("mixup")),
    *(tr_mark("cutmix"), tr_mark("ema"), tr_mark("steps per epoch"), tr_mark("validate every"), tr_mark("shuffle")),
    *(
        tr_mark("pooling"),
        tr_mark("head start"),
        tr_mark("head batch norm"),
        tr_mark("tensorboard"),
        tr_mark("photos per class"),
    ),
)
"""The other choices, and how errors name them: as in the recipe, with spaces."""

VALUES = (
    *(tr_mark("imagenet"), tr_mark("random"), tr_mark("cosine"), tr_mark("plateau"), tr_mark("constant")),
    *(tr_mark("average"), tr_mark("max"), tr_mark("flatten"), tr_mark("regression")),
)
"""What choices that are words may be, apart from names; see `core.recipe.recipe.CHOICES`."""

NOT_SHOWN = ("version", "augmentations", "tensorboard")
"""What says nothing about a result, or is said in rows of its own."""

POINTS: Mapping[str, str] = {"none": tr_mark("head only"), "all": tr_mark("everything")}


def title_of(choice: str) -> str:
    """What a choice is called."""
    return tr(TITLES.get(choice, choice.replace("_", " ")))


def describe_value(choice: str, value: Any) -> str:
    """What a value of this choice is called; such that it can stand beside the choice's title."""
    if choice == "backbone":
        return backbone(value).name
    if choice == "unfreeze_point":
        return tr(POINTS[value]) if value in POINTS else tr("from {point}", point=str(value))
    if choice == "unlabelled":
        return tr("used") if value else tr("not used")
    if choice == "photos_per_class" and not value:
        return tr("all")
    if choice == "start_from":
        return str(value) if value else tr("none")
    if choice == "dataset":
        return Path(value).name
    if value in CHOICES.get(choice, ()):
        return tr(value)
    return _plainly(value)


def describe_choice(choice: str, value: Any) -> str:
    """What a value is called where the choice's title does not stand beside it."""
    words = describe_value(choice, value)
    if choice == "photos_per_class":
        return (
            tr_plural("{count} training photo per class", "{count} training photos per class", value)
            if value
            else tr("all training photos")
        )
    return (
        words
        if choice in ("backbone", "unfreeze_point")
        else tr("{choice} {value}", choice=title_of(choice), value=words)
    )


def what_it_adapts_to(recipe: Recipe, training_photos: int, classes: int) -> str:
    """How many photos a class a recipe has, and what learns with so many, as a sentence."""
    each = round(training_photos / max(1, classes))
    photos = tr_plural("About {count} training photo a class", "About {count} training photos a class", each)
    chosen = backbone(recipe.backbone)
    if starts_from_nothing(recipe, chosen):
        return tr("{photos}: everything learns from the start, for nothing is pretrained.", photos=photos)
    if recipe.unfreeze_point == "none" or not any(phase.kind == FINE_TUNE for phase in phases_of(recipe, chosen)):
        if are_few(training_photos, classes):
            return tr("{photos}: only the head learns, too few to fine-tune.", photos=photos)
        return tr("{photos}: only the head learns.", photos=photos)
    if recipe.unfreeze_point == "all":
        if recipe.early_stopping:
            return tr("{photos}: the head learns first, then the whole network, as long as that helps.", photos=photos)
        return tr("{photos}: the head learns first, then the whole network.", photos=photos)
    if recipe.early_stopping:
        return tr(
            "{photos}: the head learns first, then the network from {point} on, as long as that helps.",
            photos=photos,
            point=recipe.unfreeze_point,
        )
    return tr(
        "{photos}: the head learns first, then the network from {point} on.",
        photos=photos,
        point=recipe.unfreeze_point,
    )


def describe_recipe(recipe: Recipe) -> dict[str, str]:
    """Every choice that matters for the result, and every augmentation that is on, as title → value."""
    plain = {
        title_of(each.name): describe_value(each.name, getattr(recipe, each.name))
        for each in fields(recipe)
        if each.name not in NOT_SHOWN
    }
    return plain | describe_augmentations(recipe)


def describe_augmentations(recipe: Recipe) -> dict[str, str]:
    """Each augmentation that is on, with its strength, and with how often where that is not always."""
    return {AUGMENTATION_OF[key].name.lower(): describe_strength(key, it) for key, it in recipe.augmentations.items()}


def describe_strength(key: str, choice: Choice) -> str:
    """A strength with its unit and how often it is applied, as in "18°, half of the photos"."""
    row = AUGMENTATION_OF[key]
    number = f"{choice.strength * row.scale:.3g}"
    share = describe_probability(choice.probability)
    if not row.has_strength:
        return share
    strength = f"{number}{row.unit}" if row.unit == "°" else f"{number} {row.unit}"
    return tr("{strength}, {share}", strength=strength, share=share)


def describe_probability(probability: float) -> str:
    """How many photos are changed: "all photos", "half of the photos", "25 % of the photos"."""
    if probability == 1:
        return tr("all photos")
    if probability == 0.5:
        return tr("half of the photos")
    return tr("{number} % of the photos", number=f"{100 * probability:.3g}")


def _plainly(value: Any) -> str:
    if isinstance(value, bool):
        return tr("yes") if value else tr("no")
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or tr("none")
    return f"{value:g}" if isinstance(value, float) else str(value) or "–"
