import json
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import language
from core.errors import DataError, StorageError
from core.language import (
    Text,
    choose,
    find_by,
    from_json,
    kept,
    matching,
    number,
    reading,
    retold,
    sentences,
    tr,
    tr_context,
    tr_mark,
    tr_plural,
)
from tests.catalogues import HEADER, INCOMPLETE, second_language

CATALOGUE = """
msgid "No photo is called {name}."
msgstr "没有名为“{name}”的照片。"

msgid "{count} photo of {owner}"
msgid_plural "{count} photos of {owner}"
msgstr[0] "{owner}的 {count} 张照片"

msgctxt "subset"
msgid "Test"
msgstr "测试集"

msgctxt "two sentences"
msgid "{first} {second}"
msgstr "{first}{second}"

msgid "Look again."
msgstr "请再看一次。"
"""


@pytest.fixture(autouse=True)
def two_languages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with second_language(tmp_path, CATALOGUE, monkeypatch), reading("en"):
        yield


def test_a_text_is_in_the_language_of_the_reader_and_in_english_where_nothing_is_translated() -> None:
    assert tr("No photo is called {name}.", name="a.jpg") == "No photo is called a.jpg."
    with reading("zh"):
        assert tr("No photo is called {name}.", name="a.jpg") == "没有名为“a.jpg”的照片。"
        assert tr("Nobody has translated this.") == "Nobody has translated this."
        assert tr("") == ""
    assert tr(tr_mark("Look again.")) == "Look again."


def test_counts_and_contexts() -> None:
    assert tr_plural("{count} photo of {owner}", "{count} photos of {owner}", 1, owner="Li") == "1 photo of Li"
    many = tr_plural("{count} photo of {owner}", "{count} photos of {owner}", 1200, owner="Li")
    assert many == "1,200 photos of Li"
    assert tr_context("subset", "Test") == "Test"
    with reading("zh"):
        assert retold(many) == "Li的 1,200 张照片"
        assert tr_context("subset", "Test") == "测试集"
        assert tr_context("button", "Test") == "Test"


def test_a_text_is_told_again_with_texts_in_it_after_json_and_pickling() -> None:
    text = sentences(tr("No photo is called {name}.", name="a.jpg"), "", tr("Look again."))
    assert text == "No photo is called a.jpg. Look again."
    for copy in (text, from_json(json.loads(json.dumps(kept(text)))), pickle.loads(pickle.dumps(text))):
        assert copy == text
        with reading("zh"):
            assert retold(copy) == "没有名为“a.jpg”的照片。请再看一次。"
    assert kept("plain") == from_json("plain") == "plain"


@pytest.mark.parametrize(
    "value",
    [
        3,
        None,
        {},
        {"text": 1},
        {"text": "a", "values": [1]},
        {"text": "a", "values": {"b": 1.5}},
        {"text": "a", "count": "b"},
        {"text": "a", "values": {"b": {"text": None}}},
    ],
)
def test_what_is_no_text_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="text"):
        from_json(value)


def test_texts_in_texts_end_somewhere() -> None:
    deep: dict[str, object] = {"text": "a"}
    for _ in range(50):
        deep = {"text": "{b}", "values": {"b": deep}}
    with pytest.raises(ValueError, match="must be"):
        from_json(deep)


def test_a_message_from_outside_reaches_nothing_but_its_values() -> None:
    hostile = from_json({"text": "{name} {name.__class__} {0} {other} {name!r}", "values": {"name": "a"}})
    assert hostile == "a {name.__class__} {0} {other} {name!r}"


def test_errors_are_told_in_the_language_of_whoever_reads_them() -> None:
    for kind in (DataError, StorageError):
        error = kind(tr("No photo is called {name}.", name="a"))
        assert str(error) == "No photo is called a." and isinstance(error.text, Text)
        with reading("zh"):
            assert str(error) == "没有名为“a”的照片。"
            assert tr("{reason}", reason=error.text) == "没有名为“a”的照片。"
    assert str(StorageError(28, "No space left")) == "[Errno 28] No space left"


def test_each_thread_finds_its_reader_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, heard = [], []
    monkeypatch.setattr(language, "_find", language._find)

    def find() -> str:
        asked.append(1)
        return "zh"

    find_by(find)
    thread = threading.Thread(target=lambda: heard.extend([str(tr("Look again.")), str(tr("Look again."))]))
    thread.start()
    thread.join()
    assert heard == 2 * ["请再看一次。"] and asked == [1]


def test_the_language_is_matched_by_what_a_browser_or_a_shell_says() -> None:
    for asked in ("zh", "zh-CN", "zh-Hans", "zh-TW", "zh_CN.UTF-8", " ZH"):
        assert matching(asked) == "zh"
    assert matching("fr-FR", None, "", "zh-TW", "en") == "zh"
    assert matching("C.UTF-8", "de") == matching() == "en"
    with pytest.raises(ValueError, match="'fr'"):
        choose("fr")


def test_numbers_have_the_separators_of_the_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert number(1234567) == "1,234,567" and number(95.37, 1) == "95.4"
    with second_language(tmp_path / "german", "", monkeypatch, "de"), reading("de"):
        assert number(1234567) == "1.234.567" and number(95.37, 1) == "95,4"


def test_what_a_language_lacks_is_told_in_english_message_by_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNFREEZE_LOCALE", str(INCOMPLETE))
    photos = tr_plural("{count} photo", "{count} photos", 1200)
    with reading("de"):
        assert retold(photos) == "1.200 Fotos"
        assert tr_plural("the last block learns", "the last {count} of {blocks} blocks learn", 1, blocks=9) == (
            "der letzte Block lernt"
        )
        assert tr("at most {photos} per class", photos=photos) == "höchstens 1.200 Fotos je Klasse"
        assert tr("Nobody has translated {photos}.", photos=photos) == "Nobody has translated 1.200 Fotos."
        assert tr("Nobody has translated {count}.", count=1200) == "Nobody has translated 1,200."
        assert tr_plural("{count} untold thing", "{count} untold things", 1) == "1 untold thing"
        assert tr_plural("{count} untold thing", "{count} untold things", 1200) == "1,200 untold things"
        assert tr_context("nowhere", "Test") == "Test"
        both = sentences(tr("Choose a dataset first."), tr("Nobody has translated {count}.", count=1200))
        assert both == "Zuerst einen Datensatz wählen. Nobody has translated 1,200."
    assert retold(both) == "Choose a dataset first. Nobody has translated 1,200."


def test_a_message_of_which_forms_are_lacking_is_told_in_english(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = """
msgid "{count} photo"
msgid_plural "{count} photos"
msgstr[0] "{count} Foto"
msgstr[1] ""
"""
    header = HEADER.replace("nplurals=1; plural=0", "nplurals=2; plural=(n != 1)")
    with second_language(tmp_path / "german", entries, monkeypatch, "de", header), reading("de"):
        assert tr_plural("{count} photo", "{count} photos", 1) == "1 photo"
        assert tr_plural("{count} photo", "{count} photos", 1200) == "1,200 photos"


def test_a_folder_that_the_environment_names_has_further_languages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with second_language(tmp_path / "own", CATALOGUE, monkeypatch):
        of_product = language.languages()
        file = tmp_path / "more" / "eo" / "LC_MESSAGES" / "unfreeze.po"
        file.parent.mkdir(parents=True)
        file.write_text(f'{HEADER}\nmsgid "Look again."\nmsgstr "Rigardu denove."\n')
        monkeypatch.setenv("UNFREEZE_LOCALE", str(tmp_path / "more"))
        assert language.languages() == ("en", "eo", *of_product[1:])
        with reading("eo"):
            assert tr("Look again.") == "Rigardu denove." and tr("No photo.") == "No photo."
