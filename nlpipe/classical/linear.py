"""The shared base of linear classifiers: margins by one matrix product, and probabilities from margins."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.special import expit, softmax

from nlpipe.classical.columns import Columns, saved_columns
from nlpipe.classical.examples import answer
from nlpipe.errors import ModelError
from nlpipe.predictions import Predictions
from nlpipe.stage import LabelHead, State
from nlpipe.wire import Labels, Vectors


class Linear(LabelHead):
    """A linear classifier: margins ``x @ weights + offsets``, (B, K), where K is C, or 1 for two classes.

    Probabilities are the softmax of C margins; with K = 1, the margin is the logit of the second class.
    """

    binary: bool = False
    """Whether values above 0 are replaced by 1."""
    columns: Columns = Columns()
    """The D columns of the vectors that have weights."""
    weights: np.ndarray = np.zeros((0, 0))  # (D, K)
    offsets: np.ndarray = np.zeros(0)  # (K,)

    def margins(self, source: Vectors) -> np.ndarray:
        """Return the margins, (B, K)."""
        matrix = self.columns.of(source.matrix())
        if self.binary:
            matrix = binarised(matrix)
        return np.asarray(matrix @ self.weights + self.offsets)

    def predict(self, source: Vectors) -> Predictions[Labels]:
        margins = self.margins(source)  # (B, K)
        if margins.shape[1] == 1:
            second = expit(margins)  # (B, 1) probability of the second class
            return answer(np.hstack([1.0 - second, second]), self.classes)  # (B, 2)
        return answer(softmax(margins, axis=1), self.classes)

    def build(self, width: int) -> int:
        return len(self.classes)

    def state(self) -> State:
        arrays = {"weights": self.weights, "offsets": self.offsets, **self.columns.arrays()}
        return State(arrays, {"classes": list(self.classes)})

    def load_state(self, state: State, version: int) -> None:
        super().load_state(state, version)
        self.columns = saved_columns(state.arrays)
        self.weights, self.offsets = state.arrays["weights"], state.arrays["offsets"]
        self.classes = tuple(state.data["classes"])
        possible = (1, 2) if len(self.classes) == 2 else (len(self.classes),)
        scores = self.weights.shape[-1] if self.weights.ndim == 2 else 0
        if self.offsets.shape != (scores,) or scores not in possible:
            raise ModelError(
                f"weights {self.weights.shape} and offsets {self.offsets.shape} do not fit {len(self.classes)} classes"
            )


def binarised(matrix: sp.csr_matrix | np.ndarray) -> sp.csr_matrix | np.ndarray:
    """Replace each value of ``matrix`` (B, D) by 1 if it is above 0, else by 0; float64."""
    if not sp.issparse(matrix):
        return (matrix > 0).astype(np.float64)
    rows = sp.csr_matrix(matrix)
    return sp.csr_matrix(((rows.data > 0).astype(np.float64), rows.indices, rows.indptr), shape=rows.shape)
