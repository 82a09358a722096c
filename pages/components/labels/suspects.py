"""Suspects: photos whose label is probably wrong, one at a time with a key for each decision, or many at once."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from core.data.class_names import shown_name, shown_names
from core.data.dataset import Dataset
from core.data.review import EXCLUDE, KEEP, RELABEL, Decision
from core.formatting import whole
from core.labels.dataset_check import DatasetCheck
from pages.components.cached import datasets
from pages.components.dataset import decisions, opened_photo
from pages.components.gallery.gallery import DECIDED, Action, Photo, gallery
from pages.components.shared import drawings, elements, markdown, state, thumbnails

WHY = "label check"
ON_SHOW = "suspect-on-show"
WAY = "label-check-way"
SUSPECTS, OUTLIERS, EVERY = "suspects", "outliers", "every"
TITLES = {SUSPECTS: "Probably wrong labels", OUTLIERS: "Outliers", EVERY: "Every photo"}
TABLE = "Table"
ONE, MANY = "One at a time", "Many at once"
PER_PAGE = 48
TOP = 3
SUGGESTED = "suggested"
PHOTO_PIXELS, PROGRESS_PIXELS = 420, 240
PHOTO_FITS = (
    "<style>.st-key-suspect-and-facts img{max-height:max(240px,100vh - 27rem);object-fit:contain}"
    "@media (max-width:640px){.st-key-suspect-and-facts img{max-height:27vh}}</style>"
)
"""So that question and decisions fit beside it on a low window, and below it on a phone."""


def show(dataset: Dataset, check: DatasetCheck) -> None:
    """The suspects."""
    if not check.suspects:
        if check.fit.misfit:
            st.warning("No single label can be judged: see above.", icon=":material/warning:")
        else:
            st.success("Nothing to decide: no label looks wrong.")
        return
    way = st.segmented_control(
        "View",
        [ONE, MANY],
        default=ONE,
        required=True,
        key=WAY,
        persist_state="session",
        label_visibility="collapsed",
    )
    if way == ONE:
        _one(dataset, check)
    else:
        _many(dataset, check, check.suspects, SUSPECTS)
    elements.download_list(rows_of(dataset, check, check.suspects), "suspects.csv")


def show_every(dataset: Dataset, check: DatasetCheck) -> None:
    """Every photo, the one whose label is most likely wrong first, as photos or as a table."""
    st.markdown(
        "Every photo, ranked: the label that is most likely wrong comes first. **Read on as long as you still find"
        " wrong ones.** The figure is the probability that the label is right."
    )
    way = st.segmented_control(
        "View",
        [MANY, TABLE],
        default=MANY,
        required=True,
        key="label-check-every",
        persist_state="session",
        label_visibility="collapsed",
    )
    if way == MANY:
        _many(dataset, check, check.ranking, EVERY)
    else:
        first = check.ranking[: elements.ROWS_SHOWN]
        if len(first) < len(check.ranking):
            st.caption(
                f"Showing the first {len(first):,} of {len(check.ranking):,}; the download contains all of them."
            )
        st.dataframe(rows_of(dataset, check, first), hide_index=True)
    elements.download_list(lambda: rows_of(dataset, check, check.ranking), "ranking.csv")


def show_outliers(dataset: Dataset, check: DatasetCheck) -> None:
    """Outliers: the photos that are least similar to all others."""
    if not check.outliers:
        st.success("No outliers are left.")
        return
    st.markdown(
        "These photos are least similar to all others: something else altogether, a drawing, a bad scan, or simply a"
        " rare view. The strongest outliers come first. **They are used as they are until you leave them out.**"
    )
    _many(dataset, check, check.outliers, OUTLIERS)


def decided_among(dataset: Dataset, check: DatasetCheck, positions: Sequence[int]) -> dict[int, Decision]:
    """The decision in force for each of these photos, for those that have one."""
    standing = dataset.review.standing()
    found = {i: standing.get(check.folder.paths[i]) for i in positions}
    return {
        i: decision
        for i, decision in found.items()
        if decision is not None and decision.photos[check.folder.paths[i]] == check.digests[i]
    }


def _one(dataset: Dataset, check: DatasetCheck) -> None:
    decided = decided_among(dataset, check, check.suspects)
    place = _place(check, decided)
    position = check.suspects[place]
    total = len(check.suspects)
    if len(decided) == total:
        st.success(
            "You have decided about all of them. Check again, which often finds a few more, or train with the"
            " corrections (below).",
            icon=":material/task_alt:",
        )
    with st.container(key="one-suspect"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{place + 1:,} of {total:,}**", width="content")
            st.progress(len(decided) / total, f"{len(decided):,} decided", width=PROGRESS_PIXELS)
            with st.container(horizontal=True, width="content"):
                _step("Back", ":material/chevron_left:", "P", check, place - 1)
                _step("Next", ":material/chevron_right:", "N", check, place + 1)
        with st.container(key="suspect-and-facts"):
            photo, facts = st.columns([1, 1], gap="large")
            with photo:
                _large(check, position)
            with facts, st.container(key="suspect-facts"):
                with st.container(key="suspect-question"):
                    _question(check, position)
                    _show_decision(check, decided.get(position))
                _prediction(check, position)
                with st.container(key="suspect-decision"):
                    _buttons(dataset, check, position)
        _evidence(check, position)
    elements.first_on_phone("label-page", "label-title", "label-headline", "one-suspect")
    elements.first_on_phone("one-suspect", "suspect-and-facts")
    elements.first_on_phone("suspect-facts", "suspect-question", "suspect-decision")
    st.html(PHOTO_FITS)


def _place(check: DatasetCheck, decided: dict[int, Decision]) -> int:
    """The place of the suspect on show in the list; at first that of the first undecided one."""
    paths = [check.folder.paths[i] for i in check.suspects]
    wanted = state.recall(ON_SHOW, "")
    if wanted in paths:
        return paths.index(wanted)
    return next((place for place, i in enumerate(check.suspects) if i not in decided), 0)


def _step(label: str, icon: str, key: str, check: DatasetCheck, place: int) -> None:
    there = 0 <= place < len(check.suspects)
    path = check.folder.paths[check.suspects[place]] if there else ""
    st.button(
        label,
        icon=icon,
        shortcut=key,
        disabled=not there,
        on_click=state.remember,
        args=(ON_SHOW, path),
        key=f"go-{key}",
    )


def _large(check: DatasetCheck, position: int) -> None:
    path = check.folder.paths[position]
    file, alt = check.folder.absolute(position), f"{path}, labelled {shown(check, check.given(position))}"
    thumbnails.show_photo(file, datasets.large, PHOTO_PIXELS, alt)
    st.caption(markdown.escape(path))


def shown(check: DatasetCheck, name: str) -> str:
    """The name of a class of a check as it is shown."""
    return shown_name(name, check.folder.class_names)


def _question(check: DatasetCheck, position: int) -> None:
    given, suggested = (shown(check, name) for name in (check.given(position), check.suggested(position)))
    st.markdown(f"### Labelled {markdown.escape(given)}. Is it {markdown.escape(suggested)}?")


def _prediction(check: DatasetCheck, position: int) -> None:
    names, shares = shown_names(check.folder.class_names), check.issues.probabilities[position]
    order = np.argsort(-shares, kind="stable")[:TOP]
    st.html(drawings.probability_bars([(names[i], float(shares[i])) for i in order]))
    st.caption("Prediction of a model trained on other photos, never on this one.")


def _show_decision(check: DatasetCheck, decision: Decision | None) -> None:
    if decision is not None:
        st.markdown(f":green-badge[:material/check: You decided: {opened_photo.in_words(decision, check.folder)}]")


def _buttons(dataset: Dataset, check: DatasetCheck, position: int) -> None:
    """The possible decisions, each with its key; the next suspect then appears."""
    given, suggested = check.given(position), check.suggested(position)
    with st.container(gap="xsmall"):
        move, keep = f"Move to {shown(check, suggested)}", f"Keep {shown(check, given)}"
        _decide_button(move, ":material/drive_file_move:", "M", dataset, check, position, RELABEL)
        _decide_button(keep, ":material/check:", "K", dataset, check, position, KEEP)
        _decide_button("Leave it out", ":material/block:", "X", dataset, check, position, EXCLUDE)
    key = f"another-{check.folder.paths[position]}"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            "Or another class",
            [name for name in check.folder.class_names if name not in (given, suggested)],
            index=None,
            format_func=lambda name: shown(check, name),
            placeholder="Choose…",
            key=key,
            on_change=_choose_another,
            args=(dataset, check, position, key),
        )
        _undo(dataset)


def _decide_button(
    text: str, icon: str, shortcut: str, dataset: Dataset, check: DatasetCheck, position: int, action: str
) -> None:
    label = check.suggested(position) if action == RELABEL else ""
    st.button(
        markdown.escape(text),
        icon=icon,
        shortcut=shortcut,
        key=f"decide-{action}",
        width="stretch",
        type="primary" if action == RELABEL else "secondary",
        on_click=_decide_and_go_on,
        args=(dataset, check, position, action, label),
    )


def _undo(dataset: Dataset) -> None:
    """Undo the last decision about this dataset, and show its photo again."""
    decisions.undo_button(dataset, "undo-suspect", lambda undone: state.remember(ON_SHOW, next(iter(undone.photos))))


def _choose_another(dataset: Dataset, check: DatasetCheck, position: int, key: str) -> None:
    label = state.widget(key)
    if label:
        _decide_and_go_on(dataset, check, position, RELABEL, label)


def _decide_and_go_on(dataset: Dataset, check: DatasetCheck, position: int, action: str, label: str) -> None:
    """Keep a decision, and show the next undecided suspect; this one where there is none."""
    decide(dataset, check, [position], action, label)
    decided = decided_among(dataset, check, check.suspects)
    place = check.suspects.index(position)
    later = (*check.suspects[place + 1 :], *check.suspects[:place])
    following = next((i for i in later if i not in decided), position)
    state.remember(ON_SHOW, check.folder.paths[following])


def decide(dataset: Dataset, check: DatasetCheck, positions: Sequence[int], action: str, label: str = "") -> None:
    """Keep one decision about photos of a check; repeating it changes nothing."""
    standing = decided_among(dataset, check, positions)
    new = [i for i in positions if i not in standing or (standing[i].action, standing[i].label) != (action, label)]
    photos = {check.folder.paths[i]: check.digests[i] for i in new}
    if photos:
        decision = Decision(action, photos, label, WHY)
        decisions.keep(dataset.review.root, lambda review: review.with_decision(decision))


def _evidence(check: DatasetCheck, position: int) -> None:
    """The photos most similar to the one on show, each with its label."""
    others = check.evidence(position)
    if not others:
        return
    labels = [check.given(i) for i in others]
    for_it = labels.count(check.suggested(position))
    st.markdown(
        f"**The {len(others)} most similar photos:** {for_it} of them"
        f" {'is' if for_it == 1 else 'are'} labelled {markdown.escape(shown(check, check.suggested(position)))}."
    )
    with st.grid(min_column_width=110, gap="small"):
        for other, label in zip(others, labels, strict=True):
            with st.container(gap="xxsmall"):
                _thumbnail(check, other)
                st.caption(f"**{markdown.escape(shown(check, label))}**")


def _thumbnail(check: DatasetCheck, position: int) -> None:
    alt = f"{check.folder.paths[position]}, labelled {check.given(position)}"
    thumbnails.show_photo(check.folder.absolute(position), datasets.small, 132, alt)


def _many(dataset: Dataset, check: DatasetCheck, positions: Sequence[int], key: str) -> None:
    """A page of photos, each with a menu, and one decision for all that are undecided."""
    pages = -(-len(positions) // PER_PAGE)
    page = st.pagination(pages, key=f"page-{key}-{pages}") if pages > 1 else 1
    shown = positions[(page - 1) * PER_PAGE : page * PER_PAGE]
    decided = decided_among(dataset, check, shown)
    left = [i for i in shown if i not in decided]
    with st.container(horizontal=True, vertical_alignment="center"):
        if key == SUSPECTS:
            st.button(
                f"Relabel the {len(left):,} undecided on this page as suggested",
                icon=":material/drive_file_move:",
                disabled=not left,
                on_click=_move_all,
                args=(dataset, check, left),
            )
        _undo(dataset)
    _gallery(dataset, check, shown, decided, key, f"{key}-{page}")


def _gallery(
    dataset: Dataset, check: DatasetCheck, shown: Sequence[int], decided: dict[int, Decision], key: str, place: str
) -> None:
    """Photos to be decided about by key; a suspect is opened among those that are shown one at a time."""
    folder = check.folder
    place_of = {folder.paths[i]: i for i in shown}
    album = opened_photo.Album(
        folder, tuple(shown), decided, lambda action, i, label: decide(dataset, check, [i], action, label)
    )

    def opened(path: str) -> None:
        if key == SUSPECTS:
            state.remember(ON_SHOW, path)
            state.set_widget(WAY, ONE)
        else:
            opened_photo.open_photo(album, place_of[path])

    def on_decision(action: str, paths: Sequence[str], label: str) -> None:
        positions = [place_of[path] for path in paths]
        if action == SUGGESTED:
            _move_all(dataset, check, [i for i in positions if check.suggested(i) != check.given(i)])
        else:
            decide(dataset, check, positions, action, label)

    photos = [
        photo(check, i, key, picture, reason, decided.get(i))
        for i, (picture, reason) in zip(shown, thumbnails.thumbnails(folder, shown), strict=True)
    ]
    gallery(f"check-{place}", photos, TITLES[key], opened, actions_for(check, key), on_decision)


def photo(
    check: DatasetCheck, position: int, key: str, picture: bytes, reason: str, decision: Decision | None
) -> Photo:
    """A photo of a check as one of a gallery: its label, the suggested one where it differs, and how sure that is."""
    given, suggested = (shown(check, name) for name in (check.given(position), check.suggested(position)))
    title = given if key == OUTLIERS or suggested == given else f"{given} → {suggested}"
    path = check.folder.paths[position]
    note = {
        SUSPECTS: whole(check.confidence(position)),
        EVERY: whole(check.issues.quality[position]),
        OUTLIERS: decisions.shortened(path.rpartition("/")[2]),
    }[key]
    words, mark = (opened_photo.short(decision, check.folder), DECIDED) if decision else ("", "")
    return Photo(path, picture, title, reason or note, words, mark)


def actions_for(check: DatasetCheck, key: str) -> tuple[Action, ...]:
    """What can be decided about photos of a check."""
    suggested = () if key == OUTLIERS else (Action(SUGGESTED, "M", "Relabel as suggested"),)
    return (
        *suggested,
        Action(KEEP, "K", "Keep the label"),
        Action(EXCLUDE, "X", "Leave out"),
        Action(RELABEL, "T", "Move", check.folder.class_names, shown=shown_names(check.folder.class_names)),
    )


def _move_all(dataset: Dataset, check: DatasetCheck, positions: Sequence[int]) -> None:
    """One decision for each new class."""
    for name in dict.fromkeys(check.suggested(i) for i in positions):
        decide(dataset, check, [i for i in positions if check.suggested(i) == name], RELABEL, name)


def rows_of(dataset: Dataset, check: DatasetCheck, positions: Sequence[int]) -> list[dict[str, str]]:
    """A row for each of these photos, for a spreadsheet."""
    decided = decided_among(dataset, check, positions)
    return [
        {
            "photo": check.folder.paths[i],
            "given label": check.given(i),
            "suggested label": check.suggested(i),
            "confidence": f"{check.confidence(i):.4f}",
            "probability that the label is right": f"{check.issues.quality[i]:.4f}",
            "decision": decided[i].action if i in decided else "",
            "new label": decided[i].label if i in decided else "",
        }
        for i in positions
    ]
