"""A run of so many minutes: what variant, unfreeze point, views and epochs a measured machine has time for.

Nothing here imports Keras; the trainer measures, this chooses.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from core.models.backbones import BACKBONES, Backbone
from core.recipe.recipe import Recipe, default_epochs, unfreeze_point_for

FIXED_SECONDS = 16.0
"""What no choice changes: loading weights, converting graphs, compiling steps, writing the model."""

STEP_COST = 3.3
"""Learning from a photo, in relation to a forward pass through the same part: forward, two gradients, the optimizer.

Measured on two cores: 3.1 for block6 and 2.4 for block7 of EfficientNet-B0, more where more learns.
"""

VERSION_SECONDS = 0.002
"""Seconds that augmenting takes for a photo of 224 x 224 pixels, until it was measured; in proportion to the pixels."""

HEAD_EPOCH_SECONDS = 0.6

MARGIN = 0.85
"""Share of the time that is planned for; machines slow down when they get warm or somebody opens another program."""

SHARES = (0.5, 0.25)
"""How much of the weights should learn; the next where there is no time for the first."""

LEAST_VIEWS, MOST_VIEWS = 2, 8
LEAST_HEAD, LEAST_FINE_TUNE = 3, 4


@dataclass(frozen=True)
class Pace:
    """How fast this machine is.

    Attributes:
        photos_per_second: Photos that go through a backbone's forward pass.
        flops: That backbone's published multiply-adds a photo.
    """

    photos_per_second: float
    flops: int

    def forward_seconds(self, chosen: Backbone) -> float:
        """Seconds of a forward pass of one photo through another backbone, in proportion to its multiply-adds."""
        return chosen.flops / self.flops / self.photos_per_second


@dataclass(frozen=True)
class Counts:
    """Numbers of photos."""

    training: int
    validation: int
    test: int


def timed_variants() -> tuple[Backbone, ...]:
    """The rows of the table that a time box may choose."""
    return tuple(row for row in BACKBONES if row.family.startswith("EfficientNet") and row.pretrained)


def seconds_of(recipe: Recipe, chosen: Backbone, pace: Pace, counts: Counts) -> float:
    """Estimate how long a run takes, from the start of the trainer to the tested model."""
    forward = pace.forward_seconds(chosen)
    tested = (counts.validation + counts.test) * forward
    views = max(1, recipe.views) if recipe.augmentations else 1
    computed = (counts.training * views + counts.validation) * forward
    augmented = counts.training * views * bool(recipe.augmentations) * augmenting_seconds(chosen)
    learned = recipe.fine_tune_epochs * learning_seconds(chosen, recipe.unfreeze_point, pace, counts)
    return FIXED_SECONDS + tested + computed + augmented + recipe.head_epochs * HEAD_EPOCH_SECONDS + learned


def augmenting_seconds(chosen: Backbone) -> float:
    """Seconds that augmenting a photo takes where it was not measured."""
    return VERSION_SECONDS * (chosen.resolution / 224) ** 2


def learning_seconds(chosen: Backbone, point: str, pace: Pace, counts: Counts) -> float:
    """Seconds of an epoch of fine-tuning on kept outputs, validation included."""
    forward = chosen.work_share(point) * pace.forward_seconds(chosen)
    return (STEP_COST * counts.training + counts.validation) * forward


def fitted(recipe: Recipe, available: Sequence[Backbone], pace: Pace, counts: Counts, seconds: float) -> Recipe:
    """Choose variant, unfreeze point, views and epochs for a run of so many seconds.

    The most accurate variant on ImageNet that has time for the least worth doing is taken; what time is left goes into
    more epochs and views. If there is not even time for that, it is the fastest variant's head alone.

    Args:
        recipe: All else.
        available: Variants whose weights are at hand, at least one.
        pace: What was measured.
        counts: Numbers of photos.
        seconds: For the whole run.
    """
    planned = seconds * MARGIN
    best_first = sorted(available, key=lambda row: -(row.top1 or 0))
    for share in SHARES:
        for chosen in best_first:
            least = replace(
                recipe,
                backbone=chosen.key,
                unfreeze_point=unfreeze_point_for(chosen, share),
                views=LEAST_VIEWS,
                head_epochs=LEAST_HEAD,
                fine_tune_epochs=LEAST_FINE_TUNE,
            )
            if seconds_of(least, chosen, pace, counts) <= planned:
                return _grown(least, chosen, pace, counts, planned)
    fastest = min(available, key=lambda row: row.flops)
    return replace(
        recipe,
        backbone=fastest.key,
        unfreeze_point="none",
        views=1,
        head_epochs=LEAST_HEAD + LEAST_FINE_TUNE,
        fine_tune_epochs=0,
    )


def _grown(recipe: Recipe, chosen: Backbone, pace: Pace, counts: Counts, planned: float) -> Recipe:
    growing = True
    while growing:
        growing = False
        for larger in _larger(recipe, counts):
            if seconds_of(larger, chosen, pace, counts) <= planned:
                recipe, growing = larger, True
                break
    return recipe


def _larger(recipe: Recipe, counts: Counts) -> Iterator[Recipe]:
    """Recipes that take a little longer, the one worth most first."""
    head, fine = (2 * epochs for epochs in default_epochs(counts.training))
    if recipe.views < min(MOST_VIEWS, recipe.fine_tune_epochs - 1):
        yield replace(recipe, views=recipe.views + 1)
    if recipe.fine_tune_epochs < fine:
        yield replace(recipe, fine_tune_epochs=recipe.fine_tune_epochs + 1)
    if recipe.head_epochs < head:
        yield replace(recipe, head_epochs=recipe.head_epochs + 1)
    if recipe.views < MOST_VIEWS:
        yield replace(recipe, views=recipe.views + 1)
