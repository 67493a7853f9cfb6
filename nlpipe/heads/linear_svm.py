"""A linear support vector machine (scikit-learn's LinearSVC, which is LIBLINEAR) with calibrated probabilities."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from nlpipe.classical.calibration import calibrate
from nlpipe.classical.examples import ClassWeight, converging, gather
from nlpipe.classical.linear import Linear
from nlpipe.options import Positive, PositiveFloat
from nlpipe.stage import Data
from nlpipe.wire import Vectors


class LinearSVM(Linear):
    """The widest margin between classes; probabilities by the margins of held-out folds.

    Options:
        C: inverse of the regularisation: the larger, the closer to the training data
        loss: what a margin below 1 costs, squared or not
        class_weight: ``auto`` weighs classes by the inverse of their share; or a mapping from label to weight
        folds: parts of the training split, each of which gets its margins from the others to fit the probabilities
        max_iter: most passes of the solver
    """

    def __init__(
        self,
        C: PositiveFloat = 1.0,  # noqa: N803 - the field's name for it
        loss: Literal["squared_hinge", "hinge"] = "squared_hinge",
        class_weight: ClassWeight = None,
        folds: Positive = 3,
        max_iter: Positive = 1000,
    ) -> None:
        if folds < 2:
            raise ValueError(f"folds: {folds} will not do: it should be 2 or more")
        self.C = C
        self.loss_name = loss
        self.class_weight = class_weight
        self.folds = folds
        self.max_iter = max_iter

    def fit(self, data: Data[Vectors]) -> None:
        """Learn weights from all examples, and the way to probabilities from held-out folds of them.

        Raises:
            DataError: fewer than two labels, no features, or a class weight for a label that is not there.
        """
        examples = gather(data)
        self.classes = examples.classes
        counts = examples.weights(self.class_weight)
        with converging("linear_svm", f"raise max_iter={self.max_iter} or lower C={self.C}"):
            self.weights, self.offsets = calibrate(
                self._learn, examples.matrix, examples.codes, counts, self.folds, self.seed
            )

    def _learn(self, matrix: Any, codes: np.ndarray, counts: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        from sklearn.svm import LinearSVC

        dual: bool | str = True if self.loss_name == "hinge" else "auto"
        svm = LinearSVC(C=self.C, loss=self.loss_name, dual=dual, max_iter=self.max_iter, random_state=self.seed)
        svm.fit(matrix, codes, sample_weight=counts)
        return np.ascontiguousarray(svm.coef_.T), svm.intercept_
