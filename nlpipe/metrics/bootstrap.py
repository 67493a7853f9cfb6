"""Scores on resampled test items: Efron's bootstrap over the rows of a metric's statistics.

Reference: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13 (percentile intervals).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nlpipe.metrics.metric import Metric
from nlpipe.stage import Predictions
from nlpipe.wire import Wire

RESAMPLES = 1000
CHUNK = 20_000_000
"""Most numbers held for weights at a time (8 bytes each)."""


def resampled_scores(
    metric: Metric, statistics: np.ndarray, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, np.ndarray]:
    """Each score of ``metric`` on ``resamples`` resamples of the N rows of ``statistics`` (N, S): name to (R,).

    The resamples are a function of N and ``seed`` alone, so that different pipelines are scored on the same ones.
    """
    count = len(statistics)
    random = np.random.default_rng(seed)
    sums, left = [], resamples
    while left:
        now = min(left, max(1, CHUNK // max(count, 1)))
        weights = random.multinomial(count, np.full(count, 1 / count), size=now)  # (R, N)
        sums.append(weights.astype(np.float64) @ statistics)  # (R, S)
        left -= now
    return metric.scores(np.concatenate(sums))


def interval(
    metric: Metric, gold: Wire, predictions: Predictions[Any], level: float = 0.95, resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:  # fmt: skip
    """Percentile interval of each score of ``metric``: name to (low, high)."""
    tail = 100 * (1 - level) / 2
    found = resampled_scores(metric, metric.statistics(gold, predictions), resamples, seed)
    return {
        name: (float(low), float(high))
        for name, values in found.items()
        for low, high in [np.percentile(values, [tail, 100 - tail])]
    }
