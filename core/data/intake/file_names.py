"""File names that come from outside, made safe to write in any folder."""

import re
import unicodedata
from pathlib import PurePosixPath

RESERVED_NAMES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)", re.IGNORECASE)
"""Names that mean devices on Windows, with any ending."""

LONGEST_SUFFIX = 20
MAX_NAME = 120
MAX_NAME_BYTES = 240
"""File systems take 255 bytes for a name; the rest is room for a prefix."""

UNSAFE_IN_NAMES = re.compile(r'[<>:"|?*\u200e\u200f\u202a-\u202e\u2066-\u2069]')
"""Characters that Windows forbids, and those that reverse the direction of writing to disguise an ending."""


def safe_name(name: str) -> str:
    """Return the name of an uploaded file as one that can be written in any folder.

    Folders (after either slash), control characters and what file systems forbid are taken away, and it is cut to 120
    characters and 240 bytes of UTF-8, the ending kept. What comes out is never empty and never hidden.
    """
    last = unicodedata.normalize("NFC", re.split(r"[/\\]", name)[-1])
    kept = "".join(c for c in last if unicodedata.category(c) not in ("Cc", "Cs", "Zl", "Zp"))
    plain = UNSAFE_IN_NAMES.sub("_", kept).strip(" .") or "unnamed"
    plain = f"_{plain}" if RESERVED_NAMES.match(plain) else plain
    suffix = PurePosixPath(plain).suffix
    suffix = suffix if len(suffix) <= LONGEST_SUFFIX else ""
    return _cut(plain.removesuffix(suffix), MAX_NAME - len(suffix), MAX_NAME_BYTES - len(suffix.encode())) + suffix


def _cut(stem: str, characters: int, size: int) -> str:
    return stem[:characters].encode()[:size].decode(errors="ignore")
