"""What ``word2vec`` and ``static`` share: a table of word vectors, looked up by word, fixed or trained further.

Fixed, it is numpy and knows nothing of torch. Weights for averages, after which ``mean`` gives a weighted mean:

    sif   a / (a + p(w)), a = 0.001, p(w) the word's share of the training tokens
          (Arora, Liang, Ma 2017, "A Simple but Tough-to-Beat Baseline for Sentence Embeddings", without the removal of
          the first component, which belongs behind the pooling)
    idf   ln((1 + n) / (1 + df(w))) + 1, as scikit-learn smooths it
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from nlpipe.stage import Data, Representation, State
from nlpipe.vocabulary import Vocabulary, encode
from nlpipe.wire import Sequences, Tokens

SIF = 1e-3
"""a of Arora et al. 2017: words rarer than this share keep most of their weight."""

UNKNOWN = 1
"""Id of the row that stands for words without a vector; 0 is padding."""


@dataclass(frozen=True)
class Counts:
    """How often each word stands in the training split, in how many of its texts, and how many texts there are."""

    words: Counter[str]
    texts: Counter[str]
    total: int

    @classmethod
    def of(cls, sentences: Iterable[list[str]]) -> Counts:
        """Counted over ``sentences``, one list of words a text."""
        words: Counter[str] = Counter()
        texts: Counter[str] = Counter()
        total = 0
        for sentence in sentences:
            words.update(sentence)
            texts.update(set(sentence))
            total += 1
        return cls(words, texts, total)


def word_weights(words: Sequence[str], counts: Counts, scheme: Literal["idf", "sif"] | None) -> np.ndarray:
    """(V,) weight of each word, divided by the mean over the training tokens so that vectors keep their scale."""
    if scheme is None:
        return np.ones(len(words), dtype=np.float32)
    seen = np.array([counts.words[word] for word in words], dtype=np.float64)
    if scheme == "sif":
        weights = SIF / (SIF + seen / max(1, counts.words.total()))
    else:
        df = np.array([counts.texts[word] for word in words], dtype=np.float64)
        weights = np.log((1 + counts.total) / (1 + df)) + 1
    if seen.any():
        weights /= np.average(weights, weights=seen)
    return weights.astype(np.float32)


class Lookup(Representation[Tokens, Sequences]):
    """A table of word vectors; a subclass fills it in ``fit`` by calling ``fill``."""

    def __init__(
        self, trainable: bool, unknown: Literal["mean", "zero"], weights: Literal["idf", "sif"] | None
    ) -> None:
        self._trainable = trainable
        self.unknown = unknown
        self.weights = weights
        self.lowercase = False
        self.vocabulary = Vocabulary.from_counts(Counter(), 1, None)
        self.vectors = np.zeros((2, 0), dtype=np.float32)
        self.learned = 0
        self._table: Any = None

    @property
    def trainable(self) -> bool:
        return self._trainable

    @property
    def module(self) -> Any:
        return self._table

    @abstractmethod
    def fit(self, data: Data[Tokens]) -> None:
        """Find the words and their vectors."""

    def fill(self, words: Sequence[str], vectors: np.ndarray, learned: int, counts: Counts) -> None:
        """Set the table: ``vectors`` (N, D) of N ``words``, of which training changes the first ``learned``."""
        self.vocabulary = Vocabulary.from_counts(Counter({w: len(words) - i for i, w in enumerate(words)}), 1, None)
        ids = np.asarray(self.vocabulary.ids(words), dtype=np.int64)
        table = np.zeros((len(self.vocabulary), vectors.shape[1]), dtype=np.float32)
        table[ids] = vectors * word_weights(words, counts, self.weights)[:, None]
        if len(words) and self.unknown == "mean":
            table[UNKNOWN] = table[ids].mean(0)
        self.vectors = table
        self.learned = learned + 2
        self._table = None

    def build(self, width: int) -> int:
        if self.trainable and self._table is None:
            import torch

            from nlpipe.nn.word_table import Table

            self._table = Table(torch.from_numpy(self.vectors.copy()), self.learned)
        return int(self.vectors.shape[1])

    def look_up(self, words: list[str]) -> np.ndarray:
        """(T,) row of each word."""
        ids = np.asarray(self.vocabulary.ids(words), dtype=np.int64)
        missing = np.flatnonzero(ids == UNKNOWN)
        if self.lowercase and len(missing):
            ids[missing] = self.vocabulary.ids([words[i].lower() for i in missing])
        return ids

    def prepare(self, source: Tokens) -> Tokens:
        return encode(source, self.vocabulary, self.look_up)

    def forward(self, source: Tokens) -> Sequences:
        encoded = encode(source, self.vocabulary, self.look_up)
        if self._table is None:
            return Sequences(self.vectors[encoded.flat()], encoded.lengths, source)  # (sum of T_b, D)
        return Sequences(self._table(encoded.flat()), encoded.lengths, source)

    def ledger(self, source: Tokens) -> dict[str, float]:
        ids = encode(source, self.vocabulary, self.look_up).flat()
        return {"tokens": len(ids), "out_of_vocabulary": int((ids == UNKNOWN).sum()), "truncated_tokens": 0}

    def state(self) -> State:
        vectors = self.vectors if self._table is None else self._table.rows()
        return State({"vectors": vectors}, {"vocabulary": self.vocabulary.state(), "learned": self.learned})

    def load_state(self, state: State, version: int) -> None:
        super().load_state(state, version)
        self.vectors = np.ascontiguousarray(state.arrays["vectors"], dtype=np.float32)
        self.vocabulary = Vocabulary.from_state(state.data["vocabulary"])
        self.learned = state.data["learned"]
        self._table = None
        self.build(0)
