"""An n-gram language model with interpolated, modified Kneser-Ney smoothing, looked up for many histories at once.

Chen and Goodman 1998, "An empirical study of smoothing techniques for language modeling", section 3. With a(h w) the
count of an n-gram (for n-grams that others extend to the left: how many words they are seen behind),

    p(w | h) = (a(h w) - D(a(h w))) / a(h) + gamma(h) p(w | h without its first word)

where gamma(h) is what the discounts D left over. A history is known by the ids of its last 1, 2, ... words as n-grams
of the table, so that a step is one binary search for each length.
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
        start: the id that every sentence begins with and nothing predicts.
        unigrams: (V,) log p(w) without history.
        keys: for each length 2 .. n the n-grams, sorted: id of all words but the last, times V, plus the last word.
            The place in this array is the n-gram's id; the id of a single word is itself.
        logs: for each length 2 .. n log p(last word | those before), for each of ``keys``.
        gammas: for each length 1 .. n - 1 of a history its log gamma.
    """

    start: int
    unigrams: np.ndarray
    keys: tuple[np.ndarray, ...]
    logs: tuple[np.ndarray, ...]
    gammas: tuple[np.ndarray, ...]

    @property
    def order(self) -> int:
        """Most words of an n-gram, n."""
        return len(self.keys) + 1

    @classmethod
    def fit(cls, sentences: Sequence[np.ndarray], size: int, order: int, start: int, end: int, never: int = 0) -> Self:
        """From sentences as arrays of ids below V = ``size``; ``start`` and ``never`` are never predicted."""
        words = np.concatenate([np.concatenate([[start], s, [end]]) for s in sentences]).astype(np.int64)
        left = np.concatenate([np.arange(len(s) + 2, 0, -1) for s in sentences])  # words to the sentence's end
        here = words.copy()  # (W,) id of the n-gram that begins here
        keys, counts, prefixes, suffixes = [], [np.bincount(words, minlength=size)], [], []
        for n in range(2, order + 1):
            begins = np.flatnonzero(left >= n)
            found, first, inverse, count = np.unique(
                here[begins] * size + words[begins + n - 1], return_index=True, return_inverse=True, return_counts=True
            )
            suffixes.append(here[begins[first] + 1])
            prefixes.append(found // size)
            here = np.full(len(words), -1, dtype=np.int64)
            here[begins] = inverse
            keys.append(found)
            counts.append(count)
        starting = np.arange(size) == start  # whether an n-gram begins with the start
        adjusted = []
        for n in range(order):
            counted = counts[n].astype(np.float64)
            if n + 1 < order:  # nothing stands before a start: those keep their counts
                behind = np.bincount(suffixes[n], minlength=len(counted))
                counted = np.where(starting, counted, behind)
                adjusted.append(counted)
                starting = starting[prefixes[n]]
            else:
                adjusted.append(counted)
        adjusted[0][start] = 0.0
        can_be = np.ones(size, dtype=bool)
        can_be[[start, never]] = False
        total, off = adjusted[0].sum(), _discounts(adjusted[0])
        probabilities = (adjusted[0] - off) / total + off.sum() / total * can_be / can_be.sum()
        with np.errstate(divide="ignore"):
            unigrams = np.log(probabilities)
        logs, gammas = [], []
        for n in range(order - 1):
            counted, off = adjusted[n + 1], _discounts(adjusted[n + 1])
            below = np.bincount(prefixes[n], counted, minlength=len(counts[n]))
            gamma = np.bincount(prefixes[n], off, minlength=len(counts[n])) / np.where(below > 0, below, 1.0)
            gamma = np.where(below > 0, gamma, 1.0)  # a history that nothing follows
            lower = probabilities[suffixes[n]]
            probabilities = (counted - off) / below[prefixes[n]] + gamma[prefixes[n]] * lower
            logs.append(np.log(probabilities))
            gammas.append(np.log(np.maximum(gamma, 1e-300)))
        return cls(start, unigrams, tuple(keys), tuple(logs), tuple(gammas))

    def begin(self, count: int) -> np.ndarray:
        """Histories (count, n - 1) at the start of a sentence: ids of the last 1, 2, ... words, -1 where unseen."""
        history = np.full((count, self.order - 1), -1, dtype=np.int64)
        history[:, :1] = self.start
        return history

    def step(self, history: np.ndarray, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For each history log p(word | history), (N,), and the histories with that word, (N, n - 1)."""
        after = np.empty_like(history)
        after[:, :1] = words[:, None]
        found = self.unigrams[words]
        for n in range(self.order - 1):  # histories of n + 1 words
            before = history[:, n]
            at = np.searchsorted(self.keys[n], before * len(self.unigrams) + words)
            at = np.minimum(at, len(self.keys[n]) - 1)
            hit = (self.keys[n][at] == before * len(self.unigrams) + words) & (before >= 0)
            backed_off = found + np.where(before >= 0, self.gammas[n][before], 0.0)
            found = np.where(hit, self.logs[n][at], backed_off)
            if n + 1 < self.order - 1:
                after[:, n + 1] = np.where(hit, at, -1)
        return found, after

    def arrays(self) -> dict[str, np.ndarray]:
        """All of it, for ``from_arrays``."""
        named = {"unigrams": self.unigrams}
        for n in range(self.order - 1):
            named |= {f"keys.{n}": self.keys[n], f"logs.{n}": self.logs[n], f"gammas.{n}": self.gammas[n]}
        return named

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray], start: int) -> Self:
        """What ``arrays`` gave, as a model again."""
        lengths = range(sum(name.startswith("keys.") for name in arrays))
        parts = [tuple(arrays[f"{name}.{n}"] for n in lengths) for name in ("keys", "logs", "gammas")]
        return cls(start, arrays["unigrams"], parts[0], parts[1], parts[2])


def _discounts(counts: np.ndarray) -> np.ndarray:
    """What each count loses: D1, D2 or D3+, from how many n-grams were seen once, twice, three and four times."""
    ones, twos, threes, fours = (float((counts == n).sum()) for n in (1, 2, 3, 4))
    share = ones / (ones + 2 * twos) if ones else 0.5
    following = ((ones, twos), (twos, threes), (threes, fours))
    found = [n - (n + 1) * share * more / fewer if fewer else share for n, (fewer, more) in enumerate(following, 1)]
    limited = [min(max(value, 0.1), n - 0.1) for n, value in enumerate(found, 1)]  # small data give wild values
    return np.asarray(np.array([0.0, *limited])[np.minimum(counts, 3).astype(np.int64)])
