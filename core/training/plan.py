"""What a run is going to do, known before it begins and without Keras: its phases, and what each is fed with."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from core.models.backbones import FEATURES, Backbone
from core.training.recipe import Recipe
from core.training.recorder import FINE_TUNE, FROM_SCRATCH, HEAD, Phase

FULL_COST = 2.7
"""A step with everything learning against one with all but the head frozen, as measured on B0 with two cores."""


EXACT_BYTES, STORED_BYTES = 4, 2
"""Of each number that is kept of a photo as it is, and of an augmented version."""

LARGEST = 1.5
"""How many times larger than the decoded photo an output may be to be worth keeping.

On B0 that excludes blocks 1 and 2, before which a twentieth of a step's work lies, for 2.7 and 5.4 times the space.
"""


@dataclass(frozen=True)
class Way:
    """What a phase is fed with: outputs of the frozen part, computed once and kept, or photos.

    Attributes:
        phase: The phase.
        boundary: Where the network is cut: `FEATURES`, or the first block that learns; empty for photos.
        views: Versions of each training photo that are kept, at least 1; 0 for photos.
        augmented: Whether they differ from the photo.
        reason: A sentence that says which way, and why.
    """

    phase: Phase
    boundary: str
    views: int
    augmented: bool
    reason: str

    @property
    def kept(self) -> bool:
        """Whether the frozen part is computed once."""
        return bool(self.boundary)


def phases_of(recipe: Recipe, chosen: Backbone) -> tuple[Phase, ...]:
    """Head first, then from the unfreeze point on; or, without pretrained weights, everything from the start."""
    if not chosen.pretrained or recipe.weights == "random":
        epochs = recipe.head_epochs + recipe.fine_tune_epochs
        return (Phase(FROM_SCRATCH, epochs, recipe.scratch_learning_rate, "all", FULL_COST),)
    share = len(chosen.trainable_blocks(recipe.unfreeze_point)) / len(chosen.blocks)
    cost = 1 + (FULL_COST - 1) * share
    phases = (
        Phase(HEAD, recipe.head_epochs, recipe.head_learning_rate, "none", 1.0),
        Phase(FINE_TUNE, recipe.fine_tune_epochs, recipe.fine_tune_learning_rate, recipe.unfreeze_point, cost),
    )
    return tuple(phase for phase in phases if phase.epochs)


def row_shape(chosen: Backbone, boundary: str) -> tuple[int, ...]:
    """The shape of what is kept of one photo: `(D,)` features, or the map `(h, w, C)` that enters a block."""
    if boundary == FEATURES:
        return (chosen.feature_width,)
    side, channels = chosen.boundary(boundary)
    return (side, side, channels)


def row_bytes(chosen: Backbone, boundary: str, *, augmented: bool) -> int:
    """Bytes that are kept of one photo, or of one of its augmented versions."""
    total = STORED_BYTES if augmented else EXACT_BYTES
    for length in row_shape(chosen, boundary):
        total *= length
    return total


def ways_of(
    recipe: Recipe, chosen: Backbone, training: int, validation: int, has_room: Callable[[int], bool]
) -> tuple[Way, ...]:
    """The way of each phase, in order.

    Args:
        recipe: What was chosen.
        chosen: Its backbone.
        training: Number of training photos.
        validation: Number of validation photos.
        has_room: Says whether so many bytes may be kept.
    """
    ways: list[Way] = []
    promised = 0
    for phase in phases_of(recipe, chosen):
        way = _way(phase, recipe, chosen)
        needed = _bytes(way, chosen, training, validation)
        if way.kept and not has_room(promised + needed):
            reason = f"Every epoch computes everything: keeping it needs {_size(needed)}."
            way = replace(way, boundary="", views=0, reason=reason)
        promised += needed if way.kept else 0
        ways.append(way)
    return tuple(ways)


def _bytes(way: Way, chosen: Backbone, training: int, validation: int) -> int:
    if not way.kept:
        return 0
    exact = row_bytes(chosen, way.boundary, augmented=False)
    return row_bytes(chosen, way.boundary, augmented=way.augmented) * training * way.views + exact * validation


def _way(phase: Phase, recipe: Recipe, chosen: Backbone) -> Way:
    augmented = bool(recipe.augmentations)
    plain = _why_plain(phase, recipe, chosen)
    if plain:
        return Way(phase, "", 0, augmented, plain)
    boundary = FEATURES if phase.unfreeze_point == "none" else phase.unfreeze_point
    views = min(recipe.views, sum(each.epochs for each in phases_of(recipe, chosen))) if augmented else 1
    each = f"each of {views} versions of each photo" if views > 1 else "each photo"
    return Way(phase, boundary, views, augmented, f"The frozen part is computed once for {each}, then kept.")


def _why_plain(phase: Phase, recipe: Recipe, chosen: Backbone) -> str:
    if phase.unfreeze_point == "all":
        return "Everything learns, so every epoch computes everything."
    if recipe.views == 0:
        return "Every epoch computes everything, as the recipe asks for."
    if phase.unfreeze_point != "none":
        photo = chosen.resolution**2 * 3
        if row_bytes(chosen, phase.unfreeze_point, augmented=True) > LARGEST * photo:
            return "Nearly everything learns, so every epoch computes everything: keeping the rest would save little."
    return ""


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
