"""One photo after another: a key for each class, undo, and what a head can do with the labels so far."""

from collections.abc import Sequence

import streamlit as st

from core import formatting
from core.data.dataset import Dataset
from core.data.review import EXCLUDE, RELABEL, Decision
from core.labelling.learning_curve import FEWEST, LearningCurve
from core.labelling.pool import UNLABELLED, Labels, Pool
from core.labelling.rounds import Round
from core.language import number, tr, tr_mark
from pages.components.cached import datasets
from pages.components.dataset import decisions
from pages.components.labelling.start import KEYS, add_classes
from pages.components.shared import elements, markdown, state, thumbnails

WHY = tr_mark("labelled by hand")
ROUND, PASSED, ON_SHOW = "labelling-round", "labelling-passed-over", "labelling-on-show"
PHOTO_PIXELS = 420
PHOTO_ON_PHONE = (
    "<style>@media (max-width:640px){.st-key-photo-to-label img{max-height:22vh;object-fit:contain}}</style>"
)
"""So that the classes fit below it."""


def show(dataset: Dataset, pool: Pool, labels: Labels) -> None:
    """The photo whose label teaches most, and the classes that it may be."""
    going = _round(dataset, pool, labels)
    where = {path: i for i, path in enumerate(pool.paths)}
    left = [path for path in going.paths if _is_open(path, where, labels) and path not in _passed(dataset)]
    wanted = state.recall(ON_SHOW, "")
    path = wanted if _is_open(wanted, where, labels) else next(iter(left), "")
    with st.container(key="labelling"):
        _progress(going, left, labels)
        if path:
            _question(dataset, pool, labels, path)
        else:
            st.success(
                tr("Every photo has been decided about, or looks like one that has."), icon=":material/task_alt:"
            )
            _undo(dataset)
    with st.container(key="what-the-head-can-do"):
        what_it_can_do(going)
    with st.expander(tr("Classes"), icon=":material/sell:"):
        add_classes(dataset.review.root, labels.classes)
    elements.first_on_phone("labelling", "label-progress", "label-photo")
    st.html(PHOTO_ON_PHONE)


def _round(dataset: Dataset, pool: Pool, labels: Labels) -> Round:
    """The round that is going; a new one where there is none, or all of its photos have been decided about."""
    token, going = state.recall(ROUND, ("", None))
    passed = _passed(dataset)
    if token == _token(dataset) and going is not None:
        where = {path: i for i, path in enumerate(pool.paths)}
        if any(_is_open(path, where, labels) and path not in passed for path in going.paths):
            return going  # type: ignore[no-any-return]
    found = datasets.next_photos(_token(dataset), labels.token, passed, pool, labels)
    state.remember(ROUND, (_token(dataset), found))
    return found


def _token(dataset: Dataset) -> str:
    """What a session's round, and what it has passed over, are about: the photos of a folder as they are."""
    return dataset.scan.token


def _is_open(path: str, where: dict[str, int], labels: Labels) -> bool:
    return path in where and int(labels.values[where[path]]) == UNLABELLED


def _passed(dataset: Dataset) -> tuple[str, ...]:
    token, paths = state.recall(PASSED, ("", ()))
    return tuple(paths) if token == _token(dataset) else ()


def _progress(going: Round, left: Sequence[str], labels: Labels) -> None:
    done = len(going.paths) - len(left)
    with st.container(horizontal=True, vertical_alignment="center", key="label-progress"):
        st.progress(
            done / max(1, len(going.paths)),
            tr(
                "**{photos}** · {done} of {total} in this round",
                photos=formatting.photos(len(labels.labelled), "labelled"),
                done=str(done),
                total=str(len(going.paths)),
            ),
            width=340,
        )
        counts = (
            f"{markdown.escape(name)} {number(count)}"
            for name, count in zip(labels.classes, labels.counts, strict=True)
        )
        st.markdown(f":gray[{' · '.join(counts)}]", width="content")


def _question(dataset: Dataset, pool: Pool, labels: Labels, path: str) -> None:
    with st.container(key="label-photo"):
        photo, answers = st.columns([1, 1], gap="large")
    with photo, st.container(key="photo-to-label"):
        _photo(dataset, path)
    with answers, st.container(gap="xsmall", key="label-answers"):
        st.header(tr("What is it?"), anchor=False)
        with st.container(horizontal=len(labels.classes) > 6, gap="xsmall", key="label-classes-to-choose"):
            for name, key in zip(labels.classes, KEYS, strict=False):
                st.button(
                    markdown.escape(name),
                    shortcut=key,
                    key=f"class-{key}",
                    width="stretch" if len(labels.classes) <= 6 else "content",
                    on_click=_decide,
                    args=(dataset, pool, path, RELABEL, name),
                )
        with st.container(horizontal=True, gap="xsmall"):
            st.button(
                tr("None of them"),
                icon=":material/block:",
                shortcut="X",
                key="label-none",
                help=tr("The photo is not used."),
                on_click=_decide,
                args=(dataset, pool, path, EXCLUDE, ""),
            )
            st.button(
                tr("Skip"),
                icon=":material/skip_next:",
                shortcut="S",
                key="label-skip",
                help=tr("It is not asked about again for now."),
                on_click=_pass_over,
                args=(dataset, path),
            )
            _undo(dataset)


def _photo(dataset: Dataset, path: str) -> None:
    thumbnails.show_photo(dataset.folder.root / path, datasets.large, PHOTO_PIXELS, path)
    st.caption(markdown.escape(path))


def _decide(dataset: Dataset, pool: Pool, path: str, action: str, label: str) -> None:
    """Keep a decision at once; a second one about the photo, from a key that was pressed twice, changes nothing."""
    standing = datasets.reviews().read(dataset.review.root).standing().get(path)
    digest = pool.digests[pool.paths.index(path)]
    state.take(ON_SHOW)
    if standing is not None and standing.photos[path] == digest and standing.action in (EXCLUDE, RELABEL):
        return
    decision = Decision(action, {path: digest}, label, tr(WHY))
    decisions.keep(dataset.review.root, lambda review: review.with_decision(decision))


def _pass_over(dataset: Dataset, path: str) -> None:
    state.take(ON_SHOW)
    state.remember(PASSED, (_token(dataset), (*_passed(dataset), path)))


def _undo(dataset: Dataset) -> None:
    """Undo the last decision about this folder, and show its photo again."""
    decisions.undo_button(dataset, "undo-label", lambda undone: state.remember(ON_SHOW, next(iter(undone.photos))))


def what_it_can_do(going: Round) -> None:
    """How accurate a head is with the labels from before this round, and what more would bring."""
    if going.judged is None:
        st.caption(
            tr(
                "After this round a small model learns from your labels, and says how well it can tell the classes"
                " apart."
            )
        )
        return
    low, high = going.judged.interval
    title = tr(
        "{share} right with {photos}",
        share=formatting.whole(going.judged.accuracy),
        photos=formatting.photos(going.labelled, "labelled"),
    )
    meaning = tr(
        "Between {low} and {high}, 95 times in 100. Each of your photos was named by a small model that had learned"
        " from the others (cross-validation).",
        low=formatting.whole(low),
        high=formatting.whole(high),
    )
    st.markdown(f"#### {title}\n{meaning}")
    if going.curve is None:
        st.caption(
            tr(
                "With few labels this is rather too low, since the photos that you are asked about are unlike each"
                " other. From {count} labels on it is estimated what more of them would bring.",
                count=FEWEST,
            )
        )
        return
    st.markdown(f":material/trending_up: {describe_more(going.curve, going.judged.accuracy)}")


def describe_more(curve: LearningCurve, accuracy: float) -> str:
    """What twice as many labels would bring, in a sentence."""
    low, high = (formatting.whole(end) for end in curve.interval)
    count, expected = int(curve.expected_count), formatting.whole(curve.expected)
    if curve.interval[0] > accuracy:
        return tr(
            "Go on: {count} labels would bring about {expected} ({low} to {high}).",
            count=count,
            expected=expected,
            low=low,
            high=high,
        )
    return tr(
        "{count} labels would bring about {expected} ({low} to {high}). Whether that is more than now cannot be said"
        " yet.",
        count=count,
        expected=expected,
        low=low,
        high=high,
    )
