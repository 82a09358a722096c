"""How many photos are needed: what compared runs reached with so many training photos, and what twice as many bring."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import streamlit as st

from core.errors import DataError
from core.evaluation.comparison import Measured
from core.evaluation.metrics import accuracy_interval
from core.evaluation.photo_curve import Curve, Forecast, Point, fit, forecast
from core.formatting import percent, whole
from core.language import number, tr, tr_plural
from core.recipe.recipe import Recipe
from core.recipe.wording import describe_recipe
from core.runs.store import Run
from pages.components.cached import runs
from pages.components.compare import comparison_figures
from pages.components.compare.comparison_figures import MOST_RUNS, PhotoCurve
from pages.components.shared import markdown

STILL = {"displayModeBar": False}


@dataclass(frozen=True, eq=False)
class Result:
    """A run that was measured."""

    run: Run
    recipe: Recipe
    measured: Measured


def show_photo_curve(results: Sequence[Result], part: str, *, complete: bool) -> None:
    """The curve of accuracy over training photos, where runs differ in them; nothing where none do.

    Args:
        results: Runs measured on the same subset.
        part: Its name.
        complete: Whether all runs that are to come have come.
    """
    groups = groups_of(results)
    if not groups:
        return
    st.header(tr("How many photos are needed?"), anchor=False)
    drawn: list[PhotoCurve] = []
    for name, members in groups.items():
        points = [_point(each) for each in members]
        try:
            curve, ahead = fit(points), forecast(points)
        except DataError as error:
            if complete:
                _say(name if len(groups) > 1 else "", str(error))
            continue
        drawn.append(PhotoCurve(name, measured_at(points), curve, ahead))
        _say(name if len(groups) > 1 else "", sentence(curve, ahead))
    if not drawn:
        if not complete:
            st.caption(tr("The curve comes with the third number of photos."))
        return
    if len(groups) > 1:
        st.html(comparison_figures.legend([each.name for each in drawn]))
    st.plotly_chart(
        comparison_figures.photo_curves(drawn, part),
        config=STILL,
        key=f"photo-curve-{part}",
        alt=tr("Accuracy by training photos per class, with a fitted curve and what twice as many would bring"),
    )
    count = sum(len(members) for members in groups.values())
    st.caption(
        ":material/info: "
        + tr_plural(
            "A power law, fitted to {count} run; 95 % intervals. It takes for granted that more photos would be like"
            " these.",
            "A power law, fitted to {count} runs; 95 % intervals. It takes for granted that more photos would be like"
            " these.",
            count,
        )
    )


def _say(name: str, words: str) -> None:
    prefix = f"**{markdown.escape(name)}:** " if name else ""
    st.markdown(prefix + markdown.escape(words))


def sentence(curve: Curve, ahead: Forecast) -> str:
    """What twice as many photos would bring, with its interval, and what there is now."""
    now = percent(float(curve.accuracy(ahead.photos / 2)))
    photos, accuracy = number(round(ahead.photos)), whole(ahead.accuracy)
    low, high = whole(ahead.low), whole(ahead.high)
    if low == high:
        return tr(
            "With twice as many photos (about {photos} a class): about {accuracy}. The curve is at {now} now.",
            photos=photos,
            accuracy=accuracy,
            now=now,
        )
    return tr(
        "With twice as many photos (about {photos} a class): about {accuracy}, between {low} and {high}. The curve is"
        " at {now} now.",
        photos=photos,
        accuracy=accuracy,
        low=low,
        high=high,
        now=now,
    )


def groups_of(results: Sequence[Result]) -> dict[str, list[Result]]:
    """Runs that differ in nothing but training photos and seed, by what is special to them; at most `MOST_RUNS` groups.

    Without those that have all the same limit.
    """
    found: dict[str, list[Result]] = {}
    for each in results:
        alike = replace(each.recipe, seed=0, photos_per_class=0)
        found.setdefault(alike.to_json(), []).append(each)
    several = [members for members in found.values() if len({each.recipe.photos_per_class for each in members}) > 1]
    said = [describe_recipe(replace(members[0].recipe, seed=0, photos_per_class=0)) for members in several]
    special = [title for title in dict.fromkeys(key for each in said for key in each) if _differs(title, said)]
    names = [", ".join(f"{title} {each.get(title, '–')}" for title in special) for each in said]
    return dict(list(zip(names, several, strict=True))[:MOST_RUNS])


def _differs(title: str, said: Sequence[Mapping[str, str]]) -> bool:
    return len({each.get(title) for each in said}) > 1


def _point(result: Result) -> Point:
    photos = runs.training_photos(result.run.id) - runs.unlabelled_photos(result.run.id)
    each = photos / max(1, len(result.run.class_names()))
    return Point(each, result.measured.correct, result.measured.count)


def measured_at(points: Sequence[Point]) -> list[tuple[float, float, float, float]]:
    """For each number of photos the mean accuracy of its runs, and the ends of the 95 % interval on so many photos."""
    found = []
    for photos in sorted({each.photos for each in points}):
        there = [each for each in points if each.photos == photos]
        correct, count = (sum(each.correct for each in there), sum(each.count for each in there))
        once = count // len(there)
        found.append((photos, correct / count, *accuracy_interval(round(correct / len(there)), once)))
    return found
