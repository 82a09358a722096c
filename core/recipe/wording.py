"""A recipe in words, for people: each choice with its name and its value."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from core.models.backbones import backbone
from core.recipe.augmentations import AUGMENTATION_OF, Choice
from core.recipe.phases import FINE_TUNE
from core.recipe.plan import phases_of, starts_from_nothing
from core.recipe.recipe import Recipe, are_few

TITLES: Mapping[str, str] = {
    "backbone": "variant",
    "head_epochs": "epochs for the head",
    "fine_tune_epochs": "epochs for fine-tuning",
    "head_learning_rate": "learning rate, head",
    "fine_tune_learning_rate": "learning rate, fine-tuning",
    "scratch_learning_rate": "learning rate, from scratch",
    "head_batch_norm": "BatchNorm in the head",
    "head_start": "head starts from",
    "drop_connect": "drop-connect",
    "ema": "moving average of weights",
    "more_epochs": "additional epochs",
    "without_classes": "classes left out",
    "start_from": "starts from the run",
    "unlabelled": "unlabelled photos",
    "photos_per_class": "training photos per class",
    "views": "cached versions of each photo",
}
"""What choices are called where that is not their name in the recipe."""

NOT_SHOWN = ("version", "augmentations", "tensorboard")
"""What says nothing about a result, or is said in rows of its own."""

POINTS: Mapping[str, str] = {"none": "head only", "all": "everything"}


def title_of(choice: str) -> str:
    """What a choice is called."""
    return TITLES.get(choice, choice.replace("_", " "))


def describe_value(choice: str, value: Any) -> str:
    """What a value of this choice is called; such that it can stand beside the choice's title."""
    if choice == "backbone":
        return backbone(value).name
    if choice == "unfreeze_point":
        return POINTS.get(value, f"from {value}")
    if choice == "unlabelled":
        return "used" if value else "not used"
    if choice == "photos_per_class" and not value:
        return "all"
    if choice == "start_from":
        return value or "none"
    if choice == "dataset":
        return Path(value).name
    return _plainly(value)


def describe_choice(choice: str, value: Any) -> str:
    """What a value is called where the choice's title does not stand beside it."""
    words = describe_value(choice, value)
    if choice == "photos_per_class":
        return f"{value} training photo{'' if value == 1 else 's'} per class" if value else "all training photos"
    return words if choice in ("backbone", "unfreeze_point") else f"{title_of(choice)} {words}"


def what_it_adapts_to(recipe: Recipe, training_photos: int, classes: int) -> str:
    """How many photos a class a recipe has, and what learns with so many, as a sentence."""
    each = round(training_photos / max(1, classes))
    photos = f"About {each:,} training photo{'' if each == 1 else 's'} a class"
    chosen = backbone(recipe.backbone)
    if starts_from_nothing(recipe, chosen):
        return f"{photos}: everything learns from the start, for nothing is pretrained."
    if recipe.unfreeze_point == "none" or not any(phase.kind == FINE_TUNE for phase in phases_of(recipe, chosen)):
        return f"{photos}: only the head learns{', too few to fine-tune' if are_few(training_photos, classes) else ''}."
    network = "the whole network" if recipe.unfreeze_point == "all" else f"the network from {recipe.unfreeze_point} on"
    until = ", as long as that helps" if recipe.early_stopping else ""
    return f"{photos}: the head learns first, then {network}{until}."


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
    strength = f"{choice.strength * row.scale:.3g}{'' if row.unit == '°' else ' '}{row.unit}"
    return ", ".join(([strength] if row.has_strength else []) + [describe_probability(choice.probability)])


def describe_probability(probability: float) -> str:
    """How many photos are changed: "all photos", "half of the photos", "25 % of the photos"."""
    known = {1.0: "all photos", 0.5: "half of the photos"}
    return known.get(probability, f"{100 * probability:.3g} % of the photos")


def _plainly(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value) or "–"
