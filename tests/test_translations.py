"""Every language in `locale/` is whole, keeps the glossary, and has nothing left of its English."""

from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog

from core.language import DOMAIN, ENGLISH, languages, own_name
from tests.catalogues import (
    Glossary,
    extracted,
    faults,
    file_of,
    glossary,
    latin_runs,
    outdated,
    read,
    second_language,
    update,
)

TRANSLATED = [code for code in languages() if code != ENGLISH]

KEPT = Glossary(["Keras {version}"], [{"en": "head", "zh": ["分类头"], "unless": ["head start"]}])
NOTHING = Glossary([], [])


@cache
def source() -> Catalog:
    return extracted()


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_catalogue_has_every_message_of_the_source_and_no_other(code: str) -> None:
    assert outdated(read(code), source()) == [], "`uv run python -m tests.catalogues` brings it up to date"


@pytest.mark.parametrize("code", TRANSLATED)
def test_every_message_is_translated_by_the_rules(code: str) -> None:
    assert faults(read(code), code, glossary()) == []


def test_every_term_of_the_glossary_has_a_word_in_each_language() -> None:
    lacking = [f"{term['en']}: {code}" for term in glossary().terms for code in TRANSLATED if not term.get(code)]
    assert lacking == []
    assert len({str(term["en"]) for term in glossary().terms}) == len(glossary().terms)


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
