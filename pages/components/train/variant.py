"""Which network to train, on the Train page, and the weights that it starts from."""

import streamlit as st

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
            "Variant",
            keys,
            index=keys.index(start.first("backbone", default())),
            format_func=lambda key: f"{backbone(key).name} · {backbone(key).resolution} px",
            key=start.key("variant"),
            persist_state="session",
        )
    )
    elements.facts(
        [
            ("Resolution", f"{chosen.resolution} px"),
            ("Parameters", drawings.count(sum(block.learnable + block.fixed for block in chosen.blocks))),
            ("ImageNet top-1", f"{chosen.top1:.1f} %" if chosen.top1 else "–"),
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
        st.markdown(f"It trains the variant of that run: **{chosen.name}**. The rest is chosen to fit the time.")
        return chosen, "imagenet", earlier
    here = [row for row in timed_variants() if weights.look_up(row, services.settings())]
    names = ", ".join(row.name for row in here) or "none"
    st.markdown(f"The best variant that fits the time, of those whose weights are on this computer: **{names}**.")
    return backbone(default()), "imagenet", ""


def choose_weights(chosen: Backbone, start: Draft) -> str:
    """Where the pretrained weights come from; random ones only after an explicit choice."""
    if not chosen.pretrained:
        st.caption(
            ":material/info: Starts from random weights, for comparison: expect less than from a pretrained variant."
        )
        return "imagenet"
    settings = services.settings()
    found = weights.look_up(chosen, settings)
    random = start.first_for(chosen.key, "weights", "imagenet") == "random"
    if found:
        st.caption(
            ":material/check_circle: Pretrained on ImageNet; the weights are on this computer"
            f" ({markdown.escape(found.origin)})."
        )
        if not random:
            return "imagenet"
    elif chosen.weights and chosen.weights.url and settings.allow_downloads:
        st.caption(":material/download: Pretrained on ImageNet; the weights will be downloaded when you press Start.")
    else:
        st.caption(f":material/info: {markdown.escape(weights.describe_missing(chosen, settings))}")
    ticked = st.checkbox(
        "Start from random weights instead",
        random,
        key=start.key(f"random-{chosen.key}"),
        help="Shows what pretraining is worth. The result will be much worse, and is marked as such everywhere.",
    )
    return "random" if ticked else "imagenet"
