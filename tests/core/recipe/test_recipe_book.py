import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.data.scan.folder import ImageFolder
from core.errors import RecipeError, StorageError
from core.recipe.augmentations import Choice
from core.recipe.recipe import Recipe
from core.recipe.recipe_book import (
    MOST_BYTES,
    MOST_CHARACTERS,
    Damaged,
    RecipeBook,
    fitted_to,
    from_upload,
    to_download,
)

RECIPE = Recipe(dataset="/photos/flowers", augmentations={"flip_horizontal": Choice(1, 0.5)}, dropout=0.4)

NAMES = [
    "rotation only",
    "Grüße aus Köln · 日本語 🌷",
    "../../etc/passwd",
    "..",
    ".hidden",
    'a/b\\c:d*e?f"g<h>i|j%k',
    "50 % dropout",
    "50%20dropout",
    "🌷" * MOST_CHARACTERS,
    "/" * MOST_CHARACTERS,
    "CON",
]


@pytest.fixture
def book(tmp_path: Path) -> RecipeBook:
    return RecipeBook(tmp_path / "home" / "recipes", lambda: 1000.0)


def folder(*class_names: str) -> ImageFolder:
    paths = tuple(f"{name}/1.jpg" for name in class_names)
    return ImageFolder(Path("/photos/present"), class_names, paths, np.arange(len(class_names), dtype=np.int32))


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_kept_in_the_book_and_nowhere_else(book: RecipeBook, tmp_path: Path, name: str) -> None:
    entry = book.save(name, RECIPE)
    assert (entry.name, entry.saved) == (name, 1000.0)
    assert book.read(name) == RECIPE
    assert book.entries() == ([entry], [])
    [file] = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != ".exclusive"]
    assert file.parent == book.root and len(file.name.encode()) <= 255
    book.delete(name)
    assert book.entries() == ([], [])


def test_names_that_look_the_same_are_the_same(book: RecipeBook) -> None:
    book.save("  Ko\u0308ln   tulips ", RECIPE)
    assert book.read("K\u00f6ln tulips") == RECIPE


@pytest.mark.parametrize(
    ("name", "words"),
    [("", "no name"), (" \t ", "no name"), ("x" * 61, "61 characters; at most 60"), ("a\x00b", "cannot be shown")],
)
def test_names_that_cannot_be_are_refused(book: RecipeBook, name: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        book.save(name, RECIPE)
    assert not book.root.exists()


def test_a_name_that_is_taken_is_only_replaced_on_purpose(book: RecipeBook) -> None:
    book.save("mine", RECIPE)
    other = replace(RECIPE, dropout=0.1)
    with pytest.raises(RecipeError, match="There is a recipe called “mine” already"):
        book.save("mine", other)
    assert book.read("mine") == RECIPE
    book.save("mine", other, over=True)
    assert book.read("mine") == other


def test_recipes_are_listed_by_name_and_damaged_ones_with_the_reason(book: RecipeBook) -> None:
    for name in ("beta", "Alpha", "gamma"):
        book.save(name, RECIPE)
    (book.root / "beta.json").write_text('{"name": "beta", "sav', "utf-8")
    (book.root / "list.json").write_text("[1]", "utf-8")
    (book.root / "odd.json").write_text(json.dumps({"saved": 1, "recipe": {"dataset": "/x", "dropout": 7}}), "utf-8")
    (book.root / "large.json").write_text(" " * (MOST_BYTES + 1), "utf-8")
    (book.root / "deep.json").write_text("[" * 50_000, "utf-8")
    (book.root / ".beta.json.123").write_text("left behind by a crash", "utf-8")
    saved, damaged = book.entries()
    assert [entry.name for entry in saved] == ["Alpha", "gamma"]
    reasons = {each.name: each.reason for each in damaged}
    assert set(reasons) == {"beta", "list", "odd", "large", "deep"}
    assert "is damaged" in reasons["beta"] and "dropout is 7" in reasons["odd"]
    with pytest.raises(RecipeError, match="is damaged"):
        book.read("beta")
    book.delete("beta")
    assert Damaged("beta", reasons["beta"]) not in book.entries()[1]


def test_what_is_not_in_the_book_is_said(book: RecipeBook) -> None:
    assert book.entries() == ([], [])
    for ask in (book.read, book.delete):
        with pytest.raises(RecipeError, match="There is no saved recipe “lost”"):
            ask("lost")


def test_a_book_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be saved"):
        RecipeBook(tmp_path / "file" / "recipes").save("mine", RECIPE)


def test_what_was_downloaded_can_be_loaded(book: RecipeBook) -> None:
    name, content = to_download("rotation / zoom", RECIPE)
    assert name == "rotation %2F zoom.json"
    here = replace(RECIPE, dataset="/photos/present")
    loaded = from_upload(content, folder("daisy", "rose"), 500)
    assert loaded.recipe == here
    assert loaded.notes == ("It was made for the photos of “flowers”; it is now used for those of “present”.",)
    assert from_upload(here.to_json().encode("utf-8-sig"), folder("daisy", "rose"), 500).notes == ()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xfe\x00", "not text in UTF-8"),
        (b"<html>", "not valid JSON"),
        (b"[]", "not a JSON object"),
        (b" " * (MOST_BYTES + 1), "at most 100,000"),
        (b"[" * 90_000, "not a recipe"),
        (b'{"dataset": "/x", "colour": 3}', "unknown choices: colour"),
    ],
)
def test_what_is_no_recipe_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        from_upload(content, folder("daisy", "rose"), 500)


def test_classes_that_are_left_out_are_those_of_the_present_photos() -> None:
    here = replace(RECIPE, dataset="/photos/present", without_classes=("rose", "tulip"))
    kept = fitted_to(here, folder("daisy", "iris", "rose"), 500)
    assert kept.recipe.without_classes == ("rose",)
    assert kept.notes == ("It leaves out classes that these photos do not have: tulip.",)
    none = fitted_to(replace(here, without_classes=("rose",)), folder("daisy", "rose"), 500)
    assert none.recipe.without_classes == () and "fewer than two would remain" in none.notes[0]


def test_what_does_not_fit_the_photos_is_said() -> None:
    notes = fitted_to(replace(RECIPE, dataset="/photos/present"), folder("0", "1"), 20).notes
    assert notes == (
        "The classes are letters or digits, which Flip left–right would turn into others.",
        "It takes 32 photos a step, but there are only 20 to train on: an epoch is a single step.",
    )
    few = fitted_to(replace(RECIPE, dataset="/photos/present", photos_per_class=5), folder("daisy", "iris"), 500).notes
    assert few == ("It takes 32 photos a step, but there are only 10 to train on: an epoch is a single step.",)
