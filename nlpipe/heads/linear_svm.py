"""A linear support vector machine (scikit-learn's LinearSVC, which uses LIBLINEAR) with calibrated probabilities."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge

from nlpipe.classical.calibration import Candidates, calibrate
from nlpipe.classical.examples import ClassWeight, converging, gather, need_memory
from nlpipe.classical.linear import Linear
from nlpipe.options import Positive, PositiveFloat
from nlpipe.stage import Data
from nlpipe.wire import Vectors


class LinearSVM(Linear):
    """A linear classifier of maximum margin; its probabilities are calibrated on held-out folds.

    Options:
        C: inverse strength of the regularisation: larger values fit the training data more closely
        loss: cost of a margin below 1, squared or not
        class_weight: ``auto`` or ``balanced`` weighs each class by the inverse of its share; a mapping names labels
        folds: number of folds of the training split whose margins, from a model without the fold, fit the probabilities
        max_iter: maximum number of passes of the solver
    """

    def __init__(
        self,
        C: PositiveFloat = 1.0,  # noqa: N803 - the standard name
        loss: Literal["squared_hinge", "hinge"] = "squared_hinge",
        class_weight: ClassWeight = None,
        folds: Annotated[int, Ge(2)] = 3,
        max_iter: Positive = 1000,
    ) -> None:
        self.C = C
        self.loss_name = loss
        self.class_weight = class_weight
        self.folds = folds
        self.max_iter = max_iter

    def fit(self, data: Data[Vectors]) -> None:
        """Learn weights from all examples, and calibrate their margins on held-out folds.

        Raises:
            DataError: fewer than two labels, no features, or a class weight for a label that does not occur.
        """
        examples = gather(data)
        n, d = examples.matrix.shape
        need_memory(d + 1, len(examples.classes), tables=3, rows=n)
        self.classes, self.columns = examples.classes, examples.columns
        weights = examples.weights(self.class_weight)
        with converging("linear_svm", f"raise max_iter={self.max_iter} or lower C={self.C}"):
            chosen = calibrate(self._learn, examples.matrix, examples.codes, weights, self.folds, self.seed)
        self.weights, self.offsets = chosen.weights, chosen.offsets

    def _learn(self, matrix: Any, codes: np.ndarray, example_weights: np.ndarray | None) -> Candidates:
        """The SVM of N examples: matrix (N, D), class codes (N,) and example weights (N,)."""
        from sklearn.svm import LinearSVC

        dual: bool | str = True if self.loss_name == "hinge" else "auto"
        svm = LinearSVC(C=self.C, loss=self.loss_name, dual=dual, max_iter=self.max_iter, random_state=self.seed)
        svm.fit(matrix, codes, sample_weight=example_weights)
        return [(np.ascontiguousarray(svm.coef_.T), svm.intercept_)]
