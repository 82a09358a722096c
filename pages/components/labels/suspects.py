"""Suspects: photos whose label is probably wrong, one at a time with a key for each decision, or many at once."""

from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st

from core.data.class_names import shown_name, shown_names
from core.data.dataset import Dataset
from core.data.review import EXCLUDE, KEEP, RELABEL, Decision
from core.formatting import whole
from core.labels.dataset_check import DatasetCheck
from core.language import tr, tr_mark, tr_plural
from pages.components.cached import datasets
from pages.components.dataset import decisions, opened_photo
from pages.components.gallery.gallery import DECIDED, Action, Photo, gallery
from pages.components.shared import drawings, elements, markdown, state, thumbnails

WHY = tr_mark("label check")
ON_SHOW = "suspect-on-show"
WAY = "label-check-way"
SUSPECTS, OUTLIERS, EVERY = "suspects", "outliers", "every"
TITLES = {
    SUSPECTS: tr_mark("Probably wrong labels"),
    OUTLIERS: tr_mark("Outliers"),
    EVERY: tr_mark("Every photo"),
}
ONE, MANY, TABLE = "one", "many", "table"
WAYS = {ONE: tr_mark("One at a time"), MANY: tr_mark("Many at once"), TABLE: tr_mark("Table")}
ACTIONS = {EXCLUDE: tr_mark("exclude"), RELABEL: tr_mark("relabel"), KEEP: tr_mark("keep")}
"""What decisions are called in a table."""
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
            st.warning(tr("No single label can be judged: see above."), icon=":material/warning:")
        else:
            st.success(tr("Nothing to decide: no label looks wrong."))
        return
    way = st.segmented_control(
        tr("View"),
        [ONE, MANY],
        default=ONE,
        required=True,
        format_func=lambda name: tr(WAYS[name]),
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
        tr(
            "Every photo, ranked: the label that is most likely wrong comes first. **Read on as long as you still find"
            " wrong ones.** The figure is the probability that the label is right."
        )
    )
    way = st.segmented_control(
        tr("View"),
        [MANY, TABLE],
        default=MANY,
        required=True,
        format_func=lambda name: tr(WAYS[name]),
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
                tr(
                    "Showing the first {count} of {total}; the download contains all of them.",
                    count=len(first),
                    total=len(check.ranking),
                )
            )
        st.dataframe([_told(row) for row in rows_of(dataset, check, first)], hide_index=True)
    elements.download_list(lambda: rows_of(dataset, check, check.ranking), "ranking.csv")


def show_outliers(dataset: Dataset, check: DatasetCheck) -> None:
    """Outliers: the photos that are least similar to all others."""
    if not check.outliers:
        st.success(tr("No outliers are left."))
        return
    st.markdown(
        tr(
            "These photos are least similar to all others: something else altogether, a drawing, a bad scan, or simply"
            " a rare view. The strongest outliers come first. **They are used as they are until you leave them out.**"
        )
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
            tr(
                "You have decided about all of them. Check again, which often finds a few more, or train with the"
                " corrections (below)."
            ),
            icon=":material/task_alt:",
        )
    with st.container(key="one-suspect"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(tr("**{place} of {total}**", place=place + 1, total=total), width="content")
            st.progress(len(decided) / total, tr("{count} decided", count=len(decided)), width=PROGRESS_PIXELS)
            with st.container(horizontal=True, width="content"):
                _step(tr("Back"), ":material/chevron_left:", "P", check, place - 1)
                _step(tr("Next"), ":material/chevron_right:", "N", check, place + 1)
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
    alt = tr("{photo}, labelled {class_name}", photo=path, class_name=shown(check, check.given(position)))
    thumbnails.show_photo(check.folder.absolute(position), datasets.large, PHOTO_PIXELS, alt)
    st.caption(markdown.escape(path))


def shown(check: DatasetCheck, name: str) -> str:
    """The name of a class of a check as it is shown."""
    return shown_name(name, check.folder.class_names)


def _question(check: DatasetCheck, position: int) -> None:
    given, suggested = (
        markdown.escape(shown(check, name)) for name in (check.given(position), check.suggested(position))
    )
    question = tr("Labelled “{class_name}”. Is it “{suggested}”?", class_name=given, suggested=suggested)
    st.markdown(f"### {question}")


def _prediction(check: DatasetCheck, position: int) -> None:
    names, shares = shown_names(check.folder.class_names), check.issues.probabilities[position]
    order = np.argsort(-shares, kind="stable")[:TOP]
    st.html(drawings.probability_bars([(names[i], float(shares[i])) for i in order]))
    st.caption(tr("Prediction of a model trained on other photos, never on this one."))


def _show_decision(check: DatasetCheck, decision: Decision | None) -> None:
    if decision is not None:
        words = tr("You decided: {decision}", decision=opened_photo.in_words(decision, check.folder))
        st.markdown(f":green-badge[:material/check: {words}]")


def _buttons(dataset: Dataset, check: DatasetCheck, position: int) -> None:
    """The possible decisions, each with its key; the next suspect then appears."""
    given, suggested = check.given(position), check.suggested(position)
    with st.container(gap="xsmall"):
        move = tr("Move to {class_name}", class_name=shown(check, suggested))
        keep = tr("Keep {class_name}", class_name=shown(check, given))
        _decide_button(move, ":material/drive_file_move:", "M", dataset, check, position, RELABEL)
        _decide_button(keep, ":material/check:", "K", dataset, check, position, KEEP)
        _decide_button(tr("Leave it out"), ":material/block:", "X", dataset, check, position, EXCLUDE)
    key = f"another-{check.folder.paths[position]}"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            tr("Or another class"),
            [name for name in check.folder.class_names if name not in (given, suggested)],
            index=None,
            format_func=lambda name: shown(check, name),
            placeholder=tr("Choose…"),
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
        decision = Decision(action, photos, label, tr(WHY))
        decisions.keep(dataset.review.root, lambda review: review.with_decision(decision))


def _evidence(check: DatasetCheck, position: int) -> None:
    """The photos most similar to the one on show, each with its label."""
    others = check.evidence(position)
    if not others:
        return
    labels = [check.given(i) for i in others]
    st.markdown(
        tr_plural(
            "**The {total} most similar photos:** {count} of them is labelled {class_name}.",
            "**The {total} most similar photos:** {count} of them are labelled {class_name}.",
            labels.count(check.suggested(position)),
            total=len(others),
            class_name=markdown.escape(shown(check, check.suggested(position))),
        )
    )
    with st.grid(min_column_width=110, gap="small"):
        for other, label in zip(others, labels, strict=True):
            with st.container(gap="xxsmall"):
                _thumbnail(check, other)
                st.caption(f"**{markdown.escape(shown(check, label))}**")


def _thumbnail(check: DatasetCheck, position: int) -> None:
    path = check.folder.paths[position]
    alt = tr("{photo}, labelled {class_name}", photo=path, class_name=check.given(position))
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
                tr("Relabel the {count} undecided on this page as suggested", count=len(left)),
                key="relabel-as-suggested",
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
    gallery(f"check-{place}", photos, tr(TITLES[key]), opened, actions_for(check, key), on_decision)


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
    suggested = () if key == OUTLIERS else (Action(SUGGESTED, "M", tr("Relabel as suggested")),)
    return (
        *suggested,
        Action(KEEP, "K", tr("Keep the label")),
        Action(EXCLUDE, "X", tr("Leave out")),
        Action(RELABEL, "T", tr("Move"), check.folder.class_names, shown=shown_names(check.folder.class_names)),
    )


def _move_all(dataset: Dataset, check: DatasetCheck, positions: Sequence[int]) -> None:
    """One decision for each new class."""
    for name in dict.fromkeys(check.suggested(i) for i in positions):
        decide(dataset, check, [i for i in positions if check.suggested(i) == name], RELABEL, name)


def rows_of(dataset: Dataset, check: DatasetCheck, positions: Sequence[int]) -> list[dict[str, str]]:
    """A row for each of these photos, for a spreadsheet; its headings are marked, and told where they are shown."""
    decided = decided_among(dataset, check, positions)
    return [
        {
            tr_mark("photo"): check.folder.paths[i],
            tr_mark("given label"): check.given(i),
            tr_mark("suggested label"): check.suggested(i),
            tr_mark("confidence"): f"{check.confidence(i):.4f}",
            tr_mark("probability that the label is right"): f"{check.issues.quality[i]:.4f}",
            tr_mark("decision"): decided[i].action if i in decided else "",
            tr_mark("new label"): decided[i].label if i in decided else "",
        }
        for i in positions
    ]


def _told(row: Mapping[str, str]) -> dict[str, str]:
    """A row as it is shown."""
    return {tr(name): tr(ACTIONS[text]) if name == "decision" and text else text for name, text in row.items()}
