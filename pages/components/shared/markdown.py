"""Text from outside, such as names, paths and errors, on its way to the screen: shown as it is, never as Markdown.

Streamlit reads more as Markdown than `core.markdown` guards against in a file: colours, icons, formulas, addresses.
"""

import re

from core import markdown

SIGNS = markdown.SIGNS | frozenset("{}():$&")
"""What can mean something in Streamlit's Markdown; a backslash takes the meaning away."""

FIRST = re.compile(r"(?<![^ ])[+-]|\.(?=\S)|(?<=\d)\.")
"""What begins an entry of a list where a line begins with it, and dots within names."""

READ_LATER = re.compile(r"(?<=www)\.|@|:(?=\S)|(?<=[<>~-])[=>-]", re.IGNORECASE)
"""What Streamlit looks for in the text that is left when Markdown has been read: addresses, icons, arrows, dashes."""


def escape(given: object) -> str:
    """Any text, or an error's, as plain text inside Markdown."""
    text = markdown.visible(given)
    kept = text.strip(" ")
    before, after = len(text) - len(text.lstrip(" ")), len(text) - len(text.rstrip(" "))
    if not kept:
        return "&#32;" * len(text)
    return "&#32;" * before + _plain(kept) + "&#32;" * after


def code(given: object) -> str:
    """Any text as code inside Markdown, for what a person is to type or copy."""
    text = markdown.visible(given)
    fence = "`" * (1 + max((len(found) for found in re.findall("`+", text)), default=0))
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}"


def _plain(text: str) -> str:
    """Signs with a backslash; what is read later in a span of its own, without a colour, so that it is not found."""
    written = []
    for place, sign in enumerate(text):
        safe = f"\\{sign}" if sign in SIGNS or FIRST.match(text, place) else sign
        written.append(f":color[{safe}]" if READ_LATER.match(text, place) else safe)
    return "".join(written)
