"""The pictures of the start page: the way from photos to predictions, and the ways to photos.

They are images with colours that can be seen on light and on dark, since Streamlit takes drawings out of HTML.
"""

from base64 import b64encode
from pathlib import Path
from unicodedata import east_asian_width

from core.language import tr
from pages.components.shared.colours import EDGE, FROZEN, LEARNS

PAPER = f"{FROZEN}22"

CUP = '<path d="M4 6h14v9a5 5 0 0 1-5 5H9a5 5 0 0 1-5-5zM18 8h2.5a2.5 2.5 0 0 1 0 7H18"/>'
PEN = '<path d="M4 20l1.2-4.6L15.5 5.1a2 2 0 0 1 2.9 0l.5.5a2 2 0 0 1 0 2.9L8.6 18.8z"/>'

DIGITS = Path(__file__).with_name("digits.png")


def _image(kind: str, content: bytes) -> str:
    return f'<img alt="" src="data:image/{kind};base64,{b64encode(content).decode()}">'


def _drawn(width: int, height: int, parts: str) -> str:
    """An image of parts that are drawn in lines, unless they say otherwise."""
    lines = f'fill="none" stroke="{EDGE}" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return _image("svg+xml", f"{head} {lines}>{parts}</svg>".encode())


def _photo(x: float, y: float, thing: str) -> str:
    """A photo of a thing, 34 wide and 34 high."""
    paper = f'<rect width="34" height="34" rx="4" fill="{PAPER}" stroke="{FROZEN}" stroke-width="1.5"/>'
    return f'<g transform="translate({x} {y})">{paper}<g transform="translate(5.5 4)">{thing}</g></g>'


def _word(x: float, y: float, text: str) -> str:
    return f'<text x="{x}" y="{y}" fill="{EDGE}" stroke="none" font-family="sans-serif" font-size="15">{text}</text>'


def _room(text: str) -> float:
    """How wide a word is at most, in pixels: a Chinese sign is as wide as high, a letter about six tenths of that."""
    return sum(15 if east_asian_width(letter) in "WF" else 9 for letter in text)


def _block(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="3" fill="{colour}" stroke="none"/>'


CORNERS = ((0, 2), (38, 2), (0, 40), (38, 40))

PHOTOS = _drawn(
    164,
    76,
    "".join(_photo(1 + x, y, CUP) for x, y in CORNERS) + "".join(_photo(91 + x, y, PEN) for x, y in CORNERS),
)

TRAIN = _drawn(
    132,
    76,
    "".join(
        _block(10 + 24 * number, 4 + 6 * number, 17, 68 - 12 * number, FROZEN if number < 3 else LEARNS)
        for number in range(5)
    ),
)


def _try() -> str:
    cup, pen = tr("cup"), tr("pen")
    behind = round(51 + max(_room(cup), _room(pen)))
    bars = _block(behind, 24, 52, 12, FROZEN) + _block(behind, 45, 7, 12, FROZEN)
    return _drawn(behind + 54, 76, _photo(1, 21, CUP) + _word(46, 34, cup) + _word(46, 55, pen) + bars)


CAMERA = _drawn(
    168,
    50,
    '<path d="M8 12h8l4-7h14l4 7h8a4 4 0 0 1 4 4v24a4 4 0 0 1-4 4H8a4 4 0 0 1-4-4V16a4 4 0 0 1 4-4z"/>'
    f'<circle cx="27" cy="27" r="9"/>{_photo(84, 8, CUP)}{_photo(130, 8, PEN)}',
)

SAMPLE = _image("png", DIGITS.read_bytes())


def folder() -> str:
    """HTML of a folder with two subfolders."""
    roses, tulips = _word(94, 16, tr("roses")), _word(94, 44, tr("tulips"))
    width = round(96 + max(72, _room(tr("roses")), _room(tr("tulips"))))
    return _drawn(
        width,
        50,
        '<path d="M4 9a3 3 0 0 1 3-3h13l5 6h22a3 3 0 0 1 3 3v27a3 3 0 0 1-3 3H7a3 3 0 0 1-3-3z"/>'
        f'<path d="M66 25h10M76 11v28M76 11h10M76 39h10"/>{roses}{tulips}',
    )


def the_way() -> str:
    """HTML of the three steps, with an arrow from each to the next."""
    steps = (
        (1, tr("Photos"), tr("of two things or more"), PHOTOS),
        (2, tr("Train"), tr("it learns to tell them apart"), TRAIN),
        (3, tr("Try"), tr("show it a new photo"), _try()),
    )
    parts = (
        f'<div role="listitem">{picture}<p><b><span class="uf-number">{number}</span>{name}</b><br>'
        f"<span>{words}</span></p></div>"
        for number, name, words, picture in steps
    )
    return f'<div class="uf-way" role="list">{"".join(parts)}</div>'


def card(picture: str, title: str, words: str) -> str:
    """HTML of a picture with a title and a sentence."""
    return f'<div class="uf-card"><div>{picture}</div><p><b>{title}</b><br>{words}</p></div>'
