"""The sections of a report on what a model gets right and wrong, and on whether it can be taken at its word."""

from html import escape

import numpy as np

from core.evaluation.calibration import reliability, trust, with_temperature
from core.evaluation.metrics import Evaluation, accuracy_interval, class_scores, most_confused, most_mistaken
from core.formatting import percent, photos, whole
from core.reports import charts as drawings
from core.reports.blocks import MOST_CLASSES, bullets, gallery, wide
from core.reports.facts import ReportFacts
from core.reports.model_card import confused_words

MOST_CELLS, MOST_NAMED_COLUMNS = 12, 6
"""So many classes have a row and column in the confusion matrix; above the second number columns have numbers."""

PAIRS = 5


def right_and_wrong(facts: ReportFacts) -> str:
    """How well each class is recognised, and what is taken for what."""
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
        f" that do show it.</p><h3>What is taken for what</h3>{_matrix(found)}{bullets(sentences)}"
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
        f'{wide(caption, len(rows))}<table class="full"><caption>{caption}</caption><thead><tr>{heads}</tr></thead>'
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
        f"{wide('Confusion matrix', len(rows))}"
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


def mistakes(facts: ReportFacts) -> str:
    """Test photos that it was wrong about."""
    found = facts.card.found
    if found is None or found.right.all():
        return ""
    wrong = int((~found.right).sum())
    if not facts.mistakes:
        return "<p>It is lost which photos the test photos of this run were, so that they cannot be shown.</p>"
    some = f"the {len(facts.mistakes)} of {photos(wrong)}" if wrong > len(facts.mistakes) else f"all {photos(wrong)}"
    return (
        f"<p>These are {some} that it was wrong about, the ones that it was most sure of first. Is it the model that is"
        f" wrong, or the label?</p>{gallery(facts.mistakes)}"
    )


def calibration(facts: ReportFacts) -> str:
    """Whether it is right as often as it says."""
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
