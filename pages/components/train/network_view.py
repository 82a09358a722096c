"""The chosen network on the Train page: which layers are trained, and how long that will take."""

from collections.abc import Sequence

import streamlit as st

from core.data.class_names import shown_names
from core.data.scan.folder import ImageFolder
from core.errors import ArchitectureError, PhotoError
from core.language import number, tr
from core.models.architecture import Layer
from core.models.backbones import Backbone
from core.recipe.plan import PhasePlan, starts_from_nothing
from core.recipe.recipe import Recipe, default_unfreeze_point
from core.runs.messages import text_of
from core.training.budget.cost_model import Costs
from core.training.budget.throughput import Known
from pages.components.cached import models
from pages.components.network.border import border
from pages.components.network.picture import Example, frozen_blocks, point_at, row, sides, still
from pages.components.shared import drawings, markdown, state, thumbnails
from pages.components.train.draft import Draft

WHOLE = ""


def chosen_point(chosen: Backbone, draft: Draft, *, few: bool) -> str:
    """The block from which on the network learns: where the border in the picture is, before it is drawn.

    With few photos it is behind all blocks at first.
    """
    first = draft.first_for(chosen.key, "unfreeze_point", default_unfreeze_point(chosen, few=few))
    return str(state.recall(_border_key(chosen, draft), first))


def _border_key(chosen: Backbone, draft: Draft) -> str:
    return draft.key(f"point-{chosen.key}")


def begins_within(chosen: Backbone, point: str, draft: Draft) -> bool:
    """Whether a layer within the block is chosen, before the widgets that say so are drawn."""
    found = state.widget(draft.key(f"within-{chosen.key}-{point}"))
    return bool(_first_layer(chosen, point, draft)) if found is None else bool(found)


def _first_layer(chosen: Backbone, point: str, draft: Draft) -> str:
    layer = str(draft.first_for(chosen.key, "unfreeze_layer", WHOLE))
    return layer if layer and chosen.block_of(layer) == point else WHOLE


def choose_layer(chosen: Backbone, point: str, draft: Draft) -> str:
    """The layer of the point's block that learning begins at; empty for the whole block.

    The layers are listed only once somebody wants to choose among them.
    """
    if point not in chosen.block_names:
        st.caption(tr("To start within a block, move the border in the picture to the front of one."))
        return WHOLE
    first = _first_layer(chosen, point, draft)
    within = st.toggle(
        tr("Start within {block}", block=point),
        bool(first),
        key=draft.key(f"within-{chosen.key}-{point}"),
        persist_state="session",
        help=tr("Keeps the first layers of this block frozen as well."),
    )
    if not within:
        return WHOLE
    try:
        names = [layer.name for layer in models.architecture(chosen.key).inside(point)]
    except ArchitectureError as error:
        st.warning(markdown.escape(error), icon=":material/error:")
        return WHOLE
    return st.selectbox(
        tr("First trainable layer"),
        names,
        index=names.index(first) if first in names else 0,
        key=draft.key(f"layer-{chosen.key}-{point}"),
        persist_state="session",
        help=tr("This layer and all later ones are trained; BatchNorm stays frozen."),
    )


def picture(chosen: Backbone, recipe: Recipe, head: Sequence[Layer], draft: Draft, folder: ImageFolder) -> None:
    """The network from photo to answer, with the border between ice and fire to drag, if anything can be frozen."""
    point, layer, count = recipe.unfreeze_point, recipe.unfreeze_layer, len(chosen.blocks)
    frozen = frozen_blocks(chosen, point)
    places = [sides(chosen, head, place) for place in range(count + 1)]
    if starts_from_nothing(recipe, chosen):
        words = tr("{learns}, {parameters}", learns=places[0].learns, parameters=places[0].warm)
        st.html(still(chosen, row(chosen, 0, _example(folder)), words))
        st.caption(tr("{what}: nothing is pretrained.", what=f"{words[0].upper()}{words[1:]}"))
        return
    cut, key = 0.0, _border_key(chosen, draft)
    if layer:
        learning = _learnable(chosen, point, layer)
        places[frozen] = sides(chosen, head, frozen, layer, learning)
        behind = chosen.learnable_parameters(point) - chosen.blocks[frozen].learnable
        cut = 1 - (learning - behind) / chosen.blocks[frozen].learnable

    def move(place: int) -> None:
        state.remember(key, point_at(chosen, place))

    border(key, row(chosen, count, _example(folder)), places, frozen, cut, move)


def _example(folder: ImageFolder) -> Example:
    """The first photo of the dataset, and its class."""
    try:
        return Example(thumbnails.thumbnail(folder, 0), shown_names(folder.class_names)[folder.labels[0]])
    except (PhotoError, FileNotFoundError):
        return Example()


def every_layer(chosen: Backbone, recipe: Recipe, head: Sequence[Layer]) -> None:
    """The diagram down to the layers, once it is opened."""
    opened = st.expander(tr("Every layer"), icon=":material/account_tree:", key="layers", on_change="rerun")
    if opened.open:
        with opened:
            _diagram(chosen, recipe, head)


def _diagram(chosen: Backbone, recipe: Recipe, head: Sequence[Layer]) -> None:
    scratch = starts_from_nothing(recipe, chosen)
    try:
        architecture = models.architecture(chosen.key)
        learning = architecture.learning(chosen, recipe.unfreeze_point, recipe.unfreeze_layer, from_scratch=scratch)
    except ArchitectureError as error:
        st.warning(markdown.escape(error), icon=":material/error:")
        return
    st.caption(
        tr(
            "Open a block, then its parts. Each line is a layer: name, type, output shape for one photo, and number of"
            " parameters. Orange is trainable, blue is frozen, dashed has no parameters. BatchNorm stays frozen where"
            " the weights are pretrained."
        )
    )
    st.html(drawings.architecture_diagram(chosen, architecture, head, learning))


def show_costs(chosen: Backbone, plans: Sequence[PhasePlan], costs: Costs, known: Known, head: Sequence[Layer]) -> None:
    """What each phase learns and takes, before it begins."""
    learned = sum(layer.learnable for layer in head)
    rows = []
    for cost in costs.phases:
        phase = cost.phase
        count = drawings.count(_learnable(chosen, phase.unfreeze_point, phase.unfreeze_layer) + learned)
        about = tr("about {duration}", duration=brief(cost.epoch_seconds))
        rows.append((text_of(phase.message), count, str(phase.epochs), about))
    st.html(drawings.table((tr("Phase"), tr("Trainable"), tr("Epochs"), tr("Per epoch")), rows))
    total = brief(costs.total)
    if known.measured:
        words = tr("**About {duration} in total**, based on earlier runs on this computer.", duration=total)
    else:
        words = tr("**About {duration} in total**, a rough estimate until the first run.", duration=total)
    icon = "bolt" if plans[-1].cached else "hourglass_top"
    st.caption(f":material/timer: {words}  \n:material/{icon}: {markdown.escape(text_of(plans[-1].reason))}")


def _learnable(chosen: Backbone, point: str, layer: str) -> int:
    """How many of the backbone's weights learn; the layers are listed only where that depends on one of them."""
    if layer:
        return models.architecture(chosen.key).learnable_parameters(chosen, point, layer)
    return chosen.learnable_parameters(point)


def brief(seconds: float) -> str:
    """Seconds no more exactly than they are known."""
    if seconds < 9.95:
        return tr("{seconds} s", seconds=number(seconds, 1))
    if seconds < 90:
        return tr("{seconds} s", seconds=round(seconds))
    return tr("{minutes} min", minutes=round(seconds / 60))
