"""Recipes kept under names, downloaded and loaded again."""

import json
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote, unquote

from core.data.scan.folder import ImageFolder
from core.errors import RecipeError
from core.files import saving, write_atomically
from core.formatting import listed
from core.json_values import checked, read_json
from core.language import tr
from core.processes.locks import locked
from core.recipe.augmentations import AUGMENTATION_OF, reads_as_characters
from core.recipe.recipe import Recipe

MOST_CHARACTERS = 60
"""Of a name; each may take four bytes, and a file name has room for 255."""

LOCK_SECONDS = 5.0
"""How long to wait for another session that saves a recipe."""

MOST_BYTES = 100_000
"""Of a recipe that is loaded; a real one has two thousand."""

SUFFIX = ".json"

UNSAFE = '/\\:*?"<>|%'
"""What file names cannot hold, on one system or another; it is written as in an address, "%2F"."""


@dataclass(frozen=True)
class Saved:
    """A recipe in the book: its name, when it was saved (seconds since 1970), and what it says."""

    name: str
    saved: float
    recipe: Recipe


@dataclass(frozen=True)
class Damaged:
    """A file in the book that cannot be read, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Loaded:
    """A recipe made to fit a dataset.

    Attributes:
        recipe: Ready to be trained with.
        notes: A sentence for each thing that was changed, or that does not fit the photos; often none.
    """

    recipe: Recipe
    notes: tuple[str, ...]


@dataclass(frozen=True)
class RecipeBook:
    """All saved recipes: one file each, in a folder that is injected."""

    root: Path
    _clock: Callable[[], float] = field(default=time.time, repr=False)

    def save(self, name: str, recipe: Recipe, *, over: bool = False) -> Saved:
        """Keep a recipe under a name; `over` lets it take the place of another one.

        Raises:
            RecipeError: The name cannot be used or is taken.
            StorageError: It cannot be saved.
        """
        known = checked_name(name)
        path = self._path(known)
        entry = Saved(known, self._clock(), recipe)
        values = {"name": known, "saved": entry.saved, "recipe": json.loads(recipe.to_json())}
        with saving(path):
            self.root.mkdir(parents=True, exist_ok=True)
            with locked(self.root / ".exclusive", LOCK_SECONDS) as held:
                if not held:
                    raise RecipeError(tr("Another recipe is being saved at this moment. Try again."))
                if path.exists() and not over:
                    raise RecipeError(
                        tr("There is a recipe called “{name}” already. Choose another name, or replace it.", name=known)
                    )
                write_atomically(path, json.dumps(values, indent=1, ensure_ascii=False))
        return entry

    def entries(self) -> tuple[list[Saved], list[Damaged]]:
        """All recipes by name, and the files that cannot be read."""
        saved, damaged = [], []
        for path in sorted(self.root.glob(f"[!.]*{SUFFIX}")):
            name = unquote(path.name.removesuffix(SUFFIX))
            try:
                saved.append(_read(path, name))
            except RecipeError as error:
                damaged.append(Damaged(name, error.text))
        return sorted(saved, key=lambda entry: entry.name.casefold()), damaged

    def read(self, name: str) -> Recipe:
        """The recipe of this name; raises `RecipeError` where there is none or it cannot be read."""
        known = checked_name(name)
        return _read(self._path(known), known).recipe

    def delete(self, name: str) -> None:
        """Remove the recipe of this name, also a damaged one; raises `RecipeError` where there is none."""
        try:
            self._path(checked_name(name)).unlink()
        except FileNotFoundError as error:
            raise _not_there(name) from error
        except OSError as error:
            raise RecipeError(
                tr("The recipe “{name}” cannot be removed ({reason}).", name=name, reason=str(error.strerror))
            ) from error

    def _path(self, name: str) -> Path:
        return self.root / f"{file_name_of(name)}{SUFFIX}"


def checked_name(name: str) -> str:
    """A name as it is kept: letters in their composed form, single spaces. Raises `RecipeError` where it cannot be."""
    known = " ".join(unicodedata.normalize("NFC", name).split())
    if not known:
        raise RecipeError(tr("The recipe has no name. Give it one, for example “rotation only”."))
    if len(known) > MOST_CHARACTERS:
        raise RecipeError(
            tr(
                "The name has {count} characters; at most {most} are kept. Shorten it.",
                count=len(known),
                most=MOST_CHARACTERS,
            )
        )
    odd = next((sign for sign in known if unicodedata.category(sign) in ("Cc", "Cs")), None)
    if odd is not None:
        raise RecipeError(
            tr("The name holds a character that cannot be shown ({character}). Type it again.", character=repr(odd))
        )
    return known


def file_name_of(name: str) -> str:
    """A name as part of a file name that every system takes; nothing but the name can be made of it again."""
    safe = "".join(quote(sign, safe="") if sign in UNSAFE else sign for sign in name)
    return safe if safe[0] != "." else f"%2E{safe[1:]}"


def to_download(name: str, recipe: Recipe) -> tuple[str, bytes]:
    """The name and content of a file that `from_upload` reads."""
    return f"{file_name_of(checked_name(name))}{SUFFIX}", recipe.to_json().encode()


def from_upload(content: bytes, folder: ImageFolder, training_photos: int) -> Loaded:
    """Read a recipe that somebody brings, a downloaded one or that of a run, for the photos of a folder.

    Raises:
        RecipeError: It is too large, or no recipe.
    """
    if len(content) > MOST_BYTES:
        raise RecipeError(
            tr("The file has {count} bytes; a recipe has at most {most}.", count=len(content), most=MOST_BYTES)
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError(tr("This is not a recipe: it is not text in UTF-8.")) from error
    try:
        return fitted_to(Recipe.from_json(text), folder, training_photos)
    except RecursionError as error:
        raise RecipeError(tr("This is not a recipe: its brackets are nested too deeply.")) from error


def fitted_to(recipe: Recipe, folder: ImageFolder, training_photos: int) -> Loaded:
    """Put a dataset in the place of the one that a recipe was made for, and say what does not fit it.

    Args:
        recipe: Made for whatever dataset.
        folder: The photos of the present one, of all classes.
        training_photos: How many of them are trained on.
    """
    known = tuple(name for name in recipe.without_classes if name in folder.class_names)
    if len(folder.class_names) - len(known) < 2:
        known = ()
    moved = replace(recipe, dataset=str(folder.root), without_classes=known)
    notes = []
    if moved.dataset != recipe.dataset:
        former, present = Path(recipe.dataset).name, folder.root.name
        notes.append(
            tr(
                "It was made for the photos of “{former}”; it is now used for those of “{present}”.",
                former=former,
                present=present,
            )
        )
    if strange := [name for name in recipe.without_classes if name not in folder.class_names]:
        classes = ", ".join(strange)
        notes.append(tr("It leaves out classes that these photos do not have: {classes}.", classes=classes))
    elif recipe.without_classes and not known:
        notes.append(tr("It leaves out so many classes that fewer than two would remain: all classes are used."))
    mirrors = [row.name for row in map(AUGMENTATION_OF.__getitem__, moved.augmentations) if row.mirrors]
    if mirrors and reads_as_characters(folder.class_names):
        notes.append(
            tr(
                "The classes are letters or digits, which {augmentations} would turn into others.",
                augmentations=listed(mirrors),
            )
        )
    limit = moved.photos_per_class * (len(folder.class_names) - len(known)) or training_photos
    there_are = min(limit, training_photos)
    if moved.batch_size > there_are:
        notes.append(
            tr(
                "It takes {batch} photos a step, but there are only {count} to train on: an epoch is a single step.",
                batch=moved.batch_size,
                count=there_are,
            )
        )
    return Loaded(moved, tuple(notes))


def _read(path: Path, name: str) -> Saved:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise RecipeError(
                tr(
                    "The recipe “{name}” has more than {most} bytes, so it is not a recipe of Unfreeze.",
                    name=name,
                    most=MOST_BYTES,
                )
            )
        values = checked(read_json(path, dict), {"saved": float, "recipe": dict}, {})
        return Saved(name, float(values["saved"]), Recipe.from_values(values["recipe"]))
    except FileNotFoundError as error:
        raise _not_there(name) from error
    except (OSError, ValueError, KeyError) as error:
        raise RecipeError(
            tr("The file of the recipe “{name}” is damaged ({reason}). Remove it.", name=name, reason=str(error))
        ) from error


def _not_there(name: str) -> RecipeError:
    return RecipeError(tr("There is no saved recipe “{name}”; it may have been removed.", name=name[:MOST_CHARACTERS]))
