"""Photos with what can be decided about them; what is decided is kept, and can be taken back."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.data.dataset import ALIKE, ALIKE_CONFLICT, CONFLICT, COPIES, LEAK, NEVER_LEARNED, SAME_NAME, Dataset, Finding
from core.data.review import EXCLUDE, KEEP, RELABEL, Decision, Review, rows_of
from core.data.scan.folder import ImageFolder
from core.errors import PhotoError, UnfreezeError
from pages.components.cached import datasets
from pages.components.shared import elements, markdown, state, thumbnails

PER_PAGE = 6
SINGLES_PER_PAGE = 24
PER_SET = 12
CLASS_KINDS = (NEVER_LEARNED, SAME_NAME)
MENU_CLASSES = 30
TARGET = "move-target"
LEAVE_OUT, CORRECT = "Leave it out", "The label is correct"

WORDS = {EXCLUDE: "left out", RELABEL: "moved to", KEEP: "marked as correct"}


def decide(dataset: Dataset, action: str, positions: Iterable[int], why: str, label: str = "") -> None:
    """Keep a decision about photos of a dataset; a callback, so that the page is drawn with it."""
    photos = {dataset.folder.paths[i]: dataset.digest(i) for i in positions}
    if photos:
        decision = Decision(action, photos, label, why)
        keep(dataset.review.root, lambda review: review.with_decision(decision))


def take_back(root: Path, decision: Decision) -> None:
    """Undo one decision; a callback as well."""
    keep(root, lambda review: review.without_decision(decision))


def keep(root: Path, how: Callable[[Review], Review]) -> None:
    """Change what is kept about a dataset; where that fails, the next page says so."""
    try:
        datasets.reviews().change(root, how)
    except UnfreezeError as error:
        state.remember("notice", str(error))


def notice() -> None:
    """Say, once, what went wrong in the last callback."""
    message = state.take("notice")
    if message:
        st.warning(markdown.escape(message), icon=":material/info:")


def undo_bar(dataset: Dataset) -> None:
    """What was decided last, and a button to undo it."""
    if not dataset.review.decisions:
        return
    last = dataset.review.decisions[-1]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":gray[Last decision: {describe(last)}]", width="content")
        st.button("Undo", icon=":material/undo:", key="undo", on_click=take_back, args=(dataset.review.root, last))


def describe(decision: Decision) -> str:
    """A decision in a few words, safe as Markdown."""
    names = list(decision.photos)
    what = markdown.escape(names[0]) if len(names) == 1 else f"{len(names):,} photos"
    label = f" {markdown.escape(decision.label)}" if decision.label else ""
    return f"{what} {WORDS[decision.action]}{label}"


def finding_in_full(dataset: Dataset, finding: Finding) -> None:
    """One kind of finding: what it means, what happens, and the photos, a page at a time."""
    kind = finding.kind
    choose_target(dataset.folder)
    st.markdown(f"{kind.means}  \n:material/arrow_forward: **{kind.done}**")
    size = PER_PAGE if kind.together else SINGLES_PER_PAGE
    pages = -(-finding.count // size)
    page = st.pagination(pages, key=f"page-{kind.key}-{pages}") if pages > 1 else 1
    shown = finding.sets[(page - 1) * size : page * size]
    for_all(dataset, finding)
    if not kind.together:
        cards(dataset, [int(group[0]) for group in shown], kind.title, kind.key)
        return
    for number, group in enumerate(shown):
        with st.container(border=True):
            about_class(dataset, finding, group)
            cards(dataset, group[:PER_SET].tolist(), kind.title, f"{kind.key}-{page}-{number}")
            if len(group) > PER_SET:
                st.caption(f"… and {len(group) - PER_SET:,} more photos")
            for_set(dataset, finding, group.tolist(), f"{kind.key}-{page}-{number}")


def about_class(dataset: Dataset, finding: Finding, group: NDArray[np.intp]) -> None:
    """What a class is called and which ones are named alike, where that is what a finding is about."""
    if finding.kind.key in CLASS_KINDS:
        near = dataset.classes_to_join(finding, group)
        name = markdown.escape(dataset.folder.class_names[dataset.folder.labels[group[0]]])
        nearest = f"the nearest name is “{markdown.escape(near[0])}”" if near else "no other class has a similar name"
        st.markdown(f"“{name}” · {len(group):,} photos: {nearest}")


def for_all(dataset: Dataset, finding: Finding) -> None:
    """Buttons that decide about everything of one kind at once."""
    everything = [int(i) for group in finding.sets for i in group]
    spare = [int(i) for group in finding.sets for i in group[1:]]
    with st.container(horizontal=True, gap="small"):
        if finding.kind.key in (COPIES, ALIKE):
            act(dataset, EXCLUDE, spare, finding, f"Use only one of each ({len(spare):,} left out)", "one-of-each")
        if not finding.kind.together:
            act(dataset, EXCLUDE, everything, finding, f"Leave out all {len(everything):,}", "all-out")
        if not finding.kind.sure and finding.kind.key not in CLASS_KINDS:
            act(dataset, KEEP, everything, finding, "All are fine", "all-fine")


def for_set(dataset: Dataset, finding: Finding, group: list[int], key: str) -> None:
    """Buttons that decide about one set of photos."""
    labels = np.unique(dataset.folder.labels[group])
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        if finding.kind.key == CONFLICT:
            for label in labels[:5]:
                name = dataset.folder.class_names[label]
                right = next(i for i in group if dataset.folder.labels[i] == label)
                others = [i for i in group if i != right]
                act(dataset, EXCLUDE, others, finding, f"It is {markdown.escape(name)}", f"{key}-{label}")
            act(dataset, EXCLUDE, group, finding, "Use none of them", f"{key}-none")
        elif finding.kind.key in CLASS_KINDS:
            positions = np.array(group)
            for name in dataset.classes_to_join(finding, positions) or dataset.classes_missing_beside(positions):
                act(dataset, RELABEL, group, finding, f"Join with “{markdown.escape(name)}”", f"{key}-{name}", name)
            if finding.kind.key == SAME_NAME:
                act(dataset, KEEP, group, finding, "They are different classes", f"{key}-fine")
        elif finding.kind.key in (COPIES, ALIKE):
            act(dataset, EXCLUDE, group[1:], finding, "Use only the first", f"{key}-first")
        if finding.kind.key in (ALIKE, ALIKE_CONFLICT, LEAK):
            label = "They differ: use all" if finding.kind.key == LEAK else "They are fine"
            act(dataset, KEEP, group, finding, label, f"{key}-fine")


def act(
    dataset: Dataset, action: str, positions: Sequence[int], finding: Finding, label: str, key: str, target: str = ""
) -> None:
    """A button that keeps one decision; `target` is the class that photos are moved to."""
    arguments = (dataset, action, list(positions), finding.kind.title, target)
    st.button(label, key=f"act-{finding.kind.key}-{key}", on_click=decide, args=arguments)


def cards(dataset: Dataset, positions: Sequence[int], why: str, key: str) -> None:
    """Photos side by side, each with its class, its name, and a menu of what can be decided."""
    with st.grid(min_column_width=132, gap="small"):
        for position in positions:
            with st.container(gap="xxsmall"):
                card(dataset, position, why, f"{key}-{position}")


def card(dataset: Dataset, position: int, why: str, key: str) -> None:
    """One photo with what can be decided about it."""
    folder = dataset.folder
    path = folder.paths[position]
    try:
        st.image(thumbnails.thumbnail(folder, position), width=132, alt=path)
    except (PhotoError, FileNotFoundError) as error:
        st.caption(f":material/broken_image: {markdown.escape(error)}")
    label = folder.class_names[folder.labels[position]]
    st.caption(f"**{markdown.escape(label)}**  \n{markdown.escape(shortened(path.rpartition('/')[2]))}")
    others = [name for name in targets(folder) if name != label]
    st.menu_button(
        "Decide",
        [(EXCLUDE, ""), (KEEP, ""), *((RELABEL, name) for name in others)],
        key=f"menu-{key}",
        type="tertiary",
        help=markdown.escape(path),
        format_func=menu_label,
        on_click=chosen_from_menu,
        args=(dataset, position, why, f"menu-{key}"),
    )


def targets(folder: ImageFolder) -> Sequence[str]:
    """The classes that a photo's menu offers: all of them, or where they are too many the one that was chosen."""
    if len(folder.class_names) <= MENU_CLASSES:
        return folder.class_names
    chosen = state.widget(TARGET)
    return [chosen] if chosen in folder.class_names else []


def choose_target(folder: ImageFolder) -> None:
    """Where there are too many classes for a menu: the class that photos can be moved to."""
    if len(folder.class_names) > MENU_CLASSES:
        st.selectbox(
            "Photos can be moved to",
            folder.class_names,
            index=None,
            placeholder="Choose a class; the menu of every photo then offers it",
            key=TARGET,
            persist_state="session",
        )


def menu_label(option: tuple[str, str]) -> str:
    """An entry of a photo's menu."""
    action, label = option
    return f"Move to {markdown.escape(label)}" if action == RELABEL else {EXCLUDE: LEAVE_OUT, KEEP: CORRECT}[action]


def chosen_from_menu(dataset: Dataset, position: int, why: str, key: str) -> None:
    """Keep what was chosen from a photo's menu."""
    action, label = state.widget(key)
    decide(dataset, action, [position], why, label)


def shortened(name: str, longest: int = 18) -> str:
    """A file name that fits under a photo."""
    return name if len(name) <= longest else f"{name[: longest - 8]}…{name[-7:]}"


def decided(dataset: Dataset) -> None:
    """Everything that was decided, newest first, each with a way back."""
    review = dataset.review
    if not review.decisions:
        st.info("There are no decisions yet. Every photo has a “Decide” menu.", icon=":material/rate_review:")
        return
    st.markdown(
        "Your photos are never changed. Decisions are saved separately, in"
        f" {markdown.code(datasets.reviews().file(review.root))}, and each can be taken back."
    )
    undo_bar(dataset)
    elements.download_list(rows_of(review.decisions), "decisions.csv")
    for position in range(len(review.decisions) - 1, -1, -1):
        decision = review.decisions[position]
        with st.container(horizontal=True, vertical_alignment="center", border=True):
            st.markdown(f"{describe(decision)}  \n:gray[{markdown.escape(decision.why)}]", width="stretch")
            st.button("Take back", key=f"back-{position}", on_click=take_back, args=(review.root, decision))
    for path, reason in dataset.lost:
        st.caption(
            f":material/link_off: {markdown.escape(path)}: {markdown.escape(reason)}; the decision is not applied."
        )
