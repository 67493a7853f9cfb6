"""The shared base of linear classifiers: margins by one matrix product, and probabilities from margins."""

from __future__ import annotations

import copy

import numpy as np
import scipy.sparse as sp
from scipy.special import expit, softmax

from nlpipe.capabilities import LabelsSeparately
from nlpipe.classical.columns import Columns, saved_columns
from nlpipe.classical.examples import ClassWeight, answer
from nlpipe.classical.label_sets import counts_of, joined
from nlpipe.errors import DataError, ModelError, suggest
from nlpipe.predictions import Predictions
from nlpipe.stage import Data, LabelHead, State
from nlpipe.use_order import noting
from nlpipe.wire import Labels, LabelSets, Vectors

ABSENT, PRESENT = "0", "1"
"""The two classes of one label against the rest; in this order when they are sorted."""


class Linear(LabelHead, LabelsSeparately):
    """A linear classifier: margins ``x @ weights + offsets``, (B, K), where K is C, or 1 for two classes.

    Probabilities are the softmax of C margins; with K = 1, the margin is the logit of the second class. Fitted on sets
    of labels, K is C, and each margin is the logit of one label against the rest.
    """

    class_weight: ClassWeight = None
    thresholds: np.ndarray | None = None

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

    @noting("fit")
    def fit_separately(self, data: Data[Vectors]) -> None:
        """As ``LabelsSeparately``: a copy of this head for each label, whose weights become columns of its own.

        A label that all training examples have is given to every text: nothing else can be learned of it.

        Raises:
            DataError: no label tells examples apart, there are no features, or a class weight is of another label.
        """
        vectors, sets = joined(data)
        counts = counts_of(sets)
        classes = tuple(sorted(counts))
        for label in self.class_weight if isinstance(self.class_weight, dict) else ():
            if label not in counts:
                raise DataError(f"class_weight: no training example has the label {label!r}{suggest(label, classes)}")
        learnable = [label for label in classes if counts[label] < len(sets)]
        if not learnable:
            raise DataError(
                f"every training example ({len(sets):,}) has the labels {', '.join(classes)}: nothing tells them apart"
            )
        members = {label: self._fit_label(label, vectors, sets) for label in learnable}
        first = members[learnable[0]]
        self.columns = first.columns
        self.weights = np.zeros((len(first.weights), len(classes)))  # (D, C)
        self.offsets = np.full(len(classes), np.log(2 * len(sets) + 1))  # (C,) the odds where (n + 0.5) / 0.5 have it
        for code, label in enumerate(classes):
            if label in members:
                member = members[label]
                sides = np.array([1.0] if member.weights.shape[1] == 1 else [-1.0, 1.0])  # the second is PRESENT
                self.weights[:, code] = member.weights @ sides
                self.offsets[code] = member.offsets @ sides
        self.classes, self.thresholds = classes, None

    def _fit_label(self, label: str, vectors: Vectors, sets: LabelSets) -> Linear:
        """A copy of this head that tells the examples with ``label`` from the rest."""
        member = copy.deepcopy(self)
        if isinstance(self.class_weight, dict):
            member.class_weight = {PRESENT: self.class_weight.get(label, 1.0)}
        member.fit([(vectors, Labels([PRESENT if label in own else ABSENT for own in sets.values]))])
        return member

    def separate_margins(self, source: Vectors) -> np.ndarray:
        return self.margins(source)

    def build(self, width: int) -> int:
        return len(self.classes)

    def state(self) -> State:
        arrays = {"weights": self.weights, "offsets": self.offsets, **self.columns.arrays()}
        if self.thresholds is not None:
            arrays["thresholds"] = self.thresholds
        return State(arrays, {"classes": list(self.classes)})

    def load_state(self, state: State, version: int) -> None:
        super().load_state(state, version)
        self.columns = saved_columns(state.arrays)
        self.weights, self.offsets = state.arrays["weights"], state.arrays["offsets"]
        self.thresholds = state.arrays.get("thresholds")
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
