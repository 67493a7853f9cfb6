"""Logistic regression, by scikit-learn."""

from __future__ import annotations

from typing import Literal

import numpy as np

from nlpipe.classical.examples import ClassWeight, converging, gather, need_memory
from nlpipe.classical.linear import Linear
from nlpipe.options import Fraction, Positive, PositiveFloat
from nlpipe.stage import Data
from nlpipe.wire import Vectors

Solver = Literal["auto", "lbfgs", "newton-cg", "newton-cholesky", "saga"]

MAX_LBFGS_WEIGHTS = 4_000_000
"""Above this number of weights, ``auto`` takes newton-cg: lbfgs keeps twenty copies of the weights, newton-cg a few."""


class LogisticRegression(Linear):
    """A linear classifier of maximum likelihood; multinomial if there are more than two classes.

    Options:
        C: inverse strength of the regularisation: larger values fit the training data more closely
        l1_ratio: share of the L1 norm in the penalty, from 0 (L2 only, all features stay) to 1 (L1 only, few stay)
        class_weight: ``auto`` or ``balanced`` weighs each class by the inverse of its share; a mapping names labels
        solver: ``auto`` takes saga if l1_ratio is above 0, newton-cg if there are very many weights, else lbfgs
        max_iter: maximum number of iterations of the solver
        tolerance: the solver stops when the gradient is below this value
    """

    def __init__(
        self,
        C: PositiveFloat = 1.0,  # noqa: N803 - the standard name
        l1_ratio: Fraction = 0.0,
        class_weight: ClassWeight = None,
        solver: Solver = "auto",
        max_iter: Positive = 200,
        tolerance: PositiveFloat = 1e-4,
    ) -> None:
        if l1_ratio > 0 and solver not in ("auto", "saga"):
            raise ValueError(
                f"l1_ratio: invalid value {l1_ratio} for solver {solver!r}: only 'saga' supports an L1 penalty"
            )
        self.C = C
        self.l1_ratio = l1_ratio
        self.class_weight = class_weight
        self.solver = solver
        self.max_iter = max_iter
        self.tolerance = tolerance

    def fit(self, data: Data[Vectors]) -> None:
        """Learn the weights.

        Raises:
            DataError: fewer than two labels, no features, too many weights for the memory of this machine, or a class
                weight for a label that does not occur.
        """
        from sklearn import linear_model

        examples = gather(data)
        if len(examples.classes) > 2:
            need_memory(
                examples.matrix.shape[1] + 1, len(examples.classes), tables=6, rows=2 * examples.matrix.shape[0]
            )
        self.classes, self.columns = examples.classes, examples.columns
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

    @property
    def uses_seed(self) -> bool:
        """Only some solvers draw random numbers."""
        return self.l1_ratio > 0 if self.solver == "auto" else self.solver in ("liblinear", "sag", "saga")

    def _solver(self, width: int) -> str:
        if self.solver != "auto":
            return self.solver
        if self.l1_ratio > 0:
            return "saga"
        return "newton-cg" if len(self.classes) > 2 and width * len(self.classes) > MAX_LBFGS_WEIGHTS else "lbfgs"
