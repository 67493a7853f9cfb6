"""An n-gram language model with interpolated modified Kneser-Ney smoothing, for batches of histories.

Chen and Goodman 1998, "An empirical study of smoothing techniques for language modeling", section 3. With a(h w) the
count of an n-gram of the highest order, or the number of distinct words that precede a shorter n-gram,

    p(w | h) = (a(h w) - D(a(h w))) / a(h) + gamma(h) p(w | h without its first word)

where gamma(h) is the probability mass that the discounts D free. A history is stored as the ids of its last 1, 2, ...
words, as n-grams of the table, so that a step needs one binary search for each length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np


@dataclass(frozen=True)
class KneserNey:
    """A fitted model of order n over V words.

    Args:
        start: the id of the word at the start of each sentence, which is never predicted.
        unigrams: (V,) log p(w) without a history.
        keys: for each length 2 .. n the sorted n-grams: id of the n-gram without its last word, times V, plus the
            last word. The index in this array is the id of the n-gram; the id of a single word is the word's id.
        logs: for each length 2 .. n, log p(last word | the words before) of each of ``keys``.
        gammas: for each length 1 .. n - 1 of a history, log gamma of each history.
    """

    start: int
    unigrams: np.ndarray
    keys: tuple[np.ndarray, ...]
    logs: tuple[np.ndarray, ...]
    gammas: tuple[np.ndarray, ...]

    @property
    def order(self) -> int:
        """The largest number of words of an n-gram, n."""
        return len(self.keys) + 1

    @classmethod
    def fit(cls, sentences: Sequence[np.ndarray], size: int, order: int, start: int, end: int, never: int = 0) -> Self:
        """Fit a model.

        Args:
            sentences: arrays of ids.
            size: V; ids are below it.
            order: n.
            start: id of the word at the start of each sentence, which is never predicted.
            end: id of the word at the end of each sentence.
            never: another id that is never predicted.
        """
        words = np.concatenate([np.concatenate([[start], s, [end]]) for s in sentences]).astype(np.int64)
        left = np.concatenate(
            [np.arange(len(s) + 2, 0, -1) for s in sentences]
        )  # (W,) words from here to the end of the sentence
        ngrams = words.copy()  # (W,) id of the n-gram that starts at each word, -1 for none
        keys, counts, prefixes, suffixes = [], [np.bincount(words, minlength=size)], [], []
        for n in range(2, order + 1):
            starts = np.flatnonzero(left >= n)
            level, first, inverse, count = np.unique(
                ngrams[starts] * size + words[starts + n - 1],
                return_index=True,
                return_inverse=True,
                return_counts=True,
            )
            suffixes.append(ngrams[starts[first] + 1])
            prefixes.append(level // size)
            ngrams = np.full(len(words), -1, dtype=np.int64)
            ngrams[starts] = inverse
            keys.append(level)
            counts.append(count)
        at_start = np.arange(size) == start  # whether an n-gram begins with the start word
        adjusted = []
        for n in range(order):
            level_counts = counts[n].astype(np.float64)
            if n + 1 < order:
                preceding = np.bincount(suffixes[n], minlength=len(level_counts))  # distinct words before the n-gram
                level_counts = np.where(at_start, level_counts, preceding)  # no word precedes the start word
                at_start = at_start[prefixes[n]]
            adjusted.append(level_counts)
        adjusted[0][start] = 0.0
        predictable = np.ones(size, dtype=bool)
        predictable[[start, never]] = False
        total, discounts = adjusted[0].sum(), _discounts(adjusted[0])
        probabilities = (adjusted[0] - discounts) / total + discounts.sum() / total * predictable / predictable.sum()
        with np.errstate(divide="ignore"):
            unigrams = np.log(probabilities)
        logs, gammas = [], []
        for n in range(order - 1):
            level_counts, discounts = adjusted[n + 1], _discounts(adjusted[n + 1])
            totals = np.bincount(prefixes[n], level_counts, minlength=len(counts[n]))
            gamma = np.bincount(prefixes[n], discounts, minlength=len(counts[n])) / np.where(totals > 0, totals, 1.0)
            gamma = np.where(totals > 0, gamma, 1.0)  # 1 for a history that no word follows
            lower_order = probabilities[suffixes[n]]
            probabilities = (level_counts - discounts) / totals[prefixes[n]] + gamma[prefixes[n]] * lower_order
            logs.append(np.log(probabilities))
            gammas.append(np.log(np.maximum(gamma, 1e-300)))
        return cls(start, unigrams, tuple(keys), tuple(logs), tuple(gammas))

    def begin(self, count: int) -> np.ndarray:
        """Return ``count`` histories at the start of a sentence.

        A history, (n - 1,), holds the ids of its last 1, 2, ... words as n-grams, -1 if unseen.
        """
        history = np.full((count, self.order - 1), -1, dtype=np.int64)
        history[:, :1] = self.start
        return history

    def step(self, history: np.ndarray, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return log p(word | history) of N words, (N,), and the histories that include the words, (N, n - 1)."""
        after = np.empty_like(history)
        after[:, :1] = words[:, None]
        log_probabilities = self.unigrams[words]
        for n in range(self.order - 1):  # histories of n + 1 words
            before = history[:, n]
            keys = before * len(self.unigrams) + words
            ids = np.minimum(np.searchsorted(self.keys[n], keys), len(self.keys[n]) - 1)
            seen = (self.keys[n][ids] == keys) & (before >= 0)
            backed_off = log_probabilities + np.where(before >= 0, self.gammas[n][before], 0.0)
            log_probabilities = np.where(seen, self.logs[n][ids], backed_off)
            if n + 1 < self.order - 1:
                after[:, n + 1] = np.where(seen, ids, -1)
        return log_probabilities, after

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the model as arrays, for ``from_arrays``."""
        arrays = {"unigrams": self.unigrams}
        for n in range(self.order - 1):
            arrays |= {f"keys.{n}": self.keys[n], f"logs.{n}": self.logs[n], f"gammas.{n}": self.gammas[n]}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray], start: int) -> Self:
        """Restore a model from what ``arrays`` returned."""
        lengths = range(sum(name.startswith("keys.") for name in arrays))
        parts = [tuple(arrays[f"{name}.{n}"] for n in lengths) for name in ("keys", "logs", "gammas")]
        return cls(start, arrays["unigrams"], parts[0], parts[1], parts[2])


def _discounts(counts: np.ndarray) -> np.ndarray:
    """Return the discount of each count: D1, D2 or D3+, from the numbers of n-grams that occur 1, 2, 3 and 4 times."""
    ones, twos, threes, fours = (float((counts == n).sum()) for n in (1, 2, 3, 4))
    share = ones / (ones + 2 * twos) if ones else 0.5
    following = ((ones, twos), (twos, threes), (threes, fours))
    estimates = [n - (n + 1) * share * more / fewer if fewer else share for n, (fewer, more) in enumerate(following, 1)]
    limited = [min(max(value, 0.1), n - 0.1) for n, value in enumerate(estimates, 1)]  # unreliable on small data
    return np.asarray(np.array([0.0, *limited])[np.minimum(counts, 3).astype(np.int64)])
