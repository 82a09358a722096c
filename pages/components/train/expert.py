"""The expert section of the Train page: a table of choices, and the widgets that follow from it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.models.backbones import Backbone
from core.recipe.recipe import CHOICES, RANGES, SWITCHES, Recipe
from pages.components.train.draft import Draft

RATE, REGULAR, HEAD, EPOCHS, UNFREEZING, SEEDS, LOGS = GROUPS = (
    "Learning rate",
    "Regularisation",
    "Head",
    "Epochs",
    "Unfreezing",
    "Seeds",
    "Logs",
)

WIDTH = 220
"""Of a number's widget, in pixels; as many stand side by side as there is room for."""

WORDS: Mapping[str, str] = {
    "adam": "Adam",
    "adamw": "AdamW",
    "sgd": "SGD",
    "rmsprop": "RMSprop",
    "cosine": "Cosine",
    "plateau": "On a plateau",
    "constant": "Constant",
    "average": "Average",
    "max": "Maximum",
    "flatten": "Flatten",
}
"""What the choices that are words are called."""


@dataclass(frozen=True)
class Around:
    """What is decided outside the expert section.

    Attributes:
        chosen: The backbone.
        point: The unfreeze point.
        from_scratch: Whether everything learns from the start.
        timed: Whether a time budget decides variant, unfreeze point, epochs and kept versions.
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
        """How many blocks could be freed one after the other."""
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
    Row("optimizer", "Optimizer", "How gradients become steps; Adam needs least care.", RATE),
    Row("momentum", "Momentum", "Share of the last step that goes on into the next.", RATE, _with("optimizer", "sgd")),
    Row("weight_decay", "Weight decay", "How much each step shrinks the weights.", RATE, _with("optimizer", "adamw")),
    Row(
        "head_learning_rate",
        "Learning rate, head",
        "How large the steps are while only the head learns.",
        RATE,
        _pretrained,
    ),
    Row(
        "fine_tune_learning_rate",
        "Learning rate, fine-tuning",
        "Small, so that what ImageNet taught is not lost.",
        RATE,
        _pretrained,
    ),
    Row(
        "scratch_learning_rate",
        "Learning rate, from scratch",
        "How large the steps are while everything learns from nothing.",
        RATE,
        _from_scratch,
    ),
    Row(
        "schedule",
        "Schedule",
        "How the rate goes on from its peak: along half a cosine wave to 0, lower whenever the validation loss stands"
        " still, or not at all.",
        RATE,
    ),
    Row(
        "plateau_patience",
        "Patience",
        "Validations without a better loss before the rate is lowered.",
        RATE,
        _with("schedule", "plateau"),
    ),
    Row("plateau_factor", "Factor", "What the rate is then multiplied by.", RATE, _with("schedule", "plateau")),
    Row("warm_up_epochs", "Warm-up, epochs", "Epochs over which the rate rises to its peak in each phase.", RATE),
    Row("label_smoothing", "Label smoothing", "Share of the truth that is spread evenly over all classes.", REGULAR),
    Row("mixup", "Mixup α", "Lays photos over one another; 0.2 is usual, 0 switches it off.", REGULAR),
    Row("cutmix", "CutMix α", "Puts a piece of one photo into another; 1 is usual, 0 switches it off.", REGULAR),
    Row(
        "drop_connect",
        "Drop-connect",
        "How often the last block is skipped in a step, earlier ones more seldom.",
        REGULAR,
        _skips_blocks,
    ),
    Row("ema", "Moving average of weights", "Its momentum, 0.99 or more; the average is kept. 0 is off.", REGULAR),
    Row(
        "pooling",
        "Pooling",
        "What the head reads of the last map: the average or maximum of each channel, or all.",
        HEAD,
    ),
    Row("head_batch_norm", "BatchNorm", "Normalises what the head reads by the photos of its batch.", HEAD),
    Row("dropout", "Dropout", "Share of features left out at random in each step.", HEAD),
    Row("batch_size", "Batch size", "Photos per step. Halve it when memory runs out.", EPOCHS),
    Row("steps_per_epoch", "Steps per epoch", "0 for as many as show each training photo once.", EPOCHS),
    Row("validate_every", "Validate every … steps", "0 for once at the end of each epoch.", EPOCHS),
    Row("early_stopping", "Early stopping", "Validations without a better loss that end a phase; 0 is never.", EPOCHS),
    Row("shuffle", "Shuffle", "Each epoch takes the photos in an order of its own.", EPOCHS),
    Row(
        "gradual",
        "Gradual unfreezing",
        "Fine-tuning begins with the last block alone and frees one more at a time.",
        UNFREEZING,
        _frees_several,
    ),
    Row(
        "views",
        "Kept versions of each photo",
        "Augmented versions that are computed once. 0 computes all anew: slower.",
        UNFREEZING,
        _keeps_versions,
    ),
    Row("seed", "Seed", "Fixes first weights, order and augmentations: same seed and machine, same result.", SEEDS),
    Row("split_seed", "Seed of the split", "Fixes which photo is for training, validation or the test.", SEEDS),
    Row("tensorboard", "Write logs for TensorBoard", "Curves that TensorBoard draws, in the run's folder.", LOGS),
)


def values_now(draft: Draft, around: Around) -> dict[str, Any]:
    """What the section's widgets say, before they are drawn: their state, or what they begin with."""
    values: dict[str, Any] = {}
    for row in ROWS:
        first = getattr(Recipe, row.name)
        if row.shown(values, around):
            first = draft.now(row.name, first)
        values[row.name] = first
    return values


def changes(values: Mapping[str, Any]) -> int:
    """How many choices differ from the defaults."""
    return sum(values[row.name] != getattr(Recipe, row.name) for row in ROWS)


def section(draft: Draft, around: Around, more: int = 0) -> tuple[dict[str, Any], dict[str, DeltaGenerator]]:
    """Draw the section, closed at first.

    Args:
        draft: What the widgets begin with.
        around: What is decided elsewhere.
        more: How many choices besides those of the table differ from the defaults.

    Returns:
        The choices that are made in it, and by group a place below its widgets for what else belongs there.
    """
    number = changes(values_now(draft, around)) + more
    words = f" · {number} change{'s' if number > 1 else ''}" if number else ""
    values: dict[str, Any] = {}
    places = {}
    with st.expander(f"Expert{words}", icon=":material/tune:", key="expert"):
        for group, tab in zip(GROUPS, st.tabs(GROUPS), strict=True):
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
        values[row.name] = getattr(Recipe, row.name)
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
            row.label,
            CHOICES[row.name],
            default=first,
            required=True,
            format_func=WORDS.__getitem__,
            help=row.help,
            key=draft.key(row.name),
            persist_state="session",
        )
    )


def _switch(row: Row, first: bool, draft: Draft) -> bool:
    return st.toggle(row.label, first, key=draft.key(row.name), help=row.help, persist_state="session", width=WIDTH)


def _number(row: Row, first: float, draft: Draft) -> Any:
    kind, allowed = type(getattr(Recipe, row.name)), RANGES[row.name]
    more: dict[str, Any] = {}
    if kind is float:
        small = "rate" in row.name or row.name in ("weight_decay", "ema", "momentum")
        more = {"format": "%.4g" if small else "%.2f", "step": _step(row.name, first)}
    return st.number_input(
        row.label,
        kind(allowed.low),
        kind(allowed.high),
        kind(first),
        key=draft.key(row.name),
        help=row.help,
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
