"""Every language in `locale/` is whole, keeps the glossary, and has nothing left of its English."""

from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog

from core import language
from core.language import DOMAIN, ENGLISH, languages, own_name
from tests.catalogues import (
    INCOMPLETE,
    Glossary,
    english_left,
    extracted,
    faults,
    file_of,
    glossary,
    incomplete,
    latin_runs,
    outdated,
    read,
    second_language,
    update,
)

TRANSLATED = [code for code in languages() if code != ENGLISH]
CATALOGUES = [(code, language.FOLDER) for code in TRANSLATED] + [(code, INCOMPLETE) for code in incomplete()]

KEPT = Glossary(["Keras {version}"], [{"en": "head", "zh": ["分类头"], "unless": ["head start"]}])
NOTHING = Glossary([], [])


@cache
def source() -> Catalog:
    return extracted()


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_catalogue_has_every_message_of_the_source_and_no_other(code: str) -> None:
    assert outdated(read(code), source()) == [], "`uv run python -m tests.catalogues` brings it up to date"


@pytest.mark.parametrize("code", incomplete())
def test_a_language_that_is_not_whole_has_nothing_that_is_gone(code: str) -> None:
    gone = [each for each in outdated(read(code, INCOMPLETE), source()) if not each.startswith("lacks ")]
    assert gone == [], "`uv run python -m tests.catalogues` drops it"


@pytest.mark.parametrize(("code", "folder"), CATALOGUES)
def test_every_message_is_translated_by_the_rules(code: str, folder: Path) -> None:
    assert faults(read(code, folder), code, glossary(code)) == []


@pytest.mark.parametrize(("code", "folder"), CATALOGUES)
def test_a_catalogue_counts_as_its_language_does(code: str, folder: Path) -> None:
    assert read(code, folder).plural_forms == Catalog(code).plural_forms


def test_every_term_of_the_glossary_has_a_word_in_each_language() -> None:
    lacking = [f"{term['en']}: {code}" for term in glossary(ENGLISH).terms for code in TRANSLATED if not term.get(code)]
    assert lacking == []
    assert len({str(term["en"]) for term in glossary(ENGLISH).terms}) == len(glossary(ENGLISH).terms)


@pytest.mark.parametrize(
    ("english", "told", "expected"),
    [
        ("Look again.", "请再看一次。", None),
        ("Look again.", "", "not translated"),
        ("Look again.", "Look again.", "equal to the English"),
        ("Keras {version}", "Keras {version}", None),
        ("No {name}.", "没有 {nom}。", "other placeholders"),
        ("No {name}.", "没有。", "other placeholders"),
        ("No photo.", "没有照片。 ", "other spaces"),
        ("Look at the photos again.", "请 look at photos 再看。", "English left in it"),
        ("Yes, right.", "是,对。", "half-width punctuation"),
        ("**Now:** {name}", "**现在**：{name}", None),
        ("**Now:** {name}", "**现在：**{name}", "stars that Markdown"),
        ("It is **{name}**.", "这是**“{name}”**。", "stars that Markdown"),
        ("It is **{name}**.", "这是 **“{name}”**。", None),
        ("The heads learn.", "分类头学习。", None),
        ("The head learns.", "头部学习。", "the glossary has 分类头"),
        ("A head start is a start.", "抢先一步。", None),
        ("Overheads", "开销", None),
    ],
)
def test_what_is_wrong_with_a_translation_is_found(english: str, told: str, expected: str | None) -> None:
    catalogue = Catalog("zh", DOMAIN, fuzzy=False)
    catalogue.add(english, told)
    found = faults(catalogue, "zh", KEPT)
    assert [each.split(":")[0].split(" (")[0] for each in found if not expected or expected not in each] == []
    assert bool(found) == bool(expected)


def test_one_form_for_all_counts_says_the_count() -> None:
    catalogue = Catalog("zh", DOMAIN, fuzzy=False)
    catalogue.add(("{count} photo", "{count} photos"), ("{count} 张照片",))
    catalogue.add(("one photo of {all}", "{count} photos of {all}"), ("{all} 张照片",))
    assert [each.split(":")[0] for each in faults(catalogue, "zh", NOTHING)] == ["other placeholders"]


@pytest.mark.parametrize(
    ("english", "told", "expected"),
    [
        (("the last block learns", "{count} blocks learn"), ("der letzte Block lernt", "{count} Blöcke lernen"), None),
        (("{count} block", "{count} blocks"), ("ein Block", "{count} Blöcke"), "other placeholders"),
        (("one block", "{count} blocks"), ("ein Block", "mehrere Blöcke"), "other placeholders"),
        (("{count} block", "{count} blocks"), ("{count} Block", ""), "not translated"),
        (("{what}: {names}",), ("{what}: {names}",), None),
        (("Network",), ("Network",), "equal to the English"),
        (("It is “{name}”.",), ("Es ist „{name}“.",), None),
        (("It is “{name}”.",), ("Es ist “{name}”.",), "quotation marks that are not German"),
        (("Click a photo to open it.",), ("Auf ein Foto klicken, um es zu öffnen.",), None),
        (("Click a photo to open it.",), ("Klick a photo to open it.",), "English left in it (a photo to)"),
        (("The head learns.",), ("Der Klassifikationskopf lernt.",), None),
    ],
)
def test_languages_with_latin_letters_and_forms_for_counts_have_their_own_rules(
    english: tuple[str, ...], told: tuple[str, ...], expected: str | None
) -> None:
    catalogue = Catalog("de", DOMAIN, fuzzy=False)
    catalogue.add(english if len(english) > 1 else english[0], told if len(told) > 1 else told[0])
    assert {each.split(":")[0] for each in faults(catalogue, "de", KEPT)} == ({expected} if expected else set())


def test_english_is_what_the_english_has_where_letters_are_the_same() -> None:
    assert english_left(["Look at this now."], "Bitte look at this ansehen.", "de") == ["look at this"]
    assert english_left(["Look at this now."], "Das hier bitte jetzt ansehen.", "de") == []
    assert english_left(["Look at this now."], "请 see that now 再看", "zh") == ["see that now"]


def test_fuzzy_and_outdated_messages_are_found() -> None:
    catalogue = Catalog("zh", DOMAIN, fuzzy=False)
    catalogue.add("Stop", "停止", flags=["fuzzy"])
    assert faults(catalogue, "zh", NOTHING) == ["unsure: 'Stop' → '停止'"]
    wanted = Catalog(domain=DOMAIN, fuzzy=False)
    wanted.add("Start")
    wanted.add("Stop", context="a run")
    assert [each.split(" (")[0] for each in outdated(catalogue, wanted)] == ["lacks"] * 2 + ["no longer in the source:"]


def test_runs_of_english_are_told_from_names_and_code() -> None:
    assert latin_runs("用 this is left 训练") == ["this is left"]
    assert (
        latin_runs("EfficientNet B0 Lite0 训练 `uv run python` “unfreeze runs show latest” {a} {b} {c} <b class=x y z>")
        == []
    )


def test_a_new_language_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with second_language(tmp_path, "", monkeypatch, "fr"):
        update("fr")
        assert languages() == ("en", "fr") and own_name("fr") == "Français"
        assert len(read("fr")) == len(source()) and file_of("fr").stat().st_size > 100_000


def test_a_language_that_is_not_whole_keeps_what_is_translated_and_drops_what_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = 'msgid "Undo"\nmsgstr "Annuler"\n\nmsgid "No longer said"\nmsgstr "Disparu"\n\nmsgid "Stop"\nmsgstr ""\n'
    with second_language(tmp_path, entries, monkeypatch, "fr"):
        update("fr", whole=False)
        assert [(message.id, message.string) for message in read("fr") if message.id] == [("Undo", "Annuler")]
