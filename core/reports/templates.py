"""The templates of this folder, filled in with Jinja2: text is escaped for HTML by itself, for Markdown by a filter."""

from base64 import b64encode
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from markupsafe import escape as escape_html

from core.formatting import duration, percent, photos, whole
from core.language import language, number, sentences, tr, tr_plural
from core.markdown import escape
from core.reports.card_facts import day
from core.runs.messages import text_of


def render(template: str, **values: object) -> str:
    """Fill in a template of this folder; in those that end in ".html.jinja" all values but `Markup` are escaped."""
    return _TEMPLATES.get_template(template).render(values)


def _base64(content: bytes) -> str:
    return b64encode(content).decode()


def _bold(text: str, part: str) -> Markup:
    """A text with a part of it in bold letters."""
    before, found, after = text.partition(part)
    return Markup("{}<b>{}</b>{}").format(before, found, after) if found else escape_html(text)


_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=lambda name: bool(name) and str(name).endswith(".html.jinja"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_TEMPLATES.globals |= {
    "language": language,
    "sentences": sentences,
    "tr": tr,
    "tr_plural": tr_plural,
}
_TEMPLATES.filters |= {
    "base64": _base64,
    "day": day,
    "duration": duration,
    "markdown": escape,
    "bold": _bold,
    "number": number,
    "percent": percent,
    "photos": photos,
    "text_of": text_of,
    "whole": whole,
}
