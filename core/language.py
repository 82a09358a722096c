"""The reader's language: every text that a person sees is written in English and goes through one of these functions.

`tr("No photo is called {name}.", name=name)` gives the text in the language of whoever reads, which is English where
nothing is translated. What it gives is a `Text`: a string that remembers what it was made of, so that it can be told
again in another language, kept as JSON without being tied to one, and sent by a child process that knows no reader.

The catalogues are `locale/<language>/LC_MESSAGES/unfreeze.po`, one a language; CONTRIBUTING.md says how they are made.
What one lacks is told in English, message by message; whole numbers in it are then written as in English, too.
"""

import gettext
import io
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from numbers import Integral
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "locale"
MORE = "UNFREEZE_LOCALE"
"""The variable that names a folder with further catalogues, for those who try a translation."""

DOMAIN = "unfreeze"
ENGLISH = "en"

Value = str | int
"""What a placeholder stands for; whole numbers are written with separators, text as it is."""

MOST_NESTED = 20
"""How deep texts may lie in texts where they come from a file."""

_chosen: ContextVar[str] = ContextVar("language")
_find: Callable[[], str] = str
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class Text(str):
    """A text in one language that can be told in any other.

    Attributes:
        message: In English, with placeholders such as "{name}".
        values: What the placeholders stand for; texts among them are told again, too.
        many: The English message for other counts than one; empty where there is no count.
        amount: What decides between `message` and `many`.
        context: What tells messages apart that are the same in English.
    """

    message: str
    values: Mapping[str, Value]
    many: str
    amount: int
    context: str

    def to_json(self) -> dict[str, Any]:
        """What it was made of, for JSON; `from_json` reads it."""
        values = {name: value.to_json() if isinstance(value, Text) else value for name, value in self.values.items()}
        kept = {
            "text": self.message,
            "values": values,
            "many": self.many,
            "count": self.amount,
            "context": self.context,
        }
        return {name: value for name, value in kept.items() if value}

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to another process with what it was made of."""
        return _made, (self.message, dict(self.values), self.many, self.amount, self.context)


def tr(message: str, /, **values: Value) -> Text:
    """The text of a message in the reader's language, with its placeholders filled in."""
    return _made(message, values)


def tr_plural(one: str, many: str, count: int, /, **values: Value) -> Text:
    """The text for so many: in English `one` for 1, else `many`; "{count}" in it is the number."""
    return _made(one, {"count": count, **values}, many, count)


def tr_context(context: str, message: str, /, **values: Value) -> Text:
    """As `tr`, for a message that means different things, such as "Test", in different places."""
    return _made(message, values, context=context)


def tr_mark(message: str) -> str:
    """The message as it is: for tables of texts that are made before there is a reader, and go through `tr` later."""
    return message


def sentences(*texts: str) -> str:
    """Sentences one after the other, as the reader's language separates them; empty ones are left out."""
    together = ""
    for text in texts:
        if together and text:
            together = tr_context("two sentences", "{first} {second}", first=together, second=text)
        else:
            together = together or text
    return together


def languages() -> tuple[str, ...]:
    """The codes of the languages that can be chosen: English, and those that have a catalogue."""
    return ENGLISH, *sorted(_files())


def own_name(code: str) -> str:
    """What a language is called in its own words."""
    from babel import Locale

    name = Locale.parse(code).display_name or code
    return name[:1].upper() + name[1:]


def placeholders(message: str) -> frozenset[str]:
    """The names of what is filled into a message."""
    return frozenset(_PLACEHOLDER.findall(message))


def retold(text: object) -> str:
    """Any text or error in the language of the present reader, as far as it remembers what it was made of."""
    if isinstance(text, Text):
        return _made(text.message, text.values, text.many, text.amount, text.context)
    return str(text)


def from_json(value: Any, deepest: int = MOST_NESTED) -> str:
    """What `Text.to_json` made, or a plain string as it is; raises `ValueError` for anything else."""
    if isinstance(value, str):
        return value
    if not isinstance(value, dict) or not isinstance(value.get("text"), str) or not deepest:
        raise ValueError(f"a text must be a string or a message with values, not {str(value)[:80]}")
    values, many, count = value.get("values", {}), value.get("many", ""), value.get("count", 0)
    context = value.get("context", "")
    kinds = isinstance(values, dict) and isinstance(many, str) and isinstance(count, int) and isinstance(context, str)
    if not kinds or not all(isinstance(each, str | int | dict) for each in values.values()):
        raise ValueError(f"the values of the text {value['text'][:80]} must be texts and whole numbers")
    read = {name: from_json(each, deepest - 1) if isinstance(each, dict) else each for name, each in values.items()}
    return _made(value["text"], read, many, count, context)


def kept(text: str) -> Any:
    """A text for JSON: what it was made of where it remembers, else the string."""
    return text.to_json() if isinstance(text, Text) else str(text)


def number(value: float, digits: int = 0) -> str:
    """A number with so many decimals and the separators of the reader's language."""
    return _number(value, digits, language())


def language() -> str:
    """The code of the reader's language, one of `languages()`: what was chosen here, else what `find_by` finds."""
    try:
        return _chosen.get()
    except LookupError:
        if found := _find():
            _chosen.set(found)
        return found or ENGLISH


def choose(code: str) -> None:
    """Make this one of `languages()` the reader's in this thread; raises `ValueError` for others."""
    _chosen.set(_known(code))


@contextmanager
def reading(code: str) -> Iterator[None]:
    """Inside, the reader's language is this one of `languages()`; raises `ValueError` for others."""
    token = _chosen.set(_known(code))
    try:
        yield
    finally:
        _chosen.reset(token)


def find_by(find: Callable[[], str]) -> None:
    """Have the reader's language found so in each thread in which none was chosen; empty where nobody reads."""
    global _find
    _find = find


def matching(*asked: str | None) -> str:
    """The first of these languages that there is, else English; "zh-TW", "zh_CN.UTF-8" and "ZH" all are "zh"."""
    for each in asked:
        code = re.split(r"[-_.@]", (each or "").strip().lower())[0]
        if code in languages():
            return code
    return ENGLISH


def _known(code: str) -> str:
    if code not in languages():
        raise ValueError(f"no language {code!r}; there are {', '.join(languages())}")
    return code


def _number(value: float, digits: int, code: str) -> str:
    if code in {ENGLISH, "zh"}:
        return f"{value:,.{digits}f}"
    from babel.numbers import format_decimal

    return str(format_decimal(value, format=f"#,##0.{'0' * digits}" if digits else "#,##0", locale=code))


def _made(message: str, values: Mapping[str, Value], many: str = "", count: int = 0, context: str = "") -> Text:
    text = Text(_told(message, values, many, count, context))
    text.message, text.values, text.many, text.amount, text.context = message, values, many, count, context
    return text


def _told(message: str, values: Mapping[str, Value], many: str, count: int, context: str) -> str:
    catalogue = _catalogue(language())
    if many:
        found = catalogue.ngettext(message, many, count)
    elif context:
        found = catalogue.pgettext(context, message)
    else:
        found = catalogue.gettext(message) if message else ""
    if found or not message:
        return _filled(found, values, language())
    return _filled(many if many and count != 1 else message, values, ENGLISH)


def _filled(message: str, values: Mapping[str, Value], code: str) -> str:
    """The message in a language with its placeholders filled in.

    Nothing but their names is looked at, whatever the message says.
    """

    def value(found: re.Match[str]) -> str:
        given = values.get(found[1], found[0])
        return _number(int(given), 0, code) if isinstance(given, Integral) else retold(given)

    return _PLACEHOLDER.sub(value, message) if values else message


def _files() -> Mapping[str, Path]:
    """The catalogue of each language but English; one in the folder of `MORE` comes before the product's own."""
    return _files_in(FOLDER, os.environ.get(MORE, ""))


@lru_cache
def _files_in(*folders: Path | str) -> Mapping[str, Path]:
    found = [file for folder in folders if folder for file in Path(folder).glob(f"*/LC_MESSAGES/{DOMAIN}.po")]
    return {file.parts[-3]: file for file in found}


def _catalogue(code: str) -> gettext.NullTranslations:
    """The translations into a language; none for English."""
    return gettext.NullTranslations() if code == ENGLISH else _compiled(_files()[code], code)


class _Missing(gettext.NullTranslations):
    """Gives nothing for what a catalogue lacks, which tells it from what is the same in both languages."""

    def gettext(self, message: str) -> str:
        return ""

    def ngettext(self, one: str, many: str, count: int) -> str:
        return ""

    def pgettext(self, context: str, message: str) -> str:
        return ""


@lru_cache
def _compiled(file: Path, code: str) -> gettext.NullTranslations:
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = io.BytesIO()
    with file.open("rb") as written:
        catalogue = read_po(written, code)
    for message in list(catalogue):
        if message.pluralizable and not (
            message.string and all(message.string)
        ):  # else Babel takes the English for what is not there
            catalogue.delete(message.id, message.context)
    write_mo(compiled, catalogue)
    compiled.seek(0)
    translations = gettext.GNUTranslations(compiled)
    translations.add_fallback(_Missing())
    return translations
