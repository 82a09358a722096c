"""The switch between languages."""

import streamlit as st

from core.language import LANGUAGES, language
from pages.components.shared import state

KEY = "language"


def draw() -> None:
    """A choice of the reader's language, each in its own words; nothing where there is only one."""
    if len(LANGUAGES) > 1:
        state.set_widget(KEY, language())
        st.selectbox(
            "Language · 语言",
            list(LANGUAGES),
            format_func=LANGUAGES.__getitem__,
            key=KEY,
            label_visibility="collapsed",
            on_change=lambda: state.choose_language(state.widget(KEY)),
        )
