"""Scores of single-label classification, as sums over examples.

Classes are the labels given plus one for all others: a gold label that training never saw counts as one more class,
"other", which nothing can predict. Counts by class are CSR matrices with three numbers an example, so that a
thousand labels cost no more memory than two. Where a ratio is 0/0 it counts as 0.

References: Gorodkin 2004 (multi-class Matthews correlation); Guo et al. 2017 (expected calibration error);
Cohen 1968 (weighted kappa).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from nlpipe.metrics.metric import Definition, Metric, Unit
from nlpipe.predictions import Predictions
from nlpipe.wire import Labels

MOST_LABELS = 100
"""Scores of single labels are given up to this many labels; the summaries always."""
BINS = 15
SMALLEST = float(np.finfo(np.float64).eps)
"""Probabilities below count as this in the log loss; also what a label has that training never saw."""


def classification_metrics(labels: Sequence[str], ordinal: bool = False) -> list[Metric]:
    """All metrics of single labels, accuracy first.

    Args:
        labels: those of the training split.
        ordinal: whether their order means something.
    """
    metrics = [accuracy(), counts_by_class(labels), log_loss(), calibration_error()]
    return [*metrics, ordinal_agreement(labels)] if ordinal else metrics


def accuracy() -> Metric:
    """The share of examples whose label is right."""

    def statistics(gold: Labels, predictions: Predictions[Labels]) -> np.ndarray:
        right = _right(gold, predictions)
        return np.stack([right, np.ones_like(right)], axis=1)  # (N, 2)

    def scores(sums: np.ndarray) -> dict[str, np.ndarray]:
        return {"accuracy": ratio(sums[..., 0], sums[..., 1])}

    definitions = {"accuracy": Definition("accuracy: share of examples whose predicted label is the gold one")}
    return Metric("accuracy", statistics, scores, definitions)


def counts_by_class(labels: Sequence[str]) -> Metric:
    """F1 and its kin, from how often each class is right, predicted and gold."""
    size = len(labels) + 1  # C and "other"
    codes = {label: c for c, label in enumerate(labels)}

    def statistics(gold: Labels, predictions: Predictions[Labels]) -> sp.csr_matrix:
        gold_codes, predicted_codes = _codes(gold, codes), _codes(predictions.values, codes)  # (N,)
        columns = np.stack([gold_codes, size + predicted_codes, 2 * size + gold_codes], axis=1).reshape(-1)  # (3N,)
        ones = np.ones(len(gold))
        values = np.stack([_right(gold, predictions), ones, ones], axis=1).reshape(-1)  # (3N,)
        starts = np.arange(0, 3 * len(gold) + 1, 3)
        return sp.csr_matrix((values, columns, starts), shape=(len(gold), 3 * size))

    def scores(sums: np.ndarray) -> dict[str, np.ndarray]:
        right, predicted, gold = sums[..., :size], sums[..., size : 2 * size], sums[..., 2 * size :]  # (..., C + 1)
        precision, recall, f1 = ratio(right, predicted), ratio(right, gold), ratio(2 * right, predicted + gold)
        occurs, total = (predicted + gold) > 0, gold.sum(-1)
        by_name = {
            "f1_macro": ratio(f1.sum(-1), occurs.sum(-1)),
            "f1_weighted": ratio((f1 * gold).sum(-1), total),
            "precision_macro": ratio(precision.sum(-1), occurs.sum(-1)),
            "recall_macro": ratio(recall.sum(-1), occurs.sum(-1)),
            "balanced_accuracy": ratio(recall.sum(-1), (gold > 0).sum(-1)),
        }
        covariance = right.sum(-1) * total - (predicted * gold).sum(-1)
        variances = (total**2 - (predicted**2).sum(-1)) * (total**2 - (gold**2).sum(-1))
        by_name["matthews_correlation"] = ratio(covariance, np.sqrt(np.maximum(variances, 0)))
        return by_name | of_each_label(labels, f1, precision, recall)

    over = "mean over the labels that are gold or predicted, 0 where 0/0, labels unseen in training as one more"
    full_names = {
        "f1_macro": f"f1_macro: F1, {over}",
        "f1_weighted": "f1_weighted: F1 of each label weighted by how often it is gold, 0 where 0/0",
        "precision_macro": f"precision_macro: precision, {over}",
        "recall_macro": f"recall_macro: recall, {over}",
        "balanced_accuracy": "balanced_accuracy: recall, mean over the labels that are gold, "
        "labels unseen in training as one more",
        "matthews_correlation": "matthews_correlation: multi-class Matthews correlation (Gorodkin 2004), in [-1, 1], "
        "0 where it is undefined, labels unseen in training as one more",
    }
    full_names |= names_of_each_label(labels)
    units: dict[str, Unit] = {"matthews_correlation": "correlation"}
    definitions = {name: Definition(text, units.get(name, "share")) for name, text in full_names.items()}
    return Metric("counts_by_class", statistics, scores, definitions)


def of_each_label(
    labels: Sequence[str], f1: np.ndarray, precision: np.ndarray, recall: np.ndarray
) -> dict[str, np.ndarray]:
    """The scores of single labels by name, ``f1[positive]``, where the labels are not too many.

    Args:
        f1: (..., C + 1), and ``precision`` and ``recall`` too, with the C labels first.
    """
    if len(labels) > MOST_LABELS:
        return {}
    every = (("f1", f1), ("precision", precision), ("recall", recall))
    return {f"{name}[{label}]": values[..., c] for name, values in every for c, label in enumerate(labels)}


def names_of_each_label(labels: Sequence[str]) -> dict[str, str]:
    """The full names of the scores that ``of_each_label`` gives."""
    if len(labels) > MOST_LABELS:
        return {}
    every = (
        ("f1", "F1"),
        ("precision", "share of right ones among those predicted"),
        ("recall", "share of right ones among those gold"),
    )
    return {
        f"{name}[{label}]": f"{name}[{label}]: {what}, '{label}', 0 where 0/0"
        for name, what in every
        for label in labels
    }


def log_loss() -> Metric:
    """Mean negative log-likelihood of the gold label, in nats."""

    def statistics(gold: Labels, predictions: Predictions[Labels]) -> np.ndarray:
        probabilities = np.maximum(_probability_of(gold, predictions), SMALLEST)
        return np.stack([-np.log(np.minimum(probabilities, 1.0)), np.ones(len(gold))], axis=1)  # (N, 2)

    def scores(sums: np.ndarray) -> dict[str, np.ndarray]:
        return {"log_loss": ratio(sums[..., 0], sums[..., 1])}

    full_name = f"log_loss: mean negative log-likelihood of the gold label, in nats, at most {-np.log(SMALLEST):.1f}"
    definitions = {"log_loss": Definition(full_name, "nats", higher_is_better=False)}
    return Metric("log_loss", statistics, scores, definitions, needs_probabilities=True)


def calibration_error() -> Metric:
    """Expected calibration error of the predicted label's probability."""

    def statistics(gold: Labels, predictions: Predictions[Labels]) -> sp.csr_matrix:
        confidence = _probability_of(predictions.values, predictions)  # (N,)
        # bin k is (k/BINS, (k+1)/BINS]; the difference is what the score needs, the last column counts
        bins = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
        columns = np.stack([bins, np.full_like(bins, BINS)], axis=1).reshape(-1)  # (2N,)
        ones = np.ones(len(gold))
        values = np.stack([_right(gold, predictions) - confidence, ones], axis=1).reshape(-1)  # (2N,)
        starts = np.arange(0, 2 * len(gold) + 1, 2)
        return sp.csr_matrix((values, columns, starts), shape=(len(gold), BINS + 1))

    def scores(sums: np.ndarray) -> dict[str, np.ndarray]:
        return {"calibration_error": ratio(np.abs(sums[..., :BINS]).sum(-1), sums[..., BINS])}

    full_name = (
        f"calibration_error: expected calibration error (Guo et al. 2017), {BINS} bins of equal width, "
        "of the predicted label's probability"
    )
    definitions = {"calibration_error": Definition(full_name, "share", higher_is_better=False)}
    return Metric("calibration_error", statistics, scores, definitions, needs_probabilities=True)


def ordinal_agreement(labels: Sequence[str]) -> Metric:
    """How far apart ranks are, for labels whose order means something; examples of unknown labels do not count."""
    codes = {label: c for c, label in enumerate(labels)}

    def statistics(gold: Labels, predictions: Predictions[Labels]) -> np.ndarray:
        gold_codes, predicted_codes = _codes(gold, codes), _codes(predictions.values, codes)  # (N,)
        i, j = gold_codes.astype(np.float64), predicted_codes.astype(np.float64)
        columns = [np.abs(i - j), (i - j) ** 2, i, j, i**2, j**2, np.ones_like(i)]
        counted = (gold_codes < len(labels)) & (predicted_codes < len(labels))
        return np.stack(columns, axis=1) * counted[:, None]  # (N, 7)

    def scores(sums: np.ndarray) -> dict[str, np.ndarray]:
        distance, squared_distance, i, j, ii, jj, count = np.moveaxis(sums, -1, 0)
        chance = ii + jj - 2 * ratio(i * j, count)  # the squared distance expected of independent ranks
        chance = np.where(chance > 1e-9 * (1 + ii + jj), chance, 0.0)
        return {
            "mean_absolute_error": ratio(distance, count),
            "quadratic_kappa": np.where(chance > 0, 1 - ratio(squared_distance, chance), 0.0),
        }

    order = " < ".join(labels)
    kappa = f"quadratic_kappa: Cohen's kappa with quadratic weights over {order}, in [-1, 1], 0 where it is undefined"
    definitions = {
        "mean_absolute_error": Definition(f"mean_absolute_error: in ranks of {order}", "ranks", higher_is_better=False),
        "quadratic_kappa": Definition(kappa, "correlation"),
    }
    return Metric("ordinal_agreement", statistics, scores, definitions)


def ratio(numerator: Any, denominator: Any) -> np.ndarray:
    """Elementwise ratio, 0 where ``denominator`` is 0."""
    numerator, denominator = np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    quotient = np.zeros(np.broadcast_shapes(numerator.shape, denominator.shape))
    np.divide(numerator, denominator, out=quotient, where=denominator != 0)
    return quotient


def _right(gold: Labels, predictions: Predictions[Labels]) -> np.ndarray:
    """(N,) 1 where the label is right."""
    pairs = zip(gold.values, predictions.values.values, strict=True)
    return np.fromiter((label == predicted for label, predicted in pairs), dtype=np.float64, count=len(gold))


def _codes(labels: Labels, codes: dict[str, int]) -> np.ndarray:
    """(N,) the class of each label; C for every label that is not in ``codes``."""
    unknown = len(codes)
    return np.fromiter((codes.get(label, unknown) for label in labels.values), dtype=np.int64, count=len(labels))


def _probability_of(labels: Labels, predictions: Predictions[Labels]) -> np.ndarray:
    """(N,) probability that the predictions give to ``labels``; 0 for a label they do not know."""
    assert predictions.probabilities is not None
    rows = np.asarray(predictions.probabilities, dtype=np.float64)  # (N, C)
    columns = _codes(labels, {label: c for c, label in enumerate(predictions.classes)})
    padded = np.concatenate([rows, np.zeros((len(rows), 1))], axis=1)  # (N, C + 1)
    return np.asarray(padded[np.arange(len(rows)), columns])
