"""An n-gram model as sorted arrays: the probability of words after histories, for many at once.

An n-gram is a shorter n-gram and one more word, found by a binary search; a history is the ids of its last 1, 2, ...
words, as n-grams of the table, so that a step needs one search for each length. How seen and unseen n-grams get their
probability is a matter of smoothing: ``kneser_ney.py`` and ``ngram_smoothing.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from nlpipe.classical.ngram_counts import NgramCounts

PART = 1_000_000
"""Words that are scored at once, so that memory does not grow with the text."""
MANY = 10_000
"""Keys from which on it pays to sort them before they are searched."""


@dataclass(frozen=True)
class NgramModel:
    """A model of order n over V words; a subclass says how it is made of counts.

    Args:
        start: the id of the word before each text, which is never predicted.
        unigrams: (V,) log p(w) without a history.
        keys: as in ``NgramCounts``.
        logs: for each length 2 .. n, log p(last word | the words before) of each of ``keys``.
        gammas: for each length 1 .. n - 1, one number for each history h of that length, for the words w that were not
            seen after h: the log of the back-off weight, log p(w | h) - log p(w | h without its first word); where the
            model does not back off, log p(w | h) itself, the same for all of them.
    """

    backs_off: ClassVar[bool] = True
    """Whether a word that was not seen after a history takes its probability from the shorter history."""

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
        lengths = np.asarray(lengths, dtype=np.int64)
        begins = np.zeros(len(words), dtype=bool)
        begins[(np.cumsum(lengths) - lengths)[lengths > 0]] = True
        log_probabilities = np.empty(len(words))
        for i in range(0, len(words), PART):
            read_from = max(0, i - self.order + 1)  # the words of a history are read again
            part = self._score_part(words[read_from : i + PART], begins[read_from : i + PART])
            log_probabilities[i : i + PART] = part[i - read_from :]
        return log_probabilities

    def _score_part(self, words: np.ndarray, begins: np.ndarray) -> np.ndarray:
        """Log p of N words, (N,), of which some begin a text; nothing stands before the first."""
        ngrams = words.astype(np.int64)  # (N,) the one of n words that ends here
        log_probabilities: np.ndarray = self.unigrams[words]
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
        level = self.keys[n]
        if not len(level):
            return shorter, np.full(len(words), -1, dtype=np.int64)
        keys = before * len(self.unigrams) + words
        ids = np.minimum(_places(level, keys), len(level) - 1)
        seen = (level[ids] == keys) & (before >= 0)
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
            known = np.flatnonzero(history[:, n] >= 0)  # (K,)
            before = history[known, n]
            gammas = np.zeros(len(history))
            gammas[known] = self.gammas[n][before]
            if self.backs_off:
                logs += gammas[:, None]
            else:
                logs[known] = np.where(np.isfinite(self.unigrams), gammas[known, None], -np.inf)
            first, last = np.searchsorted(self.keys[n], [before * size, (before + 1) * size])  # (K,) each
            following = last - first
            begins = np.cumsum(following) - following
            seen = np.arange(following.sum()) + np.repeat(first - begins, following)  # n-grams of all K histories
            logs[np.repeat(known, following), self.keys[n][seen] % size] = self.logs[n][seen]
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


def _places(level: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Where each of N ``keys`` stands or would stand in the sorted ``level``: (N,)."""
    if len(keys) < MANY:
        return np.searchsorted(level, keys)
    order = np.argsort(keys)  # neighbours in memory are searched one after another, several times as fast
    places = np.empty(len(keys), dtype=np.int64)
    places[order] = np.searchsorted(level, keys[order])
    return places
