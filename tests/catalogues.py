"""The catalogues of translations and what they must hold; `uv run python -m tests.catalogues` brings them up to date.

Messages are found in the source by Babel. Updating keeps what is translated, adds what is new without a translation,
and drops what is gone; similar messages are never taken for one another.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir, extract_from_file
from babel.messages.pofile import read_po, write_po

from core import language
from core.language import DOMAIN, ENGLISH, LANGUAGES

PROJECT = Path(__file__).resolve().parents[1]
KEYWORDS = {"tr": None, "tr_mark": None, "tr_plural": (1, 2), "tr_context": ((1, "c"), 2)}
METHODS = [("**.py", "python"), ("**.jinja", "jinja2")]


HEADER = r"""
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\n"
"Plural-Forms: nplurals=1; plural=0;\n"
"""


@contextmanager
def second_language(folder: Path, entries: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Inside, there is Chinese besides English, with these entries of a catalogue, which is written into a folder."""
    monkeypatch.setattr(language, "FOLDER", folder)
    monkeypatch.setitem(cast(dict[str, str], language.LANGUAGES), "zh", "中文")
    file_of("zh").parent.mkdir(parents=True)
    file_of("zh").write_text(HEADER + entries, "utf-8")
    language._catalogue.cache_clear()
    try:
        yield
    finally:
        language._catalogue.cache_clear()


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


def file_of(code: str) -> Path:
    """The catalogue of a language."""
    return language.FOLDER / code / "LC_MESSAGES" / f"{DOMAIN}.po"


def read(code: str) -> Catalog:
    """What is translated into a language, as it is kept."""
    with file_of(code).open("rb") as file:
        return read_po(file, code, DOMAIN)


def update(code: str) -> None:
    """Bring the catalogue of a language up to date, or begin one."""
    file = file_of(code)
    catalogue = read(code) if file.exists() else Catalog(code, DOMAIN, fuzzy=False)
    catalogue.update(extracted(), no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as written:
        write_po(written, catalogue, width=120, sort_output=True, include_lineno=False, omit_header=False)


if __name__ == "__main__":
    for code in LANGUAGES:
        if code != ENGLISH:
            update(code)
