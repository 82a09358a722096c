"""Errors that a person can fix, shown as the sentences they are."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st

from core.errors import UnfreezeError
from pages.components.shared import markdown


def tell(error: object) -> None:
    """Show an error that a person can fix as the sentence it is."""
    st.warning(markdown.escape(error), icon=":material/info:")


@contextmanager
def reporting() -> Iterator[None]:
    """Show an `UnfreezeError` raised inside as a message and end the page there."""
    try:
        yield
    except UnfreezeError as error:
        tell(error)
        st.stop()


@contextmanager
def telling() -> Iterator[None]:
    """Show an `UnfreezeError` raised inside as a message, and go on with the page."""
    try:
        yield
    except UnfreezeError as error:
        tell(error)


def ask(order: Callable[..., object], *arguments: object) -> None:
    """Carry out an order from a callback; what cannot be is said in passing, and the page drawn as things are."""
    try:
        order(*arguments)
    except UnfreezeError as error:
        st.toast(markdown.escape(error), icon=":material/info:")
