"""Photos with what can be decided about them; what is decided is kept, and can be taken back."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core import formatting
from core.data.class_names import shown_name, shown_names
from core.data.dataset import ALIKE, ALIKE_CONFLICT, CONFLICT, COPIES, LEAK, NEVER_LEARNED, SAME_NAME, Dataset, Finding
from core.data.review import EXCLUDE, KEEP, RELABEL, Decision, Review, rows_of
from core.data.scan.folder import ImageFolder
from core.errors import UnfreezeError
from core.language import retold, tr, tr_context, tr_mark, tr_plural
from pages.components.cached import datasets
from pages.components.dataset import opened_photo
from pages.components.gallery.gallery import DECIDED, Action, Photo, gallery
from pages.components.shared import elements, markdown, state, thumbnails

PER_PAGE = 6
SINGLES_PER_PAGE = 48
PER_SET = 12
CLASS_KINDS = (NEVER_LEARNED, SAME_NAME)
TARGET = "move-target"
LEAVE_OUT, CORRECT = tr_mark("Leave out"), tr_mark("Label is correct")


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
        state.remember("notice", error.text)


def notice() -> None:
    """Say, once, what went wrong in the last callback."""
    message = state.take("notice")
    if message:
        st.warning(markdown.escape(retold(message)), icon=":material/info:")


def undo_bar(dataset: Dataset) -> None:
    """What was decided last, and a button to undo it; always there, so that the photos stay where they are."""
    made = dataset.review.decisions
    with st.container(horizontal=True, vertical_alignment="center"):
        undo_button(dataset, "undo", on_hover=False)
        words = tr("Nothing is decided yet.")
        if made:
            words = tr("Last decision: {decision}", decision=describe(made[-1], dataset.folder))
        st.markdown(f":gray[{words}]", width="content")


def undo_button(
    dataset: Dataset, key: str, undone: Callable[[Decision], None] = lambda decision: None, *, on_hover: bool = True
) -> None:
    """Undo the last decision about a dataset; what it was is said `on_hover`, or stands beside the button.

    `undone` is called with it before the page is drawn again.
    """
    last = dataset.review.decisions[-1] if dataset.review.decisions else None
    st.button(
        tr("Undo"),
        icon=":material/undo:",
        shortcut="Z",
        key=key,
        disabled=last is None,
        help=tr("Undo: {decision}", decision=describe(last, dataset.folder)) if on_hover and last else None,
        on_click=_undo,
        args=(dataset.review.root, last, undone),
    )


def _undo(root: Path, decision: Decision | None, undone: Callable[[Decision], None]) -> None:
    if decision is not None:
        take_back(root, decision)
        undone(decision)


def describe(decision: Decision, folder: ImageFolder) -> str:
    """A decision in a few words, safe as Markdown."""
    names = list(decision.photos)
    words = opened_photo.in_words(decision, folder)
    if len(names) == 1:
        return tr_context("decision", "{photo} {decided}", photo=markdown.escape(names[0]), decided=words)
    return tr_plural("{count} photo {decided}", "{count} photos {decided}", len(names), decided=words)


def finding_in_full(dataset: Dataset, finding: Finding) -> None:
    """One kind of finding: what it means, what happens, and the photos, a page at a time."""
    kind = finding.kind
    st.markdown(f"{kind.means}  \n:material/arrow_forward: **{kind.done}**")
    size = PER_PAGE if kind.together else SINGLES_PER_PAGE
    pages = -(-finding.count // size)
    page = st.pagination(pages, key=f"page-{kind.key}-{pages}") if pages > 1 else 1
    shown = finding.sets[(page - 1) * size : page * size]
    for_all(dataset, finding)
    if not kind.together:
        cards(dataset, [int(group[0]) for group in shown], kind.title, kind.title, f"{kind.key}-{page}")
        return
    for number, group in enumerate(shown):
        with st.container(border=True):
            about_class(dataset, finding, group)
            place = f"{kind.key}-{page}-{number}"
            cards(
                dataset,
                group[:PER_SET].tolist(),
                tr("{title}, {number}", title=kind.title, number=number + 1),
                kind.title,
                place,
                hint=number == 0,
            )
            if len(group) > PER_SET:
                st.caption(tr_plural("… and {count} more photo", "… and {count} more photos", len(group) - PER_SET))
            for_set(dataset, finding, group.tolist(), place)


def about_class(dataset: Dataset, finding: Finding, group: NDArray[np.intp]) -> None:
    """What a class is called and which ones are named alike, where that is what a finding is about."""
    if finding.kind.key in CLASS_KINDS:
        near = dataset.classes_to_join(finding, group)
        name = markdown.escape(shown_names(dataset.folder.class_names)[dataset.folder.labels[group[0]]])
        count = formatting.photos(len(group))
        if near:
            nearest = markdown.escape(near[0])
            words = tr("“{name}” · {photos}: the nearest name is “{nearest}”", name=name, photos=count, nearest=nearest)
        else:
            words = tr("“{name}” · {photos}: no other class has a similar name", name=name, photos=count)
        st.markdown(words)


def for_all(dataset: Dataset, finding: Finding) -> None:
    """Buttons that decide about everything of one kind at once."""
    everything = [int(i) for group in finding.sets for i in group]
    spare = [int(i) for group in finding.sets for i in group[1:]]
    with st.container(horizontal=True, gap="small"):
        if finding.kind.key in (COPIES, ALIKE):
            label = tr("Use only one of each ({count} left out)", count=len(spare))
            act(dataset, EXCLUDE, spare, finding, label, "one-of-each")
        if not finding.kind.together:
            label = tr("Leave out all {count}", count=len(everything))
            act(dataset, EXCLUDE, everything, finding, label, "all-out")
        if not finding.kind.sure and finding.kind.key not in CLASS_KINDS:
            act(dataset, KEEP, everything, finding, tr("All are fine"), "all-fine")


def for_set(dataset: Dataset, finding: Finding, group: list[int], key: str) -> None:
    """Buttons that decide about one set of photos."""
    labels = np.unique(dataset.folder.labels[group])
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        if finding.kind.key == CONFLICT:
            for label in labels[:5]:
                name = shown_names(dataset.folder.class_names)[label]
                right = next(i for i in group if dataset.folder.labels[i] == label)
                others = [i for i in group if i != right]
                is_it = tr("It is {name}", name=markdown.escape(name))
                act(dataset, EXCLUDE, others, finding, is_it, f"{key}-{label}")
            act(dataset, EXCLUDE, group, finding, tr("Use none of them"), f"{key}-none")
        elif finding.kind.key in CLASS_KINDS:
            positions = np.array(group)
            for name in dataset.classes_to_join(finding, positions) or dataset.classes_missing_beside(positions):
                join = tr("Join with “{name}”", name=markdown.escape(name))
                act(dataset, RELABEL, group, finding, join, f"{key}-{name}", name)
            if finding.kind.key == SAME_NAME:
                act(dataset, KEEP, group, finding, tr("They are different classes"), f"{key}-fine")
        elif finding.kind.key in (COPIES, ALIKE):
            act(dataset, EXCLUDE, group[1:], finding, tr("Use only the first"), f"{key}-first")
        if finding.kind.key in (ALIKE, ALIKE_CONFLICT, LEAK):
            fine = tr("They differ: use all") if finding.kind.key == LEAK else tr("They are fine")
            act(dataset, KEEP, group, finding, fine, f"{key}-fine")


def act(
    dataset: Dataset, action: str, positions: Sequence[int], finding: Finding, label: str, key: str, target: str = ""
) -> None:
    """A button that keeps one decision; `target` is the class that photos are moved to."""
    arguments = (dataset, action, list(positions), finding.kind.title, target)
    st.button(label, key=f"act-{finding.kind.key}-{key}", on_click=decide, args=arguments)


def cards(dataset: Dataset, positions: Sequence[int], title: str, why: str, key: str, *, hint: bool = True) -> None:
    """Photos side by side, each with its class and its name, to be opened and to be decided about."""
    folder = dataset.folder
    decided = decided_among(dataset, positions)
    place_of = {folder.paths[i]: i for i in positions}
    album = opened_photo.Album(
        folder, tuple(positions), decided, lambda action, i, label: decide(dataset, action, [i], why, label)
    )
    gallery(
        f"photos-{key}",
        [
            photo(folder, i, picture, reason, decided.get(i))
            for i, (picture, reason) in zip(positions, thumbnails.thumbnails(folder, positions), strict=True)
        ],
        title,
        lambda path: opened_photo.open_photo(album, place_of[path]),
        actions_for(folder, positions),
        lambda action, paths, label: decide_and_remember(dataset, action, [place_of[i] for i in paths], why, label),
        hint=hint,
    )


def photo(folder: ImageFolder, position: int, picture: bytes, reason: str, decision: Decision | None) -> Photo:
    """A photo of a dataset as one of a gallery."""
    path = folder.paths[position]
    words = opened_photo.short(decision, folder) if decision else ""
    mark = DECIDED if decision else ""
    label = shown_names(folder.class_names)[folder.labels[position]]
    return Photo(path, picture, label, reason or shortened(path.rpartition("/")[2]), words, mark)


def actions_for(folder: ImageFolder, positions: Sequence[int]) -> tuple[Action, ...]:
    """What can be decided about these photos: a class that all of them have is none to move them to."""
    labels = {int(folder.labels[i]) for i in positions}
    others = tuple(name for label, name in enumerate(folder.class_names) if labels != {label})
    shown = tuple(shown_name(name, folder.class_names) for name in others)
    move = Action(RELABEL, "M", tr("Move"), others, state.recall(TARGET, ""), shown)
    return (
        Action(EXCLUDE, "X", tr(LEAVE_OUT)),
        Action(KEEP, "K", tr(CORRECT)),
        *((move,) if others else ()),
    )


def decide_and_remember(dataset: Dataset, action: str, positions: Iterable[int], why: str, label: str) -> None:
    """Keep a decision, and the class that photos were moved to, which is the first choice from then on."""
    if label:
        state.remember(TARGET, label)
    decide(dataset, action, positions, why, label)


def decided_among(dataset: Dataset, positions: Sequence[int]) -> dict[int, Decision]:
    """The decision in force for each of these photos, for those that have one."""
    standing = dataset.review.standing()
    found = {i: standing.get(dataset.folder.paths[i]) for i in positions}
    return {
        i: decision
        for i, decision in found.items()
        if decision is not None and decision.photos[dataset.folder.paths[i]] == dataset.digest(i)
    }


def shortened(name: str, longest: int = 18) -> str:
    """A file name that fits under a photo."""
    return name if len(name) <= longest else f"{name[: longest - 8]}…{name[-7:]}"


def decided(dataset: Dataset) -> None:
    """Everything that was decided, newest first, each with a way back."""
    review = dataset.review
    if not review.decisions:
        st.info(
            tr("There are no decisions yet. Click a photo under Photos or Checks to decide about it."),
            icon=":material/rate_review:",
        )
        return
    st.markdown(
        tr(
            "Your photos are never changed. Decisions are saved separately, in {file}, and each can be taken back.",
            file=markdown.code(datasets.reviews().file(review.root)),
        )
    )
    undo_bar(dataset)
    elements.download_list(rows_of(review.decisions), "decisions.csv")
    for position in range(len(review.decisions) - 1, -1, -1):
        decision = review.decisions[position]
        with st.container(horizontal=True, vertical_alignment="center", border=True):
            st.markdown(
                f"{describe(decision, dataset.folder)}  \n:gray[{markdown.escape(retold(decision.why))}]",
                width="stretch",
            )
            st.button(tr("Take back"), key=f"back-{position}", on_click=take_back, args=(review.root, decision))
    for path, reason in dataset.lost:
        words = tr(
            "{photo}: {reason}; the decision is not applied.",
            photo=markdown.escape(path),
            reason=markdown.escape(retold(reason)),
        )
        st.caption(f":material/link_off: {words}")
