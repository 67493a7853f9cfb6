"""The translation memory: the target of the most similar training source; the floor of every comparison."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from nlpipe.errors import DataError
from nlpipe.options import Positive
from nlpipe.stage import Data, Head, Predictions, State
from nlpipe.wire import Text, Vectors

LEAST = 1e-9
"""Cosines below count as none: nothing in the memory has anything in common with the text."""


class TranslationMemory(Head[Vectors, Text]):
    """The target of the nearest training source by cosine; of equally near ones the first.

    A text that has nothing in common with any training source gets an empty answer. The score is the logarithm of
    the cosine.

    Options:
        batch: texts that are compared with the whole memory at a time.
    """

    def __init__(self, batch: Positive = 64) -> None:
        self.batch = batch
        self.memory: Any = sp.csr_matrix((0, 0))  # (D, N), columns of length 1, sparse or dense as the vectors come
        self.targets: list[str] = []

    def fit(self, data: Data[Vectors]) -> None:
        """Keep all pairs.

        Raises:
            DataError: there is no training pair, or no source has a feature.
        """
        parts, targets = [], list[str]()
        for source, target in data:
            parts.append(source)
            targets += target.strings
        if not targets:
            raise DataError("there is no training pair")
        vectors = Vectors.concat(parts)
        if vectors.width == 0:
            raise DataError("no features: every source is empty after tokenisation")
        self.memory, self.targets = _across(_unit(vectors.matrix())), targets

    def build(self, width: int) -> int:
        return 0

    def predict(self, source: Vectors) -> Predictions[Text]:
        texts, scores = [], []
        rows = _unit(source.matrix())
        for start in range(0, len(source), self.batch):
            best, cosines = _nearest(rows[start : start + self.batch] @ self.memory)  # each (b,)
            texts += [self.targets[i] if cosine > LEAST else "" for i, cosine in zip(best, cosines, strict=True)]
            scores.append(np.log(np.maximum(cosines, LEAST)))
        return Predictions(Text(texts), np.concatenate([*scores, np.zeros(0)]))

    def state(self) -> State:
        data: dict[str, Any] = {"targets": self.targets, "shape": list(self.memory.shape)}
        if not sp.issparse(self.memory):
            return State({"memory": np.asarray(self.memory)}, data)
        names = ("data", "indices", "indptr")
        return State({name: getattr(self.memory, name) for name in names}, data)

    def load_state(self, state: State, version: int) -> None:
        super().load_state(state, version)
        self.targets = state.data["targets"]
        if "memory" in state.arrays:
            self.memory = state.arrays["memory"]
        else:
            parts = tuple(state.arrays[name] for name in ("data", "indices", "indptr"))
            self.memory = sp.csr_matrix(parts, shape=tuple(state.data["shape"]))


def _unit(rows: Any) -> Any:
    """Rows (N, D) scaled to length 1; rows of zeros stay so."""
    if sp.issparse(rows):
        rows = sp.csr_matrix(rows, dtype=np.float64)
        lengths = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).reshape(-1))  # (N,)
        return sp.csr_matrix(sp.diags_array(1.0 / np.where(lengths > 0, lengths, 1.0)) @ rows)
    rows = np.asarray(rows, dtype=np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1.0)


def _across(rows: Any) -> Any:
    """(D, N), with the rows of ``rows`` as columns."""
    return rows.T.tocsr() if sp.issparse(rows) else np.ascontiguousarray(rows.T)


def _nearest(cosines: Any) -> tuple[np.ndarray, np.ndarray]:
    """Column and value of the largest of each row, (b, N); rounded first, so that equals are equal in any batch."""
    if sp.issparse(cosines):
        cosines.data = np.round(cosines.data, 9)
        best = np.asarray(cosines.argmax(axis=1)).reshape(-1)
        return best, np.asarray(cosines.max(axis=1).toarray(), dtype=np.float64).reshape(-1)
    cosines = np.round(cosines, 9)
    best = cosines.argmax(axis=1)
    return best, cosines[np.arange(len(best)), best]
