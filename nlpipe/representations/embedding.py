"""Word embeddings that are trained with the pipeline from random vectors."""

from __future__ import annotations

from collections import Counter
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from nlpipe.capabilities import OffersWordVectors, SharesTable, WordTable
from nlpipe.nn.learned_table import LearnedTable
from nlpipe.options import Dropout, Positive
from nlpipe.stage import Data, Representation
from nlpipe.vocabulary import PAD_ID, UNKNOWN_ID, Vocabulary, encode, escaped
from nlpipe.wire import Sequences, Tokens


class Embedding(LearnedTable[Tokens, Sequences], Representation[Tokens, Sequences], SharesTable, OffersWordVectors):
    """Word vectors that are trained with the pipeline.

    A head may share ``vocabulary``, ``table`` (its weight is (V, D)) and ``scale``.

    Options:
        dim: D, size of a word's vector.
        min_count: how often a word must occur in the training split to have a vector; the others share one.
        max_words: maximum number of words with a vector, the most frequent; null: no limit.
        dropout: share of the values that are set to zero in training.
        word_dropout: share of the words that are replaced by the unknown word in training, which trains its vector.
        scaled: whether to multiply the vectors by the square root of dim, as Vaswani et al. 2017 (section 3.4) do with
            a table that the output layer shares.
    """

    seeded = False

    def __init__(
        self,
        dim: Positive = 100,
        min_count: Positive = 2,
        max_words: Positive | None = None,
        dropout: Dropout = 0.0,
        word_dropout: Dropout = 0.0,
        scaled: bool = False,
    ) -> None:
        super().__init__()
        self.dim = dim
        self.min_count = min_count
        self.max_words = max_words
        self.word_dropout = word_dropout
        self.scale = dim**0.5 if scaled else 1.0
        self.dropout = nn.Dropout(dropout)
        self.vocabulary = Vocabulary.from_counts({})

    def fit(self, data: Data[Tokens]) -> None:
        counts = Counter[str]()
        for tokens, _ in data:
            for words in tokens.words:
                counts.update(escaped(words) if self.specials else words)
        self.vocabulary = Vocabulary.from_counts(counts, self.min_count, self.max_words, self.specials)

    def allocate(self, width: int) -> int:
        self.make_table(self.dim, partial(nn.init.normal_, std=self.dim**-0.5))
        return self.dim

    def prepare(self, source: Tokens) -> Tokens:
        return encode(source, self.vocabulary, self.vocabulary.ids)

    def forward(self, source: Tokens) -> Sequences:
        encoded = encode(source, self.vocabulary, self.vocabulary.ids)
        lengths = encoded.lengths
        is_token = np.arange(lengths.max(initial=0)) < lengths[:, None]  # (B, T)
        padded = np.full(is_token.shape, PAD_ID)
        padded[is_token] = encoded.flat()
        ids = torch.as_tensor(padded, device=self.device)  # (B, T)
        mask = torch.as_tensor(is_token, device=self.device)  # (B, T)
        if self.training and self.word_dropout:
            ids = ids.masked_fill(mask & (torch.rand(ids.shape, device=ids.device) < self.word_dropout), UNKNOWN_ID)
        rows: Tensor = self.table(ids)  # (B, T, D)
        if self.scale != 1.0:
            rows = rows * self.scale
        rows = self.dropout(rows)
        if not is_token.all():  # a head that shares the table also trains the vector of padding
            rows = rows.masked_fill(~mask[..., None], 0.0)
        return Sequences(rows, lengths, source, mask)

    def word_table(self) -> WordTable:
        return WordTable.of(self.vocabulary, self.table.weight)

    def ledger(self, source: Tokens) -> dict[str, float]:
        return encode(source, self.vocabulary, self.vocabulary.ids).ledger()
