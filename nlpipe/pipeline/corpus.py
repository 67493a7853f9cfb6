"""A corpus as one array of ids, and the windows of it that a language model is trained on.

Words are numbered as they are read: of a gigabyte of text only ids of four bytes stay in memory, no list of words.

    <s> the  sea  was calm <s> she  left <s>        ids; the start token before each text, and once more at the end
    the sea  was calm </s> she left </s>            what each is followed by

Texts that follow each other are read across their borders, in windows of equal length; texts that are kept apart are
windows of their own, cut where they are longer than the context.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nlpipe.capabilities import Corrupts
from nlpipe.vocabulary import START, TokenIds, Vocabulary
from nlpipe.wire import Tokens


@dataclass(frozen=True)
class Corpus:
    """B texts as ids.

    Args:
        ids: (N,) int32 of all tokens, the start token before each text and at the end.
        lengths: (B,) tokens of each text, without the start.
        vocabulary: of the ids.
        counts: how often each word occurs, known or not.
    """

    ids: np.ndarray
    lengths: np.ndarray
    vocabulary: Vocabulary
    counts: Counter[str]

    @classmethod
    def read(cls, batches: Iterable[tuple[Tokens, Any]], vocabulary: Vocabulary) -> Corpus:
        """Number the words of opened tokens, batch by batch."""
        parts, lengths = [], []
        counts = Counter[str]()
        for tokens, _ in batches:
            words = [word for text in tokens.words for word in text]
            counts.update(words)
            parts.append(vocabulary.ids(words).astype(np.int32))
            lengths.append(tokens.lengths - 1)
        counts.pop(START, None)
        parts.append(np.array([vocabulary.id(START)], dtype=np.int32))
        return cls(np.concatenate(parts), np.concatenate([np.zeros(0, np.int64), *lengths]), vocabulary, counts)

    def tokens(self) -> np.ndarray:
        """(sum of lengths,) the ids without the start tokens."""
        kept: np.ndarray = self.ids[self.ids != self.vocabulary.id(START)]
        return kept


class CorpusWindows:
    """Windows of a corpus, as the trainer takes examples.

    Args:
        corpus: to train on.
        head: makes inputs and targets of windows.
        continuous: whether texts follow each other; if not, no window crosses the border of a text.
        columns: number of stretches that are read side by side, each from its beginning to its end, so that states can
            be carried on from batch to batch; 0: windows are drawn in any order.
    """

    def __init__(self, corpus: Corpus, head: Corrupts, continuous: bool, columns: int = 0) -> None:
        self.corpus, self.head, self.columns = corpus, head, columns
        self.random_starts = continuous and not columns
        steps = len(corpus.ids) - 1  # tokens that have one behind them
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
            sizes = corpus.lengths + 1  # (B,) with the start
            pieces = -(-sizes // head.context)  # (B,)
            number = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)  # within its text
            offset = number * head.context
            self.starts = np.repeat(np.cumsum(sizes) - sizes, pieces) + offset
            self.lengths = np.minimum(np.repeat(sizes, pieces) - offset, head.context)

    def plan(self) -> list[np.ndarray]:
        """The batches of an epoch where states are carried on: the next window of every stretch."""
        return list(np.arange(len(self.starts)).reshape(self.columns, -1).T)

    def batch(self, indices: Sequence[int], random: np.random.Generator) -> tuple[TokenIds, TokenIds]:
        """Inputs and targets of these windows."""
        ahead, ids = self.head.reads_ahead, self.corpus.ids
        starts, lengths = self.starts[list(indices)], self.lengths[list(indices)]
        if self.random_starts:  # windows begin elsewhere in each epoch
            starts = np.clip(starts + random.integers(0, self.head.context, len(starts)), 0, len(ids) - 1 - lengths)
        windows = [ids[start : start + length + ahead] for start, length in zip(starts, lengths, strict=True)]
        inputs, targets = self.head.corrupt(windows, random)
        vocabulary = self.corpus.vocabulary
        begins = not self.columns or indices[0] % (len(self.starts) // self.columns) == 0
        return TokenIds(inputs, vocabulary, begins), TokenIds(targets, vocabulary)
