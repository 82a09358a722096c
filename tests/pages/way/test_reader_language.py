from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core import language
from core.language import reading
from tests.catalogues import second_language

CATALOGUE = """
msgid "Look again."
msgstr "请再看一次。"
"""


def page() -> None:
    import streamlit as st

    from core import language
    from pages.components.shared import state
    from pages.components.way import reader_language

    language.choose(language.matching(state.language()))
    reader_language.draw()
    st.text(language.tr("Look again."))


@pytest.fixture
def two_languages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with second_language(tmp_path, CATALOGUE, monkeypatch), reading("en"):
        yield


def test_the_switch_tells_the_page_in_another_language_and_the_address_says_so(two_languages: None) -> None:
    app = AppTest.from_function(page).run()
    assert app.text[0].value == "Look again." and app.selectbox(key="language").value == "en"
    app.selectbox(key="language").select("zh").run()
    assert not app.exception
    assert app.text[0].value == "请再看一次。"
    assert app.query_params["lang"] in ("zh", ["zh"])


def test_the_address_chooses_and_what_is_unknown_is_english(two_languages: None) -> None:
    for asked, told in (("zh", "请再看一次。"), ("zh-TW", "请再看一次。"), ("xx", "Look again.")):
        app = AppTest.from_function(page)
        app.query_params["lang"] = asked
        assert app.run().text[0].value == told


def test_with_one_language_there_is_no_switch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "FOLDER", tmp_path)
    app = AppTest.from_function(page).run()
    assert not app.exception and not app.selectbox
