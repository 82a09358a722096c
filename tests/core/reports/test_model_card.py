from dataclasses import replace

import numpy as np
import pytest

from core.evaluation.metrics import Evaluation
from core.models.backbones import backbone
from core.reports.card_facts import CardFacts, read_card_facts
from core.reports.model_card import as_markdown, card
from tests.conftest import FinishedRun

NAMES = ("ant", "bee", "cow")


def evaluation(confusion: list[list[int]], sure: float = 0.9) -> Evaluation:
    """As many photos as the confusion matrix says, each with this probability on its answer."""
    counts = np.array(confusion)
    labels, answers = (np.repeat(places, counts.ravel()) for places in np.indices(counts.shape).reshape(2, -1))
    told = np.full((len(labels), len(counts)), (1 - sure) / (len(counts) - 1), np.float32)
    told[np.arange(len(labels)), answers] = sure
    names = NAMES[: len(counts)]
    return Evaluation(names, (), labels.astype(np.int32), told)


def facts(confusion: list[list[int]] | None, training: int = 100, sure: float = 0.9) -> CardFacts:
    found = None if confusion is None else evaluation(confusion, sure)
    names = NAMES if found is None else found.class_names
    tested = [0] * len(names) if confusion is None else [sum(row) for row in confusion]
    counts = np.array([(training, 10, count) for count in tested])
    return CardFacts("my model", "zoo", backbone("efficientnet-b0"), False, names, counts, found, "1 May 2026")


def said(known: CardFacts, title: str) -> str:
    return " ".join(next(section for section in card(known) if section.title == title).sentences)


def test_photos_that_nobody_had_labelled_are_named() -> None:
    sentence = "It was also trained on 40 photos that nobody had labelled"
    assert sentence in said(replace(facts(GOOD), unlabelled=40), "What it was trained on")
    assert "nobody had labelled" not in said(facts(GOOD), "What it was trained on")


GOOD = [[98, 2, 0], [1, 99, 0], [0, 0, 100]]


def test_a_good_model_is_praised_with_figures_and_its_mistakes_are_named() -> None:
    known = facts(GOOD, sure=0.98)
    praise = said(known, "What it is good at")
    assert "classified 297 of 300 test photos correctly, 99.0 %" in praise
    assert "between 97 % and 100 %" in praise
    assert "clearly better than always guessing ant, which would be right 33.3 % of the time" in praise
    assert "reliable for cow (recall 100.0 %, precision 100.0 %), bee" in praise
    assert "2 of 100 test photos of ant were mistaken for bee." in said(known, "Where it fails")
    assert "1 of 100 test photos of bee was mistaken for ant." in said(known, "Where it fails")
    trusted = said(known, "How far its percentages can be trusted")
    assert "98 % confident and right 99 % of the time: its percentages can be trusted" in trusted
    assert "right for 297 of 300 test photos" in trusted
    assert "expect 0 to 3 wrong predictions" in said(known, "What not to use it for")


def test_what_it_learned_from_is_said_and_where_its_weights_come_from() -> None:
    known = replace(facts(GOOD), counts=np.array([(300, 10, 100), (40, 10, 100), (100, 10, 100)]))
    learned = said(known, "What it was trained on")
    assert "trained on 440 photos of the dataset “zoo”. 30 more" in learned and "300 were held out" in learned
    assert "most training photos is ant (300), the one with the fewest is bee (40)" in learned
    assert "pretrained on ImageNet" in learned
    origin = said(known, "Where it comes from")
    assert "on 1 May 2026" in origin and "efficientnetb0_notop.h5" in origin and "Apache License 2.0" in origin


def test_random_weights_are_warned_of_and_have_no_origin() -> None:
    known = replace(facts(GOOD), from_nothing=True)
    assert "random weights, not from pretrained ones" in said(known, "What it was trained on")
    assert "pretrained weights" not in said(known, "Where it comes from")
    assert "ImageNet" not in as_markdown(known)


def test_a_bad_model_is_called_one() -> None:
    known = facts([[12, 8, 20], [20, 10, 10], [20, 10, 10]])
    praise = said(known, "What it is good at")
    assert "not clearly better than always guessing ant" in praise and "it has learned little" in praise
    assert "No class with 10 or more test photos has both a recall and a precision of at least 90 %" in praise
    weak = said(known, "Where it fails")
    assert "It misses many photos of bee (recall 25.0 %), cow (recall 25.0 %) and ant (recall 30.0 %)." in weak
    assert "It is often wrong when it predicts ant" in weak
    assert "it is overconfident" in said(known, "How far its percentages can be trusted")


def test_a_biased_model_is_found_out() -> None:
    known = facts([[50, 0, 0], [48, 2, 0], [50, 0, 0]])
    weak = said(known, "Where it fails")
    assert "biased: it predicts ant for 99 % of the test photos, although only 33 % show it" in weak
    assert "It never predicted cow on the test photos." in weak


def test_a_model_that_predicts_what_nearly_all_photos_show_is_not_called_biased() -> None:
    known = facts([[95, 0], [0, 5]])
    assert "biased" not in said(known, "Where it fails")


def test_a_model_with_few_photos_is_doubted() -> None:
    known = facts([[4, 0], [0, 4]], training=9)
    weak = said(known, "Where it fails")
    assert "made no mistakes on its 8 test photos" in weak and "an error rate of up to 32.4 % would still" in weak
    assert "tested on only 8 photos: its true accuracy could be anywhere between 68 % and 100 %" in weak
    assert "few training photos of ant (9) and bee (9)" in weak
    assert "little about classes with few test photos: ant (4) and bee (4)" in weak
    assert "No class with 10 or more" in said(known, "What it is good at"), "four photos are too few to praise"


def test_an_untested_model_is_not_to_be_relied_on() -> None:
    known = facts(None)
    assert "Do not rely on it" in said(known, "Where it fails")
    assert "Unknown" in said(known, "What it is good at")
    assert "has not even been measured" in said(known, "What not to use it for")


def test_names_mean_nothing_in_markdown() -> None:
    bad = "<script>alert('*')</script>"
    known = replace(facts(GOOD), dataset=bad, name=bad)
    text = as_markdown(known)
    assert "<script" not in text.replace("\\<", "") and text.startswith("# Model card: \\<script\\>alert('\\*')")
    assert text.count("\n## ") == 7 and text.count("\n- ") == sum(len(section.sentences) for section in card(known))


def test_facts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit 3 classes"):
        replace(facts(GOOD), counts=np.zeros((2, 3), np.int64))
    with pytest.raises(ValueError, match="the evaluation is of"):
        replace(facts(GOOD), class_names=("a", "b", "c"))


def test_the_facts_of_a_real_run_are_read_from_its_folder(finished_run: FinishedRun) -> None:
    known = read_card_facts(finished_run.run, "blue or red")
    assert known.dataset == "colours" and known.backbone.key == "baseline-cnn" and known.from_nothing
    assert known.class_names == ("blue", "red") and known.counts.sum() == 30
    assert known.evaluation is not None and len(known.evaluation) == known.counts[:, 2].sum()
    assert set(known.versions) == {"TensorFlow", "Keras"} and known.made
    correct = finished_run.run.read_status().test_correct
    assert f"classified {correct} of {len(known.evaluation)} test photos correctly" in as_markdown(known)
