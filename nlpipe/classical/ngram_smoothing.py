"""The simplest ways to smooth an n-gram model, to be compared with Kneser-Ney: stupid backoff and add-k.

Brants et al. 2007, "Large Language Models in Machine Translation"; Chen and Goodman 1998, section 2.1 (additive).
"""

from __future__ import annotations

import math
from typing import ClassVar, Self

import numpy as np

from nlpipe.classical.ngram_counts import NgramCounts
from nlpipe.classical.ngram_model import NgramModel

BACKOFF = 0.4
"""What a score of stupid backoff is multiplied by for each word that the history is shortened by."""


class StupidBackoff(NgramModel):
    """Relative frequencies; unseen after a history, 0.4 times the score after the shorter one.

        S(w | h) = c(h w) / c(h) if h w was seen, else 0.4 S(w | h without its first word)

    It is not a probability distribution: its scores do not add up to 1 (after a history that was seen they are more,
    as nothing is discounted), so that a perplexity of it is none. A word never seen counts as if seen half a time.
    """

    normalised: ClassVar[bool] = False

    @classmethod
    def of(cls, counted: NgramCounts) -> Self:
        words = np.where(counted.predictable, np.maximum(counted.counts[0], 0.5), 0.0)
        with np.errstate(divide="ignore"):
            unigrams = np.log(words / words.sum())
        logs = []
        for n in range(counted.order - 1):
            prefixes = counted.prefixes(n)
            totals = np.bincount(prefixes, counted.counts[n + 1], minlength=len(counted.counts[n]))
            logs.append(np.log(counted.counts[n + 1] / totals[prefixes]))
        gammas = tuple(np.full(len(level), math.log(BACKOFF)) for level in counted.counts[:-1])
        return cls(counted.start, unigrams, counted.keys, tuple(logs), gammas)


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
