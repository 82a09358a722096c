"""What stands out about how a run learned: one sentence, what to do about it, and why test and validation differ."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import streamlit as st

from core.evaluation import diagnosis
from core.evaluation.diagnosis import Finding, History
from core.formatting import photos, unbroken, whole
from core.language import tr
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
        return f"{_by_heart(first.values)}; fine-tuning brought nothing here. {MORE}"
    return SENTENCES[first.key](first.values)


MORE = "More photos help, or stronger augmentations."

Values = Mapping[str, float]


def _by_heart(values: Values) -> str:
    return (
        f"It learned its photos by heart ({whole(values['training'])} of them are right, but only"
        f" {whole(values['validation'])} of the validation photos)"
    )


SENTENCES: Mapping[str, Callable[[Values], str]] = {
    diagnosis.GUESSING: lambda values: (
        f"It does no better than naming the most frequent class each time ({whole(values['guess'])}). Are the labels"
        " right?"
    ),
    diagnosis.JUMPING: lambda values: (
        f"Its results jumped up and down {values['times']:.0f} times: the learning rate is too high."
    ),
    diagnosis.MEMORISED: lambda values: f"{_by_heart(values)}. {MORE}",
    diagnosis.APART: lambda values: (
        f"In the end it was better on the photos it trained on ({whole(values['training'])}) than on the validation"
        f" photos ({whole(values['validation'])}). {MORE}"
    ),
    diagnosis.UNDERFITTED: lambda values: (
        f"It gets only {whole(values['training'])} of the photos right that it trains on: let more blocks learn."
    ),
    diagnosis.IMPROVING: lambda values: "It was still getting better when it ended: more epochs help.",
    diagnosis.NO_GAIN: lambda values: (
        "Fine-tuning brought nothing here: the head alone was as good. More photos help more than more training."
    ),
    diagnosis.FEW: lambda values: (
        f"There are only {photos(int(values['count']), 'validation')}, so each counts"
        f" {100 * values['photo']:.0f} points. More photos make the result surer."
    ),
    diagnosis.SOUND: lambda values: (
        "It learned well: it is about as good on new photos as on those it trained on."
        if "training" in values
        else "It learned well."
    ),
}
"""By the key of a finding, what it means to the person who trained."""


def comparison_sentence(found: Finding) -> str:
    """Why the results on test and validation photos differ, or that they do not."""
    points = f"{100 * abs(found.values['difference']):.1f} points"
    if found.key == diagnosis.ALIKE:
        return "Test and validation photos give the same result."
    if found.key == diagnosis.CHANCE:
        way = "below" if found.values["difference"] < 0 else "above"
        return f"The test result is {points} {way} the validation accuracy: with so few photos, chance alone does that."
    if found.key == diagnosis.LOWER:
        return (
            f"The test result is {points} below the validation accuracy, more than chance: the epoch was chosen by the"
            " validation photos, which flatters them a little, and the test photos may be of another kind."
        )
    return f"The test result is {points} above the validation accuracy, more than chance: the test photos are easier."


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

    augmentations = _Step("Choose augmentations", "auto_fix_high", go(AUGMENTATIONS))
    steps = {
        diagnosis.GUESSING: _Step("Check the labels", "fact_check", go(LABELS)),
        diagnosis.JUMPING: _Step("Train with smaller steps", "speed", lambda: _again(_slower(recipe))),
        diagnosis.MEMORISED: augmentations,
        diagnosis.APART: augmentations,
        diagnosis.UNDERFITTED: _Step("Let more learn", "local_fire_department", lambda: _again(_freer(recipe))),
        diagnosis.IMPROVING: _Step(f"Train {_half(recipe)} more epochs", "more_time", lambda: _extend(run, recipe)),
        diagnosis.NO_GAIN: _Step("Add photos", "add_a_photo", go(COLLECT)),
        diagnosis.FEW: _Step("Add photos", "add_a_photo", go(COLLECT)),
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
