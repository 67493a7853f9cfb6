"""NB-SVM: a linear SVM on features scaled by their naive Bayes log-count ratio.

Wang and Manning 2012, "Baselines and bigrams: simple, good sentiment and topic classification". More than two
classes are each set against the rest.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import scipy.sparse as sp

from nlpipe.classical.calibration import calibrate
from nlpipe.classical.examples import ClassWeight, converging, gather, need_counts
from nlpipe.classical.linear import Linear, binarised
from nlpipe.options import Fraction, Positive, PositiveFloat
from nlpipe.stage import Data
from nlpipe.wire import Vectors


class NBSVM(Linear):
    """A linear classifier on features scaled by naive Bayes (Wang and Manning 2012); strong on short reviews.

    Options:
        alpha: added to the count of each feature in each class
        C: inverse of the regularisation: the larger, the closer to the training data
        beta: 1 is the classifier as learned, 0 gives each feature the mean weight: naive Bayes
        learner: what is learned on the scaled features
        binary: count every feature once a text
        class_weight: ``auto`` weighs classes by the inverse of their share; or a mapping from label to weight
        folds: parts of the training split, each of which gets its margins from the others to fit the probabilities
        max_iter: most passes of the solver
    """

    def __init__(
        self,
        alpha: PositiveFloat = 1.0,
        C: PositiveFloat = 0.1,  # noqa: N803 - the field's name for it
        beta: Fraction = 0.25,
        learner: Literal["svm", "logistic"] = "svm",
        binary: bool = True,
        class_weight: ClassWeight = None,
        folds: Positive = 3,
        max_iter: Positive = 1000,
    ) -> None:
        if folds < 2:
            raise ValueError(f"folds: {folds} will not do: it should be 2 or more")
        self.alpha = alpha
        self.C = C
        self.beta = beta
        self.learner = learner
        self.binary = binary
        self.class_weight = class_weight
        self.folds = folds
        self.max_iter = max_iter

    def fit(self, data: Data[Vectors]) -> None:
        """Learn weights from all examples, and the way to probabilities from held-out folds of them.

        Raises:
            DataError: fewer than two labels, no features, values below 0, or a class weight for a label that is not
                there.
        """
        examples = gather(data)
        need_counts(examples.matrix, "nbsvm")
        self.classes = examples.classes
        counts = examples.weights(self.class_weight)
        matrix = binarised(examples.matrix) if self.binary else examples.matrix
        with converging("nbsvm", f"raise max_iter={self.max_iter} or lower C={self.C}"):
            self.weights, self.offsets = calibrate(self._learn, matrix, examples.codes, counts, self.folds, self.seed)

    def _learn(self, matrix: Any, codes: np.ndarray, counts: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        count = int(codes.max()) + 1
        columns = [self._one_against_rest(matrix, codes == k, counts) for k in ([1] if count == 2 else range(count))]
        weights = np.stack([weights for weights, _ in columns], axis=1)  # (D, K)
        return weights, np.array([offset for _, offset in columns])

    def _one_against_rest(
        self, matrix: Any, positive: np.ndarray, counts: np.ndarray | None
    ) -> tuple[np.ndarray, float]:
        from sklearn.linear_model import LogisticRegression
        from sklearn.svm import LinearSVC

        ratio = log_count_ratio(matrix, positive, counts, self.alpha)  # (D,)
        scaled = matrix @ sp.diags(ratio, format="csr") if sp.issparse(matrix) else matrix * ratio  # (N, D)
        if self.learner == "svm":
            learner = LinearSVC(C=self.C, dual="auto", max_iter=self.max_iter, random_state=self.seed)
        else:
            learner = LogisticRegression(C=self.C, max_iter=self.max_iter)
        learner.fit(scaled, positive, sample_weight=counts)
        weights = learner.coef_[0]  # (D,)
        mixed = (1.0 - self.beta) * np.abs(weights).mean() + self.beta * weights
        return mixed * ratio, float(learner.intercept_[0])


def log_count_ratio(matrix: Any, positive: np.ndarray, counts: np.ndarray | None, alpha: float) -> np.ndarray:
    """(D,): r = log((p / |p|) / (q / |q|)), p and q the features' counts in the class and outside of it, plus alpha."""
    weights = np.ones(len(positive)) if counts is None else counts
    inside = alpha + np.asarray(matrix.T @ np.where(positive, weights, 0.0))
    outside = alpha + np.asarray(matrix.T @ np.where(positive, 0.0, weights))
    return np.asarray(np.log(inside / inside.sum()) - np.log(outside / outside.sum()))
