"""Several representations side by side: each word's vectors, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from nlpipe.stage import Data, Representation
from nlpipe.wire import Locate, Sequences, Tokens, as_tensor


class Prepared(Tokens):
    """The same tokens, once as each part prepared them."""

    def __init__(
        self, words: Sequence[list[str]], texts: Sequence[str], locate: Locate, parts: Sequence[Tokens]
    ) -> None:
        super().__init__(words, texts, locate)
        self.parts = list(parts)

    def take(self, indices: Sequence[int]) -> Prepared:
        chosen = super().take(indices)
        return Prepared(chosen.words, chosen.texts, chosen.locate, [part.take(indices) for part in self.parts])

    @classmethod
    def concat(cls, parts: Sequence[Prepared]) -> Prepared:
        joined = Tokens.concat(parts)
        columns = zip(*(part.parts for part in parts), strict=True)
        sources = [type(column[0]).concat(column) for column in columns]
        return cls(joined.words, joined.texts, joined.locate, sources)


class Join(Representation[Tokens, Sequences]):
    """Several representations side by side; a word's vector is theirs, one after the other.

    Options:
        parts: representations that give one vector per word, say static and bert.
    """

    def __init__(self, parts: list[Representation]) -> None:  # type: ignore[type-arg]
        if not parts:
            raise ValueError("parts: join needs one representation or more")
        for i, part in enumerate(parts):
            if not issubclass(part.gives, Sequences):
                raise ValueError(
                    f"parts: number {i + 1}, {type(part).__name__}, gives {part.gives.__name__}; join needs Sequences, "
                    "one vector per word"
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
        if isinstance(source, Prepared):
            return source
        return Prepared(source.words, source.texts, source.locate, [part.prepare(source) for part in self.parts])

    def forward(self, source: Tokens) -> Sequences:
        sources = source.parts if isinstance(source, Prepared) else [source] * len(self.parts)
        given = [part.forward(one) for part, one in zip(self.parts, sources, strict=True)]
        rows = [sequences.ragged()[0] for sequences in given]  # each (sum of T_b, D)
        return Sequences(_beside(rows), given[0].lengths, source)

    def ledger(self, source: Tokens) -> dict[str, float]:
        """The counts of its parts; of those that several give, the largest."""
        sources = source.parts if isinstance(source, Prepared) else [source] * len(self.parts)
        counts: dict[str, float] = {}
        for part, one in zip(self.parts, sources, strict=True):
            for name, count in part.ledger(one).items():
                counts[name] = max(count, counts.get(name, count))
        return counts


def _beside(rows: list[Any]) -> Any:
    """Rows (N, D) of any form, joined along D: tensors where one is, sparse where all are, else numpy."""
    loose = [row for row in rows if not (sp.issparse(row) or isinstance(row, np.ndarray))]
    if loose:
        import torch

        return torch.cat([as_tensor(row, loose[0].device).to(loose[0].dtype) for row in rows], -1)  # (N, sum of D)
    if all(sp.issparse(row) for row in rows):
        return sp.hstack(rows, format="csr")
    return np.concatenate([row.toarray() if sp.issparse(row) else row for row in rows], -1)  # (N, sum of D)
