"""A pseudo-language: every message longer and with accents, so that what is not translated shows.

It is called Esperanto, "eo", which Babel knows; what stands on a page without accents has not gone through
`core/language.py`, or is a name. CONTRIBUTING.md says how to look at it.
"""

import re
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po

from core.language import DOMAIN
from tests.catalogues import extracted, forms

CODE = "eo"

ACCENTS = str.maketrans(
    "abcdeghijklnorstuwyzACDEGHIJKLNORSTUWYZ",
    "áƀçđéğħíĵķłñöřšťúŵýžÁÇĐÉĞĦÍĴĶŁÑÖŘŠŤÚŴÝŽ",
)
LONGER = "ğëťš łöñğéř "

_KEPT = re.compile(r"\{\w+\}|`[^`]*`|<[^>]*>|:[a-z]+\[|:material/\w+:|&\w+;|https?://\S+|%\([^)]*\)\w|%[a-zA-Z]")


def accented(text: str) -> str:
    """A text with accents on its letters, and a third longer; placeholders, code and markup stay as they are."""
    told, end = [], 0
    for kept in _KEPT.finditer(text):
        told += [text[end : kept.start()].translate(ACCENTS), kept[0]]
        end = kept.end()
    told.append(text[end:].translate(ACCENTS))
    longer = (LONGER * (1 + len(text) // 3 // len(LONGER)))[: len(text) // 3].rstrip()
    return "".join(told) + (f" {longer}" if longer and " " in text and not text.endswith(("`", ">", "}")) else "")


def write_catalogue(folder: Path) -> Path:
    """Write the catalogue of the pseudo-language into a folder like `locale`, and return the folder."""
    catalogue = Catalog(CODE, DOMAIN, fuzzy=False)
    for message in extracted():
        if message.id:
            told = tuple(accented(form) for form in forms(message.id))
            catalogue.add(message.id, told if len(told) > 1 else told[0], context=message.context)
    file = folder / CODE / "LC_MESSAGES" / f"{DOMAIN}.po"
    file.parent.mkdir(parents=True)
    with file.open("wb") as written:
        write_po(written, catalogue)
    return folder


if __name__ == "__main__":
    write_catalogue(Path(sys.argv[1]))
