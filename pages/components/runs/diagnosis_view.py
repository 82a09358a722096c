"""What stands out about how a run learned: one sentence, what to do about it, and why test and validation differ."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import streamlit as st

from core.evaluation import diagnosis
from core.evaluation.diagnosis import Finding, History
from core.formatting import photos, unbroken, whole
from core.language import number, sentences, tr, tr_mark, tr_plural
from core.models.backbones import backbone
from core.recipe.recipe import RANGES, Recipe
from core.runs.store import Run, Status
from core.training.launch import extend
from pages.components.cached import runs, services
from pages.components.compare import comparison_view
from pages.components.shared import state
from pages.components.shared.report_errors import reporting

AUGMENTATIONS, COLLECT, LABELS, TRAIN = (
    "pages/prepare/augmentations.py",
    "pages/prepare/collect.py",
    "pages/use/label_check.py",
    "pages/train/train.py",
)

WITH_MORE_PHOTOS = (diagnosis.MEMORISED, diagnosis.APART, diagnosis.NO_GAIN)
"""Findings whose sentence says that more training photos help."""

SLOWER = 3
"""By what a learning rate is divided that makes the loss jump."""


def sentence(found: Sequence[Finding]) -> str:
    """The most important finding as a sentence, with what follows from it."""
    first = found[0]
    if first.key == diagnosis.MEMORISED and any(each.key == diagnosis.NO_GAIN for each in found):
        return sentences(
            tr(
                "It learned its photos by heart ({training} of them are right, but only {validation} of the validation"
                " photos); fine-tuning brought nothing here.",
                training=whole(first.values["training"]),
                validation=whole(first.values["validation"]),
            ),
            tr(MORE),
        )
    return SENTENCES[first.key](first.values)


MORE = tr_mark("More photos help, or stronger augmentations.")

Values = Mapping[str, float]


SENTENCES: Mapping[str, Callable[[Values], str]] = {
    diagnosis.GUESSING: lambda values: tr(
        "It does no better than naming the most frequent class each time ({share}). Are the labels right?",
        share=whole(values["guess"]),
    ),
    diagnosis.JUMPING: lambda values: tr(
        "Its results jumped up and down {count} times: the learning rate is too high.", count=round(values["times"])
    ),
    diagnosis.MEMORISED: lambda values: sentences(
        tr(
            "It learned its photos by heart ({training} of them are right, but only {validation} of the validation"
            " photos).",
            training=whole(values["training"]),
            validation=whole(values["validation"]),
        ),
        tr(MORE),
    ),
    diagnosis.APART: lambda values: sentences(
        tr(
            "In the end it was better on the photos it trained on ({training}) than on the validation photos"
            " ({validation}).",
            training=whole(values["training"]),
            validation=whole(values["validation"]),
        ),
        tr(MORE),
    ),
    diagnosis.UNDERFITTED: lambda values: tr(
        "It gets only {share} of the photos right that it trains on: let more blocks learn.",
        share=whole(values["training"]),
    ),
    diagnosis.IMPROVING: lambda values: tr("It was still getting better when it ended: more epochs help."),
    diagnosis.NO_GAIN: lambda values: tr(
        "Fine-tuning brought nothing here: the head alone was as good. More photos help more than more training."
    ),
    diagnosis.FEW: lambda values: tr(
        "There are only {photos}, so each counts {points} points. More photos make the result surer.",
        photos=photos(int(values["count"]), "validation"),
        points=round(100 * values["photo"]),
    ),
    diagnosis.SOUND: lambda values: (
        tr("It learned well: it is about as good on new photos as on those it trained on.")
        if "training" in values
        else tr("It learned well.")
    ),
}
"""By the key of a finding, what it means to the person who trained."""


def comparison_sentence(found: Finding) -> str:
    """Why the results on test and validation photos differ, or that they do not."""
    points = number(100 * abs(found.values["difference"]), 1)
    if found.key == diagnosis.ALIKE:
        return tr("Test and validation photos give the same result.")
    if found.key == diagnosis.CHANCE and found.values["difference"] < 0:
        return tr(
            "The test result is {points} points below the validation accuracy: with so few photos, chance alone does"
            " that.",
            points=points,
        )
    if found.key == diagnosis.CHANCE:
        return tr(
            "The test result is {points} points above the validation accuracy: with so few photos, chance alone does"
            " that.",
            points=points,
        )
    if found.key == diagnosis.LOWER:
        return tr(
            "The test result is {points} points below the validation accuracy, more than chance: the epoch was chosen"
            " by the validation photos, which flatters them a little, and the test photos may be of another kind.",
            points=points,
        )
    return tr(
        "The test result is {points} points above the validation accuracy, more than chance: the test photos are"
        " easier.",
        points=points,
    )


@dataclass(frozen=True)
class _Step:
    """What can be done about a finding: the words on its button, its icon, and what it does."""

    words: str
    icon: str
    act: Callable[[], None]


def show_diagnosis(run: Run, recipe: Recipe, status: Status) -> None:
    """What stands out about a run that has ended, with a button; nothing where it has not been validated."""
    counts = runs.validation_classes(run.id, status.left_out)
    if not counts:
        return
    found = diagnosis.diagnose(History(run.read_metrics(), sum(counts), max(counts) / sum(counts)))
    if not found:
        return
    with st.container(border=True, key="diagnosis", horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{unbroken(sentence(found))}**", width="stretch")
        step = _step(found[0].key, run, recipe)
        if step and st.button(step.words, icon=f":material/{step.icon}:", key="diagnosis-step"):
            step.act()
        if found[0].key in WITH_MORE_PHOTOS and st.button(
            tr("How many photos do I need?"), icon=":material/show_chart:", key="diagnosis-photos"
        ):
            state.choose_dataset(recipe.dataset)
            comparison_view.ask_how_many_photos(run.id)


def comparison(run: Run, status: Status) -> str:
    """Why the results on test and validation photos differ; an empty text where that cannot be told."""
    count = sum(runs.validation_classes(run.id, status.left_out))
    if not count or not status.test_count or status.test_correct is None or status.best_val_accuracy is None:
        return ""
    return comparison_sentence(
        diagnosis.compare_with_validation(status.test_correct, status.test_count, status.best_val_accuracy, count)
    )


def _step(key: str, run: Run, recipe: Recipe) -> _Step | None:
    """What can be done about a finding, if anything."""

    def go(page: str) -> Callable[[], None]:
        return lambda: _go(page, recipe)

    augmentations = _Step(tr("Choose augmentations"), "auto_fix_high", go(AUGMENTATIONS))
    more_epochs = tr_plural("Train {count} more epoch", "Train {count} more epochs", _half(recipe))
    steps = {
        diagnosis.GUESSING: _Step(tr("Check the labels"), "fact_check", go(LABELS)),
        diagnosis.JUMPING: _Step(tr("Train with smaller steps"), "speed", lambda: _again(_slower(recipe))),
        diagnosis.MEMORISED: augmentations,
        diagnosis.APART: augmentations,
        diagnosis.UNDERFITTED: _Step(tr("Let more learn"), "local_fire_department", lambda: _again(_freer(recipe))),
        diagnosis.IMPROVING: _Step(more_epochs, "more_time", lambda: _extend(run, recipe)),
        diagnosis.NO_GAIN: _Step(tr("Add photos"), "add_a_photo", go(COLLECT)),
        diagnosis.FEW: _Step(tr("Add photos"), "add_a_photo", go(COLLECT)),
    }
    own = run.has_checkpoint() and not run.is_imported
    return None if key == diagnosis.IMPROVING and not own else steps.get(key)


def _go(page: str, recipe: Recipe) -> None:
    state.choose_dataset(recipe.dataset)
    st.switch_page(page)


def _again(recipe: Recipe) -> None:
    """Take a changed recipe to the Train page, where it can be looked at before it starts."""
    state.choose_dataset(recipe.dataset)
    state.close_run()
    state.remember("recipe", recipe.to_json())
    st.switch_page(TRAIN)


def _slower(recipe: Recipe) -> Recipe:
    names = ("head_learning_rate", "fine_tune_learning_rate", "scratch_learning_rate")
    rates = {name: max(RANGES[name].low, getattr(recipe, name) / SLOWER) for name in names}
    return replace(recipe, **rates, more_epochs=())


def _freer(recipe: Recipe) -> Recipe:
    """The recipe with the border one block further to the front, or where everything learns twice the epochs."""
    points = backbone(recipe.backbone).unfreeze_points
    place = points.index(recipe.unfreeze_point) + 1
    if place < len(points):
        return replace(recipe, unfreeze_point=points[place], unfreeze_layer="", more_epochs=())
    epochs = min(int(RANGES["fine_tune_epochs"].high), 2 * max(1, recipe.fine_tune_epochs))
    return replace(recipe, fine_tune_epochs=epochs, more_epochs=())


def _half(recipe: Recipe) -> int:
    """Half as many epochs as it has trained."""
    return max(1, (recipe.head_epochs + recipe.fine_tune_epochs + sum(recipe.more_epochs)) // 2)


def _extend(run: Run, recipe: Recipe) -> None:
    with reporting():
        extend(runs.queue(), run, _half(recipe), services.warm_trainer())
    st.rerun()
