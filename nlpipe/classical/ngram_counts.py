"""Counting of n-grams in sorted arrays. No n-gram is a Python object; ids have 4 bytes, for under 2 ** 31 words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np


@dataclass(frozen=True)
class NgramCounts:
    """The n-grams of texts up to order n, over V words.

    Args:
        start: the id of the word before each text, which is never predicted.
        keys: for each length 2 .. n the sorted n-grams: id of the n-gram without its last word, times V, plus the
            last word. The index in this array is the id of the n-gram; the id of a single word is the word's id.
        counts: for each length 1 .. n how often each n-gram occurs.
        suffixes: for each length 2 .. n the id of each n-gram without its first word.
        predictable: (V,) which words are predicted.
    """

    start: int
    keys: tuple[np.ndarray, ...]
    counts: tuple[np.ndarray, ...]
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
        words = with_borders(words, lengths, start, end)  # (W,) int32
        left = _words_left(lengths + 2)  # (W,) int32
        ngrams = words  # (W,) id of the n-gram that starts at each word, -1 for none
        keys, counts, suffixes = [], [np.bincount(words, minlength=size).astype(np.int32)], []
        for n in range(2, order + 1):
            starts = np.flatnonzero(left >= n)
            found = ngrams[starts].astype(np.int64)
            found *= size
            found += words[starts + n - 1]
            level, first, ids, count = _distinct(found)
            del found
            suffixes.append(ngrams[starts[first] + 1])
            keys.append(level)
            counts.append(count)
            ngrams = np.full(len(words), -1, dtype=np.int32)
            ngrams[starts] = ids
        predictable = np.ones(size, dtype=bool)
        predictable[[start, never]] = False
        return cls(start, tuple(keys), tuple(counts), tuple(suffixes), predictable)

    @property
    def order(self) -> int:
        """The largest number of words of an n-gram, n."""
        return len(self.counts)

    def prefixes(self, n: int) -> np.ndarray:
        """The id, without its last word, of each n-gram of ``keys[n]``."""
        prefixes: np.ndarray = self.keys[n] // len(self.predictable)
        return prefixes


def with_borders(words: np.ndarray, lengths: np.ndarray, start: int, end: int) -> np.ndarray:
    """(N + 2 B,) int32: the words of B texts of ``lengths`` (B,) with the start before and the end behind each."""
    places = np.cumsum(lengths + 2)
    bordered = np.empty(len(words) + 2 * len(lengths), dtype=np.int32)
    inside = np.ones(len(bordered), dtype=bool)
    inside[places - 1] = inside[places - (lengths + 2)] = False
    bordered[inside] = words
    bordered[places - 1] = end
    bordered[places - (lengths + 2)] = start
    return bordered


def _words_left(lengths: np.ndarray) -> np.ndarray:
    """How many words there are from each word to the end of its text, both included: (sum of lengths,) int32.

    Args:
        lengths: (B,) of the texts, 1 or more.
    """
    left = np.full(int(lengths.sum()), -1, dtype=np.int32)  # how it differs from the word before
    left[np.cumsum(lengths) - lengths] = lengths - 1  # 1 is left at the last word of the text before
    left[:1] += 1
    return np.cumsum(left, dtype=np.int32)


def _distinct(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The distinct ones of N values, sorted; the place of one of each, the index of each value, and their counts.

    It is ``np.unique`` with half the memory: indices and counts have 4 bytes.
    """
    order = np.argsort(values)  # (N,)
    ranked = values[order]
    new = np.ones(len(values), dtype=bool)  # whether a value is unlike the one before
    np.not_equal(ranked[1:], ranked[:-1], out=new[1:])
    begins = np.flatnonzero(new)
    distinct = ranked[begins]
    del ranked
    counts = np.diff(begins, append=len(values)).astype(np.int32)
    ids = np.empty(len(values), dtype=np.int32)
    ids[order] = np.cumsum(new, dtype=np.int32) - 1
    return distinct, order[begins], ids, counts
