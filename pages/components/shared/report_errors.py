"""Errors that a person can fix, shown as the sentences they are."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from core.errors import UnfreezeError


@contextmanager
def reporting() -> Iterator[None]:
    """Show an `UnfreezeError` raised inside as a message and end the page there."""
    try:
        yield
    except UnfreezeError as error:
        st.warning(str(error), icon=":material/info:")
        st.stop()
