"""What a browser session remembers. The only file that touches `st.session_state` and `st.query_params`.

A reload starts a new session, so what must survive one is in the address: the dataset and the run. Everything else
here is a choice not yet acted upon.
"""

from collections.abc import Mapping
from typing import Any

import streamlit as st
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.scriptrunner import get_script_run_ctx

from core.language import matching
from core.recipe.augmentations import Choice

DATASET, RUN, FOLDER, LANGUAGE = "dataset", "run", "folder", "lang"


def dataset() -> str:
    """The path of the chosen dataset, or an empty text."""
    return _shared_with_address(DATASET)


def choose_dataset(path: str) -> None:
    """Choose a dataset, and end the choosing; choices that were made for another one are forgotten."""
    remember("choosing", False)
    if path != dataset():
        _put(DATASET, path)
        forget("augmentations", "run")


def run_id() -> str:
    """The name of the run on show, or an empty text."""
    return _shared_with_address(RUN)


def open_run(run_id: str) -> None:
    """Show this run."""
    _put(RUN, run_id)


def close_run() -> None:
    """Show no run, but the choices for a new one."""
    forget(RUN)


def predicted_folder() -> str:
    """The path of the folder whose photos are predicted, or an empty text."""
    return _shared_with_address(FOLDER)


def predict_folder(path: str) -> None:
    """Predict the photos of this folder; an empty text for none."""
    _put(FOLDER, path) if path else forget(FOLDER)


def augmentations(default: Mapping[str, Choice]) -> dict[str, Choice]:
    """By key, what is chosen for the augmentations that are on."""
    return dict(st.session_state.get("augmentations", default))


def choose_augmentations(choices: Mapping[str, Choice]) -> None:
    """Remember which augmentations are on, how strong and how often."""
    st.session_state["augmentations"] = dict(choices)


def language() -> str:
    """The code of the reader's language: of the address, else this session's, else the browser's; empty for nobody."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return ""
    return matching(_shared_with_address(LANGUAGE), st.context.locale)


def choose_language(code: str) -> None:
    """Have everything told in this language, here and by whoever is sent the address."""
    _put(LANGUAGE, code)


def recall(name: str, default: Any) -> Any:
    """What was remembered under a name."""
    return st.session_state.get(f"kept-{name}", default)


def remember(name: str, value: Any) -> None:
    """Keep a value for this session, across pages."""
    st.session_state[f"kept-{name}"] = value


def take(name: str) -> Any:
    """What was remembered under a name, for this one time; None when there is nothing."""
    return st.session_state.pop(f"kept-{name}", None)


def widget(key: str) -> Any:
    """The value of a widget, for its own callback."""
    return st.session_state.get(key)


def set_widget(key: str, value: Any) -> None:
    """Give a widget a value; only from a callback, before the widget is drawn."""
    st.session_state[key] = value


def forget(*names: str) -> None:
    """Drop values, from the session and from the address."""
    for name in names:
        st.session_state.pop(name, None)
        if name in st.query_params:
            del st.query_params[name]


def _put(name: str, value: str) -> None:
    st.session_state[name] = value
    st.query_params[name] = value


def _shared_with_address(name: str) -> str:
    """The address wins, since a reload or a shared link has nothing else; moving to another page empties it."""
    value = str(st.query_params.get(name) or st.session_state.get(name, ""))
    if value and (st.query_params.get(name) != value or st.session_state.get(name) != value):
        _put(name, value)
    return value


def forget_all(session: AppSession) -> None:
    """Forget what is kept for a browser tab that has been closed, with what was uploaded to it."""
    session.session_state.clear()
