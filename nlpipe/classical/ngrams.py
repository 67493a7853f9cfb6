"""N-grams as a tree of numbers: an n-gram is a shorter one and one more symbol.

Symbols (words or characters) are numbered in the order of their spelling, so that the columns come out in the order
in which scikit-learn's CountVectorizer sorts its vocabulary, without one string being made for an n-gram. A million
bigrams are two arrays: quick to count, to look up, to save and to load.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import scipy.sparse as sp

Nodes = list[np.ndarray]
"""For n = 1, 2 …: (N,) int32, the node of the n-gram that starts at each of N symbols; -1 where there is none."""


@dataclass(frozen=True)
class Grams:
    """The n-grams that are known, and the columns of those that count.

    Args:
        keys: for n = 2, 3 …: sorted int64, node of the first n - 1 symbols << 32 | last symbol. The place of a key
            is its node; nodes of single symbols are the symbols.
        columns: for n = 1, 2 …: int32, the column of each node, -1 for one that only leads to longer ones.
        width: columns in all.
    """

    keys: tuple[np.ndarray, ...]
    columns: tuple[np.ndarray, ...]
    width: int

    @classmethod
    def learn(
        cls,
        symbols: np.ndarray,
        lengths: np.ndarray,
        known: int,
        ngrams: tuple[int, int],
        minimum: int = 1,
        whole: bool = False,
    ) -> tuple[Self, Nodes]:
        """The tree of all n-grams of some sequences, and where in them each stands.

        Args:
            symbols: (N,) int32, the sequences one behind the other; 0 <= symbol < ``known``.
            lengths: symbols in each sequence; n-grams do not cross from one to the next.
            known: number of symbols there are.
            ngrams: the shortest and the longest n that count.
            minimum: n-grams that stand in fewer places are left out, as are the longer ones they begin.
            whole: a sequence shorter than the shortest n counts as it is.
        """
        low, high = ngrams
        room = _room(lengths)  # (N,)
        nodes, keys, counted = [symbols], [], []
        if minimum > 1:
            rare = np.bincount(symbols, minlength=known) < minimum
            nodes[0] = np.where(rare[symbols], np.int32(-1), symbols)
        for n in range(1, high + 1):
            if n > 1:
                at, spelled = _longer(nodes[-1], symbols, room, n)
                level, found = _distinct(spelled, minimum)
                keys.append(level)
                nodes.append(np.full(len(symbols), -1, dtype=np.int32))
                nodes[-1][at] = found
            size = known if n == 1 else len(keys[-1])
            counts = np.full(size, n >= low)
            if n == 1 and low == 1:
                counts[:] = False
                counts[nodes[0][nodes[0] >= 0]] = True
            if whole and n < low:
                starts = (np.cumsum(lengths) - lengths)[lengths == n]
                counts[nodes[-1][starts]] = True
            counted.append(counts)
        columns, width = _number(keys, counted)
        return cls(tuple(keys), tuple(columns), width), nodes

    def find(self, symbols: np.ndarray, lengths: np.ndarray) -> Nodes:
        """Where known n-grams stand in sequences whose symbols, (N,) int32, are -1 where they are not known."""
        room = _room(lengths)  # (N,)
        nodes = [symbols]
        for n, level in enumerate(self.keys, start=2):
            at, spelled = _longer(nodes[-1], symbols, room, n)
            distinct, inverse = np.unique(spelled, return_inverse=True)  # in order, so that the search stays near
            place = np.searchsorted(level, distinct)
            there = place < len(level)
            there[there] = level[place[there]] == distinct[there]
            found = np.where(there, place, -1).astype(np.int32)
            nodes.append(np.full(len(symbols), -1, dtype=np.int32))
            nodes[-1][at] = found[inverse]
        return nodes

    def count(self, nodes: Nodes, lengths: np.ndarray) -> sp.csr_matrix:
        """How often each column's n-gram stands in each of B sequences: (B, width), float64."""
        cells = np.full((int(lengths.sum()), len(nodes)), -1, dtype=np.int32)  # (N, n)
        for n, (found, columns) in enumerate(zip(nodes, self.columns, strict=True)):
            if len(columns):
                cells[:, n] = np.where(found >= 0, columns[found], -1)
        present = cells >= 0
        before = np.concatenate([[0], np.cumsum(present.sum(axis=1))])  # (N + 1,)
        bounds = before[np.concatenate([[0], np.cumsum(lengths)])]  # (B + 1,)
        indices = cells[present]
        counts = sp.csr_matrix((np.ones(len(indices)), indices, bounds), shape=(len(lengths), self.width))
        counts.sum_duplicates()
        return counts

    def keep(self, kept: np.ndarray) -> tuple[Self, np.ndarray]:
        """Only the columns where ``kept``, (width,), is true; and which symbols, (known,), are still of use."""
        renumbered = np.where(kept, np.cumsum(kept) - 1, -1).astype(np.int32)
        columns = [_at(renumbered, level) for level in self.columns]
        useful = [level >= 0 for level in columns]
        for n in range(len(self.keys) - 1, -1, -1):
            used = self.keys[n][useful[n + 1]]
            useful[n][used >> 32] = True
            useful[0][used & 0xFFFFFFFF] = True
        numbers = [np.cumsum(level) - 1 for level in useful]
        keys = []
        for n, level in enumerate(self.keys):
            used = level[useful[n + 1]]
            keys.append((numbers[n][used >> 32] << 32) | numbers[0][used & 0xFFFFFFFF])
        left = tuple(level[use] for level, use in zip(columns, useful, strict=True))
        return type(self)(tuple(keys), left, int(kept.sum())), useful[0]

    def names(self, symbols: Sequence[str], separator: str) -> list[str]:
        """The spelling of each column, given that of each symbol."""
        spelled = list(symbols)
        names = [""] * self.width
        for n, columns in enumerate(self.columns):
            if n:
                level = self.keys[n - 1]
                ends = zip((level >> 32).tolist(), (level & 0xFFFFFFFF).tolist(), strict=True)
                spelled = [spelled[start] + separator + symbols[last] for start, last in ends]
            for node in np.flatnonzero(columns >= 0).tolist():
                names[columns[node]] = spelled[node]
        return names


def _room(lengths: np.ndarray) -> np.ndarray:
    """(N,) int32: how many symbols there are from each to the end of its sequence."""
    ends = np.cumsum(lengths)
    return (np.repeat(ends, lengths) - np.arange(ends[-1] if len(ends) else 0)).astype(np.int32)


def _longer(nodes: np.ndarray, symbols: np.ndarray, room: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Where an n-gram stands whose first n - 1 symbols are a node, and its key: negative if its last is not known."""
    at = np.flatnonzero((nodes >= 0) & (room >= n))
    return at, (nodes[at].astype(np.int64) << 32) | symbols[at + (n - 1)]


def _distinct(keys: np.ndarray, minimum: int) -> tuple[np.ndarray, np.ndarray]:
    """The keys that occur ``minimum`` times, sorted; and for each of ``keys`` its place there, -1 if it is rare."""
    order = np.argsort(keys)
    keys = keys[order]
    first = np.ones(len(keys), dtype=bool)
    first[1:] = keys[1:] != keys[:-1]
    starts = np.flatnonzero(first)
    often = np.diff(starts, append=len(keys)) >= minimum
    number = np.where(often, np.cumsum(often) - 1, -1).astype(np.int32)
    places = np.empty(len(keys), dtype=np.int32)
    places[order] = np.repeat(number, np.diff(starts, append=len(keys)))
    return keys[starts[often]], places


def _number(keys: Sequence[np.ndarray], counted: Sequence[np.ndarray]) -> tuple[list[np.ndarray], int]:
    """Columns in the order of spelling: an n-gram comes before those it begins, which come before the next one."""
    sizes = [level.astype(np.int64) for level in counted]  # columns in the subtree of each node
    for n in range(len(keys) - 1, -1, -1):
        sizes[n] += np.bincount(keys[n] >> 32, weights=sizes[n + 1], minlength=len(sizes[n])).astype(np.int64)
    starts = np.cumsum(sizes[0]) - sizes[0]
    width = int(sizes[0].sum())
    columns = [np.where(counted[0], starts, -1).astype(np.int32)]
    for n, level in enumerate(keys):
        parents, first, siblings = np.unique(level >> 32, return_index=True, return_counts=True)
        before = np.cumsum(sizes[n + 1]) - sizes[n + 1]
        ahead = starts[parents] + counted[n][parents] - before[first]  # (parents,)
        starts = np.repeat(ahead, siblings) + before
        columns.append(np.where(counted[n + 1], starts, -1).astype(np.int32))
    return columns, width


def _at(renumbered: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """``renumbered`` of each column, -1 where there is none."""
    return np.where(columns >= 0, renumbered[columns], np.int32(-1)) if len(renumbered) else columns
