"""A table of word vectors learned with the rest of the pipeline, from nothing."""

from __future__ import annotations

from collections import Counter

import numpy as np
import torch
from torch import Tensor, nn

from nlpipe.capabilities import SharesTable
from nlpipe.nn.neural import Neural
from nlpipe.options import Dropout, Positive
from nlpipe.stage import Data, Representation, State
from nlpipe.vocabulary import Vocabulary, encode
from nlpipe.wire import Sequences, Tokens

PADDING, UNKNOWN = 0, 1


class Embedding(Neural[Tokens, Sequences], Representation[Tokens, Sequences], SharesTable):
    """Word vectors learned from the labels, together with the rest of the pipeline.

    ``vocabulary``, ``table`` (its weight is (V, D)) and ``scale`` are there for a head to share.

    Options:
        dim: D, numbers in a word's vector.
        min_count: times a word must stand in the training split to have a vector; the others share one.
        max_words: most words with a vector, the commonest; null for no bound.
        dropout: share of the numbers set to zero while training.
        word_dropout: share of the words taken for unknown while training, which teaches the vector of unknown words.
        scaled: multiply the vectors by the root of dim, as Vaswani et al. 2017 do (section 3.4) before they add
            positions, and where the table gives the scores of a translation as well.
    """

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
        self.vocabulary = Vocabulary.from_counts(Counter(), 1, None)
        self.table: nn.Embedding

    def fit(self, data: Data[Tokens]) -> None:
        counts = Counter(word for tokens, _ in data for words in tokens.words for word in words)
        self.vocabulary = Vocabulary.from_counts(counts, self.min_count, self.max_words, self.specials)

    def allocate(self, width: int) -> int:
        self.table = nn.Embedding(len(self.vocabulary), self.dim, padding_idx=PADDING)
        nn.init.normal_(self.table.weight, std=self.dim**-0.5)
        with torch.no_grad():
            self.table.weight[PADDING].zero_()
        return self.dim

    def _look_up(self, words: list[str]) -> np.ndarray:
        return np.asarray(self.vocabulary.ids(words), dtype=np.int64)

    def prepare(self, source: Tokens) -> Tokens:
        return encode(source, self.vocabulary, self._look_up)

    def forward(self, source: Tokens) -> Sequences:
        encoded = encode(source, self.vocabulary, self._look_up)
        lengths = encoded.lengths
        filled = np.arange(lengths.max(initial=0)) < lengths[:, None]  # (B, T)
        padded = np.full(filled.shape, PADDING)
        padded[filled] = encoded.flat()
        ids = torch.as_tensor(padded, device=self.device)  # (B, T)
        mask = torch.as_tensor(filled, device=self.device)  # (B, T)
        if self.training and self.word_dropout:
            ids = ids.masked_fill(mask & (torch.rand(ids.shape, device=ids.device) < self.word_dropout), UNKNOWN)
        rows: Tensor = self.table(ids)  # (B, T, D)
        if self.scale != 1.0:
            rows = rows * self.scale
        rows = self.dropout(rows)
        if not filled.all():  # a head that shares the table trains the row of padding too
            rows = rows.masked_fill(~mask[..., None], 0.0)
        return Sequences(rows, lengths, source, mask)

    def ledger(self, source: Tokens) -> dict[str, float]:
        ids = encode(source, self.vocabulary, self._look_up).flat()
        return {"tokens": len(ids), "out_of_vocabulary": int((ids == UNKNOWN).sum()), "truncated_tokens": 0}

    def state(self) -> State:
        state = super().state()
        return State(state.arrays, {**state.data, "vocabulary": self.vocabulary.state()})

    def load_state(self, state: State, version: int) -> None:
        self.vocabulary = Vocabulary.from_state(state.data["vocabulary"])
        super().load_state(state, version)
