"""The shared base of ``word2vec`` and ``static``: a table of word vectors, fixed or trained further.

A fixed table is a numpy array, and torch is not imported. The vectors can be multiplied by weights, so that the encoder
``mean`` returns a weighted mean:

    sif   a / (a + p(w)), a = 0.001, where p(w) is the share of the word in the training tokens
          (Arora, Liang, Ma 2017, "A Simple but Tough-to-Beat Baseline for Sentence Embeddings"; their removal of the
          first principal component is left out, because it would have to follow the mean)
    idf   ln((1 + n) / (1 + df(w))) + 1, with the smoothing of scikit-learn; df(w) of n texts contain the word
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp

from nlpipe.capabilities import AveragesWords, OffersWordVectors, WordTable
from nlpipe.stage import Data, Representation, State
from nlpipe.vocabulary import UNKNOWN_ID, EncodedTokens, Vocabulary, encode
from nlpipe.wire import Sequences, Tokens

SIF = 1e-3
"""The parameter a of Arora et al. 2017: words with a smaller share of the tokens keep most of their weight."""


@dataclass(frozen=True)
class WordCounts:
    """Counts of the training split.

    Args:
        words: how often each word occurs.
        texts: in how many texts each word occurs.
        total: number of texts.
    """

    words: Counter[str]
    texts: Counter[str]
    total: int

    @classmethod
    def of(cls, sentences: Iterable[list[str]]) -> WordCounts:
        """Count the words of ``sentences``, one list of words per text."""
        words: Counter[str] = Counter()
        texts: Counter[str] = Counter()
        total = 0
        for sentence in sentences:
            words.update(sentence)
            texts.update(set(sentence))
            total += 1
        return cls(words, texts, total)


def word_weights(words: Sequence[str], counts: WordCounts, scheme: Literal["idf", "sif"] | None) -> np.ndarray:
    """Return the weight of each of V words, (V,).

    The weights are divided by their mean over the training tokens, so that the vectors keep their scale.
    """
    if scheme is None:
        return np.ones(len(words), dtype=np.float32)
    frequencies = np.array([counts.words[word] for word in words], dtype=np.float64)
    if scheme == "sif":
        weights = SIF / (SIF + frequencies / max(1, counts.words.total()))
    else:
        df = np.array([counts.texts[word] for word in words], dtype=np.float64)
        weights = np.log((1 + counts.total) / (1 + df)) + 1
    if frequencies.any():
        weights /= np.average(weights, weights=frequencies)
    return weights.astype(np.float32)


def shares_of(lengths: np.ndarray, columns: np.ndarray, width: int) -> sp.csr_matrix:
    """(B, width), float32: a matrix whose product with rows (width, D) is the mean of some of them for each text.

    Args:
        lengths: (B,) how many rows are averaged for each text; 0 gives zeros.
        columns: (sum of lengths,) the rows, text after text.
    """
    shares = np.repeat(1.0 / np.maximum(lengths, 1), lengths).astype(np.float32)
    return sp.csr_matrix((shares, columns, np.concatenate([[0], np.cumsum(lengths)])), shape=(len(lengths), width))


class WordVectors(Representation[Tokens, Sequences], OffersWordVectors, AveragesWords[Tokens]):
    """A table of word vectors; the ``fit`` of a subclass calls ``set_vectors``."""

    def __init__(
        self, trainable: bool, unknown: Literal["mean", "zero"], weights: Literal["idf", "sif"] | None
    ) -> None:
        self._trainable = trainable
        self.unknown = unknown
        self.weights = weights
        self.lowercase = False
        self.vocabulary = Vocabulary.from_counts({})
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
        """Choose the words of the table and their vectors."""

    def set_vectors(self, words: Sequence[str], vectors: np.ndarray, learned: int, counts: WordCounts) -> None:
        """Set the table.

        Args:
            words: N words.
            vectors: (N, D) their vectors.
            learned: how many of them, from the first, are trained if ``trainable`` is set.
            counts: counts of the training split, for the weights.
        """
        self.vocabulary = Vocabulary.from_counts(Counter({w: len(words) - i for i, w in enumerate(words)}), 1, None)
        ids = np.asarray(self.vocabulary.ids(words), dtype=np.int64)
        table = np.zeros((len(self.vocabulary), vectors.shape[1]), dtype=np.float32)
        table[ids] = vectors * word_weights(words, counts, self.weights)[:, None]
        if len(words) and self.unknown == "mean":
            table[UNKNOWN_ID] = table[ids].mean(0)
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
        """Return the row of each of T words, (T,)."""
        ids = np.asarray(self.vocabulary.ids(words), dtype=np.int64)
        missing = np.flatnonzero(ids == UNKNOWN_ID)
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

    def means(self, source: Tokens) -> np.ndarray:
        rows = self._rows()
        return np.asarray(shares_of(source.lengths, self.flat_ids(source), len(rows)) @ rows)  # (B, D)

    def flat_ids(self, source: Tokens) -> np.ndarray:
        """The row of each word of the batch, (sum of T_b,); all words are looked up at once."""
        if isinstance(source, EncodedTokens) and source.vocabulary is self.vocabulary:
            return source.flat()
        return self.look_up([word for words in source.words for word in words])

    def ledger(self, source: Tokens) -> dict[str, float]:
        return encode(source, self.vocabulary, self.look_up).ledger()

    def word_table(self) -> WordTable:
        return WordTable.of(self.vocabulary, self._rows(), self.lowercase)

    def _rows(self) -> np.ndarray:
        """The vectors (V, D), trained further where they were."""
        rows: np.ndarray = self.vectors if self._table is None else self._table.rows()
        return rows

    def state(self) -> State:
        return State({"vectors": self._rows()}, {"vocabulary": self.vocabulary.state(), "learned": self.learned})

    def load_state(self, state: State, version: int) -> None:
        super().load_state(state, version)
        self.vectors = np.ascontiguousarray(state.arrays["vectors"], dtype=np.float32)
        self.vocabulary = Vocabulary.from_state(state.data["vocabulary"])
        self.learned = state.data["learned"]
        self._table = None
        self.build(0)
