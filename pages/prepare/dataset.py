"""Choose photos, and see what is in them."""

from collections import Counter
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from core import formatting
from core.data.class_names import shown_names
from core.data.dataset import KINDS, Dataset
from core.data.scan.layout import PARTS, TABLE
from core.data.subsets import NO_SUBSET
from core.errors import DataError
from core.training.budget.cost_model import Counts
from pages.components.cached import datasets
from pages.components.dataset import dataset_export_view, decisions, descriptions, label_source, opened_photo, start
from pages.components.shared import dataset_choice, elements, figures, markdown, state, thumbnails, upload_limits
from pages.components.shared.report_errors import tell
from pages.components.train import class_weights, draft

EXAMPLES, EXAMPLE_CLASSES = 8, 6
PER_PAGE = 48

VIEW = "dataset-view"
OVERVIEW, CHECKS, PHOTOS, LEFT_OUT, DECISIONS = "Overview", "Checks", "Photos", "Left out", "Decisions"


def head(path: Path) -> tuple[DeltaGenerator, DeltaGenerator]:
    """Which dataset is on show, and what can be done with it as a whole.

    Returns the places for the button that leads on and for what is known once it is scanned.
    """
    lead_on = elements.page_head(markdown.escape(path.name))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        facts = st.container(width="content")
        st.markdown(f":gray[{markdown.escape(path)}]", width="content")
        for words, icon, order in (
            ("Choose another", ":material/swap_horiz:", "choosing"),
            ("Scan again", ":material/refresh:", "scan-again"),
        ):
            st.button(words, icon=icon, type="tertiary", on_click=state.remember, args=(order, True))
    return lead_on, facts


def fill_head(dataset: Dataset, lead_on: DeltaGenerator, facts: DeltaGenerator) -> None:
    """How much there is, and the button that leads on."""
    folder, used = dataset.folder, len(dataset.folder) - len(dataset.withheld)
    classes = f"{len(folder.class_names):,} class{'' if len(folder.class_names) == 1 else 'es'}"
    facts.markdown(f"**{formatting.photos(used)}** in **{classes}**")
    elements.lead_on(
        lead_on,
        f"Train on {'this photo' if used == 1 else f'these {used:,} photos'}",
        "pages/train/train.py",
        ":material/local_fire_department:",
        state.close_run,
    )


def left_out_count(dataset: Dataset) -> int:
    """How many photos and other files are not used, for whatever reason."""
    return len(dataset.scan.files_left_out) + len(dataset.withheld) + dataset.excluded_count


def show(dataset: Dataset) -> None:
    """The views of a dataset, one at a time, so that a click stays quick with any number of photos."""
    decisions.notice()
    counts = {
        CHECKS: sum(finding.count for finding in dataset.findings),
        LEFT_OUT: left_out_count(dataset),
        DECISIONS: len(dataset.review.decisions),
    }
    view = st.segmented_control(
        "View",
        list(VIEWS),
        default=OVERVIEW,
        required=True,
        key=VIEW,
        persist_state="session",
        format_func=lambda name: f"{name} · {counts[name]:,}" if counts.get(name) else name,
        label_visibility="collapsed",
    )
    VIEWS[view](dataset)
    opened_photo.show_opened()


def overview(dataset: Dataset) -> None:
    """Counts, split, findings and sizes."""
    folder = dataset.folder
    try:
        parts = datasets.split_of(dataset, 0)
    except DataError as error:
        tell(error)
        parts = np.full(len(folder), NO_SUBSET, dtype=np.int8)
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.header("Photos per class and subset", anchor=False)
        figure = figures.class_counts(shown_names(folder.class_names), folder.labels, parts)
        st.plotly_chart(figure, config={"displayModeBar": False}, alt="Bar chart of photos per class and subset")
        class_weights.class_weights_toggle(folder, draft.kept(folder))
    with right:
        counts = Counts.of(parts)
        st.markdown(
            f":gray[**{counts.training:,} for training**] – the model learns from these.  \n"
            f":blue[**{counts.validation:,} for validation**] – measured after each epoch, to keep the best model.  \n"
            f":violet[**{counts.test:,} for the test**] – held back until the end, for an honest result."
        )
        st.caption(descriptions.describe_split(dataset))
        how_it_was_read(dataset)
    examples(dataset)
    left, right = st.columns([2, 3], gap="large")
    with left:
        findings(dataset)
    with right:
        sizes_and_shapes(dataset.scan.sizes[dataset.members])
    label_source.choose(dataset.scan.folder.root, dataset.scan.layout, expanded=False)
    dataset_export_view.section(dataset, parts)
    upload_limits.show_limits()


def how_it_was_read(dataset: Dataset) -> None:
    """The parts and classes as they were understood, where that is more than a folder for each class."""
    scan = dataset.scan
    if dataset.by_hand:
        st.markdown(
            f"**Labelled by hand:** {len(dataset.folder):,} of {len(scan.folder):,} photos have a label and are used."
        )
        st.page_link("pages/prepare/label.py", label="Label more photos", icon=":material/label:")
    if scan.layout.label_by in (PARTS, TABLE):
        st.markdown(f"**Read as {markdown.escape(scan.reading.words)}**")
        label_source.draw(scan.reading)
        st.caption("If it is meant otherwise, change it below under “Where the labels come from”.")


def sizes_and_shapes(sizes: NDArray[np.int32]) -> None:
    """How large the photos are, in a sentence and, where they differ, as a picture."""
    if not len(sizes):
        return
    st.header("Sizes and shapes", anchor=False)
    width, height = np.median(sizes, axis=0).astype(int)
    if (sizes == sizes[0]).all():
        st.markdown(f"All photos are {width:,} × {height:,} pixels.")
        return
    st.markdown(
        f"A typical photo is {width:,} × {height:,} pixels. Each circle is a size; the larger the circle, the more"
        " photos have that size. Photos on the dotted line are square. The network sees the central square of each."
    )
    figure = figures.photo_sizes(sizes)
    st.plotly_chart(figure, config={"displayModeBar": False}, alt="Widths and heights of the photos")


def findings(dataset: Dataset) -> None:
    """What the checks found, each with a link to the photos."""
    st.header("Findings", anchor=False)
    left_out = left_out_count(dataset)
    without_photo = descriptions.describe_rows_without_photo(dataset)
    if not dataset.findings and not left_out and not without_photo:
        st.markdown(":green[:material/check_circle:] Every file can be used, and no problems were found.")
    with st.container(gap=None):
        if left_out:
            go_to(f"{left_out:,} left out, with reasons", ":material/rule:", LEFT_OUT)
        if without_photo:
            go_to(without_photo, ":material/link_off:", LEFT_OUT, "rows")
        for finding in dataset.findings:
            kind = finding.kind
            go_to(f"{kind.title} · {finding.count:,}", f":material/{kind.icon}:", CHECKS, kind.key)
    if dataset.scan.datasets_inside:
        names = ", ".join(f"“{markdown.escape(name)}”" for name in dataset.scan.datasets_inside[:5])
        st.info(
            f"{names} contain folders of photos themselves. If they are datasets, open one of them instead;"
            " here each one counts as a class.",
            icon=":material/lightbulb:",
        )
    if dataset.scan.index_trouble:
        st.caption(
            ":material/save: The scan could not be saved, so the next one will take just as long"
            f" ({markdown.escape(dataset.scan.index_trouble)})."
        )


def examples(dataset: Dataset) -> None:
    """A few photos of the first classes."""
    folder = dataset.folder
    st.header("Examples", anchor=False)
    for label, name in enumerate(shown_names(folder.class_names)[:EXAMPLE_CLASSES]):
        members = np.flatnonzero(folder.labels == label)
        chosen = members[np.linspace(0, len(members) - 1, min(EXAMPLES, len(members))).astype(int)]
        st.markdown(f"**{markdown.escape(name)}** · {len(members):,} photos")
        thumbnails.show_thumbnails(folder, chosen.tolist())
    more = len(folder.class_names) - EXAMPLE_CLASSES
    go_to(f"All photos{f', and {more:,} more classes' if more > 0 else ''}", ":material/grid_view:", PHOTOS)


def go_to(label: str, icon: str, view: str, kind: str = "") -> None:
    """A link to another view of this page."""
    st.button(label, icon=icon, type="tertiary", key=f"go-to-{view}-{kind}", on_click=_show_view, args=(view, kind))


def _show_view(view: str, kind: str) -> None:
    state.set_widget(VIEW, view)
    if kind:
        state.set_widget("finding-kind", kind)


def checks(dataset: Dataset) -> None:
    """The findings, one kind at a time."""
    found = {finding.kind.key: finding for finding in dataset.findings}
    decisions.undo_bar(dataset)
    if not found:
        st.success("No findings: no copies, no look-alikes, nothing blurred, dark or tiny.")
        return
    kinds = [kind.key for kind in KINDS if kind.key in found]
    if state.widget("finding-kind") not in kinds:
        state.set_widget("finding-kind", kinds[0])
    chosen = st.pills(
        "Kind",
        kinds,
        required=True,
        key="finding-kind",
        format_func=lambda key: f":material/{found[key].kind.icon}: {found[key].kind.title} · {found[key].count:,}",
        label_visibility="collapsed",
    )
    decisions.finding_in_full(dataset, found[str(chosen)])


def photos(dataset: Dataset) -> None:
    """The photos of one class, a page at a time."""
    folder = dataset.folder
    counts, names = folder.counts(), shown_names(folder.class_names)
    labels = {number: f"{name} · {counts[number]:,} photos" for number, name in enumerate(names)}
    label = elements.choose("Class", labels, f"photos-of-{folder.root}")
    decisions.undo_bar(dataset)
    members = np.flatnonzero(folder.labels == label)
    pages = -(-len(members) // PER_PAGE)
    page = st.pagination(pages, key=f"photos-{label}-{pages}") if pages > 1 else 1
    shown = members[(page - 1) * PER_PAGE : page * PER_PAGE].tolist()
    decisions.cards(dataset, shown, f"Photos of {folder.class_names[label]}", "looked at", f"{label}-{page}")


def left_out(dataset: Dataset) -> None:
    """What is not used, each with its reason."""
    rows = [{"file": entry.path, "reason": entry.reason} for entry in dataset.scan.files_left_out]
    rows += [
        {"file": dataset.folder.paths[i], "reason": f"{reason}; see Checks"} for i, reason in dataset.withheld.items()
    ]
    rows += [{"file": path, "reason": "you left it out; see Decisions"} for path in dataset.excluded()]
    if dataset.scan.ignored:
        st.caption(f"{dataset.scan.ignored:,} hidden files and system files (.DS\\_Store, Thumbs.db …) were ignored.")
    if without_photo := descriptions.describe_rows_without_photo(dataset):
        with st.expander(without_photo, icon=":material/link_off:"):
            missing = [{"named in the table": entry.path} for entry in dataset.scan.rows_without_photo]
            elements.long_list(missing, "not-in-the-folder.csv")
    if not rows:
        st.success("No photo is left out: every file in the folder can be used.")
        return
    reasons = Counter(figures.general(row["reason"]) for row in rows)
    st.plotly_chart(figures.reasons(reasons), config={"displayModeBar": False}, alt="Why files are left out")
    elements.long_list(rows, "left-out.csv")


VIEWS = {OVERVIEW: overview, CHECKS: checks, PHOTOS: photos, LEFT_OUT: left_out, DECISIONS: decisions.decided}

if not state.dataset() or state.recall("choosing", False):
    start.show()
else:
    places = head(Path(state.dataset()))
    found = dataset_choice.dataset_or_stop(label_source.choose_for)
    fill_head(found, *places)
    show(found)
