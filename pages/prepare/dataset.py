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
from core.language import number, retold, tr, tr_mark, tr_plural
from core.training.budget.cost_model import Counts
from pages.components.cached import datasets
from pages.components.dataset import dataset_export_view, decisions, descriptions, label_source, opened_photo, start
from pages.components.shared import dataset_choice, elements, figures, markdown, state, thumbnails, upload_limits
from pages.components.shared.report_errors import tell
from pages.components.train import class_weights, draft

EXAMPLES, EXAMPLE_CLASSES = 8, 6
PER_PAGE = 48

VIEW = "dataset-view"
OVERVIEW, CHECKS, PHOTOS, LEFT_OUT, DECISIONS = "overview", "checks", "photos", "left-out", "decisions"
TITLES = {
    OVERVIEW: tr_mark("Overview"),
    CHECKS: tr_mark("Checks"),
    PHOTOS: tr_mark("Photos"),
    LEFT_OUT: tr_mark("Left out"),
    DECISIONS: tr_mark("Decisions"),
}


def head(path: Path) -> tuple[DeltaGenerator, DeltaGenerator]:
    """Which dataset is on show, and what can be done with it as a whole.

    Returns the places for the button that leads on and for what is known once it is scanned.
    """
    lead_on = elements.page_head(markdown.escape(path.name))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        facts = st.container(width="content")
        st.markdown(f":gray[{markdown.escape(path)}]", width="content")
        for words, icon, order in (
            (tr("Choose another"), ":material/swap_horiz:", "choosing"),
            (tr("Scan again"), ":material/refresh:", "scan-again"),
        ):
            st.button(
                words, key=f"order-{order}", icon=icon, type="tertiary", on_click=state.remember, args=(order, True)
            )
    return lead_on, facts


def fill_head(dataset: Dataset, lead_on: DeltaGenerator, facts: DeltaGenerator) -> None:
    """How much there is, and the button that leads on."""
    folder, used = dataset.folder, len(dataset.folder) - len(dataset.withheld)
    classes = tr_plural("{count} class", "{count} classes", len(folder.class_names))
    facts.markdown(tr("**{photos}** in **{classes}**", photos=formatting.photos(used), classes=classes))
    elements.lead_on(
        lead_on,
        tr_plural("Train on this photo", "Train on these {count} photos", used),
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
        tr("View"),
        list(VIEWS),
        default=OVERVIEW,
        required=True,
        key=VIEW,
        persist_state="session",
        format_func=lambda name: " · ".join((tr(TITLES[name]), *([number(counts[name])] if counts.get(name) else []))),
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
        st.header(tr("Photos per class and subset"), anchor=False)
        figure = figures.class_counts(shown_names(folder.class_names), folder.labels, parts)
        st.plotly_chart(figure, config={"displayModeBar": False}, alt=tr("Bar chart of photos per class and subset"))
        class_weights.class_weights_toggle(folder, draft.kept(folder))
    with right:
        counts = Counts.of(parts)
        lines = (
            tr(":gray[**{count} for training**] – the model learns from these.", count=counts.training),
            tr(
                ":blue[**{count} for validation**] – measured after each epoch, to keep the best model.",
                count=counts.validation,
            ),
            tr(":violet[**{count} for the test**] – held back until the end, for an honest result.", count=counts.test),
        )
        st.markdown("  \n".join(lines))
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
            tr(
                "**Labelled by hand:** {count} of {total} photos have a label and are used.",
                count=len(dataset.folder),
                total=len(scan.folder),
            )
        )
        st.page_link("pages/prepare/label.py", label=tr("Label more photos"), icon=":material/label:")
    if scan.layout.label_by in (PARTS, TABLE):
        st.markdown(tr("**Read as {reading}**", reading=markdown.escape(scan.reading.words)))
        label_source.draw(scan.reading)
        st.caption(tr("If it is meant otherwise, change it below under “Where the labels come from”."))


def sizes_and_shapes(sizes: NDArray[np.int32]) -> None:
    """How large the photos are, in a sentence and, where they differ, as a picture."""
    if not len(sizes):
        return
    st.header(tr("Sizes and shapes"), anchor=False)
    width, height = np.median(sizes, axis=0).astype(int).tolist()
    if (sizes == sizes[0]).all():
        st.markdown(tr("All photos are {width} × {height} pixels.", width=width, height=height))
        return
    st.markdown(
        tr(
            "A typical photo is {width} × {height} pixels. Each circle is a size; the larger the circle, the more"
            " photos have that size. Photos on the dotted line are square. The network sees the central square of"
            " each.",
            width=width,
            height=height,
        )
    )
    figure = figures.photo_sizes(sizes)
    st.plotly_chart(figure, config={"displayModeBar": False}, alt=tr("Widths and heights of the photos"))


def findings(dataset: Dataset) -> None:
    """What the checks found, each with a link to the photos."""
    st.header(tr("Findings"), anchor=False)
    left_out = left_out_count(dataset)
    without_photo = descriptions.describe_rows_without_photo(dataset)
    if not dataset.findings and not left_out and not without_photo:
        fine = tr("Every file can be used, and no problems were found.")
        st.markdown(f":green[:material/check_circle:] {fine}")
    with st.container(gap=None):
        if left_out:
            go_to(tr("{count} left out, with reasons", count=left_out), ":material/rule:", LEFT_OUT)
        if without_photo:
            go_to(without_photo, ":material/link_off:", LEFT_OUT, "rows")
        for finding in dataset.findings:
            kind = finding.kind
            go_to(f"{kind.title} · {number(finding.count)}", f":material/{kind.icon}:", CHECKS, kind.key)
    if dataset.scan.datasets_inside:
        names = [tr("“{name}”", name=markdown.escape(name)) for name in dataset.scan.datasets_inside[:5]]
        st.info(
            tr(
                "{folders} contain folders of photos themselves. If they are datasets, open one of them instead; here"
                " each one counts as a class.",
                folders=formatting.listed(names),
            ),
            icon=":material/lightbulb:",
        )
    if dataset.scan.index_trouble:
        words = tr(
            "The scan could not be saved, so the next one will take just as long ({reason}).",
            reason=markdown.escape(retold(dataset.scan.index_trouble)),
        )
        st.caption(f":material/save: {words}")


def examples(dataset: Dataset) -> None:
    """A few photos of the first classes."""
    folder = dataset.folder
    st.header(tr("Examples"), anchor=False)
    for label, name in enumerate(shown_names(folder.class_names)[:EXAMPLE_CLASSES]):
        members = np.flatnonzero(folder.labels == label)
        chosen = members[np.linspace(0, len(members) - 1, min(EXAMPLES, len(members))).astype(int)]
        st.markdown(f"**{markdown.escape(name)}** · {formatting.photos(len(members))}")
        thumbnails.show_thumbnails(folder, chosen.tolist())
    more = len(folder.class_names) - EXAMPLE_CLASSES
    words = tr("All photos")
    if more > 0:
        words = tr_plural("All photos, and {count} more class", "All photos, and {count} more classes", more)
    go_to(words, ":material/grid_view:", PHOTOS)


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
        st.success(tr("No findings: no copies, no look-alikes, nothing blurred, dark or tiny."))
        return
    kinds = [kind.key for kind in KINDS if kind.key in found]
    if state.widget("finding-kind") not in kinds:
        state.set_widget("finding-kind", kinds[0])
    chosen = st.pills(
        tr("Kind"),
        kinds,
        required=True,
        key="finding-kind",
        format_func=lambda key: (
            f":material/{found[key].kind.icon}: {found[key].kind.title} · {number(found[key].count)}"
        ),
        label_visibility="collapsed",
    )
    decisions.finding_in_full(dataset, found[str(chosen)])


def photos(dataset: Dataset) -> None:
    """The photos of one class, a page at a time."""
    folder = dataset.folder
    counts, names = folder.counts(), shown_names(folder.class_names)
    labels = {label: f"{name} · {formatting.photos(counts[label])}" for label, name in enumerate(names)}
    label = elements.choose(tr("Class"), labels, f"photos-of-{folder.root}")
    decisions.undo_bar(dataset)
    members = np.flatnonzero(folder.labels == label)
    pages = -(-len(members) // PER_PAGE)
    page = st.pagination(pages, key=f"photos-{label}-{pages}") if pages > 1 else 1
    shown = members[(page - 1) * PER_PAGE : page * PER_PAGE].tolist()
    title = tr("Photos of {name}", name=folder.class_names[label])
    decisions.cards(dataset, shown, title, tr("looked at"), f"{label}-{page}")


def left_out(dataset: Dataset) -> None:
    """What is not used, each with its reason."""
    rows = [{"file": entry.path, "reason": retold(entry.reason)} for entry in dataset.scan.files_left_out]
    rows += [
        {"file": dataset.folder.paths[i], "reason": tr("{reason}; see Checks", reason=reason)}
        for i, reason in dataset.withheld.items()
    ]
    rows += [{"file": path, "reason": tr("you left it out; see Decisions")} for path in dataset.excluded()]
    if dataset.scan.ignored:
        ignored = tr_plural(
            "{count} hidden file or system file ({examples} …) was ignored.",
            "{count} hidden files and system files ({examples} …) were ignored.",
            dataset.scan.ignored,
            examples=".DS\\_Store, Thumbs.db",
        )
        st.caption(ignored)
    if without_photo := descriptions.describe_rows_without_photo(dataset):
        with st.expander(without_photo, icon=":material/link_off:"):
            missing = [{"named in the table": entry.path} for entry in dataset.scan.rows_without_photo]
            elements.long_list(missing, "not-in-the-folder.csv")
    if not rows:
        st.success(tr("No photo is left out: every file in the folder can be used."))
        return
    reasons = Counter(figures.general(row["reason"]) for row in rows)
    st.plotly_chart(figures.reasons(reasons), config={"displayModeBar": False}, alt=tr("Why files are left out"))
    elements.long_list(rows, "left-out.csv")


VIEWS = {OVERVIEW: overview, CHECKS: checks, PHOTOS: photos, LEFT_OUT: left_out, DECISIONS: decisions.decided}

if not state.dataset() or state.recall("choosing", False):
    start.show()
else:
    places = head(Path(state.dataset()))
    found = dataset_choice.dataset_or_stop(label_source.choose_for)
    fill_head(found, *places)
    show(found)
