"""Text from outside, such as names, on its way into Markdown: what would mean something there is taken literally."""

import unicodedata

SIGNS = frozenset("\\`*_[]<>#|~")
"""What can mean something in Markdown; a backslash takes the meaning away."""

ORDERS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the order of others around, so that a name reads as another one."""


def escape(given: object) -> str:
    """Any text as one line of plain text inside Markdown."""
    return "".join(f"\\{sign}" if sign in SIGNS else sign for sign in visible(given))


def visible(given: object) -> str:
    """Any text with each white space as a space, and what could not be seen as �."""
    return "".join(_visible(sign) for sign in str(given))


def _visible(sign: str) -> str:
    if sign.isspace():
        return " "
    return "\ufffd" if unicodedata.category(sign) == "Cc" or sign in ORDERS else sign
