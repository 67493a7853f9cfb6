"""From the items and seeds of several pipelines to the differences between them, with two kinds of luck.

All pipelines answered the same n items, each with its own seeds. One kind of luck is which items are in the test set,
the other which seeds were drawn. The best pipeline is unknown, and the one that looks best looks better than it is; so
the bound of a pipeline holds against whichever is the best (multiple comparisons with the best).

Hsu 1996, "Multiple comparisons: theory and methods"; Efron 1982, "The jackknife, the bootstrap and other resampling
plans"; Satterthwaite 1946 (degrees of freedom); Nadeau & Bengio 2003, "Inference for the generalization error" (folds).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nlpipe.compare.evidence import Evidence
from nlpipe.metrics.jackknife import LEVEL, student

DRAWS = 10_000
"""Simulated comparisons of equal pipelines, from which the quantiles come."""
Variances = Callable[[int], np.ndarray]
"""Of the differences to pipeline j: (k,), or (R, k) where each simulated comparison has its own."""


@dataclass(frozen=True)
class Sample:
    """What one pipeline scored on n items with s seeds.

    Args:
        scores: (s,) of each seed.
        values: (s, n) item values, whose unit is that of the score.
        uses_seed: whether another seed could give another pipeline.
    """

    scores: np.ndarray
    values: np.ndarray
    uses_seed: bool = True

    @property
    def same_always(self) -> bool:
        """Whether no luck of seeds is in the scores: no seed is used, or all seeds gave the same answers."""
        return not self.uses_seed or (len(self.scores) > 1 and bool((self.values == self.values[0]).all()))


def compare_samples(samples: Sequence[Sample], shares: bool = False, same_seeds: bool = False) -> Evidence:
    """The differences between pipelines that answered the same items.

    Args:
        samples: one a pipeline; a higher score is better, so give those of a loss with the other sign.
        shares: whether every item value is 0 or 1.
        same_seeds: whether a seed is common to all pipelines, as where it chooses the training examples; they then have
            the same number of seeds, and the luck of seeds is that of the differences.
    """
    n, k = samples[0].values.shape[1], len(samples)
    scores = np.array([sample.scores.mean() for sample in samples])
    means = np.stack([sample.values.mean(axis=0) for sample in samples])  # (k, n)
    of_items = np.stack([(means - means[j]).var(axis=1, ddof=1) / n for j in range(k)])  # (k, k)
    covariance = np.atleast_2d(np.cov(means)) / n
    seeds = np.array([len(sample.scores) for sample in samples])
    lucky = np.array([len(sample.scores) > 1 and not sample.same_always for sample in samples])
    if same_seeds and seeds[0] > 1:
        luck: _Luck = _SharedLuck(samples, n)
    else:
        luck = _OwnLuck(samples, lucky, n)
    variance = of_items + luck.variance
    pair_freedom = _freedom(variance, of_items, n, luck.freedom_term)
    own_variance = np.diag(covariance) + luck.own
    random = np.random.default_rng(0)
    errors = _normal(covariance, DRAWS, random)  # (R, k)
    seed_errors, drawn_variances = luck.draw(random)
    errors = errors + seed_errors
    against, widest = _quantiles(errors, lambda j: of_items[j] + drawn_variances(j))
    of_scores = np.diag(covariance)
    return Evidence(
        scores=scores, error=np.sqrt(own_variance), freedom=_freedom(own_variance, of_scores, n, luck.own_term),
        difference=scores[:, None] - scores[None, :], of_items=of_items, variance=variance, pair_freedom=pair_freedom,
        bound_quantile=np.maximum(against[:, None], student(LEVEL, pair_freedom)),
        difference_quantile=np.maximum(widest, student(0.5 + LEVEL / 2, pair_freedom)),
        seed_variance=luck.per_seed, seeds=seeds,
        unknown=np.array([len(sample.scores) == 1 and sample.uses_seed for sample in samples]),
        bias=float((errors.max(axis=1) - errors.mean(axis=1)).mean()), items=n, shares=shares,
    )  # fmt: skip


class _OwnLuck:
    """Every pipeline drew its own seeds: the variances of two add up."""

    def __init__(self, samples: Sequence[Sample], lucky: np.ndarray, n: int) -> None:
        self.seeds = np.array([len(sample.scores) for sample in samples])
        self.spread = np.zeros(len(samples))  # S², the variance of the score over the seeds
        self.flips = np.zeros(len(samples))  # what the items have of it
        for p, sample in enumerate(samples):
            if lucky[p]:
                self.spread[p] = sample.scores.var(ddof=1)
                self.flips[p] = sample.values.var(axis=0, ddof=1).mean() / n
        self.per_seed = np.maximum(0.0, self.spread - self.flips)
        self.own = self.per_seed / self.seeds
        self.variance = _pairs(self.own)
        self.own_term = (self.spread / self.seeds) ** 2 / np.maximum(1, self.seeds - 1)
        self.freedom_term = _pairs(self.own_term)

    def draw(self, random: np.random.Generator) -> tuple[np.ndarray, Callable[[int], np.ndarray]]:
        """Errors (R, k) by the luck of seeds, and the variances (R, k) against j as they would be estimated."""
        shape = (DRAWS, len(self.seeds))
        errors = random.standard_normal(shape) * np.sqrt(self.own)
        freedom = np.maximum(1, self.seeds - 1)
        spread = self.spread * random.chisquare(freedom, shape) / freedom
        drawn = np.maximum(0.0, spread - self.flips) / self.seeds  # (R, k)
        return errors, lambda j: _without(drawn + drawn[:, [j]], j)


class _SharedLuck:
    """A seed is common to all pipelines: what counts is how much their differences vary over the seeds."""

    def __init__(self, samples: Sequence[Sample], n: int) -> None:
        table = np.stack([sample.scores for sample in samples])  # (k, s)
        k, self.count = table.shape
        spread = np.stack([(table - table[j]).var(axis=1, ddof=1) for j in range(k)])  # (k, k)
        values = np.stack([sample.values for sample in samples])  # (k, s, n)
        self.flips = np.stack([(values - values[j]).var(axis=1, ddof=1).mean(axis=1) / n for j in range(k)])
        self.variance = np.maximum(0.0, spread - self.flips) / self.count
        self.freedom_term = (spread / self.count) ** 2 / (self.count - 1)
        self.covariance = np.atleast_2d(np.cov(table))
        own_flips = values.var(axis=1, ddof=1).mean(axis=1) / n
        self.per_seed = np.maximum(0.0, np.diag(self.covariance) - own_flips)
        self.own = self.per_seed / self.count
        self.own_term = (np.diag(self.covariance) / self.count) ** 2 / (self.count - 1)

    def draw(self, random: np.random.Generator) -> tuple[np.ndarray, Callable[[int], np.ndarray]]:
        """As that of ``_OwnLuck``, from scores that are drawn for every seed."""
        k = len(self.covariance)
        drawn = _normal(self.covariance, DRAWS * self.count, random).reshape(DRAWS, self.count, k)
        errors = drawn.mean(axis=1)

        def variances(j: int) -> np.ndarray:
            spread = (drawn - drawn[:, :, [j]]).var(axis=1, ddof=1)  # (R, k)
            return _without(np.maximum(0.0, spread - self.flips[j]) / self.count, j)

        return errors, variances


_Luck = _OwnLuck | _SharedLuck


def compare_folds(scores: np.ndarray, folds: int) -> Evidence:
    """The differences between pipelines by their scores on the folds of a cross-validation.

    The folds share training examples, so that their scores are not independent: the variance of a mean over J folds is
    taken as (1/J + 1/(K - 1)) times that of a fold (Nadeau & Bengio 2003), which is approximate.

    Args:
        scores: (k, J) of every pipeline on every fold, a higher one better; J is K folds times the repeats.
        folds: K.
    """
    k, count = scores.shape
    factor = 1 / count + 1 / (folds - 1)
    variance = np.stack([(scores - scores[j]).var(axis=1, ddof=1) * factor for j in range(k)])
    covariance = np.atleast_2d(np.cov(scores)) * factor
    freedom = np.full((k, k), float(count - 1))
    random = np.random.default_rng(0)
    errors = _normal(covariance, DRAWS, random)
    scale = np.sqrt(random.chisquare(count - 1, DRAWS) / (count - 1))[:, None]
    against, widest = _quantiles(errors, lambda j: variance[j] * scale**2)
    means = scores.mean(axis=1)
    return Evidence(
        scores=means, error=np.sqrt(np.diag(covariance)), freedom=np.full(k, float(count - 1)),
        difference=means[:, None] - means[None, :], of_items=variance, variance=variance, pair_freedom=freedom,
        bound_quantile=np.maximum(against[:, None], student(LEVEL, freedom)),
        difference_quantile=np.maximum(widest, student(0.5 + LEVEL / 2, freedom)),
        seed_variance=np.zeros(k), seeds=np.ones(k, dtype=np.int64), unknown=np.zeros(k, dtype=bool),
        bias=float((errors.max(axis=1) - errors.mean(axis=1)).mean()), items=count, folds=folds,
    )  # fmt: skip


def _quantiles(errors: np.ndarray, variances: Variances) -> tuple[np.ndarray, float]:
    """What all bounds against j, and all differences, do not exceed with 95 %, in standard errors: (k,) and a number.

    Args:
        errors: (R, k) of the scores in simulated comparisons.
        variances: as they would be estimated in them.
    """
    against, widest = np.empty(errors.shape[1]), np.zeros(len(errors))
    for j in range(errors.shape[1]):
        deviations = np.broadcast_to(np.sqrt(variances(j)), errors.shape)
        distances = np.divide(errors - errors[:, [j]], deviations, out=np.zeros_like(errors), where=deviations > 0)
        against[j] = np.quantile(distances.max(axis=1), LEVEL)
        np.maximum(widest, np.abs(distances).max(axis=1), out=widest)
    return against, float(np.quantile(widest, LEVEL))


def _freedom(variance: np.ndarray, of_items: np.ndarray, n: int, term: np.ndarray) -> np.ndarray:
    """Degrees of freedom of a sum of variances (Satterthwaite 1946)."""
    below = of_items**2 / (n - 1) + term
    most = np.full(np.shape(variance), float(n - 1))
    return np.asarray(np.divide(variance**2, below, out=most, where=below > 0))


def _pairs(values: np.ndarray) -> np.ndarray:
    """(k, k) sums of two, 0 for one with itself."""
    sums: np.ndarray = values[:, None] + values[None, :]
    np.fill_diagonal(sums, 0.0)
    return sums


def _without(variances: np.ndarray, j: int) -> np.ndarray:
    variances[:, j] = 0.0
    return variances


def _normal(covariance: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """(count, k) normal errors with a covariance (k, k) that may be singular."""
    values, vectors = np.linalg.eigh(covariance)
    factor = vectors * np.sqrt(np.maximum(values, 0.0))  # (k, k)
    return np.asarray(random.standard_normal((count, len(covariance))) @ factor.T)
