"""N-grams as a tree (a trie) in arrays: each n-gram is a shorter n-gram and one more symbol.

Symbols (words or characters) are numbered in the order of their spelling. The columns are therefore in the order of
scikit-learn's CountVectorizer, although no string is created for any n-gram. A million bigrams are two arrays, which
are fast to count, look up, save and load.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import scipy.sparse as sp

Nodes = list[np.ndarray]
"""For n = 1, 2 …: (N,) int32, the node of the n-gram that starts at each of N symbols, or -1 if there is none."""


@dataclass(frozen=True)
class NgramTree:
    """The known n-grams, and the columns of the n-grams that are features.

    Args:
        keys: for n = 2, 3 …: sorted int64, node of the first n - 1 symbols << 32 | last symbol. The index of a key
            is its node; the nodes of single symbols are the symbols.
        columns: for n = 1, 2 …: int32, the column of each node; -1 for a node that is only a prefix of features.
        width: number of columns.
    """

    keys: tuple[np.ndarray, ...]
    columns: tuple[np.ndarray, ...]
    width: int

    @classmethod
    def learn(
        cls,
        symbols: np.ndarray,
        lengths: np.ndarray,
        symbol_count: int,
        ngrams: tuple[int, int],
        minimum: int = 1,
        whole: bool = False,
    ) -> tuple[Self, Nodes]:
        """Build the tree of all n-grams of the sequences; return it with the node at each symbol.

        Args:
            symbols: (N,) int32, the symbols of all sequences; 0 <= symbol < ``symbol_count``.
            lengths: (B,) number of symbols of each sequence; n-grams do not cross from one sequence to the next.
            symbol_count: number of distinct symbols.
            ngrams: the smallest and the largest n.
            minimum: n-grams with fewer occurrences are left out, as are the longer ones that start with them.
            whole: whether a sequence that is shorter than the smallest n is a feature as a whole.
        """
        low, high = ngrams
        remaining = _remaining(lengths)  # (N,)
        nodes, keys, is_feature = [symbols], [], []
        if minimum > 1:
            rare = np.bincount(symbols, minlength=symbol_count) < minimum
            nodes[0] = np.where(rare[symbols], np.int32(-1), symbols)
        for n in range(1, high + 1):
            if n > 1:
                positions, occurring = _extend(nodes[-1], symbols, remaining, n)
                level, places = _distinct(occurring, minimum)
                keys.append(level)
                nodes.append(np.full(len(symbols), -1, dtype=np.int32))
                nodes[-1][positions] = places
            size = symbol_count if n == 1 else len(keys[-1])
            features = np.full(size, n >= low)
            if n == 1 and low == 1:
                features[:] = False
                features[nodes[0][nodes[0] >= 0]] = True
            if whole and n < low:
                starts = (np.cumsum(lengths) - lengths)[lengths == n]
                features[nodes[-1][starts]] = True
            is_feature.append(features)
        columns, width = _number_columns(keys, is_feature)
        return cls(tuple(keys), tuple(columns), width), nodes

    def find(self, symbols: np.ndarray, lengths: np.ndarray) -> Nodes:
        """Return the node at each symbol of new sequences; ``symbols`` (N,) int32 are -1 where unknown."""
        remaining = _remaining(lengths)  # (N,)
        nodes = [symbols]
        for n, level in enumerate(self.keys, start=2):
            positions, occurring = _extend(nodes[-1], symbols, remaining, n)
            distinct, inverse = np.unique(occurring, return_inverse=True)  # a sorted search uses the cache better
            places = np.searchsorted(level, distinct)
            known = places < len(level)
            known[known] = level[places[known]] == distinct[known]
            nodes.append(np.full(len(symbols), -1, dtype=np.int32))
            nodes[-1][positions] = np.where(known, places, -1).astype(np.int32)[inverse]
        return nodes

    def count(self, nodes: Nodes, lengths: np.ndarray) -> sp.csr_matrix:
        """Return how often the n-gram of each column occurs in each of B sequences: (B, width), float64."""
        cells = np.full((int(lengths.sum()), len(nodes)), -1, dtype=np.int32)  # (N, n)
        for n, (level, columns) in enumerate(zip(nodes, self.columns, strict=True)):
            if len(columns):
                cells[:, n] = np.where(level >= 0, columns[level], -1)
        present = cells >= 0
        before = np.concatenate([[0], np.cumsum(present.sum(axis=1))])  # (N + 1,) cells before each symbol
        bounds = before[np.concatenate([[0], np.cumsum(lengths)])]  # (B + 1,)
        indices = cells[present]
        counts = sp.csr_matrix((np.ones(len(indices)), indices, bounds), shape=(len(lengths), self.width))
        counts.sum_duplicates()
        return counts

    def select(self, mask: np.ndarray) -> tuple[Self, np.ndarray]:
        """Return the tree of the columns where ``mask`` (width,) is true, and a mask of the symbols that it needs."""
        renumbered = np.where(mask, np.cumsum(mask) - 1, -1).astype(np.int32)
        columns = [_renumber(renumbered, level) for level in self.columns]
        needed = [level >= 0 for level in columns]  # of each node: whether it is a feature or a prefix of one
        for n in range(len(self.keys) - 1, -1, -1):
            keys = self.keys[n][needed[n + 1]]
            needed[n][keys >> 32] = True
            needed[0][keys & 0xFFFFFFFF] = True
        numbers = [np.cumsum(level) - 1 for level in needed]
        selected = []
        for n, level in enumerate(self.keys):
            keys = level[needed[n + 1]]
            selected.append((numbers[n][keys >> 32] << 32) | numbers[0][keys & 0xFFFFFFFF])
        remaining = tuple(level[mask] for level, mask in zip(columns, needed, strict=True))
        return type(self)(tuple(selected), remaining, int(mask.sum())), needed[0]

    def names(self, symbols: Sequence[str], separator: str) -> list[str]:
        """Return the spelling of the n-gram of each column, given the spellings of the symbols."""
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


def _remaining(lengths: np.ndarray) -> np.ndarray:
    """(N,) int32: the number of symbols from each symbol to the end of its sequence, itself included."""
    ends = np.cumsum(lengths)
    return (np.repeat(ends, lengths) - np.arange(ends[-1] if len(ends) else 0)).astype(np.int32)


def _extend(nodes: np.ndarray, symbols: np.ndarray, remaining: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of n-grams whose first n - 1 symbols are a node, and their keys.

    A key is negative if the last symbol is unknown.
    """
    positions = np.flatnonzero((nodes >= 0) & (remaining >= n))
    return positions, (nodes[positions].astype(np.int64) << 32) | symbols[positions + (n - 1)]


def _distinct(keys: np.ndarray, minimum: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted keys that occur at least ``minimum`` times, and for each of ``keys`` its index there or -1."""
    order = np.argsort(keys)
    keys = keys[order]
    first = np.ones(len(keys), dtype=bool)
    first[1:] = keys[1:] != keys[:-1]
    starts = np.flatnonzero(first)
    frequent = np.diff(starts, append=len(keys)) >= minimum
    number = np.where(frequent, np.cumsum(frequent) - 1, -1).astype(np.int32)
    places = np.empty(len(keys), dtype=np.int32)
    places[order] = np.repeat(number, np.diff(starts, append=len(keys)))
    return keys[starts[frequent]], places


def _number_columns(keys: Sequence[np.ndarray], is_feature: Sequence[np.ndarray]) -> tuple[list[np.ndarray], int]:
    """Number the columns in the order of spelling, which visits each node before its children; return the width too.

    Args:
        keys: as in ``NgramTree``.
        is_feature: for n = 1, 2 …: whether each node has a column.
    """
    sizes = [level.astype(np.int64) for level in is_feature]  # number of columns in the subtree of each node
    for n in range(len(keys) - 1, -1, -1):
        sizes[n] += np.bincount(keys[n] >> 32, weights=sizes[n + 1], minlength=len(sizes[n])).astype(np.int64)
    starts = np.cumsum(sizes[0]) - sizes[0]
    width = int(sizes[0].sum())
    columns = [np.where(is_feature[0], starts, -1).astype(np.int32)]
    for n, level in enumerate(keys):
        parents, first, siblings = np.unique(level >> 32, return_index=True, return_counts=True)
        before = np.cumsum(sizes[n + 1]) - sizes[n + 1]
        offsets = starts[parents] + is_feature[n][parents] - before[first]  # (parents,)
        starts = np.repeat(offsets, siblings) + before
        columns.append(np.where(is_feature[n + 1], starts, -1).astype(np.int32))
    return columns, width


def _renumber(renumbered: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the new number of each column; -1 stays -1."""
    return np.where(columns >= 0, renumbered[columns], np.int32(-1)) if len(renumbered) else columns
