"""The translation memory: the translation of the most similar training text. A baseline for all translators."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from nlpipe.errors import DataError
from nlpipe.options import Positive
from nlpipe.predictions import Predictions
from nlpipe.stage import Data, Head, State
from nlpipe.wire import Text, Vectors

MIN_COSINE = 1e-9
"""Below this cosine, a text is regarded as having no feature in common with any training source."""


class TranslationMemory(Head[Vectors, Text]):
    """The target of the training source with the highest cosine similarity; the first one if several are equal.

    The translation of a text that has no feature in common with any training source is empty. The score is the
    logarithm of the cosine.

    Options:
        batch: number of texts that are compared with the training sources at a time.
    """

    seeded = False

    def __init__(self, batch: Positive = 64) -> None:
        self.batch = batch
        self.memory: Any = sp.csr_matrix((0, 0))
        """(D, N) training sources as columns of length 1; sparse or dense like the vectors."""
        self.targets: list[str] = []

    def fit(self, data: Data[Vectors]) -> None:
        """Store all training pairs.

        Raises:
            DataError: there are no training pairs, or no source has a feature.
        """
        parts, targets = [], list[str]()
        for source, target in data:
            parts.append(source)
            targets += target.strings
        if not targets:
            raise DataError("there are no training pairs")
        vectors = Vectors.concat(parts)
        if vectors.width == 0:
            raise DataError("no features: every source is empty after tokenisation")
        self.memory, self.targets = _transposed(_normalised(vectors.matrix())), targets

    def build(self, width: int) -> int:
        return 0

    def predict(self, source: Vectors) -> Predictions[Text]:
        texts, scores = [], []
        rows = _normalised(source.matrix())
        for start in range(0, len(source), self.batch):
            best, cosines = _nearest(rows[start : start + self.batch] @ self.memory)  # each (b,)
            texts += [self.targets[i] if cosine > MIN_COSINE else "" for i, cosine in zip(best, cosines, strict=True)]
            scores.append(np.log(np.maximum(cosines, MIN_COSINE)))
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


def _normalised(rows: Any) -> Any:
    """Rows (N, D) scaled to length 1; rows of zeros stay zero."""
    if sp.issparse(rows):
        rows = sp.csr_matrix(rows, dtype=np.float64)
        lengths = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).reshape(-1))  # (N,)
        return sp.csr_matrix(sp.diags_array(1.0 / np.where(lengths > 0, lengths, 1.0)) @ rows)
    rows = np.asarray(rows, dtype=np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1.0)


def _transposed(rows: Any) -> Any:
    """``rows`` (N, D) as columns (D, N), in a layout that is fast as the right operand of a product."""
    return rows.T.tocsr() if sp.issparse(rows) else np.ascontiguousarray(rows.T)


def _nearest(cosines: Any) -> tuple[np.ndarray, np.ndarray]:
    """Column and value of the largest cosine in each row of (b, N), each of shape (b,).

    Cosines are rounded first, so that equal ones are equal whatever the batch.
    """
    if sp.issparse(cosines):
        cosines.data = np.round(cosines.data, 9)
        best = np.asarray(cosines.argmax(axis=1)).reshape(-1)
        return best, np.asarray(cosines.max(axis=1).toarray(), dtype=np.float64).reshape(-1)
    cosines = np.round(cosines, 9)
    best = cosines.argmax(axis=1)
    return best, cosines[np.arange(len(best)), best]
