"""Logistic regression: scikit-learn's."""

from __future__ import annotations

from typing import Literal

import numpy as np

from nlpipe.classical.examples import ClassWeight, converging, gather, need_memory
from nlpipe.classical.linear import Linear
from nlpipe.options import Fraction, Positive, PositiveFloat
from nlpipe.stage import Data
from nlpipe.wire import Vectors

Solver = Literal["auto", "lbfgs", "newton-cg", "newton-cholesky", "saga"]


class LogisticRegression(Linear):
    """The linear classifier that fits probabilities directly; multinomial over more than two classes.

    Options:
        C: inverse of the regularisation: the larger, the closer to the training data
        l1_ratio: share of the penalty that is the sum of absolute weights (0 keeps all features, 1 drops most)
        class_weight: ``auto`` weighs classes by the inverse of their share; or a mapping from label to weight
        solver: ``auto`` takes saga if l1_ratio is above 0, newton-cg if classes times features are many, else lbfgs
        max_iter: most steps of the solver
        tolerance: the solver stops when the gradient is below this
    """

    def __init__(
        self,
        C: PositiveFloat = 1.0,  # noqa: N803 - the field's name for it
        l1_ratio: Fraction = 0.0,
        class_weight: ClassWeight = None,
        solver: Solver = "auto",
        max_iter: Positive = 200,
        tolerance: PositiveFloat = 1e-4,
    ) -> None:
        if l1_ratio > 0 and solver not in ("auto", "saga"):
            raise ValueError(f"l1_ratio: {l1_ratio} will not do with solver={solver}: only saga has that penalty")
        self.C = C
        self.l1_ratio = l1_ratio
        self.class_weight = class_weight
        self.solver = solver
        self.max_iter = max_iter
        self.tolerance = tolerance

    def fit(self, data: Data[Vectors]) -> None:
        """Learn weights.

        Raises:
            DataError: fewer than two labels, no features, or a class weight for a label that is not there.
        """
        from sklearn import linear_model

        examples = gather(data)
        if len(examples.classes) > 2:
            need_memory(examples.matrix.shape[1] + 1, len(examples.classes), tables=6)
        self.classes = examples.classes
        model = linear_model.LogisticRegression(
            C=self.C,
            l1_ratio=self.l1_ratio,
            solver=self._solver(examples.matrix.shape[1]),
            max_iter=self.max_iter,
            tol=self.tolerance,
            random_state=self.seed,
        )
        with converging("logistic_regression", f"raise max_iter={self.max_iter} or lower C={self.C}"):
            model.fit(examples.matrix, examples.codes, sample_weight=examples.weights(self.class_weight))
        self.weights = np.ascontiguousarray(model.coef_.T)  # (D, K)
        self.offsets = model.intercept_

    def _solver(self, width: int) -> str:
        if self.solver != "auto":
            return self.solver
        if self.l1_ratio > 0:
            return "saga"
        return "newton-cg" if len(self.classes) > 2 and width * len(self.classes) > MANY else "lbfgs"


MANY = 4_000_000
"""Weights from which on lbfgs, which keeps twenty copies of them, is left for newton-cg, which keeps a few."""
