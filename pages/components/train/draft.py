"""What the Train page starts from: the defaults, or a recipe that was loaded. Widgets hold what is changed from there.

Each start is a new edition, whose number is part of the widgets' keys, so that they are made anew with its values.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.data.dataset import Dataset
from core.data.scan.folder import ImageFolder
from core.data.subsets import TRAINING
from core.errors import RecipeError, UnfreezeError
from core.language import tr
from core.models.backbones import backbone
from core.recipe.recipe import Recipe
from core.recipe.recipe_book import Loaded, fitted_to
from core.recipe.start_point import run_to_start_from
from pages.components.cached import datasets, runs
from pages.components.shared import run_descriptions, state

DRAFT, HANDED = "draft", "recipe"


@dataclass(frozen=True)
class Draft:
    """A start.

    Attributes:
        edition: Its number in this session.
        recipe: The recipe that was loaded; None for the defaults.
        notes: A sentence for each thing about it that somebody should know.
    """

    edition: int = 0
    recipe: Recipe | None = None
    notes: tuple[str, ...] = ()

    def first(self, name: str, default: Any) -> Any:
        """What a widget for a choice begins with."""
        return default if self.recipe is None else getattr(self.recipe, name)

    def first_for(self, backbone: str, name: str, default: Any) -> Any:
        """The same for a choice that only makes sense with the backbone it was made for."""
        return default if self.recipe is None or self.recipe.backbone != backbone else getattr(self.recipe, name)

    def now(self, name: str, default: Any) -> Any:
        """What the widget for a choice holds, before it is drawn."""
        held = state.widget(self.key(name))
        return self.first(name, default) if held is None else held

    def key(self, name: str) -> str:
        """The key of the widget for a choice."""
        return f"{name}-{self.edition}"


def present(dataset: Dataset) -> Draft:
    """The present start; what another page has handed over becomes it."""
    handed = state.take(HANDED)
    if handed is not None:
        try:
            recipe = Recipe.from_json(handed)
            _, parts = datasets.used(dataset, recipe.split_seed)
            start_from(fitted_to(recipe, dataset.folder, int(np.sum(parts == TRAINING))))
        except RecipeError as error:
            start_over((error.text,))
    return kept(dataset.folder)


def used_photos(dataset: Dataset, start: Draft) -> tuple[ImageFolder, NDArray[np.int8]]:
    """The photos that a run would take, and the subset of each under the choices as they are."""
    return datasets.limited(dataset, left_out_classes(dataset, start), *_which_photos(start))


def parts(dataset: Dataset, start: Draft) -> NDArray[np.int8]:
    """The subset of each photo of the dataset, `(M,)`, under the choices as they are; -1 where it is not used."""
    return datasets.limited_split(dataset, *_which_photos(start))


def photos_per_class(start: Draft) -> int:
    """How many training photos of each class are learned from at most, 0 for all, before the widget is drawn."""
    return int(start.now("photos_per_class", Recipe.photos_per_class))


def _which_photos(start: Draft) -> tuple[int, int, int]:
    """The choices that decide it, before their widgets are drawn: photos per class, seed of the split, seed."""
    split_seed, seed = (int(start.now(name, getattr(Recipe, name))) for name in ("split_seed", "seed"))
    limit = photos_per_class(start)
    return limit, split_seed, seed if limit else Recipe.seed


def classes_key(dataset: Dataset, start: Draft) -> str:
    """The key of the widget for the classes to leave out, which are those of one dataset."""
    return start.key(f"without_classes-{dataset.folder.root}")


def left_out_classes(dataset: Dataset, start: Draft) -> tuple[str, ...]:
    """The classes that a run would leave out, before the widget for them is drawn."""
    held = state.widget(classes_key(dataset, start))
    return start.first("without_classes", Recipe.without_classes) if held is None else tuple(held)


def kept(folder: ImageFolder) -> Draft:
    """The present start; one that was made for other photos is forgotten."""
    found: Draft = state.recall(DRAFT, Draft())
    if found.recipe is not None and found.recipe.dataset != str(folder.root):
        start_over()
        found = state.recall(DRAFT, Draft())
    return found


def start_from(loaded: Loaded) -> None:
    """Set all choices to those of a recipe."""
    state.choose_augmentations(loaded.recipe.augmentations)
    recipe, notes = loaded.recipe, loaded.notes
    if recipe.start_from:
        try:
            name = run_descriptions.name_or_id(run_to_start_from(recipe, runs.store()))
            network = backbone(recipe.backbone).name
            notes += (
                tr("It starts from the model of “{run}”, so the variant is {network}.", run=name, network=network),
            )
        except UnfreezeError as error:
            recipe, notes = replace(recipe, start_from=""), (*notes, error.text)
    _put(recipe, notes)


def start_over(notes: tuple[str, ...] = ()) -> None:
    """Set all choices to the defaults."""
    state.forget("augmentations")
    _put(None, notes)


def _put(recipe: Recipe | None, notes: tuple[str, ...]) -> None:
    state.remember(DRAFT, Draft(state.recall(DRAFT, Draft()).edition + 1, recipe, notes))
