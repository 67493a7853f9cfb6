"""Word pieces and how they lie over words: alignment by spans, windows over long texts, batches without much padding.

All of it is numpy; nothing here knows a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nlpipe.wire import Locate, Tokens, locate_in_order


class Pieces(Tokens):
    """Tokens with the pieces of their texts under one model's vocabulary.

    Args:
        words: B lists of words.
        texts: B strings.
        locate: finds the words in their text again.
        pieces: B arrays (P_b,) of piece ids, without special ones.
        pairs: B arrays (2, N_b): pieces and the words that they overlap, sorted by word; a piece may lie over several
            words and a word under several pieces.
        model: the model whose pieces they are.
    """

    def __init__(
        self,
        words: Sequence[list[str]],
        texts: Sequence[str],
        locate: Locate,
        pieces: Sequence[np.ndarray],
        pairs: Sequence[np.ndarray],
        model: str,
    ) -> None:
        super().__init__(words, texts, locate)
        self.pieces = list(pieces)
        self.pairs = list(pairs)
        self.model = model

    def take(self, indices: Sequence[int]) -> Pieces:
        chosen = super().take(indices)
        pieces, pairs = [self.pieces[i] for i in indices], [self.pairs[i] for i in indices]
        return Pieces(chosen.words, chosen.texts, chosen.locate, pieces, pairs, self.model)

    @classmethod
    def concat(cls, parts: Sequence[Pieces]) -> Pieces:
        joined = Tokens.concat(parts)
        pieces = [array for part in parts for array in part.pieces]
        pairs = [array for part in parts for array in part.pairs]
        model = parts[0].model if len({part.model for part in parts}) == 1 else ""
        return cls(joined.words, joined.texts, joined.locate, pieces, pairs, model)

    def flat_pairs(self) -> np.ndarray:
        """The pairs of all examples, (2, sum of N_b), numbered through the batch."""
        if len(self.pairs) == 1:
            return self.pairs[0]
        columns = [np.zeros((2, 0), dtype=np.int64)]
        piece = word = 0
        for words, pieces, pairs in zip(self.words, self.pieces, self.pairs, strict=True):
            columns.append(pairs + np.array([[piece], [word]]))
            piece += len(pieces)
            word += len(words)
        return np.concatenate(columns, axis=1)  # (2, sum of N_b)


class HiddenPieces(Pieces):
    """Pieces that are tokens themselves, some of them hidden.

    Args:
        ids: B arrays (P_b,), as they are read.
        targets: B arrays (P_b,), what was hidden; -1 where nothing was.
        texts: B strings.
        model: the model whose pieces they are.
    """

    def __init__(
        self, ids: Sequence[np.ndarray], targets: Sequence[np.ndarray], texts: Sequence[str], model: str
    ) -> None:
        pairs = [np.stack([np.arange(len(row))] * 2) for row in ids]
        super().__init__([[""] * len(row) for row in ids], texts, locate_in_order, ids, pairs, model)
        self.targets = list(targets)

    def take(self, indices: Sequence[int]) -> HiddenPieces:
        ids, targets = [self.pieces[i] for i in indices], [self.targets[i] for i in indices]
        return HiddenPieces(ids, targets, [self.texts[i] for i in indices], self.model)


def ranges(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """``starts[i], starts[i] + 1, …`` of ``counts[i]`` numbers, for every i after one another."""
    before = np.cumsum(counts) - counts
    return np.repeat(starts - before, counts) + np.arange(counts.sum())


def overlaps(offsets: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """(2, N): each piece with each word whose span it shares a character with, sorted by word.

    Args:
        offsets: (P, 2) start and end of each piece in the text, in order.
        spans: (T, 2) start and end of each word, in order, without overlap.
    """
    first = np.searchsorted(spans[:, 1], offsets[:, 0], side="right")
    last = np.searchsorted(spans[:, 0], offsets[:, 1], side="left")
    counts = np.maximum(last - first, 0)
    pairs = np.stack([np.repeat(np.arange(len(offsets)), counts), ranges(first, counts)])  # (2, N)
    return pairs[:, np.argsort(pairs[1], kind="stable")]


@dataclass(frozen=True)
class Windows:
    """Stretches of pieces that a model reads at once, W of them, numbered through the batch.

    ``start`` and ``count``: what is read; ``keep`` and ``kept``: the part whose vectors are taken. The kept parts lie
    side by side and cover every piece once.
    """

    start: np.ndarray
    count: np.ndarray
    keep: np.ndarray
    kept: np.ndarray


def cut_windows(lengths: Sequence[int], capacity: int, overlap: int) -> Windows:
    """Windows of at most ``capacity`` pieces over texts of ``lengths`` pieces; each piece is taken where it stands
    most in the middle, that is, neighbours are cut half-way through what they share."""
    columns = []
    offset = 0
    for length in lengths:
        if length <= capacity:
            starts = np.zeros(min(length, 1), dtype=np.int64)
        else:
            starts = np.minimum(np.arange(0, length - overlap, capacity - overlap), length - capacity)
        ends = np.minimum(starts + capacity, length)
        cuts = np.concatenate([[0], (starts[1:] + ends[:-1]) // 2, [length]])[: len(starts) + 1]
        columns.append(np.stack([starts, ends - starts, cuts[:-1], np.diff(cuts)])[:, : len(starts)] + _shift(offset))
        offset += length
    start, count, keep, kept = np.concatenate([np.zeros((4, 0), dtype=np.int64), *columns], axis=1)
    return Windows(start, count, keep, kept)


def _shift(offset: int) -> np.ndarray:
    return np.array([[offset], [0], [offset], [0]])


def buckets(lengths: np.ndarray, budget: int, spare: int = 0) -> list[np.ndarray]:
    """Indices into ``lengths`` in batches of at most ``budget`` padded pieces (or one item), short ones first.

    Within a batch the longest is at most an eighth (or 2) longer than the shortest, so that little is padded away.

    Args:
        spare: padding, in pieces, that costs no more than one batch more would; up to it lengths may differ.
    """
    order = np.argsort(lengths, kind="stable")
    batches: list[np.ndarray] = []
    first, padding, before = 0, 0, 0
    for i, index in enumerate(order):
        longest, shortest = int(lengths[index]), int(lengths[order[first]])
        padding += (i - first) * (longest - before)
        unlike = longest > shortest + max(2, shortest // 8) and padding > spare
        if i > first and ((i - first + 1) * longest > budget or unlike):
            batches.append(order[first:i])
            first, padding = i, 0
        before = longest
    return [*batches, order[first:]] if len(order) else []
