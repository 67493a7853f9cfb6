"""Near duplicates: all pairs of texts whose sets of character n-grams have at least a given Jaccard similarity.

The search is exact. Two sets of which the Jaccard similarity is t or more share at least one of the few rarest n-grams
of each, its prefix (Chaudhuri et al. 2006, "A Primitive Operator for Similarity Joins in Data Cleaning"; Bayardo et al.
2007, "Scaling Up All Pairs Similarity Search"), and l of them if the prefix is longer by l - 1 (Wang et al. 2012, "Can
We Beat the Prefix Filtering?"). The sparse product of the prefixes gives the candidates, of which the similarity is
then computed on all n-grams. Only the rarest n-grams of a text enter the product, which is why it stays fast.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

SIZE = 5
"""Characters of an n-gram; a shorter text is one n-gram."""
THRESHOLD = 0.8
"""Jaccard similarity from which two texts are near duplicates (Lee et al. 2022 use 0.8 as well)."""
MATCHES = 0.1
"""Share of its n-grams by which the prefix of a text is longer than one match needs: more matches, fewer candidates."""
BLOCK = 5_000_000
"""Multiplications of one sparse product, which bounds its memory."""
_BASE = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)


@dataclass(frozen=True)
class Pairs:
    """P pairs of texts.

    Args:
        left: (P,) index of the one.
        right: (P,) index of the other.
        similarity: (P,) Jaccard similarity of their n-grams, in [0, 1].
    """

    left: np.ndarray
    right: np.ndarray
    similarity: np.ndarray


def ngrams(text: str) -> np.ndarray:
    """The distinct n-grams of ``text`` as sorted 64-bit hashes, (n,); none of an empty text."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
    size = min(SIZE, len(codes))
    count = len(codes) - size + 1 if size else 0
    hashes = np.zeros(count, dtype=np.uint64)
    for i in range(size):
        hashes *= _BASE
        hashes += codes[i : i + count] + np.uint64(1)
    hashes ^= hashes >> np.uint64(29)
    hashes *= _MIX
    hashes ^= hashes >> np.uint64(32)
    return np.unique(hashes)


def jaccard(one: np.ndarray, other: np.ndarray) -> float:
    """Size of the intersection over size of the union of two sets of sorted distinct values; 0 where both are empty."""
    if len(one) > len(other):
        one, other = other, one
    if not len(one):
        return 0.0
    places = np.minimum(np.searchsorted(other, one), len(other) - 1)
    shared = int(np.count_nonzero(other[places] == one))
    return shared / (len(one) + len(other) - shared)


def similar_within(texts: Sequence[str], threshold: float = THRESHOLD) -> Pairs:
    """All pairs of ``texts``, ``left`` after ``right``, of which the similarity is at least ``threshold``."""
    sets = [ngrams(text) for text in texts]
    prefixes = _prefixes(sets, threshold)
    return _join(sets, sets, prefixes, prefixes, threshold, within=True)


def similar_across(left: Sequence[str], right: Sequence[str], threshold: float = THRESHOLD) -> Pairs:
    """All pairs of a text of ``left`` and one of ``right`` of which the similarity is at least ``threshold``."""
    sets = [ngrams(text) for text in [*left, *right]]
    prefixes = _prefixes(sets, threshold)
    cut = len(left)
    return _join(sets[:cut], sets[cut:], prefixes.rows(0, cut), prefixes.rows(cut, len(sets)), threshold, within=False)


@dataclass(frozen=True)
class _Prefixes:
    """The rarest n-grams of N texts.

    Args:
        matrix: (N, D) ones where the prefix of a text has an n-gram.
        others: (N,) number of n-grams of each text that are not in its prefix.
        sizes: (N,) number of n-grams of each text.
    """

    matrix: sp.csr_matrix
    others: np.ndarray
    sizes: np.ndarray

    def rows(self, start: int, end: int) -> _Prefixes:
        return _Prefixes(self.matrix[start:end], self.others[start:end], self.sizes[start:end])


def _prefixes(sets: Sequence[np.ndarray], threshold: float) -> _Prefixes:
    """The prefix of each set, in one order of all n-grams: the rare ones first, by the count of a bucket of them."""
    shift = np.uint64(40)
    counts = np.zeros(1 << 24, dtype=np.int32)
    for values in sets:
        buckets, times = np.unique(values >> shift, return_counts=True)
        counts[buckets] += times.astype(np.int32)
    chosen = []
    for values in sets:
        size = len(values)
        length = min(size, size - math.ceil(threshold * size - 1e-9) + 1 + int(MATCHES * size))
        chosen.append(values[np.argsort(counts[values >> shift], kind="stable")[:length]])  # ties: by value
    lengths = np.array([len(values) for values in chosen], dtype=np.int64)
    every = np.concatenate(chosen) if chosen else np.zeros(0, dtype=np.uint64)
    distinct, columns, times = np.unique(every, return_inverse=True, return_counts=True)
    shared = (times > 1)[columns]  # an n-gram of one text pairs with nothing
    bounds = np.concatenate([[0], np.cumsum(shared)])[np.concatenate([[0], np.cumsum(lengths)])]
    indices = columns[shared].astype(np.int32)
    ones = np.ones(len(indices), dtype=np.int32)
    matrix = sp.csr_matrix((ones, indices, bounds), shape=(len(sets), max(1, len(distinct))))
    sizes = np.array([len(values) for values in sets], dtype=np.int64)
    return _Prefixes(matrix, sizes - lengths, sizes)


def _join(
    left_sets: Sequence[np.ndarray],
    right_sets: Sequence[np.ndarray],
    left: _Prefixes,
    right: _Prefixes,
    threshold: float,
    within: bool,
) -> Pairs:
    """The pairs of which the similarity is at least ``threshold``; ``within`` one list, each pair once."""
    transposed = right.matrix.T.tocsr()
    frequency = np.diff(transposed.indptr)  # (D,) texts on the right that have each n-gram
    work = np.concatenate([[0], np.cumsum(frequency[left.matrix.indices])])[left.matrix.indptr]  # (N + 1,)
    rows, columns, similarities = [], [], []
    start = 0
    while start < left.matrix.shape[0]:
        end = max(start + 1, int(np.searchsorted(work, work[start] + BLOCK, side="right")) - 1)
        product = (left.matrix[start:end] @ transposed).tocoo()
        one, other = product.row.astype(np.int64) + start, product.col.astype(np.int64)
        smaller = np.minimum(left.sizes[one], right.sizes[other])
        larger = np.maximum(left.sizes[one], right.sizes[other])
        # of two prefixes, the n-grams in the one that ends sooner are in the other one or not shared, so that the texts
        # share at most those of the product and all that are not in it
        most = product.data + np.maximum(left.others[one], right.others[other])
        candidate = most >= threshold / (1 + threshold) * (smaller + larger) - 1e-9
        candidate &= smaller >= threshold * larger - 1e-9
        if within:
            candidate &= other < one
        for i, j in zip(one[candidate].tolist(), other[candidate].tolist(), strict=True):
            similarity = jaccard(left_sets[i], right_sets[j])
            if similarity >= threshold:
                rows.append(i)
                columns.append(j)
                similarities.append(similarity)
        start = end
    return Pairs(np.array(rows, np.int64), np.array(columns, np.int64), np.array(similarities, np.float64))
