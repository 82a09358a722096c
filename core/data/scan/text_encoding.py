"""In which alphabet a text file was written, when it does not say so."""

import codecs
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from charset_normalizer import from_bytes

from core.language import tr, tr_mark

SAMPLE_BYTES = 200_000

WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Encoding:
    """A row of the table of encodings that are tried where a text is not in Unicode.

    Attributes:
        key: Its name in Python.
        title: Its name on the screen, in English; it goes through `tr` where it is shown.
        likely: How much a word of its letters, at least one of them not ASCII, looks like one of a person, 0 to 1.
    """

    key: str
    title: str
    likely: Callable[[str], float]


def _frequent(key: str, *ranges: tuple[int, int]) -> Callable[[str], float]:
    """Return the share of letters in the rows of a character set that hold the frequent ones, by their first byte."""

    def likely(word: str) -> float:
        foreign = [sign.encode(key, errors="replace") for sign in word if not sign.isascii()]
        known = [len(code) == 2 and any(low <= code[0] <= high for low, high in ranges) for code in foreign]
        return sum(known) / len(known)

    return likely


def _cyrillic(word: str) -> float:
    """A word of Cyrillic letters, in lower case but for the first one, or all in upper case."""
    whole = all("а" <= sign.lower() <= "я" or sign.lower() in "ёіїєґў" for sign in word)
    return 0.95 * (whole and len(word) > 1 and (word[1:].islower() or word.isupper()))


def _western(word: str) -> float:
    """Single accented letters among others."""
    foreign = [sign for sign in word if not sign.isascii()]
    usual = all(sign.lower() in "àâäáãåæçèéêëìíîïñòóôöõøœùúûüýÿßšž" for sign in foreign)
    return 0.9 * (usual and len(foreign) <= max(1, len(word) / 2))


ENCODINGS = (
    Encoding("gb18030", tr_mark("Chinese, simplified (GBK)"), _frequent("gb18030", (0xB0, 0xD7))),
    Encoding("big5", tr_mark("Chinese, traditional (Big5)"), _frequent("big5", (0xA4, 0xC6))),
    Encoding("cp932", tr_mark("Japanese (Shift-JIS)"), _frequent("cp932", (0x82, 0x83), (0x88, 0x97))),
    Encoding("cp949", tr_mark("Korean (EUC-KR)"), _frequent("cp949", (0xB0, 0xC8))),
    Encoding("cp1251", tr_mark("Cyrillic (Windows-1251)"), _cyrillic),
    Encoding("cp1252", tr_mark("Western (Windows-1252)"), _western),
    Encoding("cp1250", tr_mark("Central European (Windows-1250)"), lambda word: 0.5 * _western(word)),
)

NO_LETTERS = ("Cc", "Co", "Cn")
"""Categories of Unicode that no text for people holds: control characters, private use, not assigned."""

DOUBLE_BYTE = ("gb18030", "big5", "cp932", "cp949")

RARE_LETTERS = frozenset(map(chr, range(0x180, 0x300))) - set("ơưƠƯșțȘȚǎǐǒǔǚǘǜǖ")
"""Letters of two bytes in UTF-8 that hardly any language uses."""

TITLES = {
    "utf-8": tr_mark("Unicode (UTF-8)"),
    "utf-16": tr_mark("Unicode (UTF-16)"),
    **{row.key: row.title for row in ENCODINGS},
}
"""What encodings are called on the screen, by their name in Python; these go through `title_of`."""


def title_of(encoding: str) -> str:
    """What an encoding is called on the screen; one without a title by its name in Python."""
    return tr(TITLES[encoding]) if encoding in TITLES else encoding


def decoded(content: bytes, encoding: str = "") -> tuple[str, str]:
    """Return a text, and the encoding that it is in: the one that is given, Unicode, or the most likely other one."""
    if encoding:
        return content.decode(encoding, errors="replace").removeprefix("\ufeff"), encoding
    if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return content.decode("utf-16", errors="replace"), "utf-16"
    sample = content[:SAMPLE_BYTES].rpartition(b"\n")[0] or content
    try:
        text = content.decode("utf-8-sig")
        return (text, "utf-8") if _is_plausible(text) else _least_strange(content, sample, text)
    except UnicodeDecodeError:
        found = _most_likely(sample) or "cp1252"
        return content.decode(found, errors="replace"), found


def _is_plausible(text: str) -> bool:
    """Tell whether a text in UTF-8 is one: two bytes of another encoding can be a rare letter in it by chance."""
    return text.isascii() or max(text) >= "\u0800" or not set(text) & RARE_LETTERS


def _least_strange(content: bytes, sample: bytes, text: str) -> tuple[str, str]:
    found = _most_likely(sample)
    try:
        return (content.decode(found), found) if found in DOUBLE_BYTE else (text, "utf-8")
    except UnicodeDecodeError:
        return text, "utf-8"


def _most_likely(sample: bytes) -> str:
    """Return the encoding whose words look most like those of a person; empty where none does."""
    scores = {row.key: _score(sample, row) for row in ENCODINGS}
    best = max(scores.values())
    if best <= 0:
        return ""
    tied = [key for key, score in scores.items() if score > best - 0.02]
    if len(tied) > 1 and _has_long_words(sample, tied[0]):
        found = from_bytes(sample, cp_isolation=tied).best()
        tied = [key for key in tied if found is not None and key == found.encoding] or tied
    return tied[0]


def _words(sample: bytes, encoding: str) -> list[str]:
    return [word for word in set(WORD.findall(sample.decode(encoding))) if not word.isascii()]


def _score(sample: bytes, row: Encoding) -> float:
    try:
        words = _words(sample, row.key)
    except UnicodeDecodeError:
        return 0.0
    if any(unicodedata.category(sign) in NO_LETTERS for sign in set(sample.decode(row.key)) - set("\t\r\n")):
        return 0.0
    return sum(map(row.likely, words)) / len(words) if words else 0.0


def _has_long_words(sample: bytes, encoding: str) -> bool:
    """Tell whether there is enough of a language to judge it by which letters follow each other."""
    return any(len(word) > 1 for word in _words(sample, encoding))
