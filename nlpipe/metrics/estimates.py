"""A score, or the difference of two, with its error by the luck of items and seeds, and intervals at any level.

Satterthwaite 1946 (degrees of freedom); Wilson 1927 (shares).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from nlpipe.metrics.jackknife import LEVEL, student

Values = tuple[np.ndarray, np.ndarray]
"""Scores (s,) of the seeds of a pipeline, and item values (s, n) of each."""


@dataclass(frozen=True)
class Estimate:
    """A number that was found on n items.

    Args:
        value: mean over the seeds.
        error: its standard error.
        freedom: degrees of freedom of that.
        items: n.
        share_ends: of a share, or of a difference of two, to the ends of the values that are within (distance, n)
            standard errors of it if as few items differ as can; None of other scores.
    """

    value: float
    error: float
    freedom: float
    items: int
    share_ends: Callable[[float, float], tuple[float, float]] | None = None

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """The interval that holds the true number with this probability.

        That of a share is never narrower than its own variance allows: pipelines that are both right on ten items may
        differ on others.
        """
        quantile = float(student(0.5 + level / 2, np.array(self.freedom)))
        low, high = self.value - quantile * self.error, self.value + quantile * self.error
        if self.share_ends is None:
            return low, high
        least, most = self.share_ends(self.value, quantile**2 / self.items)
        return min(low, least), max(high, most)


def score_of(values: Values) -> Estimate:
    """The score of one pipeline."""
    found = _estimate(values[0].mean(), values[1].mean(axis=0), (values,))
    return replace(found, share_ends=_ends_of_share) if _are_shares(values) else found


def difference_of(one: Values, other: Values) -> Estimate:
    """The difference of two pipelines that answered the same items, each with its own seeds.

    It is that of ``nlpipe.compare.statistics.compare_samples`` for a pair.
    """
    items = one[1].mean(axis=0) - other[1].mean(axis=0)  # (n,)
    found = _estimate(one[0].mean() - other[0].mean(), items, (one, other))
    return replace(found, share_ends=_ends_of_difference) if _are_shares(one) and _are_shares(other) else found


def _estimate(value: float, items: np.ndarray, pipelines: tuple[Values, ...]) -> Estimate:
    n = len(items)
    of_items = float(items.var(ddof=1)) / n
    of_seeds = term = 0.0
    for scores, values in pipelines:
        count = len(scores)
        if count > 1 and not bool((values == values[0]).all()):
            spread = float(scores.var(ddof=1))
            of_seeds += max(0.0, spread - float(values.var(axis=0, ddof=1).mean()) / n) / count
            term += (spread / count) ** 2 / (count - 1)
    variance, below = of_items + of_seeds, of_items**2 / (n - 1) + term
    return Estimate(float(value), float(np.sqrt(variance)), variance**2 / below if below > 0 else n - 1.0, n)


def _are_shares(values: Values) -> bool:
    """Whether every item is right or wrong."""
    rounded = np.round(values[1])
    return bool(((rounded == 0) | (rounded == 1)).all()) and np.allclose(rounded, values[1], atol=1e-6)


def _ends_of_share(share: float, a: float) -> tuple[float, float]:
    """The p with (p - share)² ≤ a p (1 - p): Wilson's interval."""
    middle, reach = 2 * share + a, np.sqrt(a * a + 4 * a * share * (1 - share))
    return float((middle - reach) / (2 * (1 + a))), float((middle + reach) / (2 * (1 + a)))


def _ends_of_difference(difference: float, a: float) -> tuple[float, float]:
    """The d with (d - difference)² ≤ a |d| (1 - |d|), which is the variance if one is right wherever the other is."""
    ends = [difference]
    for sign in (1.0, -1.0):
        middle = 2 * sign * difference + a
        root = middle**2 - 4 * (1 + a) * difference**2
        if root >= 0:
            ends += [sign * float(middle + way * np.sqrt(root)) / (2 * (1 + a)) for way in (1.0, -1.0)]
    return min(ends), max(ends)
