"""A report of a run as one HTML file, to be read on a screen, printed and handed in.

It holds everything: pictures are drawn as SVG, photos lie inside as small JPEG files. There is no script in it, it asks
for nothing from anywhere, and it tells browsers to refuse both. Names of classes and files may be anything; all text
goes through `escape`. What can be typed into it are a name, a date and what somebody noticed.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from core.evaluation.metrics import Evaluation, accuracy_interval
from core.formatting import duration, percent, photos, whole
from core.reports.blocks import MOST_CLASSES, bullets, gallery, pairs_of, table
from core.reports.card_facts import day
from core.reports.facts import ReportFacts
from core.reports.model_card import as_html
from core.reports.result_sections import calibration, mistakes, right_and_wrong
from core.reports.training_sections import learning, recipe

STYLE = Path(__file__).with_name("report_style.css")

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What a browser lets the file do: show what is inside it."""

FEW_EXAMPLES = 3
"""Fewer photos of each class do not make a row."""

QUESTIONS = (
    "What surprised me",
    "Which mistakes I understand, and which I do not",
    "What I would change to make it better, and why",
)


@dataclass(frozen=True)
class Report:
    """A report.

    Attributes:
        html: The whole file.
        sections: How many there are.
        photos: How many photos it shows.
        gone: How many could not be read, and are named instead.
    """

    html: str
    sections: int
    photos: int
    gone: int


def report_of(facts: ReportFacts) -> Report:
    """Write the report."""
    parts = [(title, anchor, html) for title, anchor, html in _sections(facts) if html]
    wanted = [photo for shown in (*facts.examples.values(), facts.mistakes, facts.suspects) for photo in shown]
    there = sum(bool(photo.jpeg) for photo in wanted)
    return Report(_page(facts, parts), len(parts), there, len(wanted) - there)


def _page(facts: ReportFacts, parts: Sequence[tuple[str, str, str]]) -> str:
    body = _glance(facts) + "".join(
        f'<section aria-labelledby="{anchor}"><h2 id="{anchor}"{_break(anchor)}>{title}</h2>{html}</section>'
        for title, anchor, html in parts
    )
    body = body.replace(" %", "\u00a0%")
    contents = "".join(f'<li><a href="#{anchor}">{title}</a></li>' for title, anchor, _ in parts)
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Report: {escape(facts.card.name)}</title><style>{STYLE.read_text('utf-8')}</style></head><body>"
        f'{_header(facts)}<nav aria-label="Contents"><ul>{contents}</ul></nav><main>{body}</main>'
        f"<footer>{escape(_footer(facts))}</footer></body></html>"
    )


def _break(anchor: str) -> str:
    return ' class="new-page"' if anchor == "noticed" else ""


def _sections(facts: ReportFacts) -> Iterator[tuple[str, str, str]]:
    """Title, name of the place, and what stands there; nothing stands where there is nothing to say."""
    yield "Model card", "card", f'<div class="card">{as_html(facts.card)}</div>'
    yield "The data", "data", _data(facts)
    yield "How it was trained", "recipe", recipe(facts)
    yield "How it learned", "learning", learning(facts)
    yield "What it gets right and wrong", "results", right_and_wrong(facts)
    yield "Its mistakes as photos", "mistakes", mistakes(facts)
    yield "Can it be taken at its word?", "calibration", calibration(facts)
    yield "Are the labels right?", "labels", _labels(facts)
    yield "What I noticed", "noticed", _noticed()
    yield "Photos that were left out", "left-out", _left_out(facts)
    yield "Versions and hardware", "environment", _environment(facts)


def _header(facts: ReportFacts) -> str:
    ended = f" on {day(facts.status.ended)}" if facts.status.ended else ""
    lines = "".join(
        f'<div><b id="{key}">{title}:</b><span class="blank" contenteditable="true" role="textbox"'
        f' aria-labelledby="{key}"></span></div>'
        for key, title in (("who", "Name"), ("class", "Class"), ("when", "Date"))
    )
    return (
        f'<header><h1>{escape(facts.card.name)}</h1><p class="soft">Report of a training with Unfreeze{ended}</p>'
        f'<div class="hand">{lines}</div><p class="soft screen">Click on a line to type; then print, or save as PDF.'
        f"</p></header>{_random(facts)}"
    )


def _random(facts: ReportFacts) -> str:
    if not facts.card.from_nothing:
        return ""
    return (
        '<p class="warning"><b>This model started from random weights</b>, not from pretrained ones: expect much worse'
        " results.</p>"
    )


def _glance(facts: ReportFacts) -> str:
    card, status = facts.card, facts.status
    known = [
        ("Dataset", card.dataset),
        ("Classes", f"{len(card.class_names):,}"),
        ("Photos", f"{int(card.counts.sum()):,}"),
        ("Network", card.backbone.name),
        ("Epochs", f"{status.epoch} of {status.epochs}"),
        ("Time", duration(status.seconds(status.ended or 0.0))),
    ]
    return f"{_grade(card.found)}{pairs_of(known)}"


def _grade(found: Evaluation | None) -> str:
    if found is None:
        return "<p><b>This model has not been tested.</b> Its accuracy is not known.</p>"
    correct, count = int(found.right.sum()), len(found)
    low, high = accuracy_interval(correct, count)
    return (
        f'<div class="glance"><p class="grade">{escape(percent(correct / count))}'
        f"<small>accuracy on the test photos</small></p><p><b>{correct:,} of {count:,}</b> photos that it had never"
        f" seen were named correctly. With other photos from the same source, expect between {whole(low)}"
        f" and {whole(high)} (95 % interval).</p></div>"
    )


def _data(facts: ReportFacts) -> str:
    card = facts.card
    rows = [[name, *(f"{n:,}" for n in (*counts, counts.sum()))] for name, counts in _counted(facts)]
    total = ["all classes", *(f"{n:,}" for n in (*card.counts.sum(0), card.counts.sum()))]
    many = len(card.class_names) > MOST_CLASSES
    caption = "Photos of each class" + (f"; the {MOST_CLASSES} classes with the most photos" if many else "")
    return (
        "<p>Training photos are those it learns from. Validation photos decide which state of the network is kept. Test"
        " photos are put aside until the end, to grade it.</p>"
        f"{table(caption, ('class', 'training', 'validation', 'test', 'all'), rows, total)}"
        f'<p class="soft">Some training photos of each class, cut as the network sees them.</p>{_examples(facts)}'
    )


def _examples(facts: ReportFacts) -> str:
    """A row of photos for each class; where there are many classes, all in one, each with its class below it."""
    found = {name: shown for name, shown in facts.examples.items() if shown}
    if max(map(len, found.values()), default=0) < FEW_EXAMPLES:
        return gallery([photo for shown in found.values() for photo in shown])
    return "".join(
        f'<div class="keep"><h3>{escape(name)}</h3>{gallery(shown, captions=False, kind=" row")}</div>'
        for name, shown in found.items()
    )


def _counted(facts: ReportFacts) -> list[tuple[str, Any]]:
    order = range(len(facts.card.class_names))
    if len(order) > MOST_CLASSES:
        order_by_size = np.argsort(-facts.card.counts.sum(1), kind="stable")[:MOST_CLASSES]
        return [(facts.card.class_names[i], facts.card.counts[i]) for i in order_by_size]
    return [(facts.card.class_names[i], facts.card.counts[i]) for i in order]


def _labels(facts: ReportFacts) -> str:
    context = facts.context
    if context.suspects is None and not context.decisions:
        return ""
    decided = bullets(context.decisions) if context.decisions else ""
    if context.suspects is None:
        return decided
    count = len(context.suspects)
    if not count:
        return f"<p>The labels were checked, and none looks wrong.</p>{decided}"
    some = f" The {len(facts.suspects)} most suspect ones:" if count > len(facts.suspects) else ""
    return (
        f"<p>The labels were checked with a model that has not learned from the photo judged: {photos(count)}"
        f" {'has a label that is' if count == 1 else 'have labels that are'} probably wrong.{some}</p>"
        f"{gallery(facts.suspects)}{decided}"
    )


def _left_out(facts: ReportFacts) -> str:
    caption = "Photos that could not be read while it was trained"
    return table(caption, ("photo", "why"), facts.left_out, kind="full listed") if facts.left_out else ""


def _environment(facts: ReportFacts) -> str:
    pairs = [(name, _plain(value)) for name, value in facts.environment.items()]
    return pairs_of(pairs) if pairs else ""


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return value if isinstance(value, str) else json.dumps(value)


def _noticed() -> str:
    boxes = "".join(
        f'<div class="keep"><h3 id="q{n}">{question}</h3><div class="page" contenteditable="true" role="textbox"'
        f' aria-multiline="true" aria-labelledby="q{n}"></div></div>'
        for n, question in enumerate(QUESTIONS, 1)
    )
    return f'<p class="soft screen">Click on the lines to type, or print and write by hand.</p>{boxes}'


def _footer(facts: ReportFacts) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in facts.card.versions.items())
    return f"Made by Unfreeze from what the run wrote down{f'; trained with {versions}' if versions else ''}."
