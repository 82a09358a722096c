"""How good a model is, from predictions on photos that it has not learned from."""

from math import sqrt

Z_95 = 1.959964
"""Standard normal quantile of a two-sided 95 % interval."""


def accuracy_interval(correct: int, count: int, z: float = Z_95) -> tuple[float, float]:
    """Wilson score interval of an accuracy, both ends in [0, 1]; at 95 % unless another normal quantile is given.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
    Raises `ValueError` unless 0 <= correct <= count and count > 0.
    """
    if not 0 <= correct <= count or count == 0:
        raise ValueError(f"{correct} correct of {count} is no accuracy")
    share, square = correct / count, z**2 / count
    centre = (share + square / 2) / (1 + square)
    margin = z * sqrt(share * (1 - share) / count + square / (4 * count)) / (1 + square)
    return max(0.0, centre - margin), min(1.0, centre + margin)
