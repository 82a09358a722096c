"""Comparisons of runs: which differences are significant. Functions of arrays and plain values.

Accuracies are shares of 1. Two sources of chance are distinguished: another seed gives another network, which only
repeats can show, and other photos give another accuracy, by which single runs are judged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, ndtri, stdtrit

from core.evaluation.metrics import accuracy_interval
from core.language import number, sentences, tr, tr_mark, tr_plural

MANY = 5
"""From so many single runs on, compared with the same repeats, a sentence warns that some stand out by chance."""

ALPHA = 0.05
"""The significance level, over all comparisons of one result together."""

REPEATS_HINT = tr_mark("Repeats would show how much another seed changes.")


@dataclass(frozen=True)
class Spread:
    """How repeats of one recipe scatter.

    Attributes:
        count: How many there are, 1 or more.
        mean: Their mean.
        deviation: Their sample standard deviation, with n - 1; 0 for one alone.
        low, high: 95 % t-interval of the mean; None for one alone.
    """

    count: int
    mean: float
    deviation: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Interval:
    """A difference with the ends of its confidence interval, in the unit of what was compared."""

    difference: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Measured:
    """The result of one run on the photos of one subset.

    Attributes:
        correct, count: How many of how many photos it classified correctly.
        photos: The N photos in order; empty where they are not known.
        right: Shape (N,), bool: about which of them it was right; empty where that is not known.

    Raises:
        ValueError: There are no photos, or more right ones than photos.
    """

    correct: int
    count: int
    photos: tuple[str, ...]
    right: NDArray[np.bool_]

    def __post_init__(self) -> None:
        """Check that the numbers fit."""
        if not 0 <= self.correct <= self.count or self.count == 0:
            raise ValueError(f"{self.correct} correct of {self.count} is no accuracy")
        if self.right.shape != (len(self.photos),):
            raise ValueError(f"right {self.right.shape} does not fit {len(self.photos)} photos")

    @property
    def accuracy(self) -> float:
        """The share of photos that it classified correctly."""
        return self.correct / self.count


@dataclass(frozen=True)
class Arm:
    """One side of a comparison: a recipe's name and the results of its repeats, one or more."""

    name: str
    runs: tuple[Measured, ...]

    @property
    def accuracies(self) -> tuple[float, ...]:
        """The accuracy of each repeat."""
        return tuple(run.accuracy for run in self.runs)

    @property
    def mean(self) -> float:
        """The mean of these."""
        return float(np.mean(self.accuracies))


@dataclass(frozen=True)
class Verdict:
    """The verdict on two recipes.

    Attributes:
        better, worse: Their names; in the order given where neither is better.
        difference: By how much the mean accuracy is higher, a share of 1, 0 or more.
        shown: Whether that is more than chance explains.
        sentence: The verdict as a sentence.
    """

    better: str
    worse: str
    difference: float
    shown: bool
    sentence: str


def spread(values: ArrayLike) -> Spread:
    """Mean, standard deviation and Student's 95 % t-interval of the mean, for values of shape (N,), N at least 1."""
    found = np.asarray(values, dtype=float)
    mean = float(found.mean())
    if len(found) == 1:
        return Spread(1, mean, 0.0, None, None)
    deviation = float(found.std(ddof=1))
    margin = float(stdtrit(len(found) - 1, 1 - ALPHA / 2)) * deviation / sqrt(len(found))
    return Spread(len(found), mean, deviation, mean - margin, mean + margin)


def welch_interval(first: ArrayLike, second: ArrayLike, alpha: float = ALPHA) -> Interval:
    """Interval of mean(first) - mean(second), each of two values or more, whose spreads need not be equal.

    Source: B. L. Welch, "The generalization of Student's problem when several different population variances are
    involved", Biometrika 34 (1947), with the degrees of freedom of Welch and Satterthwaite.
    """
    one, other = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    difference = float(one.mean() - other.mean())
    shares = np.array([one.var(ddof=1) / len(one), other.var(ddof=1) / len(other)])
    if not shares.any():
        return Interval(difference, difference, difference)
    freedom = shares.sum() ** 2 / (shares**2 / (np.array([len(one), len(other)]) - 1)).sum()
    margin = float(stdtrit(freedom, 1 - alpha / 2) * sqrt(shares.sum()))
    return Interval(difference, difference - margin, difference + margin)


def single_interval(value: float, repeats: ArrayLike, alpha: float = ALPHA) -> Interval:
    """Interval of value - mean(repeats) for one value against two or more, whose spread is taken for both.

    Source: J. R. Crawford and D. C. Howell, "Comparing an individual's test score against norms derived from small
    samples", The Clinical Neuropsychologist 12 (1998); it is Student's prediction interval for one more value.
    """
    found = np.asarray(repeats, dtype=float)
    difference = float(value - found.mean())
    scale = float(found.std(ddof=1)) * sqrt(1 + 1 / len(found))
    margin = float(stdtrit(len(found) - 1, 1 - alpha / 2)) * scale
    return Interval(difference, difference - margin, difference + margin)


def newcombe_interval(
    first_correct: int, first_count: int, second_correct: int, second_count: int, alpha: float = ALPHA
) -> Interval:
    """Interval of the difference between two accuracies on different photos.

    Source: R. G. Newcombe, "Interval estimation for the difference between independent proportions", Statistics in
    Medicine 17 (1998), method 10. Raises `ValueError` as `accuracy_interval` does.
    """
    z = float(ndtri(1 - alpha / 2))
    one, other = first_correct / first_count, second_correct / second_count
    low, high = accuracy_interval(first_correct, first_count, z)
    other_low, other_high = accuracy_interval(second_correct, second_count, z)
    below = sqrt((one - low) ** 2 + (other_high - other) ** 2)
    above = sqrt((high - one) ** 2 + (other - other_low) ** 2)
    return Interval(one - other, one - other - below, one - other + above)


def mcnemar_p(only_first: int, only_second: int) -> float:
    """Chance of so uneven a count, or a more uneven one, of photos about which one of two models alone is right.

    Exact and two-sided. Source: Q. McNemar, "Note on the sampling error of the difference between correlated
    proportions or percentages", Psychometrika 12 (1947), with the binomial distribution in place of chi-square.
    """
    return min(1.0, 2 * float(bdtr(min(only_first, only_second), only_first + only_second, 0.5)))


def verdict(first: Arm, second: Arm, comparisons: int = 1) -> Verdict:
    """Say which of two recipes is better, and whether that is shown.

    With repeats of both, by Welch's interval; with repeats of one, by its spread; with single runs on the same photos,
    by McNemar's test, on different ones by Newcombe's interval. Where repeats do not differ at all, the photos
    decide.

    Args:
        first: One recipe.
        second: The other one.
        comparisons: How many are made at once; chance is divided between them (Bonferroni). Not so for one run against
            repeats: with the few that there are, tails are so heavy that no difference would ever be shown.
    """
    better, worse = (first, second) if first.mean >= second.mean else (second, first)
    difference = better.mean - worse.mean
    if difference == 0:
        same = tr(
            "{better} and {worse} come out the same, {accuracy}: no difference is shown.",
            better=better.name,
            worse=worse.name,
            accuracy=_percent(better.mean),
        )
        return Verdict(better.name, worse.name, 0.0, False, same)
    shown, sentence = _judge(better, worse, ALPHA / comparisons)
    hint = tr(REPEATS_HINT) if len(better.runs) == len(worse.runs) == 1 else ""
    return Verdict(better.name, worse.name, difference, shown, sentences(sentence, hint))


def _judge(better: Arm, worse: Arm, alpha: float) -> tuple[bool, str]:
    """Whether the difference is shown, and the sentence that says so."""
    scattered = [arm for arm in (better, worse) if len(set(arm.accuracies)) > 1]
    if not scattered:
        return _judge_by_photos(better, worse, alpha)
    if min(len(better.runs), len(worse.runs)) > 1:
        found = welch_interval(better.accuracies, worse.accuracies, alpha)
        repeats = tr("{first} and {second} repeats", first=len(better.runs), second=len(worse.runs))
        return _by_repeats(better, worse, found, "", _with_interval(repeats, found, alpha))
    [repeated] = scattered
    single = worse if repeated is better else better
    sign = 1 if single is better else -1
    found = single_interval(sign * single.mean, sign * np.array(repeated.accuracies))
    repeats = tr_plural("one run against {count} repeat", "one run against {count} repeats", len(repeated.runs))
    return _by_repeats(better, worse, found, repeated.name, _with_interval(repeats, found, ALPHA))


def _named(better: Arm, worse: Arm) -> dict[str, str]:
    return {"better": better.name, "worse": worse.name, "difference": _points(better.mean - worse.mean)}


def _shown(better: Arm, worse: Arm, grounds: str) -> str:
    return tr("{better} is {difference} better than {worse} ({grounds}).", grounds=grounds, **_named(better, worse))


def _by_repeats(better: Arm, worse: Arm, found: Interval, whose: str, grounds: str) -> tuple[bool, str]:
    """As `_judge`; `whose` is the recipe that was repeated, empty where both were."""
    if found.low > 0:
        return True, _shown(better, worse, grounds)
    named = {"grounds": grounds, **_named(better, worse)}
    if whose:
        return False, tr(
            "{better} is {difference} better than {worse}, but repeats of {recipe} differ by as much ({grounds}): no"
            " difference is shown.",
            recipe=whose,
            **named,
        )
    return False, tr(
        "{better} is {difference} better than {worse}, but repeats of the same recipe differ by as much ({grounds}): no"
        " difference is shown.",
        **named,
    )


def _judge_by_photos(better: Arm, worse: Arm, alpha: float) -> tuple[bool, str]:
    one, other = better.runs[0], worse.runs[0]
    named = _named(better, worse)
    if one.photos and one.photos == other.photos:
        only_better = int((one.right & ~other.right).sum())
        only_worse = int((other.right & ~one.right).sum())
        p = mcnemar_p(only_better, only_worse)
        test = tr(
            "it alone is right about {only_better}, the other alone about {only_worse}; McNemar's test, {p}",
            only_better=only_better,
            only_worse=only_worse,
            p=_p(p),
        )
        if p < alpha:
            return True, tr_plural(
                "{better} is {difference} better than {worse} on the same {count} photo ({test}).",
                "{better} is {difference} better than {worse} on the same {count} photos ({test}).",
                one.count,
                test=test,
                **named,
            )
        return False, tr_plural(
            "{better} is {difference} better than {worse}, but on {count} photo that can be chance ({test}): no"
            " difference is shown.",
            "{better} is {difference} better than {worse}, but on {count} photos that can be chance ({test}): no"
            " difference is shown.",
            one.count,
            test=test,
            **named,
        )
    found = newcombe_interval(one.correct, one.count, other.correct, other.count, alpha)
    if found.low > 0:
        return True, _shown(better, worse, _ends(found, alpha))
    return False, tr(
        "{better} is {difference} better than {worse}, but on so few photos that can be chance ({interval}): no"
        " difference is shown.",
        interval=_ends(found, alpha),
        **named,
    )


def best_of(arms: Sequence[Arm]) -> str:
    """The verdict on recipes, one or more: the best against the second best."""
    if len(arms) == 1:
        return describe_arm(arms[0])
    best, second = sorted(arms, key=lambda arm: -arm.mean)[:2]
    told = verdict(best, second, len(arms) - 1).sentence
    if len(arms) == 2:
        return told
    place = tr(
        "Of {count}, {recipe} is best with {accuracy}.", count=len(arms), recipe=best.name, accuracy=_percent(best.mean)
    )
    return sentences(place, told)


def against_first(arms: Sequence[Arm]) -> str:
    """The verdict on a series, one recipe or more: the best against the first, and which others beat the first.

    All are compared with the first at once, so that the best of many must do better than the best of a few.
    """
    if len(arms) == 1:
        return describe_arm(arms[0])
    first, *others = arms
    verdicts = [verdict(other, first, len(others)) for other in others]
    best = max(range(len(others)), key=lambda place: others[place].mean)
    if others[best].mean <= first.mean:
        nothing = tr(
            "Nothing comes out better than {recipe}, {accuracy}.", recipe=first.name, accuracy=_percent(first.mean)
        )
        return sentences(nothing, verdicts[best].sentence)
    more = [v.better for place, v in enumerate(verdicts) if v.shown and v.better != first.name and place != best]
    names = ", ".join(more)
    rest = tr("Better than {recipe} by more than chance, too: {others}.", recipe=first.name, others=names)
    return sentences(verdicts[best].sentence, rest if more else "", _luck(others, first))


def _luck(others: Sequence[Arm], first: Arm) -> str:
    """A warning where the significance level is not divided between many comparisons."""
    singles = sum(len(other.runs) == 1 < len(first.runs) for other in others)
    if singles < MANY:
        return ""
    return tr(
        "With {count} single runs compared, about one in twenty looks different by chance: repeat the ones that do.",
        count=singles,
    )


def describe_arm(arm: Arm) -> str:
    """One recipe alone: its mean and spread, or the interval of its single run."""
    found = spread(arm.accuracies)
    if found.low is None or found.high is None:
        low, high = accuracy_interval(arm.runs[0].correct, arm.runs[0].count)
        right = tr_plural(
            "{recipe} is right about {accuracy} of {count} photo (95 % interval {low} to {high}).",
            "{recipe} is right about {accuracy} of {count} photos (95 % interval {low} to {high}).",
            arm.runs[0].count,
            recipe=arm.name,
            accuracy=_percent(found.mean),
            low=number(100 * low, 1),
            high=_percent(high),
        )
        return sentences(right, tr(REPEATS_HINT))
    return tr(
        "{recipe}: {accuracy} on average over {count} repeats, from {lowest} to {highest}; the standard deviation is"
        " {deviation}.",
        recipe=arm.name,
        accuracy=_percent(found.mean),
        count=found.count,
        lowest=number(100 * min(arm.accuracies), 1),
        highest=_percent(max(arm.accuracies)),
        deviation=_points(found.deviation),
    )


def what_differs(recipes: Mapping[str, Mapping[str, str]]) -> list[dict[str, str]]:
    """A row for each choice in which recipes differ: "choice", then the value under each recipe's name.

    `recipes` holds the described choices by name; a choice that a recipe lacks is shown as a dash.
    """
    choices = dict.fromkeys(choice for recipe in recipes.values() for choice in recipe)
    rows = [
        {"choice": choice, **{name: recipe.get(choice, "–") for name, recipe in recipes.items()}} for choice in choices
    ]
    return [row for row in rows if len(set(list(row.values())[1:])) > 1]


def _percent(share: float) -> str:
    return tr("{number} %", number=number(100 * share, 1))


def _points(share: float) -> str:
    return tr("{number} points", number=number(100 * share, 1))


def _ends(found: Interval, alpha: float) -> str:
    return tr(
        "{level} % interval {low} to {high}",
        level=f"{100 * (1 - alpha):.3g}",
        low=number(100 * found.low, 1).replace("-", "−"),
        high=_points(found.high),
    )


def _with_interval(count: str, found: Interval, alpha: float) -> str:
    return tr("{repeats}, {interval}", repeats=count, interval=_ends(found, alpha))


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.2g}" if value < 0.1 else f"p = {value:.2f}"
