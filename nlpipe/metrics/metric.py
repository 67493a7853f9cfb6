"""A metric is a function of per-example statistics that add up, so that one resampling serves every task.

Accuracy adds up (right, counted); F1 adds up true positives, predicted and gold of each class; BLEU adds up n-gram
matches. With the statistics of N examples as a matrix (N, S), R bootstrap resamples are one product (R, N) @ (N, S)
and one vectorised call of ``score``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from nlpipe.stage import Predictions
from nlpipe.wire import Wire


@dataclass(frozen=True)
class Metric:
    """One kind of statistics and the scores computed from their sums.

    Args:
        statistics: (gold, predictions) of N examples to floats (N, S), a numpy array or, where few are not zero
            (counts by class), a CSR matrix.
        scores: sums (..., S) to name -> array (...): every score these statistics give, in [0, 1] unless the
            signature says otherwise; vectorised over the leading dimensions, never NaN.
        signatures: score name to the metric's full name, with all that could be read otherwise
            (``f1_macro: F1, mean over the 5 labels of the training split, 0 where a label is never predicted``).
        lower_is_better: names of scores that are better when small (``calibration_error``).
        needs_probabilities: the statistics cannot be had from predictions without probabilities.
    """

    statistics: Callable[[Any, Predictions[Any]], np.ndarray | sp.csr_matrix]
    scores: Callable[[np.ndarray], dict[str, np.ndarray]]
    signatures: Mapping[str, str]
    lower_is_better: frozenset[str] = frozenset()
    needs_probabilities: bool = False

    def applies(self, predictions: Predictions[Any]) -> bool:
        """Whether these predictions have what the metric needs."""
        return predictions.probabilities is not None or not self.needs_probabilities

    def __call__(self, gold: Wire, predictions: Predictions[Any]) -> dict[str, float]:
        """All its scores over all examples; none where the metric does not apply."""
        if not self.applies(predictions):
            return {}
        sums = np.asarray(self.statistics(gold, predictions).sum(axis=0)).reshape(-1)  # (S,)
        return {name: float(value) for name, value in self.scores(sums).items()}
