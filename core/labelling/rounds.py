"""Rounds of labelling: what a head can do with the labels so far, and which photos are next."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from core.labelling.head import CrossValidated, cross_validated
from core.labelling.learning_curve import LearningCurve, learning_curve
from core.labelling.pool import LEFT_OUT, Labels, Pool
from core.labelling.selection import ROUND, choose
from core.labelling.spreading import head_of


@dataclass(frozen=True, eq=False)
class Round:
    """A round of labelling.

    Attributes:
        paths: The photos to label, the one that teaches most first; none once nothing is left to ask about.
        labelled: How many photos had a label at its beginning.
        judged: What heads can do with these; None while that cannot be judged.
        curve: What more labels would bring; None while there are too few.
    """

    paths: tuple[str, ...]
    labelled: int
    judged: CrossValidated | None
    curve: LearningCurve | None


def next_round(pool: Pool, labels: Labels, passed_over: Collection[str] = (), count: int = ROUND) -> Round:
    """Judge the labels so far, and choose the next photos; those that were passed over, by path, are not among them."""
    rows, known = labels.labelled, labels.known
    values, groups = pool.values[rows], pool.groups[rows]
    probabilities = head_of(pool, labels).probabilities(pool.values) if len(np.unique(known)) > 1 else None
    passed = np.isin(pool.paths, list(passed_over)) & (labels.values < 0) if passed_over else np.zeros(len(pool), bool)
    asking = replace(labels, values=np.where(passed, LEFT_OUT, labels.values))
    chosen = choose(pool, asking, probabilities, count)
    judged, mine = cross_validated(values, known, groups, labels.judging), labels.judging
    curve = learning_curve(values[mine], known[mine], groups[mine]) if judged is not None else None
    return Round(tuple(pool.paths[i] for i in chosen), len(rows), judged, curve)
