"""Where the labels of photos stand: in the names of folders, or in a table."""

from dataclasses import replace
from pathlib import Path

import streamlit as st

from core.data.review import Review
from core.data.scan.layout import FILE_COLUMNS, FIRST, INNERMOST, LABEL_COLUMNS, TABLE, Layout, read_table, tables_in
from core.errors import UnfreezeError
from pages.components.cached import datasets
from pages.components.dataset import decisions
from pages.components.shared import markdown
from pages.components.shared.report_errors import reporting

WORDS = {
    FIRST: "The top folder: roses/garden/1.jpg is a rose",
    INNERMOST: "The innermost folder: plants/roses/1.jpg is a rose",
    TABLE: "A table (CSV) that names each file and its class",
}


def choose_for(root: Path) -> None:
    """Offer another source for a folder that cannot be used as it is."""
    with reporting():
        review = datasets.reviews().read(root)
    choose(root, review, expanded=True)


def choose(root: Path, review: Review, *, expanded: bool) -> None:
    """The source of the labels, and for a table its columns."""
    title = "Where the labels come from"
    box = st.expander(
        title, icon=":material/sell:", expanded=expanded, key=f"label-source-{expanded}", on_change="rerun"
    )
    if not box.open:
        return  # looking for tables takes a while in a folder of 100,000 photos
    tables, chosen = tables_in(root), review.layout
    with box:
        sources = [FIRST, INNERMOST, *([TABLE] if tables or chosen.label_by == TABLE else [])]
        first = TABLE if expanded and tables and chosen.label_by == FIRST else chosen.label_by
        source = st.radio(
            "The label is",
            sources,
            index=sources.index(first) if first in sources else 0,
            format_func=WORDS.__getitem__,
            key=f"source-{root}",
        )
        layout = Layout(source) if source != TABLE else choose_columns(root, tables, chosen)
        if layout is None:
            return
        if layout == chosen:
            st.caption("This is the current setting.")
        elif st.button("Use this", type="primary", icon=":material/check:"):
            decisions.keep(root, lambda kept: replace(kept, layout=layout))
            st.rerun()


def choose_columns(root: Path, tables: tuple[str, ...], chosen: Layout) -> Layout | None:
    """A table and two of its columns, with its first rows; None where there is none that can be read."""
    if not tables:
        st.caption("There is no CSV file in this folder.")
        return None
    name = st.selectbox("Table", tables, index=tables.index(chosen.table) if chosen.table in tables else 0)
    try:
        table = read_table(root, name)
    except UnfreezeError as error:
        st.warning(markdown.escape(error), icon=":material/info:")
        return None
    columns = list(table.columns)
    file_column, label_column = (
        st.selectbox(words, columns, index=columns.index(known if known in columns else table.guess(usual)), key=key)
        for words, known, usual, key in (
            ("Column with the files", chosen.file_column, FILE_COLUMNS, f"files-{name}"),
            ("Column with the classes", chosen.label_column, LABEL_COLUMNS, f"labels-{name}"),
        )
    )
    st.dataframe([dict(zip(columns, row, strict=True)) for _, row in table.rows[:5]], hide_index=True)
    return Layout(TABLE, name, file_column, label_column)
