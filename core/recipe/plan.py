"""What a run is going to do, known before it begins and without Keras: its phases, and the input of each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod

from core.models.backbones import FEATURES, Backbone, backbone
from core.models.heads import AVERAGE, feature_width
from core.recipe.phases import FINE_TUNE, FROM_SCRATCH, HEAD, Phase
from core.recipe.recipe import REGRESSION, Recipe
from core.runs.messages import Message

FULL_COST = 2.7
"""A step with everything learning against one with all but the head frozen, as measured on B0 with two cores."""


ORIGINAL = -1
"""The number of the version that is the photo itself; the others are numbered by the epoch that takes them first."""

EXACT_BYTES, STORED_BYTES = 4, 2
"""Bytes per number cached of a photo as it is, and of an augmented version."""

LARGEST = 1.5
"""How many times larger than the decoded photo an output may be to be worth caching.

On B0 that excludes blocks 1 and 2: only a twentieth of a step's work comes before them, and they take 2.7 and 5.4 times
the space.
"""

FRESH_FROM = 0.7
"""If at least this share of the network's work is in the layers that learn, each epoch gets a version of its own.

Learning takes about 5.5 times as long as a forward pass through OpenVINO, so that a new version of each photo then adds
a quarter to an epoch at most.
"""


MOST_NUMBERS = 40_000_000
"""Features times photos up to which the head starts from logistic regression; more would take longer than epochs do."""

RANDOM_START_RATE, RANDOM_START_TIMES = 1e-2, 10
"""A head that has to begin with random weights needs so many times the rate of one that does not, up to the first."""


@dataclass(frozen=True)
class PhasePlan:
    """The input of a phase: cached outputs of the frozen part, or photos.

    Attributes:
        phase: The phase.
        boundary: Where the network is cut: `FEATURES`, or the first block that learns; empty for photos.
        views: Versions of each training photo that are cached, at least 1; 0 for photos.
        augmented: Whether they differ from the photo.
        reason: Whether outputs are cached, and why.
        fresh: Whether each epoch gets a version of its own, however many are cached.
    """

    phase: Phase
    boundary: str
    views: int
    augmented: bool
    reason: Message
    fresh: bool = False

    @property
    def cached(self) -> bool:
        """Whether the frozen part is computed once, and its outputs kept in the feature cache."""
        return bool(self.boundary)


def starts_from_nothing(recipe: Recipe, chosen: Backbone) -> bool:
    """Whether there are no pretrained weights, so that everything learns from the start."""
    return not chosen.pretrained or recipe.weights == "random"


def phases_of(recipe: Recipe, chosen: Backbone) -> tuple[Phase, ...]:
    """Head first, then from the unfreeze point on; or, without pretrained weights, everything from the start.

    What was added after a run had ended comes last, each time as a phase of its own that begins at the peak rate.
    """
    if starts_from_nothing(recipe, chosen):
        epochs = recipe.head_epochs + recipe.fine_tune_epochs
        phases: tuple[Phase, ...] = (Phase(FROM_SCRATCH, epochs, recipe.scratch_learning_rate, "all", FULL_COST),)
    else:
        head = Phase(HEAD, recipe.head_epochs, recipe.head_learning_rate, "none", 1.0)
        phases = tuple(phase for phase in (head, *_fine_tuning(recipe, chosen)) if phase.epochs)
    added = (
        replace(phases[-1], name=f"{phases[-1].kind}, added {number}", epochs=epochs, added=number)
        for number, epochs in enumerate(recipe.more_epochs, 1)
    )
    return (*phases, *added)


def _fine_tuning(recipe: Recipe, chosen: Backbone) -> tuple[Phase, ...]:
    """One phase, or for gradual unfreezing one for each block that joins, with the epochs divided among them."""
    whole = Phase(
        FINE_TUNE,
        recipe.fine_tune_epochs,
        recipe.fine_tune_learning_rate,
        recipe.unfreeze_point,
        _cost(recipe.unfreeze_point, chosen),
        unfreeze_layer=recipe.unfreeze_layer,
    )
    points = chosen.unfreeze_points
    joining = points[1 : points.index(recipe.unfreeze_point) + 1][-max(1, recipe.fine_tune_epochs) :]
    if not recipe.gradual or len(joining) < 2:
        return (whole,)
    each, rest = divmod(recipe.fine_tune_epochs, len(joining))
    earlier = (
        replace(whole, name=f"{FINE_TUNE} from {point}", unfreeze_point=point, unfreeze_layer="", epochs=each)
        for point in joining[:-1]
    )
    costed = (replace(phase, kind=FINE_TUNE, relative_cost=_cost(phase.unfreeze_point, chosen)) for phase in earlier)
    return (*costed, replace(whole, epochs=each + rest))


def _cost(point: str, chosen: Backbone) -> float:
    return 1 + (FULL_COST - 1) * len(chosen.trainable_blocks(point)) / len(chosen.blocks)


def row_shape(chosen: Backbone, boundary: str, pooling: str = AVERAGE) -> tuple[int, ...]:
    """The shape of what is cached of one photo: `(D,)` features, or the map `(h, w, C)` that enters a block."""
    if boundary == FEATURES:
        return (feature_width(chosen, pooling),)
    side, channels = chosen.boundary(boundary)
    return (side, side, channels)


def row_bytes(chosen: Backbone, boundary: str, *, augmented: bool, pooling: str = AVERAGE) -> int:
    """Bytes that are cached of one photo, or of one of its augmented versions."""
    return (STORED_BYTES if augmented else EXACT_BYTES) * prod(row_shape(chosen, boundary, pooling))


def plan_phases(
    recipe: Recipe,
    chosen: Backbone,
    training: int,
    others: int,
    has_room: Callable[[int], bool],
    *,
    learned_head: bool = False,
) -> tuple[PhasePlan, ...]:
    """Plan the input of each phase, in order, and a higher rate for a head that has to begin with random weights.

    Args:
        recipe: What was chosen.
        chosen: Its backbone.
        training: Number of training photos.
        others: Number of validation and test photos.
        has_room: Says whether so many bytes may be cached.
        learned_head: Whether the head is one that has learned all classes in an earlier run.
    """
    plans: list[PhasePlan] = []
    promised = 0
    for phase in phases_of(recipe, chosen):
        plan = _plan(phase, recipe, chosen)
        needed = _bytes(plan, recipe, chosen, training, others)
        if plan.cached and not has_room(promised + needed):
            plan = replace(plan, boundary="", views=0, reason=Message("no-room", {"bytes": needed}))
        promised += needed if plan.cached else 0
        if (
            phase.kind == HEAD
            and recipe.head_start == REGRESSION
            and not learned_head
            and not starts_with_regression(recipe, plan, training)
        ):
            plan = replace(plan, phase=replace(phase, learning_rate=_for_a_random_start(phase.learning_rate)))
        plans.append(plan)
    return tuple(plans)


def starts_with_regression(recipe: Recipe, plan: PhasePlan, training: int) -> bool:
    """Whether a head begins at the logistic regression on so many training photos, by the plan of the first phase."""
    width = feature_width(backbone(recipe.backbone), recipe.pooling)
    return (
        recipe.head_start == REGRESSION
        and plan.boundary == FEATURES
        and not recipe.head_batch_norm
        and training * width <= MOST_NUMBERS
    )


def _for_a_random_start(rate: float) -> float:
    return max(rate, min(RANDOM_START_RATE, RANDOM_START_TIMES * rate))


def boundaries_of(plans: Sequence[PhasePlan]) -> tuple[str, ...]:
    """The boundaries whose outputs are cached for these phases, each once, in the order of the phases."""
    return tuple(dict.fromkeys(plan.boundary for plan in plans if plan.cached))


def deepest(plans: Sequence[PhasePlan], chosen: Backbone) -> PhasePlan:
    """The one of these phases in which most of the network learns; what is frozen in it is as it was before the run."""
    return max(plans, key=lambda plan: len(chosen.trainable_blocks(plan.phase.unfreeze_point)))


def final_boundary(plans: Sequence[PhasePlan], chosen: Backbone) -> str:
    """The boundary below all that learns in any of these phases; empty where such a phase takes photos."""
    return deepest(plans, chosen).boundary


def first_versions(plans: Sequence[PhasePlan]) -> list[int]:
    """The versions of the training photos that are cached before the first epoch."""
    return [0] if any(plan.cached and plan.augmented for plan in plans) else []


def version_of(plan: PhasePlan, epoch: int, made: Sequence[int]) -> int:
    """Which version of the training photos an epoch takes.

    Args:
        plan: The input of its phase.
        epoch: Its number in the run, from 0.
        made: The versions that are cached, in the order in which they were made.

    Returns:
        The number of the version; in a cached phase one that is not in `made` is to be computed.
    """
    if not plan.augmented:
        return ORIGINAL
    if not plan.cached or plan.fresh or epoch in made or len(made) < plan.views:
        return epoch
    return made[epoch % len(made)]


def new_versions(plans: Sequence[PhasePlan]) -> list[int]:
    """For each phase, how many versions of the training photos are computed and cached during its epochs."""
    made, begun, counts = first_versions(plans), 0, []
    for plan in plans:
        before = len(made)
        for epoch in range(begun, begun + plan.phase.epochs):
            version = version_of(plan, epoch, made)
            if plan.cached and plan.augmented and version not in made:
                made.append(version)
        begun += plan.phase.epochs
        counts.append(len(made) - before)
    return counts


def _bytes(plan: PhasePlan, recipe: Recipe, chosen: Backbone, training: int, others: int) -> int:
    if not plan.cached:
        return 0
    changed, exact = (
        row_bytes(chosen, plan.boundary, augmented=augmented, pooling=recipe.pooling)
        for augmented in (plan.augmented, False)
    )
    return changed * training * plan.views + exact * others


def _plan(phase: Phase, recipe: Recipe, chosen: Backbone) -> PhasePlan:
    augmented = bool(recipe.augmentations)
    plain = _why_plain(phase, recipe, chosen)
    if plain:
        return PhasePlan(phase, "", 0, augmented, Message(plain))
    boundary = FEATURES if phase.unfreeze_point == "none" else phase.unfreeze_point
    views = min(recipe.views, sum(each.epochs for each in phases_of(recipe, chosen))) if augmented else 1
    last = phase.name == phases_of(recipe, chosen)[-1].name
    fresh = augmented and last and chosen.work_share(phase.unfreeze_point) >= FRESH_FROM
    reason = Message("cached-versions", {"number": views}) if views > 1 else Message("cached")
    return PhasePlan(phase, boundary, views, augmented, reason, fresh)


def _why_plain(phase: Phase, recipe: Recipe, chosen: Backbone) -> str:
    """The key of the message that says why nothing is cached; empty where it is."""
    if phase.unfreeze_point == "all":
        return "all-trainable"
    if recipe.mixes_photos:
        return "photos-mixed"
    if recipe.views == 0:
        return "caching-off"
    boundary = FEATURES if phase.unfreeze_point == "none" else phase.unfreeze_point
    if row_bytes(chosen, boundary, augmented=True, pooling=recipe.pooling) > LARGEST * chosen.resolution**2 * 3:
        return "head-too-wide" if boundary == FEATURES else "little-gain"
    return ""
