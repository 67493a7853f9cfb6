"""An n-gram model as sorted arrays: the probability of words after histories, for many at once.

An n-gram is a shorter n-gram and one more word, found by a binary search; a history is the ids of its last 1, 2, ...
words, as n-grams of the table, so that a step needs one search for each length. How seen and unseen n-grams get their
probability is a matter of smoothing: ``kneser_ney.py`` and ``ngram_smoothing.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np


@dataclass(frozen=True)
class NgramCounts:
    """The n-grams of texts up to order n, over V words.

    Args:
        start: the id of the word before each text, which is never predicted.
        keys: for each length 2 .. n the sorted n-grams: id of the n-gram without its last word, times V, plus the
            last word. The index in this array is the id of the n-gram; the id of a single word is the word's id.
        counts: for each length 1 .. n how often each n-gram occurs.
        prefixes: for each length 2 .. n the id of each n-gram without its last word.
        suffixes: for each length 2 .. n the id of each n-gram without its first word.
        predictable: (V,) which words are predicted.
    """

    start: int
    keys: tuple[np.ndarray, ...]
    counts: tuple[np.ndarray, ...]
    prefixes: tuple[np.ndarray, ...]
    suffixes: tuple[np.ndarray, ...]
    predictable: np.ndarray

    @classmethod
    def of(
        cls, words: np.ndarray, lengths: np.ndarray, size: int, order: int, start: int, end: int, never: int = 0
    ) -> Self:
        """Count.

        Args:
            words: (N,) ids of all B texts, one after another.
            lengths: (B,) words of each text.
            size: V; ids are below it.
            order: n.
            start: id of the word before each text, which is never predicted.
            end: id of the word behind each text.
            never: another id that is never predicted.
        """
        lengths = np.asarray(lengths, dtype=np.int64)
        words = with_borders(words, lengths, start, end)  # (W,)
        left = np.repeat(np.cumsum(lengths + 2), lengths + 2) - np.arange(len(words))  # (W,) words to the text's end
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
        predictable = np.ones(size, dtype=bool)
        predictable[[start, never]] = False
        return cls(start, tuple(keys), tuple(counts), tuple(prefixes), tuple(suffixes), predictable)

    @property
    def order(self) -> int:
        """The largest number of words of an n-gram, n."""
        return len(self.counts)


@dataclass(frozen=True)
class NgramModel:
    """A model of order n over V words; a subclass says how it is made of counts.

    Args:
        start: the id of the word before each text, which is never predicted.
        unigrams: (V,) log p(w) without a history.
        keys: as in ``NgramCounts``.
        logs: for each length 2 .. n, log p(last word | the words before) of each of ``keys``.
        gammas: for each length 1 .. n - 1 of a history, what is added, after that history, to the log p that the
            history without its first word gives a word which was not seen there; or that log p itself, where the model
            does not back off.
    """

    backs_off: ClassVar[bool] = True
    """Whether words that were not seen after a history are told apart by the history without its first word."""

    start: int
    unigrams: np.ndarray
    keys: tuple[np.ndarray, ...]
    logs: tuple[np.ndarray, ...]
    gammas: tuple[np.ndarray, ...]

    @classmethod
    def fit(
        cls, words: np.ndarray, lengths: np.ndarray, size: int, order: int, start: int, end: int, never: int = 0
    ) -> Self:
        """Count and smooth; the arguments are those of ``NgramCounts.of``."""
        return cls.of(NgramCounts.of(words, lengths, size, order, start, end, never))

    @classmethod
    def of(cls, counted: NgramCounts) -> Self:
        """Smooth counts."""
        raise AssertionError(f"{cls.__name__} does not say how it smooths")

    @property
    def order(self) -> int:
        """The largest number of words of an n-gram, n."""
        return len(self.keys) + 1

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
            log_probabilities, ngrams = self._longer(n, history[:, n], words, log_probabilities)
            if n + 1 < self.order - 1:
                after[:, n + 1] = ngrams
        return log_probabilities, after

    def score(self, words: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Log p of each of (N,) words of B texts of ``lengths`` (B,) words, one after another, each from its start."""
        words = np.asarray(words, dtype=np.int64)
        begins = np.zeros(len(words), dtype=bool)
        begins[(np.cumsum(lengths) - lengths)[np.asarray(lengths) > 0]] = True
        log_probabilities: np.ndarray = self.unigrams[words]
        ngrams = words  # (N,) the one of n words that ends here
        at_begin = self.start
        for n in range(self.order - 1):
            before = np.where(begins, at_begin, np.concatenate([[-1], ngrams[:-1]]))  # (N,)
            log_probabilities, ngrams = self._longer(n, before, words, log_probabilities)
            at_begin = -1
        return log_probabilities

    def _longer(
        self, n: int, before: np.ndarray, words: np.ndarray, shorter: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Of N words after histories of n + 1 words: log p, and the n-gram of n + 2 words that ends there, or -1.

        Args:
            before: (N,) n-grams of n + 1 words, -1 for one that was not seen.
            words: (N,).
            shorter: (N,) log p after the history without its first word.
        """
        keys = before * len(self.unigrams) + words
        ids = np.minimum(np.searchsorted(self.keys[n], keys), max(len(self.keys[n]) - 1, 0))
        if not len(self.keys[n]):
            return shorter, np.full(len(words), -1, dtype=np.int64)
        seen = (self.keys[n][ids] == keys) & (before >= 0)
        gammas = self.gammas[n][before]
        backed_off = np.where(before >= 0, shorter + gammas if self.backs_off else gammas, shorter)
        return np.where(seen, self.logs[n][ids], backed_off), np.where(seen, ids, -1)

    def log_probs(self, history: np.ndarray) -> np.ndarray:
        """Log p of every word after each of N histories (N, n - 1), as ``step`` gives them: (N, V).

        The words that were seen after a history stand side by side in ``keys``; all others have what the shorter
        history gives them, times the mass that was left to it.
        """
        size = len(self.unigrams)
        logs = np.repeat(self.unigrams[None], len(history), axis=0)  # (N, V)
        for n in range(self.order - 1):
            known = np.flatnonzero(history[:, n] >= 0)
            before = history[known, n]
            gammas = self.gammas[n][before][:, None]  # (N, 1)
            logs[known] = (
                logs[known] + gammas if self.backs_off else np.where(np.isfinite(self.unigrams), gammas, -np.inf)
            )
            first = np.searchsorted(self.keys[n], before * size)
            last = np.searchsorted(self.keys[n], (before + 1) * size)
            for row, start, stop in zip(known.tolist(), first.tolist(), last.tolist(), strict=True):
                logs[row, self.keys[n][start:stop] % size] = self.logs[n][start:stop]
        return logs

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


def with_borders(words: np.ndarray, lengths: np.ndarray, start: int, end: int) -> np.ndarray:
    """(N + 2 B,) int64: the words of B texts of ``lengths`` (B,) with the start before and the end behind each."""
    places = np.arange(len(words)) + 2 * np.repeat(np.arange(len(lengths)), lengths) + 1  # (N,)
    bordered = np.full(len(words) + 2 * len(lengths), end, dtype=np.int64)
    bordered[np.cumsum(lengths + 2) - (lengths + 2)] = start
    bordered[places] = words
    return bordered
