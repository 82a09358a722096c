"""The photos of an evaluation: galleries, and the way from any photo to a closer look at it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import streamlit as st

from core.data.scan.folder import ImageFolder
from core.errors import PhotoError
from core.evaluation.metrics import Evaluation
from pages.components.shared import markdown, state, thumbnails
from pages.components.shared.run_descriptions import LoadedRun

SECTION_KEY, MISTAKES = "evaluate-section", "Mistakes"
OPENED = "opened-photo"

PHOTO_PIXELS = 132
A_PAGE = 12


@dataclass(frozen=True)
class Part:
    """What is evaluated: a run, one part of its photos, and what its model says of them.

    Attributes:
        shown: The run.
        name: "test" or "validation".
        found: What the model says.
    """

    shown: LoadedRun
    name: str
    found: Evaluation

    @property
    def key(self) -> str:
        """What tells the widgets of this run and part from those of others."""
        return f"{self.shown.run.id}-{self.name}"

    @cached_property
    def folder(self) -> ImageFolder:
        """Where the photos lie; raises `PhotoError` where it is lost which photos they are."""
        if not self.found.paths:
            raise PhotoError(f"It is lost which photos the {self.name} photos of this run were.")
        root = Path(self.shown.recipe.dataset)
        return ImageFolder(root, self.found.class_names, self.found.paths, self.found.labels)

    def photos(self, count: int) -> str:
        """ "12 test photos"."""
        return f"1 {self.name} photo" if count == 1 else f"{count:,} {self.name} photos"

    def said(self, position: int) -> str:
        """What a photo shows, and what the model takes it for; safe as Markdown."""
        names, found = self.found.class_names, self.found
        shows, sure = markdown.escape(names[found.labels[position]]), f"{found.confidence[position]:.0%}"
        if found.right[position]:
            return f"{shows} ({sure})"
        return f"{shows}, taken for **{markdown.escape(names[found.predicted[position]])}** ({sure})"


def open_photo(part: Part, position: int) -> None:
    """Have a closer look at a photo once the page is drawn; for callbacks."""
    state.remember(OPENED, (part, position))


Act = tuple[str, Callable[[Part, int], None]]
"""A button below a photo: how its label begins, and what it calls."""

LOOK: Act = ("Look at photo", open_photo)


def gallery(
    part: Part,
    positions: Sequence[int],
    key: str,
    words: Callable[[int], str] | None = None,
    act: Act = LOOK,
) -> None:
    """Photos, some at a time, each with what is said of it and a button.

    Args:
        part: Whose photos they are; raises `PhotoError` where it is lost which ones.
        positions: Which ones, in order.
        key: What tells this gallery from others on the page.
        words: What stands below a photo, as Markdown; what it shows and what it is taken for unless given.
        act: The button.
    """
    if not len(positions):
        st.caption("There are none.")
        return
    shown = one_page(positions, f"{key}-{part.key}")
    with st.container(horizontal=True, gap="small"):
        for number, position in shown:
            with st.container(width=PHOTO_PIXELS, gap="xxsmall"):
                _photo(part, position)
                st.caption((words or part.said)(position))
                look_button(part, position, number if len(positions) > 1 else 0, key, act)


def one_page(positions: Sequence[int], key: str) -> list[tuple[int, int]]:
    """As many photos as are shown at once, numbered from 1, with a way to the others."""
    pages = -(-len(positions) // A_PAGE)
    first = A_PAGE * (st.pagination(pages, key=f"page-{key}") - 1) if pages > 1 else 0
    return [(first + i + 1, int(position)) for i, position in enumerate(positions[first : first + A_PAGE])]


def _photo(part: Part, position: int) -> None:
    path = part.folder.paths[position]
    try:
        st.image(thumbnails.thumbnail(part.folder, position), width=PHOTO_PIXELS, alt=path)
    except PhotoError as error:
        st.caption(f":material/broken_image: {markdown.escape(path)} can no longer be shown: {error}.")


def look_button(part: Part, position: int, number: int, key: str, act: Act = LOOK) -> None:
    """The button below a photo; without a number, 0, it is the only one."""
    st.button(
        f"{act[0]} {number or ''}".strip(),
        key=f"act-{key}-{part.key}-{position}",
        help=part.folder.paths[position],
        on_click=act[1],
        args=(part, position),
        width="stretch",
    )
