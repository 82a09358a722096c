"""The catalogues of translations and what they must hold; `uv run python -m tests.catalogues` brings them up to date.

Messages are found in the source by Babel. Updating keeps what is translated, adds what is new without a translation,
and drops what is gone; similar messages are never taken for one another. With the code of a new language, as in
`uv run python -m tests.catalogues fr`, its catalogue is begun.

The languages in `tests/locale` are not whole and not offered to anybody. They prove that a language needs no more than
its catalogue, and that what is missing is told in English; updating only drops what is gone from them.
"""

import gettext
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from babel.core import get_global
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir, extract_from_file
from babel.messages.pofile import read_po, write_po

from core import language
from core.language import DOMAIN, ENGLISH, languages

PROJECT = Path(__file__).resolve().parents[1]
INCOMPLETE = PROJECT / "tests" / "locale"
"""A folder like `locale`, with languages that are not whole."""

KEYWORDS = {"tr": None, "tr_mark": None, "tr_plural": (1, 2), "tr_context": ((1, "c"), 2)}
METHODS = [("**.py", "python"), ("**.jinja", "jinja2")]


SIGNS = {
    "zh": (r"[\u4e00-\u9fff][,:;?!()]|[,;?!()][\u4e00-\u9fff]", "half-width punctuation beside Chinese"),
    "de": (r"[”‟]|“\w|\w„", "quotation marks that are not German"),
}
"""For each language: signs that are wrong in it, as a pattern, and what is wrong with them."""

HEADER = r"""
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\n"
"Plural-Forms: nplurals=1; plural=0;\n"
"""


@dataclass(frozen=True)
class Glossary:
    """What all translations follow.

    Attributes:
        same: Texts that may stay as they are in English.
        terms: For each word of the field, by "en" and by the code of a language, what it is called there.
    """

    same: Sequence[str]
    terms: Sequence[Mapping[str, object]]


@contextmanager
def second_language(
    folder: Path, entries: str, monkeypatch: pytest.MonkeyPatch, code: str = "zh", header: str = HEADER
) -> Iterator[None]:
    """Inside, there is one language besides English, with these entries of a catalogue, which is written there."""
    with monkeypatch.context() as patch:
        patch.setattr(language, "FOLDER", folder)
        file_of(code).parent.mkdir(parents=True)
        file_of(code).write_text(header + entries, "utf-8")
        yield


def extracted() -> Catalog:
    """Every message of the product."""
    catalogue = Catalog(domain=DOMAIN, fuzzy=False)
    found = [
        (f"{folder}/{name}", message, context)
        for folder in ("core", "pages", "command_line")
        for name, _, message, _, context in extract_from_dir(
            PROJECT / folder, METHODS, keywords=KEYWORDS, comment_tags=()
        )
    ]
    found += [
        ("app.py", message, context)
        for _, message, _, context in extract_from_file("python", PROJECT / "app.py", keywords=KEYWORDS)
    ]
    for file, message, context in found:
        catalogue.add(message, locations=[(file, 0)], context=context)
    return catalogue


def file_of(code: str, folder: Path | None = None) -> Path:
    """The catalogue of a language, among the product's own unless a folder is given."""
    return (folder or language.FOLDER) / code / "LC_MESSAGES" / f"{DOMAIN}.po"


def incomplete() -> list[str]:
    """The codes of the languages that are not whole."""
    return sorted(folder.name for folder in INCOMPLETE.iterdir())


def read(code: str, folder: Path | None = None) -> Catalog:
    """What is translated into a language, as it is kept."""
    with file_of(code, folder).open("rb") as file:
        return read_po(file, code, DOMAIN)


def update(code: str, folder: Path | None = None, *, whole: bool = True) -> None:
    """Bring the catalogue of a language up to date, or begin one; `whole`: with what is still to be translated."""
    file = file_of(code, folder)
    catalogue = read(code, folder) if file.exists() else Catalog(code, DOMAIN, fuzzy=False)
    begun = catalogue.creation_date
    catalogue.update(extracted(), no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    for message in list(catalogue):
        if message.id and not whole and not (message.string and all(forms(message.string))):
            catalogue.delete(message.id, message.context)
    catalogue.creation_date = begun  # so that a catalogue to which nothing is new stays as it is
    catalogue.project, catalogue.version, catalogue.header_comment = "Unfreeze", "", f"# Unfreeze: {code}"
    catalogue.msgid_bugs_address = catalogue.last_translator = catalogue.language_team = ""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as written:
        write_po(written, catalogue, width=120, sort_output=True, include_lineno=False, omit_header=False)


def key(message: Message) -> tuple[str | None, tuple[str, ...]]:
    """What a message is known by: its context, and its English with the form for many, if any."""
    return message.context, forms(message.id)


def forms(text: object) -> tuple[str, ...]:
    """All forms of an id or a translation."""
    return tuple(str(each) for each in text) if isinstance(text, tuple | list) else (str(text),)


def outdated(catalogue: Catalog, source: Catalog) -> list[str]:
    """What the catalogue lacks of the source's messages, and what it has beyond them."""
    there, wanted = ({key(message) for message in each if message.id} for each in (catalogue, source))
    lacking = [f"lacks {each}" for each in sorted(wanted - there, key=str)]
    return lacking + [f"no longer in the source: {each}" for each in sorted(there - wanted, key=str)]


def faults(catalogue: Catalog, code: str, kept: Glossary) -> list[str]:
    """What is wrong with the translations into a language, by the rules of CONTRIBUTING.md and the glossary kept."""
    found = []
    for message in catalogue:
        english, told = forms(message.id)[0], forms(message.string)[0]
        if english:
            faulty = _faults_of(message, code, kept, _forms_for_one(catalogue))
            found += [f"{what}: {english!r} → {told!r}" for what in faulty]
    return found


def glossary(code: str) -> Glossary:
    """`locale/glossary.toml`, for a language."""
    read = tomllib.loads((PROJECT / "locale" / "glossary.toml").read_text("utf-8"))
    return Glossary([*read["same"], *read["same_in"].get(code, [])], read["term"])


def latin_runs(text: str) -> list[str]:
    """Runs of three English words or more, at least one of them with small letters only."""
    spoken = re.sub(r"`[^`]*`|\bunfreeze(?: [\w.~/]+)*|<[^>]*>|\{\w*\}|https?://\S+|:material/\w+:|&\w+;", "·", text)
    runs = re.findall(r"[A-Za-z][\w'’-]*(?:[ ,]+[A-Za-z][\w'’-]*){2,}", spoken)
    return [run for run in runs if re.search(r"\b[a-z]{3,}\b", run)]


def english_left(english: Sequence[str], told: str, code: str) -> list[str]:
    """Runs of English in a translation.

    Where a language has Latin letters, too, these are runs of three words that its English has, in any of its forms.
    """
    runs = latin_runs(told)
    if not has_latin_letters(code):
        return runs
    there = {three.lower() for form in english for three in _threes(form)}
    return [three for run in runs for three in _threes(run) if three.lower() in there and latin_runs(three)]


def has_latin_letters(code: str) -> bool:
    """Whether a language is usually written in Latin letters."""
    return "_Latn" in get_global("likely_subtags").get(code, "")


def _has_words(text: str) -> bool:
    return any(letter.isalpha() for letter in re.sub(r"\{\w*\}", "", text))


def _threes(text: str) -> list[str]:
    words = re.findall(r"\w[\w'’-]*", text)
    return [" ".join(words[place : place + 3]) for place in range(len(words) - 2)]


def _forms_for_one(catalogue: Catalog) -> set[int]:
    """Which plural forms of a language are for the count 1 alone, so that they need not say it."""
    form = gettext.c2py(catalogue.plural_expr)
    return {form(1)} - {form(count) for count in (0, *range(2, 202), 1000, 1001, 1_000_000)}


def _faults_of(message: Message, code: str, kept: Glossary, for_one: set[int]) -> Iterator[str]:
    english, told = forms(message.id), forms(message.string)
    if message.fuzzy:
        yield "unsure"
    if not all(told):
        yield "not translated"
        return
    for number, text in enumerate(told):
        filled_in = {language.placeholders(form) for form in (english if number in for_one else english[-1:])}
        if language.placeholders(text) not in filled_in:
            yield "other placeholders"
        if text != text.strip() or text.count("\n") != english[-1].count("\n"):
            yield "other spaces around it, or other lines"
        if text in english and text not in kept.same and (_has_words(text) or not has_latin_letters(code)):
            yield "equal to the English"
        elif left := [run for run in english_left(english, text, code) if run not in kept.same]:
            yield f"English left in it ({left[0]})"
        if not _is_bold_closed(text):
            yield "stars that Markdown does not take for bold"
        wrong, what = SIGNS.get(code, (r"(?!)", ""))
        if re.search(wrong, text):
            yield what
    for term in kept.terms:
        wanted = cast(list[str], term.get(code, []))
        if wanted and _has(english[-1], term) and not any(word in text for word in wanted for text in told):
            yield f"the glossary has {' or '.join(wanted)} for “{term['en']}”"


def _is_bold_closed(text: str) -> bool:
    """Whether every pair of "**" makes bold: no sign inside it at its edge where a letter touches it from outside.

    That is what CommonMark 0.31, 6.2, calls flanking; a placeholder counts as letters.
    """
    parts = re.sub(r"\{\w*\}", "x", text).split("**")
    edges = [(inside[:1], before[-1:]) for before, inside in zip(parts[::2], parts[1::2], strict=False)] + [
        (inside[-1:], after[:1]) for inside, after in zip(parts[1::2], parts[2::2], strict=False)
    ]
    return len(parts) % 2 == 1 and not any(inner and not inner.isalnum() and outer.isalnum() for inner, outer in edges)


def _has(english: str, term: Mapping[str, object]) -> bool:
    text = re.sub(r"\{\w+\}|`[^`]*`", "·", english).lower()
    for longer in cast(list[str], term.get("unless", [])):
        text = text.replace(longer, "·")
    return re.search(rf"(?<![\w-]){re.escape(str(term['en']))}(?:s|es)?(?![\w-])", text) is not None


if __name__ == "__main__":
    for code in {*languages(), *sys.argv[1:]} - {ENGLISH}:
        update(code)
    for code in incomplete():
        update(code, INCOMPLETE, whole=False)
