"""A run of so many minutes: what variant, unfreeze point, views and epochs a measured machine has time for.

Nothing here imports Keras; the trainer measures, this chooses.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from core.models.backbones import BACKBONES, Backbone
from core.recipe.recipe import Recipe, default_epochs, unfreeze_point_for
from core.training.budget.cost_model import Counts, Throughput, seconds_of

MARGIN = 0.85
"""Share of the time that is planned for; machines slow down when they get warm or somebody opens another program."""

SHARES = (0.5, 0.25)
"""How much of the weights should learn; the next where there is no time for the first."""

LEAST_VIEWS, MOST_VIEWS = 2, 8
LEAST_HEAD, LEAST_FINE_TUNE = 3, 4


def timed_variants() -> tuple[Backbone, ...]:
    """The rows of the table that a time budget may choose."""
    return tuple(row for row in BACKBONES if row.family.startswith("EfficientNet") and row.pretrained)


def fitted(
    recipe: Recipe,
    available: Sequence[Backbone],
    throughput: Throughput,
    counts: Counts,
    seconds: float,
    *,
    few: bool = False,
) -> Recipe:
    """Choose variant, unfreeze point, views and epochs for a run of so many seconds.

    The most accurate variant on ImageNet that has time for the least worth doing is taken; what time is left goes into
    more epochs and views. If there is not even time for that, it is the fastest variant's head alone. With too few
    photos for fine-tuning it is the head alone of the most accurate variant that there is time for.

    Args:
        recipe: All else.
        available: Variants whose weights are at hand, at least one.
        throughput: What was measured.
        counts: Numbers of photos.
        seconds: For the whole run.
        few: Whether the photos are too few for fine-tuning.
    """
    planned = seconds * MARGIN
    recipe = replace(recipe, unfreeze_layer="")  # of the block that was chosen, which need not be the one chosen here
    best_first = sorted(available, key=lambda row: -(row.top1 or 0))
    alone = replace(recipe, unfreeze_point="none", views=LEAST_HEAD, head_epochs=LEAST_HEAD, fine_tune_epochs=0)
    for chosen in best_first if few else ():
        if seconds_of(replace(alone, backbone=chosen.key), chosen, throughput, counts) <= planned:
            return replace(alone, backbone=chosen.key)
    for share in () if few else SHARES:
        for chosen in best_first:
            least = replace(
                recipe,
                backbone=chosen.key,
                unfreeze_point=unfreeze_point_for(chosen, share),
                views=LEAST_VIEWS,
                head_epochs=LEAST_HEAD,
                fine_tune_epochs=LEAST_FINE_TUNE,
            )
            if seconds_of(least, chosen, throughput, counts) <= planned:
                return _grown(least, chosen, throughput, counts, planned)
    fastest = min(available, key=lambda row: row.flops)
    return replace(alone, backbone=fastest.key, views=1, head_epochs=LEAST_HEAD + LEAST_FINE_TUNE)


def _grown(recipe: Recipe, chosen: Backbone, throughput: Throughput, counts: Counts, planned: float) -> Recipe:
    growing = True
    while growing:
        growing = False
        for larger in _larger(recipe, counts):
            if seconds_of(larger, chosen, throughput, counts) <= planned:
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
