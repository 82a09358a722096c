"""Which network to train, on the Train page, and the weights that it starts from."""

import streamlit as st

from core.formatting import listed
from core.language import number, tr
from core.models import weights
from core.models.backbones import BACKBONES, Backbone, backbone
from core.training.budget.time_budget import timed_variants
from pages.components.cached import services
from pages.components.shared import drawings, elements, markdown
from pages.components.shared.report_errors import reporting
from pages.components.train import starting
from pages.components.train.draft import Draft

PREFERRED = ("efficientnet-b0", "efficientnet-lite0")


def default() -> str:
    """The first of the preferred variants whose weights are on this machine."""
    settings = services.settings()
    return next((key for key in PREFERRED if weights.look_up(backbone(key), settings)), PREFERRED[-1])


def choose(start: Draft) -> tuple[Backbone, str, str]:
    """The variant with what is known about it, the weights it starts from, and the earlier run, if it is one's."""
    keys = [row.key for row in BACKBONES]
    chosen = backbone(
        st.selectbox(
            tr("Variant"),
            keys,
            index=keys.index(start.first("backbone", default())),
            format_func=lambda key: f"{backbone(key).name} · {backbone(key).resolution} px",
            key=start.key("variant"),
            persist_state="session",
        )
    )
    elements.facts(
        [
            (tr("Resolution"), f"{chosen.resolution} px"),
            (tr("Parameters"), drawings.count(sum(block.learnable + block.fixed for block in chosen.blocks))),
            (tr("ImageNet top-1"), tr("{number} %", number=number(chosen.top1, 1)) if chosen.top1 else "–"),
        ]
    )
    earlier = starting.choose(start, chosen) if chosen.pretrained else ""
    return chosen, "imagenet" if earlier else choose_weights(chosen, start), earlier


def choose_for_minutes(start: Draft) -> tuple[Backbone, str, str]:
    """What a time budget chooses from; where it starts from an earlier run, that is the variant of this one."""
    earlier = starting.choose(start, None)
    if earlier:
        with reporting():
            chosen = starting.variant_of(earlier)
        st.markdown(
            tr(
                "It trains the variant of that run: **{network}**. The rest is chosen to fit the time.",
                network=chosen.name,
            )
        )
        return chosen, "imagenet", earlier
    here = [row for row in timed_variants() if weights.look_up(row, services.settings())]
    names = listed([row.name for row in here]) or tr("none")
    st.markdown(
        tr(
            "The best variant that fits the time, of those whose weights are on this computer: **{names}**.",
            names=names,
        )
    )
    return backbone(default()), "imagenet", ""


def choose_weights(chosen: Backbone, start: Draft) -> str:
    """Where the pretrained weights come from; random ones only after an explicit choice."""
    if not chosen.pretrained:
        words = tr("Starts from random weights, for comparison: expect less than from a pretrained variant.")
        st.caption(f":material/info: {words}")
        return "imagenet"
    settings = services.settings()
    found = weights.look_up(chosen, settings)
    random = start.first_for(chosen.key, "weights", "imagenet") == "random"
    if found:
        words = tr(
            "Pretrained on ImageNet; the weights are on this computer ({origin}).", origin=markdown.escape(found.origin)
        )
        st.caption(f":material/check_circle: {words}")
        if not random:
            return "imagenet"
    elif chosen.weights and chosen.weights.url and settings.allow_downloads:
        words = tr("Pretrained on ImageNet; the weights will be downloaded when you press Start.")
        st.caption(f":material/download: {words}")
    else:
        st.caption(f":material/info: {markdown.escape(weights.describe_missing(chosen, settings))}")
    ticked = st.checkbox(
        tr("Start from random weights instead"),
        random,
        key=start.key(f"random-{chosen.key}"),
        help=tr("Shows what pretraining is worth. The result will be much worse, and is marked as such everywhere."),
    )
    return "random" if ticked else "imagenet"
