"""What records of labels and of sets of labels have beside the answer: a score, and the probability of each label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nlpipe.predictions import AnyPredictions


def certainty(predictions: AnyPredictions, i: int, whole: bool) -> dict[str, Any]:
    """``score`` and ``probabilities`` (label to probability) of one answer, where the head gives them.

    Args:
        whole: probabilities are whole, so that scores can be computed again to the last digit; they have six digits
            in answers to a user.
    """
    record: dict[str, Any] = {}
    if predictions.scores is not None:
        record["score"] = six_digits(predictions.scores[i])
    if predictions.probabilities is not None:
        row = map(float if whole else six_digits, predictions.probabilities[i])
        record["probabilities"] = dict(zip(predictions.classes, row, strict=True))
    return record


def restored_certainty(
    records: Sequence[Mapping[str, Any]],
) -> tuple[np.ndarray | None, np.ndarray | None, tuple[str, ...]]:
    """Scores (B,), probabilities (B, C) and the C labels, as ``Predictions`` has them; None where a record has none."""
    scores = probabilities = None
    classes: tuple[str, ...] = ()
    if records and all("score" in record for record in records):
        scores = np.array([record["score"] for record in records], dtype=np.float64)  # (B,)
    if records and all("probabilities" in record for record in records):
        classes = tuple(records[0]["probabilities"])
        rows = [[record["probabilities"][label] for label in classes] for record in records]
        probabilities = np.array(rows, dtype=np.float64).reshape(len(rows), len(classes))  # (B, C)
    return scores, probabilities, classes


def six_digits(value: float) -> float:
    """Six significant digits, so that small probabilities do not become 0."""
    return float(f"{float(value):.6g}")
