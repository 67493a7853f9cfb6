"""Scores of labels and of their probabilities, from statistics that add up over examples.

Every score equals scikit-learn's of the same name over the labels of the training split and those that occur in the
test split; a label that is never predicted has precision 0, and one that never occurs has recall 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nlpipe.metrics.metric import Metric
from nlpipe.stage import Predictions
from nlpipe.wire import Labels

SHOWN = 100
"""Labels up to which each has scores of its own."""
BINS = 15
"""Bins of equal width for the calibration error (Guo et al. 2017)."""
LEAST = 1e-15
"""The least probability that the log loss reckons with."""


def _ids(labels: Labels, classes: Sequence[str]) -> np.ndarray:
    """(N,) place of each label in ``classes``; one past the end for a label that is not among them."""
    places = {label: i for i, label in enumerate(classes)}
    return np.array([places.get(label, len(classes)) for label in labels.values], dtype=np.int64)


def divide(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """``above / below``, 0 where ``below`` is 0."""
    out = np.zeros(np.broadcast(above, below).shape)
    return np.asarray(np.divide(above, below, out=out, where=below != 0))


def label_scores(classes: Sequence[str]) -> Metric:
    """Accuracy, F1 in its kinds, balanced accuracy, Matthews' correlation, and each label's precision, recall, F1.

    The statistics are, for C classes and one more for labels that training did not have: right or not, then gold,
    predicted and both, C + 1 numbers each: (N, 1 + 3 (C + 1)).
    """
    count = len(classes)

    def statistics(gold: Labels, predictions: Predictions[Any]) -> np.ndarray:
        truth, found = _ids(gold, classes), _ids(predictions.values, classes)
        right = np.array([a == b for a, b in zip(gold.values, predictions.values.values, strict=True)], dtype=bool)
        table = np.zeros((len(truth), 3, count + 1))
        rows = np.arange(len(truth))
        table[rows, 0, truth] = 1
        table[rows, 1, found] = 1
        table[rows[right], 2, truth[right]] = 1
        return np.concatenate([right[:, None], table.reshape(len(truth), -1)], axis=1)  # (N, 1 + 3 (C + 1))

    def scores(sums: np.ndarray) -> dict[str, np.ndarray]:
        table = sums[..., 1:].reshape(*sums.shape[:-1], 3, count + 1)
        gold, predicted, both = table[..., 0, :], table[..., 1, :], table[..., 2, :]  # (..., C + 1)
        total = gold.sum(-1)
        precision, recall = divide(both, predicted), divide(both, gold)
        f1 = divide(2 * both, gold + predicted)
        occurs = (gold + predicted > 0) | (np.arange(count + 1) < count)  # the label beyond C counts if it is there
        chance = (gold * predicted).sum(-1)
        above = both.sum(-1) * total - chance
        below = np.sqrt((total**2 - (predicted**2).sum(-1)) * (total**2 - (gold**2).sum(-1)))
        found = {
            "accuracy": divide(sums[..., 0], total),
            "f1_macro": divide((f1 * occurs).sum(-1), occurs.sum(-1)),
            "f1_weighted": divide((f1 * gold).sum(-1), total),
            "balanced_accuracy": divide((recall * (gold > 0)).sum(-1), (gold > 0).sum(-1)),
            "matthews": divide(above, below),
        }
        for i, label in enumerate(classes if count <= SHOWN else ()):
            found[f"precision[{label}]"] = precision[..., i]
            found[f"recall[{label}]"] = recall[..., i]
            found[f"f1[{label}]"] = f1[..., i]
        return found

    of = f"the {count} labels of the training split and any other that occurs"
    signatures = {
        "accuracy": "share of examples with the right label",
        "f1_macro": f"F1, mean over {of}; 0 where a label is never predicted",
        "f1_weighted": "F1, mean over labels weighted by how often they are gold",
        "balanced_accuracy": "recall, mean over the gold labels",
        "matthews": "Matthews' correlation coefficient, over all labels; from -1 to 1",
    }
    for label in classes if count <= SHOWN else ():
        signatures[f"precision[{label}]"] = f"precision of '{label}'"
        signatures[f"recall[{label}]"] = f"recall of '{label}'"
        signatures[f"f1[{label}]"] = f"F1 of '{label}'"
    return Metric(statistics, scores, signatures)


def probability_scores(classes: Sequence[str]) -> Metric:
    """Log loss and calibration error; no score where the head gives no probabilities.

    The statistics are: counted, loss, then for each bin how many fell into it, their confidence, how many were right.
    """

    def statistics(gold: Labels, predictions: Predictions[Any]) -> np.ndarray:
        table = np.zeros((len(gold), 2 + 3 * BINS))
        if predictions.probabilities is None:
            return table
        truth, rows = _ids(gold, predictions.classes), np.arange(len(gold))
        padded = np.concatenate([predictions.probabilities, np.zeros((len(gold), 1))], axis=1)  # (N, C + 1)
        table[:, 0] = 1
        table[:, 1] = -np.log(np.clip(padded[rows, truth], LEAST, 1))
        best = predictions.probabilities.argmax(axis=1)
        confidence = predictions.probabilities[rows, best]
        bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
        table[rows, 2 + bins] = 1
        table[rows, 2 + BINS + bins] = confidence
        table[rows, 2 + 2 * BINS + bins] = best == truth
        return table

    def scores(sums: np.ndarray) -> dict[str, np.ndarray]:
        total = sums[..., 0]
        if not np.any(total):
            return {}
        confidence, right = sums[..., 2 + BINS : 2 + 2 * BINS], sums[..., 2 + 2 * BINS :]
        gaps = np.abs(confidence - right).sum(-1)
        return {"log_loss": divide(sums[..., 1], total), "calibration_error": divide(gaps, total)}

    signatures = {
        "log_loss": f"mean negative log-likelihood of the gold label in nats, probabilities no less than {LEAST:g}",
        "calibration_error": f"expected calibration error of the predicted label, {BINS} bins of equal width",
    }
    return Metric(statistics, scores, signatures, frozenset(signatures))


def ordinal_scores(classes: Sequence[str]) -> Metric:
    """Mean absolute error in steps of the order, and quadratic weighted kappa; labels out of the order do not count.

    The statistics are: counted, distance, its square, then gold (C) and predicted (C) for what chance would give.
    """
    count = len(classes)
    steps = (np.arange(count)[:, None] - np.arange(count)[None, :]) ** 2  # (C, C)

    def statistics(gold: Labels, predictions: Predictions[Any]) -> np.ndarray:
        truth, found = _ids(gold, classes), _ids(predictions.values, classes)
        known = (truth < count) & (found < count)
        table = np.zeros((len(truth), 3 + 2 * count))
        rows = np.arange(len(truth))[known]
        distance = np.abs(truth - found)[known]
        table[rows, 0], table[rows, 1], table[rows, 2] = 1, distance, distance**2
        table[rows, 3 + truth[known]] = 1
        table[rows, 3 + count + found[known]] = 1
        return table

    def scores(sums: np.ndarray) -> dict[str, np.ndarray]:
        total = sums[..., 0]
        gold, found = sums[..., 3 : 3 + count], sums[..., 3 + count :]
        expected = divide(np.einsum("...i,ij,...j->...", gold, steps, found), total)
        kappa = np.where(expected > 0, 1 - divide(sums[..., 2], expected), 0.0)
        return {"mean_absolute_error": divide(sums[..., 1], total), "quadratic_kappa": kappa}

    signatures = {
        "mean_absolute_error": f"steps between gold and predicted among {', '.join(classes)}; from 0 to {count - 1}",
        "quadratic_kappa": "Cohen's kappa with quadratic weights; from -1 to 1, 0 where chance cannot err",
    }
    return Metric(statistics, scores, signatures, frozenset({"mean_absolute_error"}))
