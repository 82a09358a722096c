"""The photos of an evaluation: galleries, and the button from each photo to its heat map."""

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
from pages.components.shared import markdown, state, thumbnails
from pages.components.shared.run_descriptions import LoadedRun

SECTION_KEY, MISTAKES = "evaluate-section", "Mistakes"
OPENED = "opened-photo"

PHOTO_PIXELS = 132
A_PAGE = 12


def open_on_mistakes() -> None:
    """Have the Evaluate page begin with its mistakes; for pages that lead there."""
    state.set_widget(SECTION_KEY, MISTAKES)


@dataclass(frozen=True)
class EvaluatedSubset:
    """What is evaluated: a run, one subset of its photos, and the predictions for them.

    Attributes:
        shown: The run.
        name: One of `core.data.subsets.SUBSETS`.
        found: The predictions.
    """

    shown: LoadedRun
    name: str
    found: Evaluation

    @property
    def key(self) -> str:
        """What tells the widgets of this run and subset from those of others."""
        return f"{self.shown.run.id}-{self.name}"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes as they are shown."""
        return shown_names(tuple(self.found.class_names))

    @cached_property
    def folder(self) -> ImageFolder:
        """The photos; raises `PhotoError` where it is no longer known which ones they are."""
        if not self.found.paths:
            raise PhotoError(f"It is no longer known which photos were the {self.name} photos of this run.")
        root = Path(self.shown.recipe.dataset)
        return ImageFolder(root, self.found.class_names, self.found.paths, self.found.labels)

    def photos(self, count: int) -> str:
        """ "12 test photos"."""
        return photos(count, self.name)

    def describe(self, position: int) -> str:
        """The label of a photo and its prediction; safe as Markdown."""
        names, found = self.names, self.found
        shows, sure = markdown.escape(names[found.labels[position]]), unbroken(whole(float(found.confidence[position])))
        if found.right[position]:
            return f"{shows} ({sure})"
        return f"{shows}, predicted as **{markdown.escape(names[found.predicted[position]])}** ({sure})"


def open_photo(subset: EvaluatedSubset, position: int) -> None:
    """Open a photo once the page is drawn; for callbacks."""
    state.remember(OPENED, (subset, position))


Act = tuple[str, Callable[[EvaluatedSubset, int], None]]
"""A button below a photo: how its label begins, and what it calls."""

OPEN: Act = ("Heat map of photo", open_photo)


def gallery(
    subset: EvaluatedSubset,
    positions: Sequence[int],
    key: str,
    caption: Callable[[int], str] | None = None,
    act: Act = OPEN,
) -> None:
    """Photos, some at a time, each with a caption and a button.

    Args:
        subset: Whose photos they are; raises `PhotoError` where it is no longer known which ones.
        positions: Which ones, in order.
        key: What tells this gallery from others on the page.
        caption: The text below a photo, as Markdown; its label and prediction unless given.
        act: The button.
    """
    if not len(positions):
        st.caption("No photos.")
        return
    shown = one_page(positions, f"{key}-{subset.key}")
    with st.container(horizontal=True, gap="small"):
        for number, position in shown:
            with st.container(width=PHOTO_PIXELS, gap="xxsmall"):
                _photo(subset, position)
                st.caption((caption or subset.describe)(position))
                look_button(subset, position, number if len(positions) > 1 else 0, key, act)


def one_page(positions: Sequence[int], key: str) -> list[tuple[int, int]]:
    """The photos of one page, numbered from 1, with buttons to the other pages."""
    pages = -(-len(positions) // A_PAGE)
    first = A_PAGE * (st.pagination(pages, key=f"page-{key}") - 1) if pages > 1 else 0
    return [(first + i + 1, int(position)) for i, position in enumerate(positions[first : first + A_PAGE])]


def _photo(subset: EvaluatedSubset, position: int) -> None:
    path = subset.folder.paths[position]
    try:
        st.image(thumbnails.thumbnail(subset.folder, position), width=PHOTO_PIXELS, alt=path)
    except PhotoError as error:
        st.caption(f":material/broken_image: {markdown.escape(path)} can no longer be shown: {markdown.escape(error)}.")


def look_button(subset: EvaluatedSubset, position: int, number: int, key: str, act: Act = OPEN) -> None:
    """The button below a photo; without a number, 0, it is the only one."""
    st.button(
        f"{act[0]} {number or ''}".strip(),
        key=f"act-{key}-{subset.key}-{position}",
        help=markdown.escape(subset.folder.paths[position]),
        on_click=act[1],
        args=(subset, position),
        width="stretch",
    )
