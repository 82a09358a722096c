"""Where the labels of photos stand: in the names of folders, or in a table."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import streamlit as st

from core.data.scan.joined_lists import read_joined
from core.data.scan.layout import BY_HAND, INNERMOST, PARTS, TABLE, TOP, Layout
from core.data.scan.layout_choices import LayoutChoice, layout_of_table
from core.data.scan.table_columns import FOLDER, NO_SPLIT, ONE_HOT, class_columns, column_title, labels_in, separator_in
from core.data.scan.tables import Table, tables_in
from core.data.scan.text_encoding import TITLES, title_of
from core.errors import UndecidedLayout, UnfreezeError
from core.language import retold, tr, tr_mark
from pages.components.cached import datasets
from pages.components.dataset import decisions
from pages.components.shared import dataset_choice, markdown, state
from pages.components.shared.report_errors import reporting, tell

WORDS = {
    TOP: tr_mark("The top folder: roses/garden/1.jpg is a rose"),
    PARTS: tr_mark("The folder inside a part: train/roses/1.jpg and test/roses/2.jpg are roses"),
    INNERMOST: tr_mark("The innermost folder: plants/roses/1.jpg is a rose"),
    TABLE: tr_mark("A table (CSV) or list that names each file and its class"),
    BY_HAND: tr_mark("What you say of each photo, on the page “Label”"),
}

ROWS_SHOWN = 5


def choose_for(root: Path, error: UnfreezeError) -> None:
    """Say why a folder cannot be used as it is, and offer what would help: its readings, or another source."""
    with reporting():
        review = datasets.reviews().read(root)
    if isinstance(error, UndecidedLayout) and error.choices:
        ask(root, error.question, error.choices)
        choose(root, error.choices[0].layout, expanded=False, settled=False)
    else:
        tell(error)
        st.page_link("pages/prepare/label.py", label=tr("Label the photos by hand"), icon=":material/label:")
        choose(root, review.layout, expanded=True)


def ask(root: Path, question: str, readings: Sequence[LayoutChoice]) -> None:
    """The readings of a folder side by side, each with its drawing and a button that keeps it."""
    st.header(tr("How is this folder meant?"), anchor=False)
    st.markdown(markdown.escape(retold(question)))
    st.caption(tr("Choose what is meant. Your files stay as they are, and you can change it later."))
    with st.grid(min_column_width=300, gap="small"):
        for number, reading in enumerate(readings):
            with st.container(border=True):
                words = markdown.escape(reading.words)
                st.markdown(
                    tr("**This looks like: {reading}**", reading=words)
                    if number == 0
                    else tr("**Or: {reading}**", reading=words)
                )
                draw(reading)
                kind: Literal["primary", "secondary"] = "primary" if number == 0 else "secondary"
                if st.button(tr("Use this"), type=kind, key=f"reading-{number}"):
                    use(root, reading)


def draw(reading: LayoutChoice) -> None:
    """The drawing of a reading, and what else should be known of it."""
    st.code(reading.tree, language=None)
    for note in reading.notes:
        st.caption(f":material/info: {markdown.escape(note)}")


def use(root: Path, reading: LayoutChoice) -> None:
    """Keep a reading, or open the folder that it is about, and draw the page again."""
    if reading.folder:
        state.choose_dataset(str(root / reading.folder))
        state.remember(*dataset_choice.GO_ON)
    else:
        decisions.keep(root, lambda kept: replace(kept, layout=reading.layout))
    st.rerun()


def choose(root: Path, chosen: Layout, *, expanded: bool, settled: bool = True) -> None:
    """The source of the labels, and for a table its columns; `chosen` is the present one, or a likely one."""
    title = tr("Where the labels come from")
    box = st.expander(
        title, icon=":material/sell:", expanded=expanded, key=f"label-source-{expanded}", on_change="rerun"
    )
    if not box.open:
        return  # looking for tables takes a while in a folder of 100,000 photos
    tables = tables_in(root)
    with box:
        sources = [TOP, PARTS, INNERMOST, *([TABLE] if tables or chosen.label_by == TABLE else []), BY_HAND]
        first = TABLE if expanded and tables and chosen == Layout() else chosen.label_by
        source = st.radio(
            tr("The label is"),
            sources,
            index=sources.index(first) if first in sources else 0,
            format_func=lambda key: tr(WORDS[key]),
            key=f"source-{root}",
        )
        layout = Layout(source) if source != TABLE else choose_columns(root, tables, chosen)
        if layout is None:
            return
        if layout == chosen and settled:
            st.caption(tr("This is the current setting."))
        elif st.button(tr("Use this"), type="primary", icon=":material/check:", key="use-source"):
            decisions.keep(root, lambda kept: replace(kept, layout=layout))
            st.rerun()


def choose_columns(root: Path, tables: tuple[str, ...], chosen: Layout) -> Layout | None:
    """A table and its columns, with its first rows; None where there is none that can be read."""
    if not tables:
        st.caption(tr("There is no CSV file in this folder."))
        return None
    place = tables.index(chosen.table) if chosen.table in tables else 0
    name = st.selectbox(tr("Table"), tables, index=place, key=f"table-{root}")
    known = chosen if chosen.table == name else Layout()
    try:
        encoding = choose_encoding(read_joined(root, name).encoding, known.encoding, name)
        table = read_joined(root, name, encoding)
        likely = known if known.table else layout_of_table(root, name, [], encoding)
    except UnfreezeError as error:
        tell(error)
        return None
    columns = list(table.columns)
    one_hot = [ONE_HOT] if class_columns(table, (likely.file_column, likely.split_column)) else []
    file_column, label_column, split_column = (
        st.selectbox(
            words,
            options,
            index=options.index(column) if column in options else 0,
            format_func=column_title,
            key=f"column-{key}-{name}",
        )
        for key, words, column, options in (
            ("files", tr("Column with the files"), likely.file_column, columns),
            ("classes", tr("Column with the classes"), likely.label_column, [*columns, *one_hot, FOLDER]),
            ("split", tr("Column with the split"), likely.split_column, [NO_SPLIT, *columns]),
        )
    )
    st.dataframe([dict(zip(columns, row, strict=True)) for _, row in table.rows[:ROWS_SHOWN]], hide_index=True)
    say_if_several(table, label_column)
    return Layout(TABLE, name, file_column, label_column, split_column, encoding)


def choose_encoding(found: str, chosen: str, name: str) -> str:
    """The encoding of a table that is not in Unicode, to be confirmed by its first rows; empty for one that is."""
    if found.startswith("utf") and not chosen:
        return ""
    options = list(TITLES)
    return st.selectbox(
        tr("Encoding (the names below must look right)"),
        options,
        index=options.index(chosen or found) if (chosen or found) in options else 0,
        format_func=title_of,
        key=f"encoding-{name}",
    )


def say_if_several(table: Table, label_column: str) -> None:
    """Say what happens to rows whose cell holds several labels."""
    cells = table.cells(label_column) if label_column in table.columns else []
    separator = separator_in(cells, label_column)
    several = [cell for cell in cells if len(labels_in(cell, separator)) > 1]
    if several:
        words = tr(
            "{count} of {total} rows name several classes, such as {example}. One class is learned for each photo, so"
            " the photos with exactly one class are used, and the others are left out.",
            count=len(several),
            total=len(cells),
            example=markdown.escape(several[0]),
        )
        st.caption(f":material/info: {words}")
