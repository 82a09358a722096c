"""What a report is put together from: tables, lists and photos as HTML. All text that comes in is escaped here."""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape

from core.reports.facts import Photo

MOST_CLASSES = 40
"""So many classes have a row in a table; of more those that matter most."""

SHORT = 14
"""A table of so many rows is not divided between pages."""


def wide(caption: str, rows: int) -> str:
    """What holds a table that may be wider than the window; a short one stays on one page."""
    kind = "wide keep" if rows <= SHORT else "wide"
    return f'<div class="{kind}" role="region" aria-label="{escape(caption)}" tabindex="0">'


def table(
    caption: str, titles: Sequence[str], rows: Iterable[Sequence[str]], foot: Sequence[str] = (), kind: str = "full"
) -> str:
    """A table whose first column names the row."""
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in titles)
    lines = [row(cells) for cells in rows]
    sum_up = f"<tfoot>{row(foot)}</tfoot>" if foot else ""
    return (
        f'{wide(caption, len(lines))}<table class="{kind}"><caption>{escape(caption)}</caption><thead><tr>{head}</tr>'
        f"</thead><tbody>{''.join(lines)}</tbody>{sum_up}</table></div>"
    )


def row(cells: Sequence[str]) -> str:
    """A row of a table whose first cell names it."""
    first, *others = map(escape, cells)
    return f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in others)}</tr>'


def bullets(sentences: Iterable[str]) -> str:
    """Sentences as a list."""
    return f"<ul>{''.join(f'<li>{escape(sentence)}</li>' for sentence in sentences)}</ul>"


def pairs_of(known: Iterable[tuple[str, str]]) -> str:
    """Names with a value each, side by side as far as there is room."""
    listed = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in known)
    return f'<dl class="facts">{listed}</dl>'


def side_by_side(pairs: Sequence[tuple[str, str]], titles: tuple[str, str]) -> str:
    """Two narrow tables of names and values beside each other where there is room."""
    half = -(-len(pairs) // 2)
    head = "".join(f'<th scope="col">{title}</th>' for title in titles)
    tables = (
        f'<table class="choices"><thead><tr>{head}</tr></thead><tbody>{"".join(map(row, part))}</tbody></table>'
        for part in (pairs[:half], pairs[half:])
        if part
    )
    return f'<div class="charts">{"".join(tables)}</div>'


def gallery(shown: Sequence[Photo], *, captions: bool = True, kind: str = "") -> str:
    """Small photos, each with what is said of it unless that stands elsewhere."""
    return f'<ul class="photos{kind}">{"".join(f"<li>{_photo(each, captions)}</li>" for each in shown)}</ul>'


def _photo(photo: Photo, caption: bool) -> str:
    words = f"<figcaption>{escape(photo.words)}</figcaption>" if caption else ""
    if not photo.jpeg:
        return f'<figure><div class="gone">{escape(photo.path)} can no longer be read</div>{words}</figure>'
    data = b64encode(photo.jpeg).decode()
    alt = escape(f"{photo.path}: {photo.words}")
    return f'<figure><img src="data:image/jpeg;base64,{data}" alt="{alt}">{words}</figure>'
