"""Interpolated modified Kneser-Ney smoothing of an n-gram model.

Chen and Goodman 1998, "An empirical study of smoothing techniques for language modeling", section 3. With a(h w) the
count of an n-gram of the highest order, or the number of distinct words that precede a shorter n-gram,

    p(w | h) = (a(h w) - D(a(h w))) / a(h) + gamma(h) p(w | h without its first word)

where gamma(h) is the probability mass that the discounts D free.
"""

from __future__ import annotations

from typing import Self

import numpy as np

from nlpipe.classical.ngram_counts import NgramCounts
from nlpipe.classical.ngram_model import NgramModel


class KneserNey(NgramModel):
    """An n-gram model with modified Kneser-Ney smoothing."""

    @classmethod
    def of(cls, counted: NgramCounts) -> Self:
        order, size, start = counted.order, len(counted.predictable), counted.start
        at_start = np.arange(size) == start  # whether an n-gram begins with the start word
        probabilities = counted.predictable / counted.predictable.sum()  # of a word that no n-gram tells of
        logs, gammas = [], []
        for n in range(order):  # n-grams of n + 1 words
            adjusted = counted.counts[n]
            if n + 1 < order:
                preceding = np.bincount(counted.suffixes[n], minlength=len(adjusted))  # distinct words before
                adjusted = np.where(at_start, adjusted, preceding)  # no word precedes the start word
                at_start = at_start[counted.prefixes(n)]
            if n == 0:
                adjusted = np.where(np.arange(size) == start, 0, adjusted)
                discounts = _discounts(adjusted)
                total = adjusted.sum()
                probabilities = (adjusted - discounts) / total + discounts.sum() / total * probabilities
            else:
                prefixes, discounts = counted.prefixes(n - 1), _discounts(adjusted)
                totals = np.bincount(prefixes, adjusted, minlength=len(counted.counts[n - 1]))
                mass = np.bincount(prefixes, discounts, minlength=len(totals)) / np.where(totals > 0, totals, 1.0)
                gamma = np.where(totals > 0, mass, 1.0)  # 1 for a history that no word follows
                shorter = gamma[prefixes] * probabilities[counted.suffixes[n - 1]]
                probabilities = (adjusted - discounts) / totals[prefixes] + shorter
                gammas.append(np.log(np.maximum(gamma, 1e-300)))
            with np.errstate(divide="ignore"):
                logs.append(np.log(probabilities))
        return cls(start, logs[0], counted.keys, tuple(logs[1:]), tuple(gammas))


def _discounts(counts: np.ndarray) -> np.ndarray:
    """Return the discount of each count: D1, D2 or D3+, from the numbers of n-grams that occur 1, 2, 3 and 4 times."""
    ones, twos, threes, fours = (float((counts == n).sum()) for n in (1, 2, 3, 4))
    share = ones / (ones + 2 * twos) if ones else 0.5
    following = ((ones, twos), (twos, threes), (threes, fours))
    estimates = [n - (n + 1) * share * more / fewer if fewer else share for n, (fewer, more) in enumerate(following, 1)]
    limited = [min(max(value, 0.1), n - 0.1) for n, value in enumerate(estimates, 1)]  # unreliable on small data
    return np.asarray(np.array([0.0, *limited])[np.minimum(counts, 3).astype(np.int64)])
