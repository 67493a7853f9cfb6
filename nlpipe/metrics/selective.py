"""Answering only where one is sure: what the answers that are kept are worth (selective prediction).

The risk-coverage curve and its area are those of Geifman and El-Yaniv 2017, "Selective Classification for Deep Neural
Networks". The bound on the accuracy is Clopper and Pearson's (1934), the exact one of a binomial share.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

SHARES = np.arange(1, 21) / 20
"""Shares of the answers, surest first, at which a threshold is tried."""
DIGITS = 6
"""Decimals of a threshold."""


@dataclass(frozen=True)
class Kept:
    """The answers of a confidence that is not below a threshold.

    Args:
        threshold: 0 keeps all.
        count: how many are kept, of ``total``.
        right: how many of these are right.
        bound: what the accuracy of such answers is at least, at the level that was asked for.
    """

    threshold: float
    count: int
    total: int
    right: int
    bound: float

    @property
    def coverage(self) -> float:
        """The share of answers that is kept."""
        return self.count / self.total if self.total else 0.0

    @property
    def accuracy(self) -> float:
        """The share of right answers among the kept; NaN where none is."""
        return self.right / self.count if self.count else math.nan


def kept(confidence: np.ndarray, right: np.ndarray, threshold: float, level: float) -> Kept:
    """What a threshold that was chosen before keeps of N answers.

    Args:
        confidence: (N,).
        right: (N,) whether each answer is right.
        level: probability with which the bound holds, such as 0.95.
    """
    chosen = confidence >= threshold
    count, correct = int(chosen.sum()), int(right[chosen].sum())
    return Kept(threshold, count, len(confidence), correct, lower_bound(correct, count, 1 - level))


def lower_bound(right: int, count: int, error: float) -> float:
    """Clopper and Pearson's lower bound of a share: it is above the true one with probability ``error`` at most."""
    from scipy.special import betaincinv

    return 0.0 if right == 0 else float(betaincinv(right, count - right + 1, error))


def candidates(confidence: np.ndarray, right: np.ndarray, level: float) -> list[Kept]:
    """The thresholds that are tried, the highest first, with bounds that hold for all of them together.

    Each keeps a share of ``SHARES`` of the N answers, the surest ones. The shares are fixed before the answers are
    seen, and each bound has an equal part of the error (Bonferroni). Given the next confidence below, the kept answers
    are independent draws from the answers above it, so that the binomial bound holds for a threshold that the data
    chose; nothing is assumed of how accuracy depends on confidence.
    """
    falling = np.sort(confidence)[::-1]
    tried = []
    for share in SHARES:
        count = round(share * len(falling))
        below = falling[count] if count < len(falling) else 0.0
        threshold = 0.0 if below <= 0 else (math.floor(below * 10**DIGITS) + 1) / 10**DIGITS
        tried.append(kept(confidence, right, threshold, 1 - (1 - level) / len(SHARES)))
    return tried


def widest(tried: list[Kept], accuracy: float) -> Kept | None:
    """Of the thresholds whose bound reaches ``accuracy``, the one that keeps most; None where no bound does."""
    reaching = [each for each in tried if each.bound >= accuracy]
    return max(reaching, key=lambda each: each.count, default=None)


def items_needed(tried: list[Kept], accuracy: float, level: float) -> int | None:
    """With about how many items a bound would reach ``accuracy``, were the shares of right answers what they are here.

    None where no threshold keeps answers of a higher accuracy.
    """
    error = (1 - level) / len(SHARES)
    needed = []
    for each in tried:
        if not each.count or each.accuracy <= accuracy:
            continue
        low, high = each.count, each.count
        while lower_bound(round(each.accuracy * high), high, error) < accuracy:
            low, high = high, high * 2
        while high - low > max(1, low // 100):
            middle = (low + high) // 2
            reached = lower_bound(round(each.accuracy * middle), middle, error) >= accuracy
            low, high = (low, middle) if reached else (middle, high)
        needed.append(math.ceil(high / each.coverage))
    return min(needed, default=None)


def risk_coverage(confidence: np.ndarray, loss: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coverage k / N and mean loss of the k surest answers, for k = 1 … N, (N,) each.

    Answers of the same confidence come in no order: each counts as their mean.

    Args:
        confidence: (N,).
        loss: (N,) of each answer, in [0, 1]; 0 is right.
    """
    order = np.argsort(-confidence, kind="stable")
    _, groups, sizes = np.unique(-confidence[order], return_inverse=True, return_counts=True)
    means = np.bincount(groups, weights=loss[order]) / sizes if len(order) else np.zeros(0)
    counts = np.arange(1, len(order) + 1)
    return counts / max(1, len(order)), np.cumsum(means[groups]) / counts


def area(confidence: np.ndarray, loss: np.ndarray) -> float:
    """The area under the risk-coverage curve (AURC): the mean risk over all coverages; lower is better."""
    return float(risk_coverage(confidence, loss)[1].mean()) if len(confidence) else math.nan
