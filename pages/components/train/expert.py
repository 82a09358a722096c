"""The expert section of the Train page: a table of choices, and the widgets that follow from it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.language import tr, tr_mark, tr_plural
from core.models.backbones import Backbone
from core.recipe.recipe import CHOICES, RANGES, SWITCHES, Recipe, usual
from pages.components.train.draft import Draft

RATE, REGULAR, HEAD, EPOCHS, UNFREEZING, SEEDS, LOGS = GROUPS = (
    tr_mark("Learning rate"),
    tr_mark("Regularisation"),
    tr_mark("Head"),
    tr_mark("Epochs"),
    tr_mark("Unfreezing"),
    tr_mark("Seeds"),
    tr_mark("Logs"),
)

WIDTH = 220
"""Of a number's widget, in pixels; as many stand side by side as there is room for."""

CHOICE_NAMES: Mapping[str, str] = {
    "adam": "Adam",
    "adamw": "AdamW",
    "sgd": "SGD",
    "rmsprop": "RMSprop",
    "cosine": tr_mark("Cosine"),
    "plateau": tr_mark("On a plateau"),
    "constant": tr_mark("Constant"),
    "average": tr_mark("Average"),
    "max": tr_mark("Maximum"),
    "flatten": tr_mark("Flatten"),
    "regression": tr_mark("Regression"),
    "random": tr_mark("Random"),
}
"""Names of the choices on the screen, in English; those of optimizers are the same everywhere."""


@dataclass(frozen=True)
class Around:
    """What is decided outside the expert section.

    Attributes:
        chosen: The backbone.
        point: The unfreeze point.
        from_scratch: Whether everything is trained from the start.
        timed: Whether a time budget decides variant, unfreeze point, epochs and cached versions.
    """

    chosen: Backbone
    point: str
    from_scratch: bool
    timed: bool

    @property
    def skips_blocks(self) -> bool:
        """Whether the network has blocks that a step can leave out."""
        return self.chosen.family.startswith("EfficientNet")

    @property
    def joining(self) -> int:
        """How many blocks could be unfrozen one after the other."""
        return len(self.chosen.trainable_blocks(self.point))


Shown = Callable[[Mapping[str, Any], Around], bool]


def _always(values: Mapping[str, Any], around: Around) -> bool:
    return True


def _with(name: str, wanted: str) -> Shown:
    """Only where another choice, made before, has a certain value."""
    return lambda values, around: values[name] == wanted


def _pretrained(values: Mapping[str, Any], around: Around) -> bool:
    return not around.from_scratch


def _from_scratch(values: Mapping[str, Any], around: Around) -> bool:
    return around.from_scratch


def _skips_blocks(values: Mapping[str, Any], around: Around) -> bool:
    return around.skips_blocks


def _frees_several(values: Mapping[str, Any], around: Around) -> bool:
    return not (around.from_scratch or around.timed) and around.joining > 1


def _keeps_versions(values: Mapping[str, Any], around: Around) -> bool:
    return not (around.from_scratch or around.timed)


@dataclass(frozen=True)
class Row:
    """A choice: a field of the recipe, its label, one sentence of help, its group, and when it is shown at all."""

    name: str
    label: str
    help: str
    group: str
    shown: Shown = _always


ROWS: tuple[Row, ...] = (
    Row(
        "optimizer",
        tr_mark("Optimizer"),
        tr_mark("How gradients become weight updates; Adam needs the least tuning."),
        RATE,
    ),
    Row(
        "momentum",
        tr_mark("Momentum"),
        tr_mark("Fraction of the last update that is carried over."),
        RATE,
        _with("optimizer", "sgd"),
    ),
    Row(
        "weight_decay",
        tr_mark("Weight decay"),
        tr_mark("How much each step shrinks the weights."),
        RATE,
        _with("optimizer", "adamw"),
    ),
    Row(
        "head_learning_rate",
        tr_mark("Learning rate, head"),
        tr_mark(
            "Step size while only the head is trained. Where the head has to start from random weights, as with MixUp,"
            " ten times as much is taken, up to 0.01."
        ),
        RATE,
        _pretrained,
    ),
    Row(
        "fine_tune_learning_rate",
        tr_mark("Learning rate, fine-tuning"),
        tr_mark("Small, so that the pretrained weights are not destroyed."),
        RATE,
        _pretrained,
    ),
    Row(
        "scratch_learning_rate",
        tr_mark("Learning rate, from scratch"),
        tr_mark("Step size while everything is trained from random weights."),
        RATE,
        _from_scratch,
    ),
    Row(
        "schedule",
        tr_mark("Schedule"),
        tr_mark(
            "How the learning rate changes after its peak: cosine decay to 0, reduced whenever the validation loss"
            " stops improving, or constant."
        ),
        RATE,
    ),
    Row(
        "plateau_patience",
        tr_mark("Patience"),
        tr_mark("Validations without improvement before the rate is reduced."),
        RATE,
        _with("schedule", "plateau"),
    ),
    Row(
        "plateau_factor",
        tr_mark("Factor"),
        tr_mark("The rate is multiplied by this."),
        RATE,
        _with("schedule", "plateau"),
    ),
    Row(
        "warm_up_epochs",
        tr_mark("Warm-up, epochs"),
        tr_mark("Epochs over which the rate rises to its peak in each phase."),
        RATE,
    ),
    Row(
        "label_smoothing",
        tr_mark("Label smoothing"),
        tr_mark("Fraction of the target spread evenly over all classes."),
        REGULAR,
    ),
    Row("mixup", tr_mark("Mixup α"), tr_mark("Blends pairs of photos; 0.2 is usual, 0 turns it off."), REGULAR),
    Row(
        "cutmix",
        tr_mark("CutMix α"),
        tr_mark("Pastes a piece of one photo into another; 1 is usual, 0 turns it off."),
        REGULAR,
    ),
    Row(
        "drop_connect",
        tr_mark("Drop-connect"),
        tr_mark("Probability of skipping the last block in a step; lower for earlier blocks."),
        REGULAR,
        _skips_blocks,
    ),
    Row(
        "ema",
        tr_mark("Moving average of weights"),
        tr_mark("Its momentum, 0.99 or more; the average is saved. 0 = off."),
        REGULAR,
    ),
    Row(
        "pooling",
        tr_mark("Pooling"),
        tr_mark("What the head gets of the last feature map: the average or maximum of each channel, or all values."),
        HEAD,
    ),
    Row(
        "head_start",
        tr_mark("Starts from"),
        tr_mark("The logistic regression on the features of the frozen layers, found in a moment, or random weights."),
        HEAD,
        _pretrained,
    ),
    Row("head_batch_norm", tr_mark("BatchNorm"), tr_mark("Normalises the input of the head over each batch."), HEAD),
    Row("dropout", tr_mark("Dropout"), tr_mark("Fraction of features dropped at random in each step."), HEAD),
    Row(
        "photos_per_class",
        tr_mark("Training photos per class"),
        tr_mark("At most so many of each class are learned from; 0 = all. Validation and test photos stay the same."),
        EPOCHS,
    ),
    Row("batch_size", tr_mark("Batch size"), tr_mark("Photos per step. Halve it when memory runs out."), EPOCHS),
    Row("steps_per_epoch", tr_mark("Steps per epoch"), tr_mark("0 = one full pass over the training photos."), EPOCHS),
    Row("validate_every", tr_mark("Validate every … steps"), tr_mark("0 = once at the end of each epoch."), EPOCHS),
    Row(
        "early_stopping",
        tr_mark("Early stopping"),
        tr_mark("Validations without improvement that end a phase; 0 = never."),
        EPOCHS,
    ),
    Row("shuffle", tr_mark("Shuffle"), tr_mark("Each epoch takes the photos in a new random order."), EPOCHS),
    Row(
        "gradual",
        tr_mark("Gradual unfreezing"),
        tr_mark("Fine-tuning starts with the last block and unfreezes one more at a time."),
        UNFREEZING,
        _frees_several,
    ),
    Row(
        "views",
        tr_mark("Cached versions of each photo"),
        tr_mark("Augmented versions that are computed once. 0 = none are cached: slower."),
        UNFREEZING,
        _keeps_versions,
    ),
    Row(
        "seed",
        tr_mark("Seed"),
        tr_mark("Fixes initial weights, order and augmentations: same seed and machine, same result."),
        SEEDS,
    ),
    Row(
        "split_seed",
        tr_mark("Split seed"),
        tr_mark("Determines which photos are for training, validation and test."),
        SEEDS,
    ),
    Row(
        "tensorboard",
        tr_mark("Write logs for TensorBoard"),
        tr_mark("Curves for TensorBoard, in the run's folder."),
        LOGS,
    ),
)


def values_now(draft: Draft, around: Around) -> dict[str, Any]:
    """What the section's widgets say, before they are drawn: their state, or what they begin with."""
    values: dict[str, Any] = {}
    for row in ROWS:
        first = begin_with(row.name, around)
        if row.shown(values, around):
            first = draft.now(row.name, first)
        values[row.name] = first
    return values


def begin_with(name: str, around: Around) -> Any:
    """The default of a choice; what learns from nothing needs more patience than early stopping has."""
    return 0 if name == "early_stopping" and around.from_scratch else usual(name)


def changes(values: Mapping[str, Any], around: Around) -> int:
    """How many choices differ from the defaults."""
    return sum(values[row.name] != begin_with(row.name, around) for row in ROWS)


def section(draft: Draft, around: Around, more: int = 0) -> tuple[dict[str, Any], dict[str, DeltaGenerator]]:
    """Draw the section, closed at first.

    Args:
        draft: What the widgets begin with.
        around: What is decided elsewhere.
        more: How many choices besides those of the table differ from the defaults.

    Returns:
        The choices that are made in it, and by group a place below its widgets for more text.
    """
    number = changes(values_now(draft, around), around) + more
    title = tr_plural("Expert · {count} change", "Expert · {count} changes", number) if number else tr("Expert")
    values: dict[str, Any] = {}
    places = {}
    with st.expander(title, icon=":material/tune:", key="expert"):
        for group, tab in zip(GROUPS, st.tabs([tr(group) for group in GROUPS]), strict=True):
            with tab:
                _widgets(group, values, draft, around)
                places[group] = st.container()
    return values, places


def _widgets(group: str, values: dict[str, Any], draft: Draft, around: Around) -> None:
    """The widgets of a group; numbers and switches flow side by side, choices among words have a line of their own."""
    flow: DeltaGenerator | None = None
    for row in ROWS:
        if row.group != group:
            continue
        values[row.name] = begin_with(row.name, around)
        if not row.shown(values, around):
            continue
        first = draft.first(row.name, values[row.name])
        if row.name in CHOICES:
            flow = None
            values[row.name] = _choice(row, first, draft)
            continue
        flow = flow or st.container(horizontal=True, gap="medium", vertical_alignment="bottom")
        with flow:
            values[row.name] = _switch(row, first, draft) if row.name in SWITCHES else _number(row, first, draft)


def _choice(row: Row, first: str, draft: Draft) -> str:
    return str(
        st.segmented_control(
            tr(row.label),
            CHOICES[row.name],
            default=first,
            required=True,
            format_func=lambda value: tr(CHOICE_NAMES[value]),
            help=tr(row.help),
            key=draft.key(row.name),
            persist_state="session",
        )
    )


def _switch(row: Row, first: bool, draft: Draft) -> bool:
    return st.toggle(
        tr(row.label), first, key=draft.key(row.name), help=tr(row.help), persist_state="session", width=WIDTH
    )


def _number(row: Row, first: float, draft: Draft) -> Any:
    kind, allowed = type(getattr(Recipe, row.name)), RANGES[row.name]
    more: dict[str, Any] = {}
    if kind is float:
        small = "rate" in row.name or row.name in ("weight_decay", "ema", "momentum")
        more = {"format": "%.4g" if small else "%.2f", "step": _step(row.name, first)}
    return st.number_input(
        tr(row.label),
        kind(allowed.low),
        kind(allowed.high),
        kind(first),
        key=draft.key(row.name),
        help=tr(row.help),
        persist_state="session",
        width=WIDTH,
        **more,
    )


def _step(name: str, first: float) -> float:
    """How much a click on plus or minus changes a number: half of a rate, a twentieth of a share."""
    return (
        first / 2
        if "rate" in name and first
        else {"weight_decay": 0.001, "ema": 0.001, "momentum": 0.01}.get(name, 0.05)
    )
