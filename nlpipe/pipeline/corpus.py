"""A corpus as one array of ids, and the windows of it that a language model is trained on.

Words are numbered as they are read: of a gigabyte of text only ids of four bytes stay in memory, no list of words.

    <s> the  sea  was calm <s> she  left <s>        ids; the start token before each text, and once more at the end
    the sea  was calm </s> she left </s>            what each is followed by

Texts that follow each other are read across their borders, in windows of equal length; texts that are kept apart are
windows of their own, cut where they are longer than the context.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nlpipe.capabilities import Corrupts, OffersPieces
from nlpipe.pipeline.reading import opened
from nlpipe.vocabulary import START, TokenIds, Vocabulary
from nlpipe.wire import Tokens


@dataclass(frozen=True)
class Corpus:
    """B texts as ids, one after another.

    Args:
        ids: (N,) int32 of all tokens; for a model that predicts what follows, with the start token before each text and
            once more at the end.
        sizes: (B,) tokens of each text, its start token included.
        vocabulary: of the ids; empty where they are pieces of a BERT.
        counts: how often each word occurs, known or not; empty for pieces.
    """

    ids: np.ndarray
    sizes: np.ndarray
    vocabulary: Vocabulary
    counts: Counter[str]

    @classmethod
    def of_words(cls, batches: Iterable[tuple[Tokens, Any]], vocabulary: Vocabulary) -> Corpus:
        """Number the words of tokens, batch by batch, with the start before each text."""
        parts, sizes = [], [np.zeros(0, np.int64)]
        counts = Counter[str]()
        for source, _ in batches:
            tokens = opened(source)
            words = [word for text in tokens.words for word in text]
            counts.update(words)
            parts.append(vocabulary.ids(words).astype(np.int32))
            sizes.append(tokens.lengths)
        counts.pop(START, None)
        parts.append(np.array([vocabulary.id(START)], dtype=np.int32))
        return cls(np.concatenate(parts), np.concatenate(sizes), vocabulary, counts)

    @classmethod
    def of_pieces(cls, batches: Iterable[tuple[Tokens, Any]], offers: OffersPieces) -> Corpus:
        """Number the pieces of texts, batch by batch."""
        parts = [np.zeros(0, dtype=np.int32)]
        for tokens, _ in batches:
            parts += offers.pieces_of(tokens.texts)
        sizes = np.array([len(part) for part in parts[1:]], dtype=np.int64)
        return cls(np.concatenate(parts), sizes, Vocabulary.from_counts({}), Counter())

    def words(self) -> np.ndarray:
        """(sum of T_b,) the ids without the start tokens."""
        kept: np.ndarray = self.ids[self.ids != self.vocabulary.id(START)]
        return kept


Wrap = Callable[[list[np.ndarray], list[np.ndarray], bool], tuple[Any, TokenIds]]
"""Inputs (T_b,), targets (T_b,), and whether nothing was read before them, as wires."""


class CorpusWindows:
    """Windows of a corpus, as the trainer takes examples.

    Args:
        corpus: to train on.
        head: makes inputs and targets of windows.
        wrap: makes wires of them.
        continuous: whether texts follow each other; if not, no window crosses the border of a text.
        columns: number of stretches that are read side by side, each from its beginning to its end, so that states can
            be carried on from batch to batch; 0: windows are drawn in any order.
    """

    def __init__(self, corpus: Corpus, head: Corrupts, wrap: Wrap, continuous: bool, columns: int = 0) -> None:
        self.ids, self.head, self.wrap, self.columns = corpus.ids, head, wrap, columns
        self.random_starts = continuous and not columns
        steps = len(corpus.ids) - head.reads_ahead  # tokens that have those behind them that are needed
        if columns:
            stretch = -(-steps // columns)
            begin = np.arange(columns)[:, None] * stretch  # (columns, 1)
            starts = begin + np.arange(0, stretch, head.context)  # (columns, W)
            ends = np.minimum(np.minimum(starts + head.context, begin + stretch), steps)
            self.starts, self.lengths = starts.ravel(), np.maximum(ends - starts, 0).ravel()
        elif continuous:
            self.starts = np.arange(0, steps, head.context)
            self.lengths = np.minimum(head.context, steps - self.starts)
        else:
            pieces = -(-corpus.sizes // head.context)  # (B,)
            number = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)  # within its text
            offset = number * head.context
            self.starts = np.repeat(np.cumsum(corpus.sizes) - corpus.sizes, pieces) + offset
            self.lengths = np.minimum(np.repeat(corpus.sizes, pieces) - offset, head.context)

    def plan(self) -> list[np.ndarray]:
        """The batches of an epoch where states are carried on: the next window of every stretch."""
        return list(np.arange(len(self.starts)).reshape(self.columns, -1).T)

    def batch(self, indices: Sequence[int], random: np.random.Generator) -> tuple[Any, TokenIds]:
        """Inputs and targets of these windows."""
        ahead = self.head.reads_ahead
        starts, lengths = self.starts[list(indices)], self.lengths[list(indices)]
        if self.random_starts:  # windows begin elsewhere in each epoch
            last = len(self.ids) - ahead - lengths
            starts = np.clip(starts + random.integers(0, self.head.context, len(starts)), 0, last)
        windows = [self.ids[start : start + length + ahead] for start, length in zip(starts, lengths, strict=True)]
        inputs, targets = self.head.corrupt(windows, random)
        begins = not self.columns or indices[0] % (len(self.starts) // self.columns) == 0
        return self.wrap(inputs, targets, begins)
