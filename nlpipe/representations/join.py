"""Several representations: their vectors of each word are concatenated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from nlpipe.stage import Data, Representation
from nlpipe.wire import Locate, Matrix, Sequences, Tokens, as_tensor, is_sparse


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


class Join(Representation[Tokens, Sequences]):
    """Several representations; a word's vector is the concatenation of their vectors.

    Options:
        parts: representations that return one vector per word, such as static and bert.
    """

    seeded = False

    def __init__(self, parts: list[Representation]) -> None:  # type: ignore[type-arg]
        if not parts:
            raise ValueError("parts: invalid value []: expected at least one representation")
        for i, part in enumerate(parts):
            if not issubclass(part.gives, Sequences):
                raise ValueError(
                    f"parts: [{i}]: {type(part).__name__} gives {part.gives.__name__}, "
                    "but join needs Sequences, one vector per word"
                )
        self.parts: list[Representation[Tokens, Sequences]] = list(parts)

    @property
    def trainable(self) -> bool:
        return any(part.trainable for part in self.parts)

    @property
    def costly(self) -> bool:
        return not self.trainable and any(part.costly for part in self.parts)

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

    def forward(self, source: Tokens) -> Sequences:
        sequences = [part.forward(tokens) for part, tokens in self._inputs(source)]
        rows = [vectors.ragged()[0] for vectors in sequences]  # each (sum of T_b, D)
        return Sequences(_concatenate(rows), sequences[0].lengths, source)

    def _inputs(self, source: Tokens) -> Iterator[tuple[Representation[Tokens, Sequences], Tokens]]:
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
