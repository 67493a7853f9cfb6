"""Percentile bootstrap intervals of any metric, from its statistics and nothing else; nlpipe itself uses the jackknife.

A resample of N examples is how often each was drawn: R resamples are one product (R, N) @ (N, S), done in chunks.
With the same N and seed every pipeline gets the same resamples, so that differences are paired.

Efron 1979, "Bootstrap methods: another look at the jackknife".
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp

from nlpipe.metrics.metric import Metric
from nlpipe.predictions import AnyPredictions
from nlpipe.wire import Wire

CHUNK = 4_000_000
"""Draws held at a time: bounds the memory at about 100 MB, whatever N and R are."""


def interval(
    metric: Metric,
    gold: Wire,
    predictions: AnyPredictions,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """The middle ``level`` of each score over resamples of the examples; empty where the metric does not apply."""
    ends = [(1 - level) / 2, (1 + level) / 2]
    intervals = {}
    for name, values in resampled_scores(metric, gold, predictions, resamples, seed).items():
        low, high = np.quantile(values, ends)
        intervals[name] = (float(low), float(high))
    return intervals


def resampled_scores(
    metric: Metric, gold: Wire, predictions: AnyPredictions, resamples: int = 1000, seed: int = 0
) -> dict[str, np.ndarray]:
    """Each score on each resample of the examples: name to (R,); empty where the metric does not apply."""
    if not metric.applies(predictions) or len(gold) == 0:
        return {}
    return metric.scores(resampled_sums(metric.statistics(gold, predictions), resamples, seed))


def resampled_sums(statistics: np.ndarray | sp.csr_matrix, resamples: int = 1000, seed: int = 0) -> np.ndarray:
    """Sums (R, S) of the statistics (N, S) over each of R resamples of the N examples."""
    columns = None if isinstance(statistics, np.ndarray) else statistics.T.tocsr()  # (S, N)
    parts = []
    for weights in draws(statistics.shape[0], resamples, seed):  # (r, N)
        parts.append(weights @ statistics if columns is None else (columns @ weights.T).T)  # (r, S)
    return np.concatenate(parts)  # (R, S)


def draws(count: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """How often each of N examples is drawn in each resample: chunks (r, N) whose rows sum to N."""
    random = np.random.default_rng(seed)
    size = max(1, CHUNK // max(count, 1))
    for start in range(0, resamples, size):
        rows = min(size, resamples - start)
        drawn = random.integers(0, count, size=(rows, count))  # (r, N)
        drawn += count * np.arange(rows)[:, None]
        yield np.bincount(drawn.reshape(-1), minlength=rows * count).reshape(rows, count).astype(np.float64)
