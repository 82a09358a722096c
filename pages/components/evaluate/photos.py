"""The photos of an evaluation: galleries, from which each leads to its heat map."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import streamlit as st

from core.data.class_names import shown_names
from core.data.scan.folder import ImageFolder
from core.errors import PhotoError
from core.evaluation.metrics import Evaluation
from core.formatting import photos, unbroken, whole
from core.inference.external_test import ExternalTest
from core.language import tr
from pages.components.evaluate import sentences
from pages.components.gallery.gallery import RIGHT, WRONG, Photo, gallery
from pages.components.shared import markdown, state, thumbnails
from pages.components.shared.run_descriptions import LoadedRun

SECTION_KEY, MISTAKES = "evaluate-section", "mistakes"
OPENED = "opened-photo"

A_PAGE = 24


def open_on_mistakes() -> None:
    """Have the Evaluate page begin with its mistakes; for pages that lead there."""
    state.set_widget(SECTION_KEY, MISTAKES)


@dataclass(frozen=True)
class EvaluatedSubset:
    """What is evaluated: a run, one subset of its photos, and the predictions for them.

    Attributes:
        shown: The run.
        name: One of `core.data.subsets.SUBSETS`, or `OTHER` for photos from elsewhere.
        found: The predictions.
        elsewhere: What is known of photos from elsewhere.
    """

    shown: LoadedRun
    name: str
    found: Evaluation
    elsewhere: ExternalTest | None = None

    @property
    def key(self) -> str:
        """What tells the widgets of this run and subset from those of others."""
        return f"{self.shown.run.id}-{self.elsewhere.id if self.elsewhere else self.name}"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes as they are shown."""
        return shown_names(tuple(self.found.class_names))

    @cached_property
    def folder(self) -> ImageFolder:
        """The photos; raises `PhotoError` where it is no longer known which ones they are."""
        if not self.found.paths:
            raise PhotoError(
                tr(
                    "It is no longer known which photos were the {photos} of this run.",
                    photos=tr(sentences.PHOTOS[self.name]),
                )
            )
        root = self.elsewhere.root if self.elsewhere else Path(self.shown.recipe.dataset)
        return ImageFolder(root, self.found.class_names, self.found.paths, self.found.labels)

    def photos(self, count: int) -> str:
        """ "12 test photos"."""
        return photos(count, self.name)

    def confidence(self, position: int) -> str:
        """How sure the prediction for a photo is: "87 %"."""
        return unbroken(whole(float(self.found.confidence[position])))

    def describe(self, position: int) -> str:
        """The label of a photo and its prediction; safe as Markdown."""
        names, found = self.names, self.found
        shows, sure = markdown.escape(names[found.labels[position]]), self.confidence(position)
        if found.right[position]:
            return tr("{class_name} ({confidence})", class_name=shows, confidence=sure)
        return tr(
            "{class_name}, predicted as **{predicted}** ({confidence})",
            class_name=shows,
            predicted=markdown.escape(names[found.predicted[position]]),
            confidence=sure,
        )


def open_photo(subset: EvaluatedSubset, position: int) -> None:
    """Open a photo once the page is drawn; for callbacks."""
    state.remember(OPENED, (subset, position))


def show_photos(
    subset: EvaluatedSubset,
    positions: Sequence[int],
    key: str,
    title: str,
    note: Callable[[int], str] | None = None,
    opened: Callable[[EvaluatedSubset, int], None] = open_photo,
) -> None:
    """Photos, some at a time, as buttons: each with its class, its prediction, and whether that is right.

    Args:
        subset: Whose photos they are; raises `PhotoError` where it is no longer known which ones.
        positions: Which ones, in order.
        key: What tells these photos from others on the page.
        title: What photos these are, for those who cannot see them.
        note: The second line below a photo; the confidence unless given.
        opened: Called with a photo that is opened; it shows its heat map unless given.
    """
    if not len(positions):
        st.caption(tr("No photos."))
        return
    shown = one_page(positions, f"{key}-{subset.key}", A_PAGE)
    found = thumbnails.thumbnails(subset.folder, shown)
    gallery(
        f"{key}-{subset.key}",
        [
            photo(subset, position, picture, reason or (note or subset.confidence)(position))
            for position, (picture, reason) in zip(shown, found, strict=True)
        ],
        title,
        lambda place: opened(subset, int(place)),
    )


def photo(subset: EvaluatedSubset, position: int, picture: bytes, note: str, more: str = "") -> Photo:
    """A photo of an evaluation as one of a gallery; `more` is said of it to those who cannot see it."""
    names, found = subset.names, subset.found
    label, answer = names[found.labels[position]], names[found.predicted[position]]
    path = subset.folder.paths[position]
    mark = RIGHT if found.right[position] else WRONG
    return Photo(str(position), picture, label, note, answer, mark, " · ".join(filter(None, (path, more))))


def one_page(positions: Sequence[int], key: str, size: int) -> list[int]:
    """The photos of one page of so many, with buttons to the other pages."""
    pages = -(-len(positions) // size)
    first = size * (st.pagination(pages, key=f"page-{key}") - 1) if pages > 1 else 0
    return [int(position) for position in positions[first : first + size]]
