"""Interpolated modified Kneser-Ney smoothing of an n-gram model.

Chen and Goodman 1998, "An empirical study of smoothing techniques for language modeling", section 3. With a(h w) the
count of an n-gram of the highest order, or the number of distinct words that precede a shorter n-gram,

    p(w | h) = (a(h w) - D(a(h w))) / a(h) + gamma(h) p(w | h without its first word)

where gamma(h) is the probability mass that the discounts D free.
"""

from __future__ import annotations

from typing import Self

import numpy as np

from nlpipe.classical.ngram_model import NgramCounts, NgramModel


class KneserNey(NgramModel):
    """An n-gram model with modified Kneser-Ney smoothing."""

    @classmethod
    def of(cls, counted: NgramCounts) -> Self:
        order, size, start = counted.order, len(counted.predictable), counted.start
        at_start = np.arange(size) == start  # whether an n-gram begins with the start word
        adjusted = []
        for n in range(order):
            level_counts = counted.counts[n].astype(np.float64)
            if n + 1 < order:
                preceding = np.bincount(counted.suffixes[n], minlength=len(level_counts))  # distinct words before
                level_counts = np.where(at_start, level_counts, preceding)  # no word precedes the start word
                at_start = at_start[counted.prefixes[n]]
            adjusted.append(level_counts)
        adjusted[0][start] = 0.0
        predictable, discounts = counted.predictable, _discounts(adjusted[0])
        total = adjusted[0].sum()
        probabilities = (adjusted[0] - discounts) / total + discounts.sum() / total * predictable / predictable.sum()
        with np.errstate(divide="ignore"):
            unigrams = np.log(probabilities)
        logs, gammas = [], []
        for n, (prefixes, suffixes) in enumerate(zip(counted.prefixes, counted.suffixes, strict=True)):
            level_counts, discounts = adjusted[n + 1], _discounts(adjusted[n + 1])
            totals = np.bincount(prefixes, level_counts, minlength=len(counted.counts[n]))
            mass = np.bincount(prefixes, discounts, minlength=len(totals)) / np.where(totals > 0, totals, 1.0)
            gamma = np.where(totals > 0, mass, 1.0)  # 1 for a history that no word follows
            probabilities = (level_counts - discounts) / totals[prefixes] + gamma[prefixes] * probabilities[suffixes]
            logs.append(np.log(probabilities))
            gammas.append(np.log(np.maximum(gamma, 1e-300)))
        return cls(start, unigrams, counted.keys, tuple(logs), tuple(gammas))


def _discounts(counts: np.ndarray) -> np.ndarray:
    """Return the discount of each count: D1, D2 or D3+, from the numbers of n-grams that occur 1, 2, 3 and 4 times."""
    ones, twos, threes, fours = (float((counts == n).sum()) for n in (1, 2, 3, 4))
    share = ones / (ones + 2 * twos) if ones else 0.5
    following = ((ones, twos), (twos, threes), (threes, fours))
    estimates = [n - (n + 1) * share * more / fewer if fewer else share for n, (fewer, more) in enumerate(following, 1)]
    limited = [min(max(value, 0.1), n - 0.1) for n, value in enumerate(estimates, 1)]  # unreliable on small data
    return np.asarray(np.array([0.0, *limited])[np.minimum(counts, 3).astype(np.int64)])
