"""The templates of this folder, filled in with Jinja2: text is escaped for HTML by itself, for Markdown by a filter."""

from base64 import b64encode
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from core.formatting import duration, percent, photos, whole
from core.markdown import escape
from core.reports.card_facts import day
from core.runs.messages import text_of


def render(template: str, **values: object) -> str:
    """Fill in a template of this folder; in those that end in ".html.jinja" all values but `Markup` are escaped."""
    return _TEMPLATES.get_template(template).render(values)


def _base64(content: bytes) -> str:
    return b64encode(content).decode()


def _number(value: int) -> str:
    return f"{value:,}"


_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=lambda name: bool(name) and str(name).endswith(".html.jinja"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_TEMPLATES.filters |= {
    "base64": _base64,
    "day": day,
    "duration": duration,
    "markdown": escape,
    "number": _number,
    "percent": percent,
    "photos": photos,
    "text_of": text_of,
    "whole": whole,
}
