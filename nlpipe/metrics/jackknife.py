"""The luck of the test items in a score: the value of each item, and the interval that follows.

Efron 1982, "The jackknife, the bootstrap and other resampling plans"; Wilson 1927 (intervals of shares).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from scipy import stats

from nlpipe.metrics.metric import Metric, Statistics

LEVEL = 0.95
"""Probability that an interval, or all bounds of a comparison together, hold."""
CHUNK = 4_000_000
"""Numbers held at a time while items are left out."""


def item_values(
    scores: Callable[[np.ndarray], np.ndarray], statistics: Statistics, groups: np.ndarray | None = None
) -> tuple[float, np.ndarray]:
    """The score, and the jackknife pseudo-value of each item, of whose mean the score is about the value.

    Args:
        scores: sums of statistics (..., S) to the score (...).
        statistics: (N, S) of the items.
        groups: (N,) number of the group of each item, 0 to n - 1; items of a group count as one.

    Returns:
        the score, and the values (n,): n θ - (n - 1) θ without the item. For accuracy they are 0 or 1.
    """
    if groups is not None:
        places = (groups, np.arange(len(groups)))
        statistics = sp.csr_matrix((np.ones(len(groups)), places)) @ statistics  # (n, S)
    n, width = statistics.shape
    total = np.asarray(statistics.sum(axis=0), dtype=np.float64).reshape(-1)  # (S,)
    score = float(scores(total))
    values = np.empty(n)
    size = max(1, CHUNK // max(1, width))
    for start in range(0, n, size):
        block = statistics[start : start + size]
        block = block if isinstance(block, np.ndarray) else block.toarray()
        values[start : start + size] = n * score - (n - 1) * scores(total - block)
    return score, values


def intervals_of(
    scores: np.ndarray, error: np.ndarray, freedom: np.ndarray, shares_of: int | None = None
) -> np.ndarray:
    """The 95 % intervals of k scores: (k, 2).

    Args:
        scores: (k,).
        error: (k,) standard error of each.
        freedom: (k,) its degrees of freedom.
        shares_of: the number of items that the scores are shares of; None where they are no shares. Where such a score
            has no error, the interval is Wilson's: items that are all right do not show that all are.
    """
    reach = student(0.5 + LEVEL / 2, freedom) * error
    intervals = np.stack([scores - reach, scores + reach], axis=-1)
    if shares_of is None:
        return intervals
    z2 = stats.norm.ppf(0.5 + LEVEL / 2) ** 2 / shares_of
    middle = (scores + z2 / 2) / (1 + z2)
    wide = np.sqrt(np.maximum(0.0, z2 * scores * (1 - scores) + z2**2 / 4)) / (1 + z2)
    wilson = np.stack([middle - wide, middle + wide], axis=-1)
    return np.where((error == 0)[:, None], wilson, np.clip(intervals, 0.0, 1.0))


def score_intervals(
    metric: Metric, statistics: Statistics, groups: np.ndarray | None = None
) -> dict[str, tuple[float, float]]:
    """The 95 % interval of every score of a metric by the luck of N items; none where one item tells nothing.

    Args:
        statistics: (N, S) of the items.
        groups: (N,) number of the group of each item; items of a group count as one.
    """
    intervals: dict[str, tuple[float, float]] = {}
    for name in metric.definitions:
        score, values = item_values(lambda sums, name=name: metric.scores(sums)[name], statistics, groups)  # type: ignore[misc]
        n = len(values)
        if n < 2:
            continue
        rounded = np.round(values)
        shares = bool(((rounded == 0) | (rounded == 1)).all()) and np.allclose(rounded, values, atol=1e-6)
        values = rounded if shares else values
        error, freedom = np.array([np.sqrt(values.var(ddof=1) / n)]), np.array([n - 1.0])
        low, high = intervals_of(np.array([score]), error, freedom, n if shares else None)[0]
        if metric.definitions[name].unit == "share":
            low, high = max(low, 0.0), min(high, 1.0)
        if low < high:
            intervals[name] = (float(low), float(high))
    return intervals


def student(level: float, freedom: np.ndarray) -> np.ndarray:
    """Quantiles of Student's t."""
    return np.asarray(stats.t.ppf(level, np.maximum(freedom, 1.0)))
