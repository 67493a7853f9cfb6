"""Several representations: their vectors of each word, or of each text, are concatenated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp

from nlpipe.capabilities import AveragesWords, able
from nlpipe.classical.word_vectors import shares_of
from nlpipe.options import PositiveFloat
from nlpipe.stage import Data, Representation
from nlpipe.wire import Locate, Matrix, Sequences, Tokens, Vectors, as_tensor, is_sparse


class JoinedTokens(Tokens):
    """Tokens with the prepared input of each part.

    Args:
        words: B lists of words.
        texts: B strings.
        locate: finds the words of a text in it, as for ``Tokens``.
        parts: for each part of the join, these tokens as its ``prepare`` returned them.
    """

    def __init__(
        self, words: Sequence[list[str]], texts: Sequence[str], locate: Locate, parts: Sequence[Tokens]
    ) -> None:
        super().__init__(words, texts, locate)
        self.parts = list(parts)

    def take(self, indices: Sequence[int]) -> JoinedTokens:
        chosen = super().take(indices)
        return JoinedTokens(chosen.words, chosen.texts, chosen.locate, [part.take(indices) for part in self.parts])

    @classmethod
    def concat(cls, parts: Sequence[JoinedTokens]) -> JoinedTokens:
        joined = Tokens.concat(parts)
        inputs = [type(same_part[0]).concat(same_part) for same_part in zip(*(p.parts for p in parts), strict=True)]
        return cls(joined.words, joined.texts, joined.locate, inputs)


class Join(Representation[Tokens, Sequences | Vectors]):
    """Several representations; a word's vector is the concatenation of their vectors.

    If one of them gives one vector a text, such as tfidf, the join does so too: of a part that gives one vector a word,
    such as distilled, it takes the mean over the text's words.

    Options:
        parts: representations that return one vector per word, such as static and bert, or per text, such as tfidf.
        norm: for one vector a text: norm to which each part's vector is scaled to length 1; null: no scaling.
        weights: a factor for each part's vectors; null: 1.
    """

    gives = Sequences
    seeded = False

    def __init__(
        self,
        parts: list[Representation],  # type: ignore[type-arg]
        norm: Literal["l2"] | None = None,
        weights: list[PositiveFloat] | None = None,
    ) -> None:
        if not parts:
            raise ValueError("parts: invalid value []: expected at least one representation")
        for i, part in enumerate(parts):
            if not issubclass(part.gives, Sequences | Vectors):
                raise ValueError(
                    f"parts: [{i}]: {type(part).__name__} gives {part.gives.__name__}, "
                    "but join needs Sequences, one vector per word, or Vectors, one per text"
                )
        self.whole = any(issubclass(part.gives, Vectors) for part in parts)
        """Whether it gives one vector a text."""
        if norm is not None and not self.whole:
            raise ValueError(f"norm: invalid value {norm!r}: expected null where no part gives one vector per text")
        if weights is not None and len(weights) != len(parts):
            raise ValueError(f"weights: invalid value {weights}: expected {len(parts)} numbers, one for each part")
        for i, part in enumerate(parts):
            if self.whole and part.trainable:
                raise ValueError(
                    f"parts: [{i}]: {type(part).__name__} is trained by gradients, but a join with one vector per text "
                    "takes fixed vectors; set its trainable: false, or leave it out"
                )
        if self.whole:
            self.__dict__["gives"] = Vectors
        self.norm = norm
        self.weights = weights
        self.parts: list[Representation[Tokens, Any]] = list(parts)

    @property
    def trainable(self) -> bool:
        return any(part.trainable for part in self.parts)

    @property
    def costly(self) -> bool:
        return not self.whole and not self.trainable and any(part.costly for part in self.parts)

    @property
    def module(self) -> Any:
        modules = [part.module for part in self.parts if part.module is not None]
        if not modules:
            return None
        from torch import nn

        return nn.ModuleList(modules)

    def fit(self, data: Data[Tokens]) -> None:
        for part in self.parts:
            part.fit(data)

    def build(self, width: int) -> int:
        return sum(part.build(width) for part in self.parts)

    def prepare(self, source: Tokens) -> Tokens:
        if isinstance(source, JoinedTokens):
            return source
        return JoinedTokens(source.words, source.texts, source.locate, [part.prepare(source) for part in self.parts])

    def fit_forward(self, data: Data[Tokens]) -> Iterator[Sequences | Vectors]:
        for outputs in zip(data, *(part.fit_forward(data) for part in self.parts), strict=True):
            yield self._joined(outputs[0][0], outputs[1:])

    def forward(self, source: Tokens) -> Sequences | Vectors:
        outputs: list[Sequences | Vectors] = []
        for part, tokens in self._inputs(source):
            averaging = able(part, AveragesWords) if self.whole else None
            outputs.append(part.forward(tokens) if averaging is None else Vectors(averaging.means(tokens)))
        return self._joined(source, outputs)

    def _joined(self, source: Tokens, outputs: Sequence[Sequences | Vectors]) -> Sequences | Vectors:
        """What the parts gave for ``source``, concatenated."""
        if not self.whole:
            rows = [self._weigh(i, wire.flat().rows) for i, wire in enumerate(outputs) if isinstance(wire, Sequences)]
            return Sequences(_concatenate(rows), source.lengths, source)  # (sum of T_b, D)
        vectors = [wire if isinstance(wire, Vectors) else _mean(wire) for wire in outputs]
        parts = [self._weigh(i, self._normalised(each.matrix())) for i, each in enumerate(vectors)]
        sparse = any(map(is_sparse, parts))
        return Vectors(_concatenate([sp.csr_matrix(rows) for rows in parts] if sparse else parts))  # (B, D)

    def _normalised(self, rows: Any) -> Any:
        if self.norm is None or rows.shape[0] == 0:
            return rows
        from sklearn.preprocessing import normalize

        return normalize(rows, norm=self.norm)

    def _weigh(self, part: int, rows: Any) -> Any:
        return rows if self.weights is None else rows * self.weights[part]

    def _inputs(self, source: Tokens) -> Iterator[tuple[Representation[Tokens, Any], Tokens]]:
        """Yield each part with its input."""
        inputs = source.parts if isinstance(source, JoinedTokens) else [source] * len(self.parts)
        return zip(self.parts, inputs, strict=True)

    def ledger(self, source: Tokens) -> dict[str, float]:
        """Return the counts of the parts; of a count that several parts have, the largest."""
        counts: dict[str, float] = {}
        for part, tokens in self._inputs(source):
            for name, count in part.ledger(tokens).items():
                counts[name] = max(count, counts.get(name, count))
        return counts


def _mean(sequences: Sequences) -> Vectors:
    """The mean of each text's vectors; zeros for a text without words."""
    rows, lengths = sequences.flat().matrix(), sequences.lengths
    return Vectors(shares_of(lengths, np.arange(rows.shape[0]), rows.shape[0]) @ rows)


def _concatenate(parts: Sequence[Matrix]) -> Matrix:
    """Concatenate matrices (N, D) along D: as a tensor if one is a tensor, sparse if all are sparse, else as numpy."""
    if all(is_sparse(rows) for rows in parts):
        return sp.csr_matrix(sp.hstack(parts, format="csr"))
    arrays = [rows.toarray() if is_sparse(rows) else rows for rows in parts]
    tensors = [rows for rows in arrays if not isinstance(rows, np.ndarray)]
    if not tensors:
        return np.concatenate(arrays, -1)  # (N, sum of D)
    import torch

    return torch.cat([as_tensor(rows, tensors[0].device).to(tensors[0].dtype) for rows in arrays], -1)  # (N, sum of D)
