"""NB-SVM: a linear SVM on features scaled by their naive Bayes log-count ratio.

Wang and Manning 2012, "Baselines and bigrams: simple, good sentiment and topic classification". With more than two
classes, one classifier per class separates it from all others (one-vs-rest).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import scipy.sparse as sp
from annotated_types import Ge

from nlpipe.classical.calibration import Candidates, calibrate
from nlpipe.classical.examples import ClassWeight, converging, gather, need_counts, need_memory
from nlpipe.classical.linear import Linear, binarised
from nlpipe.options import Fraction, Positive, PositiveFloat
from nlpipe.stage import Data, State
from nlpipe.wire import Vectors

BETAS = (0.25, 0.5, 1.0)
"""What ``beta: auto`` chooses from."""


class NBSVM(Linear):
    """A linear classifier on features scaled by naive Bayes (Wang and Manning 2012); strong on short reviews.

    Options:
        alpha: additive smoothing of the count of each feature in each class
        C: inverse strength of the regularisation: larger values fit the training data more closely
        beta: interpolation between the learned weights (1) and the same weight for all features (0), naive Bayes;
            ``auto`` takes the lowest of 0.25, 0.5 and 1 that, on held-out folds of the training split, is behind the
            most accurate one by no more than the standard error of the difference
        learner: classifier that is fitted to the scaled features
        binary: whether each feature counts at most once per text
        class_weight: ``auto`` or ``balanced`` weighs each class by the inverse of its share; a mapping names labels
        folds: number of folds of the training split whose margins, from a model without the fold, fit the
            probabilities and choose beta
        max_iter: maximum number of passes of the solver
    """

    def __init__(
        self,
        alpha: PositiveFloat = 1.0,
        C: PositiveFloat = 0.1,  # noqa: N803 - the standard name
        beta: Fraction | Literal["auto"] = "auto",
        learner: Literal["svm", "logistic"] = "svm",
        binary: bool = True,
        class_weight: ClassWeight = None,
        folds: Annotated[int, Ge(2)] = 3,
        max_iter: Positive = 1000,
    ) -> None:
        self.alpha = alpha
        self.C = C
        self.beta = beta
        self.betas = BETAS if beta == "auto" else (beta,)
        self.chosen_beta = self.betas[0]
        self.learner = learner
        self.binary = binary
        self.class_weight = class_weight
        self.folds = folds
        self.max_iter = max_iter

    def fit(self, data: Data[Vectors]) -> None:
        """Learn weights from all examples, and calibrate their margins on held-out folds.

        Raises:
            DataError: fewer than two labels, no features, negative values, or a class weight for a label that does not
                occur.
        """
        examples = gather(data)
        need_counts(examples.matrix, "nbsvm")
        n, d = examples.matrix.shape
        need_memory(d + 1, len(examples.classes), tables=2 + len(self.betas), rows=n)
        self.classes, self.columns = examples.classes, examples.columns
        weights = examples.weights(self.class_weight)
        matrix = binarised(examples.matrix) if self.binary else examples.matrix
        with converging("nbsvm", f"raise max_iter={self.max_iter} or lower C={self.C}"):
            chosen = calibrate(self._learn, matrix, examples.codes, weights, self.folds, self.seed)
        self.weights, self.offsets = chosen.weights, chosen.offsets
        self.chosen_beta = self.betas[chosen.index]

    def state(self) -> State:
        state = super().state()
        return State(state.arrays, {**state.data, "beta": self.chosen_beta})

    def load_state(self, state: State, version: int) -> None:
        super().load_state(state, version)
        self.chosen_beta = state.data.get("beta", self.chosen_beta)

    def _learn(self, matrix: Any, codes: np.ndarray, example_weights: np.ndarray | None) -> Candidates:
        """For each beta, the classifier of N examples: matrix (N, D), class codes (N,) and example weights (N,)."""
        count = int(codes.max()) + 1
        positive_classes = [1] if count == 2 else range(count)
        learned = [self._learn_one(matrix, codes == k, example_weights) for k in positive_classes]
        offsets = np.array([offset for _, _, offset in learned])  # (K,)
        candidates = []
        for beta in self.betas:
            columns = [((1.0 - beta) * np.abs(own).mean() + beta * own) * ratio for ratio, own, _ in learned]
            candidates.append((np.stack(columns, axis=1), offsets))  # (D, K)
        return candidates

    def _learn_one(
        self, matrix: Any, positive: np.ndarray, example_weights: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """One class, whose examples ``positive`` (N,) marks, against all others.

        Returns:
            The log-count ratio (D,), the weights learned on features scaled by it (D,), and the offset.
        """
        from sklearn.linear_model import LogisticRegression
        from sklearn.svm import LinearSVC

        ratio = log_count_ratio(matrix, positive, example_weights, self.alpha)  # (D,)
        scaled = matrix @ sp.diags(ratio, format="csr") if sp.issparse(matrix) else matrix * ratio  # (N, D)
        if self.learner == "svm":
            learner = LinearSVC(C=self.C, dual="auto", max_iter=self.max_iter, random_state=self.seed)
        else:
            learner = LogisticRegression(C=self.C, max_iter=self.max_iter)
        learner.fit(scaled, positive, sample_weight=example_weights)
        return ratio, learner.coef_[0], float(learner.intercept_[0])


def log_count_ratio(matrix: Any, positive: np.ndarray, example_weights: np.ndarray | None, alpha: float) -> np.ndarray:
    """The log-count ratio (D,) of Wang and Manning 2012, section 2.1: log((p / |p|) / (q / |q|)).

    Args:
        matrix: (N, D) counts.
        positive: (N,) whether an example belongs to the class.
        example_weights: (N,); None if all weigh 1.
        alpha: p and q are the features' counts inside and outside of the class, plus alpha.
    """
    weights = np.ones(len(positive)) if example_weights is None else example_weights
    inside = alpha + np.asarray(matrix.T @ np.where(positive, weights, 0.0))
    outside = alpha + np.asarray(matrix.T @ np.where(positive, 0.0, weights))
    return np.asarray(np.log(inside / inside.sum()) - np.log(outside / outside.sum()))
