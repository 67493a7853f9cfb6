"""Differences between pipelines and how sure they are: the questions that a verdict asks.

Edwards & Hsu 1983, "Multiple comparisons with the best treatment".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import stats

from nlpipe.metrics.jackknife import LEVEL, intervals_of, student

POWER = float(stats.norm.ppf(0.8))
"""Standard errors that a true difference must exceed the bound's quantile by to be found in 80 % of test sets."""


@dataclass(frozen=True)
class Evidence:
    """Differences between k pipelines, and how sure they are; a higher score is better. Index [j, i]: j against i.

    Args:
        scores: (k,) mean over the seeds.
        error: (k,) standard error of each score.
        freedom: (k,) its degrees of freedom.
        difference: (k, k) score of j less score of i.
        of_items: (k, k) variance of the difference that is due to the items.
        variance: (k, k) its whole variance.
        pair_freedom: (k, k) degrees of freedom of that.
        bound_quantile: (k, k) standard errors that all bounds against j are wide.
        difference_quantile: (k, k) standard errors beyond which any two are shown to be different.
        seed_variance: (k,) variance of the score from seed to seed, beyond that of the items; 0 where no seed is used
            or it is unknown.
        seeds: (k,) number of seeds.
        unknown: (k,) whether the luck of seeds is unknown, as there is one seed.
        bias: what the score of the best would exceed the others by if all were equal.
        items: n.
        shares: whether items are right or wrong, so that exact bounds of shares apply.
        folds: of the cross-validation whose scores the items are; 0 where they are test items.
    """

    scores: np.ndarray
    error: np.ndarray
    freedom: np.ndarray
    difference: np.ndarray
    of_items: np.ndarray
    variance: np.ndarray
    pair_freedom: np.ndarray
    bound_quantile: np.ndarray
    difference_quantile: np.ndarray
    seed_variance: np.ndarray
    seeds: np.ndarray
    unknown: np.ndarray
    bias: float
    items: int
    shares: bool = False
    folds: int = 0

    def losses(self, extra: float = 0.0) -> np.ndarray:
        """(k, k) what i loses to j at most; all hold together with 95 % for whichever j is the best.

        Args:
            extra: variance from seed to seed of the pipelines whose own is unknown.
        """
        added = extra * (self.unknown / self.seeds)
        c = self.bound_quantile
        losses: np.ndarray = self.difference + c * np.sqrt(self.variance + added[:, None] + added[None, :])
        if self.shares:
            losses = np.maximum(losses, share_bound(self.difference, c, self.items))
        np.fill_diagonal(losses, 0.0)
        return losses

    @cached_property
    def bounds(self) -> np.ndarray:
        """(k,) U: what each pipeline may lose at most to the best, whichever that is."""
        return np.asarray(np.maximum(0.0, self.losses().max(axis=0)))

    @property
    def least_losses(self) -> np.ndarray:
        """(k,) what each pipeline is shown to lose to the best at least; 0 where it may be the best itself."""
        least: np.ndarray = self.difference - self.difference_quantile * np.sqrt(self.variance)
        return np.asarray(np.maximum(0.0, least.max(axis=0)))

    @property
    def different(self) -> np.ndarray:
        """(k, k) whether two are shown to be different."""
        return np.asarray(np.abs(self.difference) > self.difference_quantile * np.sqrt(self.variance))

    @property
    def not_best(self) -> np.ndarray:
        """(k,) whether another is shown to be better."""
        return np.asarray((self.different & (self.difference > 0)).any(axis=0))

    @property
    def intervals(self) -> np.ndarray:
        """(k, 2) the 95 % interval of each score."""
        return intervals_of(self.scores, self.error, self.freedom, self.items if self.shares else None)

    def interval(self, j: int, i: int) -> tuple[float, float]:
        """The 95 % interval of the difference of these two alone."""
        reach = float(student(0.5 + LEVEL / 2, self.pair_freedom[j, i]) * np.sqrt(self.variance[j, i]))
        return float(self.difference[j, i]) - reach, float(self.difference[j, i]) + reach

    def detectable(self, j: int, i: int) -> float:
        """The true difference of these two that would be found in 80 % of such comparisons."""
        return float((self.bound_quantile[j, i] + POWER) * np.sqrt(self.variance[j, i]))

    def rival(self, i: int) -> int:
        """The pipeline that decides the bound of ``i``."""
        losses = self.losses()[:, i].copy()
        losses[i] = -np.inf
        return int(losses.argmax())

    def items_needed(self, i: int, tolerance: float) -> float:
        """Test items with which an equal of the best would be shown to be within ``tolerance`` in 80 % of comparisons;
        infinite where the luck of the seeds alone is too large.
        """
        j = self.rival(i)
        allowed = (tolerance / (self.bound_quantile[j, i] + POWER)) ** 2 - (self.variance - self.of_items)[j, i]
        return float(np.ceil(self.of_items[j, i] * self.items / allowed)) if allowed > 0 else np.inf

    def seeds_needed(self, i: int, tolerance: float) -> float:
        """Seeds with which the luck of seeds would leave room for ``tolerance``."""
        j = self.rival(i)
        variance = self.seed_variance[j] + self.seed_variance[i]
        return float(np.ceil(variance * ((self.bound_quantile[j, i] + POWER) / tolerance) ** 2))

    def tipping_deviation(self, i: int, tolerance: float) -> float | None:
        """The standard deviation from seed to seed at which ``i`` would no longer be within ``tolerance``.

        None where all that the bound depends on is known.
        """
        shares = self.unknown / self.seeds
        room = ((tolerance - self.difference) / self.bound_quantile) ** 2 - self.variance  # (k, k)
        weights = shares[:, None] + shares[None, :]
        others = (weights[:, i] > 0) & (np.arange(len(self.scores)) != i)
        if not others.any():
            return None
        return float(np.sqrt(np.maximum(0.0, room[others, i] / weights[others, i]).min()))


def share_bound(difference: np.ndarray, quantile: np.ndarray, n: int) -> np.ndarray:
    """The largest loss U that a difference of two shares of n items allows: (U - D)² = c² U (1 - U) / n.

    Where two pipelines answer all items alike it is about c²/n and not 0. Minus infinity where there is none.
    """
    a = quantile**2 / n
    root = (2 * difference + a) ** 2 - 4 * (1 + a) * difference**2
    return np.where(root >= 0, (2 * difference + a + np.sqrt(np.maximum(root, 0.0))) / (2 * (1 + a)), -np.inf)
