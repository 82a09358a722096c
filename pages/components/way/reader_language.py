"""The switch between languages."""

import streamlit as st

from core.language import language, languages, own_name
from pages.components.shared import state

KEY = "language"


def draw() -> None:
    """A choice of the reader's language, each in its own words; nothing where there is only one."""
    if len(languages()) > 1:
        state.set_widget(KEY, language())
        st.selectbox(
            "Language · 语言",
            languages(),
            format_func=own_name,
            key=KEY,
            label_visibility="collapsed",
            on_change=lambda: state.choose_language(state.widget(KEY)),
        )
