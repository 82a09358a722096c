"""How long to train, on the Train page: so many minutes, or a number of epochs."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from core.language import tr, tr_mark, tr_plural
from core.models import weights
from core.models.backbones import Backbone, backbone
from core.recipe.recipe import RANGES, Recipe, default_epochs
from core.training.budget.cost_model import Counts
from core.training.budget.time_budget import timed_variants
from pages.components.cached import services
from pages.components.shared import glossary, state
from pages.components.train.draft import Draft

MINUTES = (2, 5, 10, 20)
"""What a lesson has time for."""

USUAL_MINUTES = 5

BY_EPOCHS = 0
"""Stands among the minutes for as long as the chosen epochs take."""

MOST_MINUTES = 240

NOTABLY_LESS = 0.7
"""Share of the minutes that a run must take less than for that to be said."""

POINTS = {"none": tr_mark("only the head learns"), "all": tr_mark("everything learns")}


def available() -> list[Backbone]:
    """The networks that a run of so many minutes can take, for their weights are here."""
    return [row for row in timed_variants() if weights.look_up(row, services.settings())]


def usual_minutes() -> int:
    """What is chosen at first; by epochs where no network could be taken for minutes."""
    return USUAL_MINUTES if available() else BY_EPOCHS


def choose(start: Draft, recipe: Recipe, counts: Counts, *, few: bool) -> int:
    """So many minutes, each with what a run of `recipe` would be with them, or `BY_EPOCHS`.

    `few` says whether the photos are too few for fine-tuning.
    """
    first = _first(start)
    exact = state.recall(_exact_key(start), first)
    options = sorted({*MINUTES, first, exact} - {BY_EPOCHS}) if available() else []
    choices = [*options, BY_EPOCHS]
    held = state.widget(start.key("length")) in choices  # then Streamlit wants no other beginning
    chosen = st.radio(
        tr("How long may it take?"),
        choices,
        index=0 if held else choices.index(first),
        format_func=lambda minutes: tr("{minutes} min", minutes=minutes) if minutes else tr("By epochs"),
        captions=[*_what_each_is(options, recipe, counts, few=few), tr("You choose the network and its epochs.")],
        key=start.key("length"),
        persist_state="session",
        width="stretch",
        help=glossary.meaning(glossary.BLOCK),
    )
    return int(chosen)


def _first(start: Draft) -> int:
    if start.recipe is None:
        return usual_minutes()
    minutes = start.recipe.minutes if available() else 0
    return min(max(1, round(minutes)), MOST_MINUTES) if minutes else BY_EPOCHS


def _what_each_is(options: Sequence[int], recipe: Recipe, counts: Counts, *, few: bool) -> list[str]:
    """For each number of minutes, what a run of it would be if this machine is as fast as is known of it."""
    rows = available()
    keys = tuple(row.key for row in rows)
    speed = services.known_throughput(rows[0]).throughput if rows else None
    fit = services.fitted_to_minutes
    found = [fit(recipe, keys, speed, counts, minutes, few=few) for minutes in options if speed]
    words = [_describe(fitting, minutes, seconds) for minutes, (fitting, seconds) in zip(options, found, strict=True)]
    return said_once(options, words)


def said_once(options: Sequence[int], words: Sequence[str]) -> list[str]:
    """A text for each number of minutes; where it is that of fewer minutes, only which these are."""
    firsts = [words.index(text) for text in words]
    return [
        text if first == place else tr("As with {minutes} min", minutes=options[first])
        for place, (text, first) in enumerate(zip(words, firsts, strict=True))
    ]


def _describe(fitting: Recipe, minutes: int, seconds: float) -> str:
    point = fitting.unfreeze_point
    chosen = backbone(fitting.backbone)
    learn = len(chosen.trainable_blocks(point))
    if point in POINTS:
        words = tr(POINTS[point])
    else:
        words = tr_plural(
            "the last block learns", "the last {count} of {blocks} blocks learn", learn, blocks=len(chosen.blocks)
        )
    epochs = tr_plural("{count} epoch", "{count} epochs", fitting.head_epochs + fitting.fine_tune_epochs)
    values = {"network": chosen.name, "what": words, "epochs": epochs}
    if seconds < NOTABLY_LESS * 60 * minutes:
        return tr("{network}, {what}, {epochs}, done in {minutes} min", **values, minutes=max(1, round(seconds / 60)))
    return tr("{network}, {what}, {epochs}", **values)


def exact_minutes(start: Draft, chosen: int) -> None:
    """A field for any other number of minutes."""
    key = start.key(f"minutes-{chosen}")
    st.number_input(
        tr("Minutes, counted from pressing Start"),
        1,
        MOST_MINUTES,
        chosen,
        key=key,
        on_change=_choose_exactly,
        args=(start, key),
        width=320,
    )
    words = tr(
        "Training first measures this computer, then picks the network, the unfreeze point and the number of epochs"
        " that fit. A first accuracy appears within seconds."
    )
    st.caption(f":material/timer: {words}")


def _choose_exactly(start: Draft, key: str) -> None:
    minutes = state.widget(key)
    state.remember(_exact_key(start), minutes)
    state.set_widget(start.key("length"), minutes)


def _exact_key(start: Draft) -> str:
    return start.key("exact-minutes")


def epochs(start: Draft, training_photos: int, *, few: bool) -> dict[str, int]:
    """Fields for the epochs of the two phases; too few photos for fine-tuning begin without it."""
    left, right = st.columns(2)
    return {
        name: column.number_input(
            label,
            0,
            int(RANGES[name].high),
            start.first(name, usual),
            key=start.key(f"{name}-{training_photos}-{few}"),
            persist_state="session",
        )
        for (name, usual), label, column in zip(
            usual_epochs(training_photos, few=few).items(),
            (tr("Epochs for the head"), tr("Epochs for fine-tuning")),
            (left, right),
            strict=True,
        )
    }


def usual_epochs(training_photos: int, *, few: bool) -> dict[str, Any]:
    """The epochs of the two phases by default."""
    head, fine = default_epochs(training_photos, few=few)
    return {"head_epochs": head, "fine_tune_epochs": fine}
