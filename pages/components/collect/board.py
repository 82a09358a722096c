"""A card for each class of a dataset that is being collected, and the button that leads on to training."""

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core import formatting
from core.data.images import PHOTO_SUFFIXES
from core.data.intake import collect
from core.data.intake.collect import ENOUGH, Readiness
from core.data.intake.incoming import Intake
from core.errors import FolderError, PhotoError, UnfreezeError
from core.language import retold, tr, tr_context, tr_plural
from pages.components.cached import datasets, services
from pages.components.collect import collecting
from pages.components.collect.class_card import Card, class_card
from pages.components.collect.collecting import folder
from pages.components.collect.intake_report import look_at, report
from pages.components.shared import markdown, state, upload_limits
from pages.components.shared.report_errors import ask, reporting, tell

NEW = ""
"""In place of the name of a dataset: a new one."""

LATEST = 9
PER_PAGE = 8

STYLE = Path(__file__).with_name("board.css")


@st.fragment
def show() -> None:
    """The dataset, what is missing before training, and the cards; drawn again for each photo, without the rest."""
    if state.take(collecting.MADE_NOW):
        st.rerun()  # the steps beside the page name the dataset
    st.html(STYLE)
    drop = _in_css(tr("or drop photos here"))
    st.html(f"<style>.st-key-collect-cards{{--drop-words:{drop}}}</style>")
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        _choose_dataset()
        place = st.container(key="lead-on", horizontal=True, vertical_alignment="center", width="content")
    cards = st.container(key="collect-cards")
    below = st.container(horizontal=True, vertical_alignment="center")
    path, token = collecting.here(), collecting.token()
    with reporting():
        counts = dict.fromkeys(collecting.draft_classes(), 0) if path is None else _counts(path)
        with place:
            _lead_on(path, collect.readiness(counts))
        slots = collecting.slots(token, counts)
        page = _page(below, slots, token)
        for class_name in list(slots)[PER_PAGE * (page - 1) : PER_PAGE * page]:
            with cards, st.container(border=True, key=f"collect-card-{slots[class_name]}"):
                _card(token, path, class_name, counts, slots[class_name])
        with cards, st.container(border=True, key="collect-add"):
            st.button(tr("Add a class"), key="add-class", icon=":material/add:", on_click=ask, args=(_add_class, token))
        with below:
            _more(path, counts)


def _in_css(text: str) -> str:
    """A text as a string of CSS; signs that could end it, or the style, are left out."""
    return "'" + re.sub(r"[^\w ,.…-]", "", text) + "'"


def missing(found: Readiness) -> str:
    """What is missing before training, or would make it better, as Markdown; empty where nothing is."""
    lacking = ""
    for name, count in found.missing.items():
        photos = tr_plural("{count} photo of {name}", "{count} photos of {name}", count, name=markdown.escape(name))
        lacking = tr_context("list", "{before}, {next}", before=lacking, next=photos) if lacking else photos
    if found.ready:
        return tr("It can be trained. Better with {photos} more.", photos=lacking) if lacking else ""
    if found.more_classes:
        return tr("Two classes with {count} photos each are needed: add a class.", count=ENOUGH)
    return tr("Still needed before training: {photos}.", photos=lacking)


def _counts(path: Path) -> dict[str, int]:
    return collect.class_counts(path, datasets_folder=folder())


def _choose_dataset() -> None:
    """One of the datasets made here, or a new one, under a name if one is typed."""
    path, token = collecting.here(), collecting.token()
    options = [NEW, *collecting.names()]
    known = NEW if path is None else path.name
    words = tr("Choose one, or type the name of a new one.")
    chosen = st.selectbox(
        tr("Dataset"),
        options,
        index=options.index(known),
        format_func=lambda name: name or tr("A new dataset"),
        accept_new_options=True,
        placeholder=words,
        help=words,
        width=260,
        key=f"collecting-{token}-{len(options)}-{state.recall(collecting.REFUSED, 0)}",
    )
    if chosen is not None and chosen != known:
        if chosen == NEW:
            collecting.begin_new()
        elif chosen in options:
            collecting.take_up(folder() / chosen)
        else:
            ask(collecting.make_named, chosen)
        st.rerun()


def _lead_on(path: Path | None, found: Readiness) -> None:
    """The button to training, which lights up when two classes have enough photos, and what is missing until then."""
    st.caption(missing(found) or "&nbsp;", width="content")  # always there, so that it changes with the button
    label = tr("Train")
    if found.ready:
        label = tr_plural("Train on this photo", "Train on these {count} photos", found.photos)
    icon = ":material/local_fire_department:"
    pressed = st.button(label, icon=icon, type="primary", key="lead-on-to", disabled=not found.ready)
    if pressed and path is not None:
        state.choose_dataset(str(path))
        state.close_run()
        st.switch_page("pages/train/train.py")


def _page(below: DeltaGenerator, slots: Mapping[str, int], token: str) -> int:
    """Which page of cards is on show, where there are many."""
    pages = _pages(len(slots))
    with below:
        return int(st.pagination(pages, key=f"cards-{token}-{pages}")) if pages > 1 else 1


def _pages(classes: int) -> int:
    return max(1, -(-classes // PER_PAGE))


def _add_class(token: str) -> None:
    """Add a class, and show the page that its card is on."""
    collecting.add_class(token)
    path = collecting.dataset_of(token)
    pages = _pages(len(_counts(path)))
    state.set_widget(f"cards-{path}-{pages}", pages)


def _card(token: str, path: Path | None, class_name: str, counts: Mapping[str, int], slot: int) -> None:
    """A class, and below it a way in for files."""
    photos = [] if path is None else _latest(path, class_name)
    removed = state.recall(f"removed-{slot}", ())
    card = Card(
        dataset=token,
        class_name=class_name,
        count=counts[class_name],
        received=state.recall(f"received-{slot}", ""),
        photos=photos,
        last=len(state.recall(f"hold-{slot}", ("", ()))[1]),
        undo=removed[-1][2] if removed else 0,
        removable=len(counts) > 2,
        problem=retold(state.recall(f"problem-{slot}", "")),
    )
    class_card(f"class-card-{slot}", card, lambda order: collecting.carry_out(slot, order))
    _from_files(token, class_name, slot)


def _latest(path: Path, class_name: str) -> list[tuple[str, bytes]]:
    """Names and small pictures of the newest photos of a class."""
    found = []
    with suppress(FolderError):  # the class, too, may just have been removed
        for photo in collect.newest(path, class_name, LATEST, datasets_folder=folder()):
            with suppress(PhotoError, OSError):
                found.append((photo.name, datasets.small(photo, photo.stat().st_mtime)))
    return found


def _from_files(token: str, class_name: str, slot: int) -> None:
    """Photos from the disk, added as soon as they have come."""
    most, number = services.settings().limits, state.recall(f"upload-number-{slot}", 0)
    files = st.file_uploader(
        tr("Photos for {name}", name=markdown.escape(class_name)),
        type=sorted(PHOTO_SUFFIXES),
        accept_multiple_files=True,
        key=f"files-{slot}-{number}",
        max_upload_size=upload_limits.photo_megabytes(),
        label_visibility="collapsed",
    )
    if files:
        checking = tr("Checking the photos…")
        bar = st.progress(0.0, checking)

        def on_progress(done: int, total: int) -> None:
            bar.progress(min(1.0, done / max(1, total)), checking)

        sent = [(file.name, file) for file in files]
        came: Intake | str
        try:
            dataset = collecting.dataset_of(token)
            came = collect.add_photos(dataset, class_name, sent, most, on_progress, datasets_folder=folder())
        except UnfreezeError as error:
            came = error.text
        upload_limits.release(files)
        state.remember(f"upload-report-{slot}", came)
        state.remember(f"upload-number-{slot}", number + 1)
        st.rerun()
    last = state.recall(f"upload-report-{slot}", None)
    if isinstance(last, str):
        tell(retold(last))
    elif last is not None:
        report(last, markdown.escape(class_name))


def _more(path: Path | None, counts: Mapping[str, int]) -> None:
    """The class that was removed last, the way to all photos, and how many files are taken at a time."""
    discarded = state.recall(collecting.DISCARDED, None)
    if discarded is not None and discarded[0] == path:
        st.button(
            tr("Put {name} back", name=markdown.escape(discarded[1])),
            key="put-class-back",
            icon=":material/undo:",
            on_click=ask,
            args=(collecting.put_class_back,),
        )
    if path is not None and sum(count > 0 for count in counts.values()) >= 2:
        look_at(path, "secondary")
    most = services.settings().limits
    words = tr(
        "Up to {count} files at a time, each up to {size}.",
        count=most.uploads,
        size=formatting.size(most.file_bytes),
    )
    st.caption(words, width="content")
