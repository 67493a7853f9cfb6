"""Scores of multi-label classification, as sums over examples.

Labels are those of the training split plus one for all others: a gold label that training never saw counts as one more,
which nothing can predict. Counts by label are CSR matrices, so that a thousand labels cost no more memory than two.
Where a ratio is 0/0 it counts as 0, but for the micro F1: texts without labels that get none are answered rightly.

References: Tsoumakas and Katakis 2007; Godbole and Sarawagi 2004 (the Jaccard index of two sets).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from nlpipe.metrics.label_metrics import SMALLEST, names_of_each_label, of_each_label, ratio
from nlpipe.metrics.metric import Definition, Metric
from nlpipe.predictions import Predictions
from nlpipe.wire import LabelSets


def label_set_metrics(labels: Sequence[str]) -> list[Metric]:
    """All metrics of sets of labels; ``labels`` are those of the training split."""
    return [counts_by_label(labels), whole_sets(labels), log_loss(labels)]


def counts_by_label(labels: Sequence[str]) -> Metric:
    """F1 and its kin, from how often each label is right, predicted and gold."""
    size = len(labels) + 1  # C and "other"
    codes = {label: c for c, label in enumerate(labels)}

    def statistics(gold: LabelSets, predictions: Predictions[LabelSets]) -> sp.csr_matrix:
        columns: list[int] = []
        starts = [0]
        for wanted, given in zip(gold.values, predictions.values.values, strict=True):
            both = set(wanted) & set(given)
            columns += [codes[label] for label in both if label in codes]
            columns += [size + codes.get(label, size - 1) for label in given]
            columns += [2 * size + codes.get(label, size - 1) for label in wanted]
            starts.append(len(columns))
        matrix = sp.csr_matrix((np.ones(len(columns)), columns, starts), shape=(len(gold), 3 * size))
        matrix.sum_duplicates()  # several unknown labels of one text
        return matrix

    def scores(sums: np.ndarray) -> dict[str, np.ndarray]:
        right, predicted, gold = sums[..., :size], sums[..., size : 2 * size], sums[..., 2 * size :]  # (..., C + 1)
        precision, recall, f1 = ratio(right, predicted), ratio(right, gold), ratio(2 * right, predicted + gold)
        occurs = (predicted + gold) > 0
        by_name = {
            "f1_micro": np.where(occurs.any(-1), ratio(2 * right.sum(-1), predicted.sum(-1) + gold.sum(-1)), 1.0),
            "precision_micro": ratio(right.sum(-1), predicted.sum(-1)),
            "recall_micro": ratio(right.sum(-1), gold.sum(-1)),
            "f1_macro": ratio(f1.sum(-1), occurs.sum(-1)),
            "f1_weighted": ratio((f1 * gold).sum(-1), gold.sum(-1)),
        }
        return by_name | of_each_label(labels, f1, precision, recall)

    unseen = "labels unseen in training as one more"
    full_names = {
        "f1_micro": f"f1_micro: F1 of all decisions together, over every pair of text and label, 1 where no label is "
        f"gold or predicted, {unseen}",
        "precision_micro": "precision_micro: share of right ones among all labels predicted",
        "recall_micro": f"recall_micro: share of right ones among all gold labels, {unseen}",
        "f1_macro": f"f1_macro: F1, mean over the labels that are gold or predicted, 0 where 0/0, {unseen}",
        "f1_weighted": f"f1_weighted: F1 of each label weighted by how often it is gold, 0 where 0/0, {unseen}",
    }
    full_names |= names_of_each_label(labels)
    definitions = {name: Definition(text) for name, text in full_names.items()}
    return Metric("counts_by_label", statistics, scores, definitions)


def whole_sets(labels: Sequence[str]) -> Metric:
    """How alike the sets of labels of each text are."""

    def statistics(gold: LabelSets, predictions: Predictions[LabelSets]) -> np.ndarray:
        counts = np.zeros((len(gold), 4))
        for row, wanted, given in zip(counts, gold.values, predictions.values.values, strict=True):
            both, either = len(set(wanted) & set(given)), len(set(wanted) | set(given))
            row[:] = both == either, both / either if either else 1.0, either - both, 1.0
        return counts  # (N, 4)

    def scores(sums: np.ndarray) -> dict[str, np.ndarray]:
        return {
            "subset_accuracy": ratio(sums[..., 0], sums[..., 3]),
            "jaccard": ratio(sums[..., 1], sums[..., 3]),
            "hamming_loss": ratio(sums[..., 2], sums[..., 3] * max(len(labels), 1)),
        }

    definitions = {
        "subset_accuracy": Definition("subset_accuracy: share of texts whose labels are all right, none missing"),
        "jaccard": Definition(
            "jaccard: labels that are both gold and predicted, as a share of those that are either; mean over texts, 1 "
            "where there are neither"
        ),
        "hamming_loss": Definition(
            f"hamming_loss: share of wrong decisions among all pairs of a text and one of the {len(labels)} labels of "
            "training; a gold label that training did not have is one more wrong decision",
            higher_is_better=False,
        ),
    }
    return Metric("whole_sets", statistics, scores, definitions)


def log_loss(labels: Sequence[str]) -> Metric:
    """Mean negative log-likelihood of the decisions on each label, in nats."""

    def statistics(gold: LabelSets, predictions: Predictions[LabelSets]) -> np.ndarray:
        assert predictions.probabilities is not None
        shares = np.asarray(predictions.probabilities, dtype=np.float64)  # (N, C)
        has = gold.matrix(predictions.classes)  # (N, C)
        losses = -np.log(np.maximum(np.where(has, shares, 1.0 - shares), SMALLEST))
        mean = losses.mean(axis=1) if losses.shape[1] else np.zeros(len(gold))
        return np.stack([mean, np.ones(len(gold))], axis=1)  # (N, 2)

    def scores(sums: np.ndarray) -> dict[str, np.ndarray]:
        return {"log_loss": ratio(sums[..., 0], sums[..., 1])}

    full_name = (
        "log_loss: mean negative log-likelihood of the decisions on each label that training had, in nats, at most "
        f"{-np.log(SMALLEST):.1f}"
    )
    definitions = {"log_loss": Definition(full_name, "nats", higher_is_better=False)}
    return Metric("log_loss", statistics, scores, definitions, needs_probabilities=True)
