"""A report of a run as one HTML file, to be read on a screen, printed and handed in.

It holds everything: pictures are drawn as SVG, photos lie inside as small JPEG files. There is no script in it, it asks
for nothing from anywhere, and it tells browsers to refuse both. Names of classes and files may be anything; all text
goes through `escape`. What can be typed into it are a name, a date and what somebody noticed.
"""

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from core.results import report_drawings as drawings
from core.results.calibration import reliability, with_temperature
from core.results.card_facts import day
from core.results.evaluation import Evaluation, accuracy_interval, class_scores, most_confused, most_mistaken
from core.results.model_card import as_html, confused_words
from core.results.report_facts import Photo, ReportFacts
from core.results.timeline import Timeline
from core.results.wording import duration, percent, photos, trust, whole

STYLE = Path(__file__).with_name("report_style.css")

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What a browser lets the file do: show what is inside it."""

MOST_CLASSES = 40
"""So many classes have a row in a table; of more the ones that are hardest for the model."""

MOST_CELLS, MOST_NAMED_COLUMNS = 12, 6
"""So many classes have a row and column in the confusion matrix; above the second number columns have numbers."""

OFF = ("0", "no", "none", "–")
"""Values of choices that are not made use of."""

SHORT = 14
"""A table of so many rows is not divided between pages."""

PAIRS = 5
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
    yield "How it was trained", "recipe", _recipe(facts)
    yield "How it learned", "learning", _learning(facts)
    yield "What it gets right and wrong", "results", _results(facts)
    yield "Its mistakes as photos", "mistakes", _mistakes(facts)
    yield "Can it be taken at its word?", "calibration", _calibration(facts)
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
    return f"{_grade(card.found)}{_pairs(known)}"


def _pairs(known: Iterable[tuple[str, str]]) -> str:
    """Names with a value each, side by side as far as there is room."""
    listed = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in known)
    return f'<dl class="facts">{listed}</dl>'


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
        f"{_table(caption, ('class', 'training', 'validation', 'test', 'all'), rows, total)}"
        f'<p class="soft">Some training photos of each class, cut as the network sees them.</p>{_examples(facts)}'
    )


def _examples(facts: ReportFacts) -> str:
    """A row of photos for each class; where there are many classes, all in one, each with its class below it."""
    found = {name: shown for name, shown in facts.examples.items() if shown}
    if max(map(len, found.values()), default=0) < FEW_EXAMPLES:
        return _gallery([photo for shown in found.values() for photo in shown])
    return "".join(
        f'<div class="keep"><h3>{escape(name)}</h3>{_gallery(shown, captions=False, kind=" row")}</div>'
        for name, shown in found.items()
    )


def _counted(facts: ReportFacts) -> list[tuple[str, Any]]:
    order = range(len(facts.card.class_names))
    if len(order) > MOST_CLASSES:
        order_by_size = np.argsort(-facts.card.counts.sum(1), kind="stable")[:MOST_CLASSES]
        return [(facts.card.class_names[i], facts.card.counts[i]) for i in order_by_size]
    return [(facts.card.class_names[i], facts.card.counts[i]) for i in order]


def _recipe(facts: ReportFacts) -> str:
    steps = [
        [s.words, f"{s.epochs}", s.learns, np.format_float_positional(s.learning_rate, trim="-")]
        for s in facts.told.steps
    ]
    table = _table(
        "The phases of the training", ("phase", "epochs planned", "what learns", "learning rate at most"), steps
    )
    way = f"<p>{escape(facts.status.way)}</p>" if facts.status.way else ""
    return (
        "<p>In an epoch the network sees every training photo once. It names the photo, compares that with the label,"
        f" and changes its weights a little so that it comes closer.</p>{table}{way}<h3>Choices</h3>"
        f'{_side_by_side(facts.told.recipe, ("choice", "value"))}<p class="soft">{escape(_usual(facts))}</p>'
    )


def _usual(facts: ReportFacts) -> str:
    """The choices that were left as they are, and what is switched off."""
    known = facts.told.usual
    kept = [f"{title} {value}" for title, value in known if value not in OFF]
    unused = [title for title, value in known if value in OFF]
    sentences = (
        f"{words}: {', '.join(names)}." for words, names in (("As usual", kept), ("Not used", unused)) if names
    )
    return " ".join(sentences)


def _side_by_side(pairs: Sequence[tuple[str, str]], titles: tuple[str, str]) -> str:
    """Two narrow tables of names and values beside each other where there is room."""
    half = -(-len(pairs) // 2)
    head = "".join(f'<th scope="col">{title}</th>' for title in titles)
    tables = (
        f'<table class="choices"><thead><tr>{head}</tr></thead><tbody>{"".join(map(_row, part))}</tbody></table>'
        for part in (pairs[:half], pairs[half:])
        if part
    )
    return f'<div class="charts">{"".join(tables)}</div>'


def _learning(facts: ReportFacts) -> str:
    rows = facts.metrics
    if not any("loss" in row for row in rows):
        return "<p>It ended before anything was measured.</p>"
    key = (
        '<p class="key"><span><svg viewBox="0 0 32 12" class="chart" aria-hidden="true"><g class="training"><polyline'
        ' points="0,6 32,6"/></g></svg>training: on changed photos while it learns, smoothed</span> <span><svg'
        ' viewBox="0 0 32 12" class="chart" aria-hidden="true"><g class="validation"><polyline points="0,6 32,6"/>'
        '<circle cx="16" cy="6" r="4"/></g></svg>validation: on photos kept apart</span></p>'
    )
    return (
        f'<div class="charts">{_curve(facts, "accuracy")}{_curve(facts, "loss")}</div>{key}'
        "<p>Loss measures how wrong the answers are, and how sure of it; lower is better. Where training goes on"
        " getting better and validation does not, the network begins to learn its training photos by heart.</p>"
        f"<p>{escape(_kept(facts))}</p>{''.join(f'<p>{escape(each)}</p>' for each in _history(facts.timeline))}"
    )


def _curve(facts: ReportFacts, measure: str) -> str:
    rows, validated = facts.metrics, f"val_{measure}"
    training = drawings.thinned([(row["position"], row[measure]) for row in rows if measure in row])
    validation = drawings.thinned([(row["position"], row[validated]) for row in rows if validated in row])
    values = [value for _, value in (*training, *validation)]
    up = drawings.percents(min(values)) if measure == "accuracy" else drawings.losses(max(values))
    across = drawings.Axis(0.0, max(1, facts.status.epochs), "epoch", drawings.whole_numbers)
    lines = (drawings.Line("training", training), drawings.Line("validation", validation))
    picture = drawings.curves(lines, across, up, _rules(facts), _curve_alt(measure, validation))
    return f"<figure><p>{measure.capitalize()}</p>{picture}</figure>"


def _rules(facts: ReportFacts) -> list[tuple[float, str]]:
    """The epochs at which fine-tuning began and from which the model was kept."""
    begun = [row["epoch"] - 1 for row in facts.metrics if row["phase"] == "fine-tune" and row["epoch"] > 1][:1]
    best = facts.status.best_epoch
    return [*((each, "fine-tuning") for each in begun), *([(best, "kept")] if best is not None else [])]


def _curve_alt(measure: str, validation: Sequence[tuple[float, float]]) -> str:
    lead = f"{measure.capitalize()} over epochs, training and validation."
    if not validation:
        return lead
    say = percent if measure == "accuracy" else "{:.3g}".format
    return f"{lead} Validation goes from {say(validation[0][1])} to {say(validation[-1][1])}."


def _kept(facts: ReportFacts) -> str:
    status = facts.status
    if status.best_epoch is None or status.best_val_accuracy is None:
        return "It was stopped before its first validation, so the model is what it was at that moment."
    return (
        f"The model kept is that of epoch {status.best_epoch} of {status.epochs}, the one with the lowest validation"
        f" loss (validation accuracy {percent(status.best_val_accuracy)})."
    )


def _history(found: Timeline | None) -> Iterator[str]:
    """When validation photos were learned, in a sentence."""
    if found is None or not len(found.epochs) or not found.paths:
        return
    learned, count = found.learned_at(), len(found.paths)
    first, never = int((learned == 0).sum()), int((learned == len(found.epochs)).sum())
    forgotten = int((found.forgotten() > 0).sum())
    yield (
        f"Of {photos(count, 'validation')}, it named {first:,} rightly from the first validation to the last,"
        f" learned {count - first - never:,} later, and was wrong about {never:,} at the end. At some time it forgot"
        f" {forgotten:,} that it had named rightly before."
    )


def _results(facts: ReportFacts) -> str:
    found = facts.card.found
    if found is None:
        return ""
    pairs = most_confused(found.confusion, PAIRS)
    sentences = [confused_words(pair, found.class_names) for pair in pairs] or [
        "It made no mistake on its test photos."
    ]
    return (
        f"<h3>Class by class</h3>{_per_class(found)}"
        '<p class="soft">Recognised (recall): of the photos that show this class, the share that it names so; the line'
        " in the bar is its 95 % interval. Right when it says so (precision): of the photos that it names so, the share"
        f" that do show it.</p><h3>What is taken for what</h3>{_matrix(found)}{_list(sentences)}"
    )


def _per_class(found: Evaluation) -> str:
    scores = class_scores(found.confusion)
    shown = np.arange(len(found.class_names))
    if many := len(shown) > MOST_CLASSES:
        shown = np.sort(np.argsort(scores.f1, kind="stable")[:MOST_CLASSES])
    rows = []
    for i in shown.tolist():
        hits, support = int(found.confusion[i, i]), int(scores.support[i])
        bar = drawings.interval(hits / support, *accuracy_interval(hits, support)) if support else ""
        right = percent(float(scores.precision[i])) if scores.predicted[i] else "–"
        cells = (f"{support:,}", percent(hits / support) if support else "–")
        rows.append(
            f'<tr><th scope="row">{escape(found.class_names[i])}</th>{"".join(f"<td>{escape(c)}</td>" for c in cells)}'
            f'<td class="bar hide-narrow">{bar}</td><td>{escape(right)}</td></tr>'
        )
    heads = "".join(f'<th scope="col">{title}</th>' for title in ("class", "test photos", "recognised"))
    heads += '<th scope="col" class="hide-narrow"><span aria-hidden="true">0 to 100 %</span></th>'
    heads += '<th scope="col">right when it says so</th>'
    caption = "How well each class is recognised" + (f"; the {MOST_CLASSES} hardest ones" if many else "")
    return (
        f'{_wide(caption, len(rows))}<table class="full"><caption>{caption}</caption><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _matrix(found: Evaluation) -> str:
    shown = most_mistaken(found.confusion, MOST_CELLS).tolist()
    numbered = len(shown) > MOST_NAMED_COLUMNS
    names = [found.class_names[i] for i in shown]
    head = "".join(f'<th scope="col">{_column(n, name, numbered)}</th>' for n, name in enumerate(names, 1))
    rows = []
    for number, (i, name) in enumerate(zip(shown, names, strict=True), 1):
        support = max(1, int(found.confusion[i].sum()))
        cells = "".join(_cell(int(found.confusion[i, j]), support, i == j) for j in shown)
        rows.append(f'<tr><th scope="row">{f"{number} " if numbered else ""}{escape(name)}</th>{cells}</tr>')
    some = "" if len(shown) == len(found.class_names) else f": the {len(shown)} classes with the most mistakes"
    return (
        '<p class="soft">A row for each class of photos, a column for what they are taken for. Framed in blue is right,'
        f" orange is wrong; the fuller the colour, the larger the share of the row.</p>"
        f"{_wide('Confusion matrix', len(rows))}"
        f'<table class="matrix"><caption>Confusion matrix{some}</caption><thead><tr><th scope="col">photos of ↓'
        f" taken for →</th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _column(number: int, name: str, numbered: bool) -> str:
    """What stands above a column: the class, or its number, which is read out as the class."""
    if not numbered:
        return escape(name)
    return f'<span aria-hidden="true">{number}</span><span class="read-out">{escape(name)}</span>'


def _cell(count: int, support: int, right: bool) -> str:
    kind = "right" if right else "wrong" if count else "none"
    return f'<td class="{kind}" style="--share:{0.75 * (count / support) ** 0.5:.2f}">{count:,}</td>'


def _mistakes(facts: ReportFacts) -> str:
    found = facts.card.found
    if found is None or found.right.all():
        return ""
    wrong = int((~found.right).sum())
    if not facts.mistakes:
        return "<p>It is lost which photos the test photos of this run were, so that they cannot be shown.</p>"
    some = f"the {len(facts.mistakes)} of {photos(wrong)}" if wrong > len(facts.mistakes) else f"all {photos(wrong)}"
    return (
        f"<p>These are {some} that it was wrong about, the ones that it was most sure of first. Is it the model that is"
        f" wrong, or the label?</p>{_gallery(facts.mistakes)}"
    )


def _calibration(facts: ReportFacts) -> str:
    found = facts.card.found
    if found is None:
        return ""
    before = reliability(found.probabilities, found.labels)
    alt = "How often it is right over how sure it is: " + "; ".join(
        f"{whole(float(sure))} sure, right in {whole(float(right))} of {photos(int(count))}"
        for sure, right, count in zip(before.confidence, before.accuracy, before.counts, strict=True)
    )
    error = f"The mean distance between the two (expected calibration error) is {percent(before.error)}."
    return (
        f'<div class="charts"><div><p>{trust(before)} {error}</p>{_after_scaling(facts, found, before.error)}<p>Where a'
        " bar ends on the dashed line, it is right as often as it says; below, it is too sure, above, not sure enough."
        " The numbers say how many photos a bar is made of; few say little.</p></div>"
        f"<figure><p>How often it is right</p>{drawings.reliability(before, alt)}</figure></div>"
    )


def _after_scaling(facts: ReportFacts, found: Evaluation, before: float) -> str:
    """What a temperature that fits the validation photos would do to the error on the test photos."""
    if facts.temperature is None:
        return ""
    after = reliability(with_temperature(found.probabilities, facts.temperature), found.labels).error
    verdict = "" if after < before else ", which is no better"
    return (
        f"<p>With a temperature of {facts.temperature:.2f}, which fits the validation photos best, the error is"
        f" {percent(after)}{verdict}. A temperature makes it more careful (above 1) or bolder (below 1), and changes"
        " none of its answers.</p>"
    )


def _labels(facts: ReportFacts) -> str:
    told = facts.told
    if told.suspects is None and not told.decisions:
        return ""
    decided = _list(told.decisions) if told.decisions else ""
    if told.suspects is None:
        return decided
    count = len(told.suspects)
    if not count:
        return f"<p>The labels were checked, and none looks wrong.</p>{decided}"
    some = f" The {len(facts.suspects)} most suspect ones:" if count > len(facts.suspects) else ""
    return (
        f"<p>The labels were checked with a model that has not learned from the photo judged: {photos(count)}"
        f" {'has a label that is' if count == 1 else 'have labels that are'} probably wrong.{some}</p>"
        f"{_gallery(facts.suspects)}{decided}"
    )


def _left_out(facts: ReportFacts) -> str:
    caption = "Photos that could not be read while it was trained"
    return _table(caption, ("photo", "why"), facts.left_out, kind="full listed") if facts.left_out else ""


def _environment(facts: ReportFacts) -> str:
    pairs = [(name, _plain(value)) for name, value in facts.environment.items()]
    return _pairs(pairs) if pairs else ""


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


def _wide(caption: str, rows: int) -> str:
    """What holds a table that may be wider than the window; a short one stays on one page."""
    kind = "wide keep" if rows <= SHORT else "wide"
    return f'<div class="{kind}" role="region" aria-label="{escape(caption)}" tabindex="0">'


def _table(
    caption: str, titles: Sequence[str], rows: Iterable[Sequence[str]], foot: Sequence[str] = (), kind: str = "full"
) -> str:
    """A table whose first column names the row."""
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in titles)
    lines = [_row(row) for row in rows]
    sum_up = f"<tfoot>{_row(foot)}</tfoot>" if foot else ""
    return (
        f'{_wide(caption, len(lines))}<table class="{kind}"><caption>{escape(caption)}</caption><thead><tr>{head}</tr>'
        f"</thead><tbody>{''.join(lines)}</tbody>{sum_up}</table></div>"
    )


def _row(cells: Sequence[str]) -> str:
    first, *others = map(escape, cells)
    return f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in others)}</tr>'


def _list(sentences: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(sentence)}</li>' for sentence in sentences)}</ul>"


def _gallery(shown: Sequence[Photo], *, captions: bool = True, kind: str = "") -> str:
    return f'<ul class="photos{kind}">{"".join(f"<li>{_photo(each, captions)}</li>" for each in shown)}</ul>'


def _photo(photo: Photo, caption: bool) -> str:
    words = f"<figcaption>{escape(photo.words)}</figcaption>" if caption else ""
    if not photo.jpeg:
        return f'<figure><div class="gone">{escape(photo.path)} can no longer be read</div>{words}</figure>'
    data = b64encode(photo.jpeg).decode()
    alt = escape(f"{photo.path}: {photo.words}")
    return f'<figure><img src="data:image/jpeg;base64,{data}" alt="{alt}">{words}</figure>'
