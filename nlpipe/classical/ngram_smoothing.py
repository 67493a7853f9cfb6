"""The simplest ways to smooth an n-gram model, to be compared with Kneser-Ney: stupid backoff and add-k.

Brants et al. 2007, "Large Language Models in Machine Translation"; Chen and Goodman 1998, section 2.1 (additive).
"""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np

from nlpipe.classical.ngram_counts import NgramCounts
from nlpipe.classical.ngram_model import NgramModel

BACKOFF = 0.4
"""What a score of stupid backoff is multiplied by for each word that the history is shortened by."""


class StupidBackoff(NgramModel):
    """Relative frequencies; unseen after a history, 0.4 times the score after the shorter one; divided by their sum.

        S(w | h) = c(h w) / c(h) if h w was seen, else 0.4 S(w | h without its first word)
        p(w | h) = S(w | h) / Z(h)                                      Z(h) = the sum of S(w | h) over all words w

    Brants et al. leave out the division: their scores add up to more than 1 after a history that was seen, as nothing
    is discounted, and have no perplexity. A word never seen counts as if seen half a time.
    """

    @classmethod
    def of(cls, counted: NgramCounts) -> Self:
        words = np.where(counted.predictable, np.maximum(counted.counts[0], 0.5), 0.0)
        with np.errstate(divide="ignore"):
            unigrams = np.log(words / words.sum())
        logs, gammas = list[np.ndarray](), list[np.ndarray]()
        scores, sums = np.exp(unigrams), np.ones(1)  # S of each n-gram of n + 1 words; Z of each history of n words
        for n in range(counted.order - 1):
            prefixes, size = counted.prefixes(n), len(counted.counts[n])
            totals = np.bincount(prefixes, counted.counts[n + 1], minlength=size)
            longer = counted.counts[n + 1] / totals[prefixes]
            shorter = BACKOFF * scores[counted.suffixes[n]]  # what a seen word had if it were unseen
            before = sums[counted.suffixes[n - 1]] if n else np.ones(size)  # Z of each history without its first word
            rest = BACKOFF * before  # what the scores of all words had added up to, if all were unseen
            scores, sums = longer, rest + np.bincount(prefixes, longer - shorter, minlength=size)
            logs.append(np.log(longer / sums[prefixes]))
            gammas.append(np.log(rest / sums))
        return cls(counted.start, unigrams, counted.keys, tuple(logs), tuple(gammas))


class AddK(NgramModel):
    """Additive smoothing, after the longest history that was seen.

        p(w | h) = (c(h w) + k) / (c(h) + k V)

    With k = 1 it is Laplace's rule of succession. Most of the probability goes to words that never follow, the more the
    longer the history: it is here to be compared with.
    """

    backs_off: ClassVar[bool] = False

    @classmethod
    def of(cls, counted: NgramCounts, k: float = 1.0) -> Self:
        """Smooth counts with ``k`` more for every word after every history."""
        size = float(counted.predictable.sum())
        words = np.where(counted.predictable, counted.counts[0] + k, 0.0)
        with np.errstate(divide="ignore"):
            unigrams = np.log(words / words.sum())
        logs, gammas = [], []
        for n in range(counted.order - 1):
            prefixes = counted.prefixes(n)
            totals = np.bincount(prefixes, counted.counts[n + 1], minlength=len(counted.counts[n])) + k * size
            logs.append(np.log((counted.counts[n + 1] + k) / totals[prefixes]))
            gammas.append(np.log(k / totals))
        return cls(counted.start, unigrams, counted.keys, tuple(logs), tuple(gammas))
