"""A metric is a function of per-example statistics that add up, so that one kind of interval serves every task.

Accuracy adds up (right, counted); F1 adds up true positives, predicted and gold of each class; BLEU adds up n-gram
matches. With the statistics of N examples as a matrix (N, S), the scores without each example in turn, or those of R
resamples (R, N) @ (N, S), are one vectorised call of ``scores``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
import scipy.sparse as sp

from nlpipe.predictions import AnyPredictions
from nlpipe.wire import Tags, Wire

Statistics: TypeAlias = "np.ndarray | sp.csr_matrix"
"""Sufficient statistics (N, S) of N examples: their sum over examples is all that the scores depend on."""

HUGE = 1e6
"""Scores from here on are shown as powers of ten."""

Unit = Literal["share", "points", "correlation", "nats", "ranks", "value"]
"""share: in [0, 1]; points: in [0, 100]; correlation: in [-1, 1]; nats: of a negative log-likelihood; ranks: of ordered
labels; value: whatever a user's own metric counts."""


@dataclass(frozen=True)
class Definition:
    """What a number means.

    Args:
        full_name: the metric's full name, with all that could be read otherwise
            (``f1_macro: F1, mean over the 5 labels of the training split, 0 where a label is never predicted``).
        unit: what the number counts, and so its range.
        higher_is_better: whether a larger number is a better one.
    """

    full_name: str
    unit: Unit = "share"
    higher_is_better: bool = True


@dataclass(frozen=True)
class Metric:
    """One kind of statistics and the scores computed from their sums.

    Args:
        name: of the statistics, as ``items.safetensors`` stores them.
        statistics: (gold, predictions) of N examples to floats (N, S), a numpy array or, where few are not zero
            (counts by class), a CSR matrix.
        scores: sums (..., S) to name -> array (...): every score these statistics give; vectorised over the leading
            dimensions, never NaN.
        definitions: name of each score to what it means.
        needs_probabilities: whether the statistics cannot be had from predictions without probabilities.
        needs_raw: whether they are of entities that the predictions have for texts which the pipeline splits itself.
    """

    name: str
    statistics: Callable[[Any, AnyPredictions], Statistics]
    scores: Callable[[np.ndarray], dict[str, np.ndarray]]
    definitions: Mapping[str, Definition]
    needs_probabilities: bool = False
    needs_raw: bool = False

    @cached_property
    def higher_is_better(self) -> dict[str, bool]:
        """Name of each score to whether a larger number is a better one."""
        return {name: score.higher_is_better for name, score in self.definitions.items()}

    def applies(self, predictions: AnyPredictions) -> bool:
        """Whether these predictions have what the metric needs."""
        if self.needs_raw and not (isinstance(predictions.values, Tags) and predictions.values.entities is not None):
            return False
        return predictions.probabilities is not None or not self.needs_probabilities

    def of(self, statistics: Statistics) -> dict[str, float]:
        """All its scores over the examples whose statistics (N, S) are given."""
        sums = np.asarray(statistics.sum(axis=0)).reshape(-1)  # (S,)
        return {name: float(value) for name, value in self.scores(sums).items()}

    def __call__(self, gold: Wire, predictions: AnyPredictions) -> dict[str, float]:
        """All its scores over all examples; none where the metric does not apply."""
        return self.of(self.statistics(gold, predictions)) if self.applies(predictions) else {}


def shown_score(score: float) -> str:
    """A score as a reader sees it: four decimals; a huge one, such as the perplexity of junk, as a power of ten."""
    return f"{score:.4f}" if abs(score) < HUGE else f"{score:.2e}"
