"""Any number of labels a text: each label is decided on by itself, with a threshold of its own, chosen on dev.

Also called binary relevance: Tsoumakas and Katakis 2007, "Multi-Label Classification: An Overview". A threshold for
each label is Yang's (2001) SCut, "A Study of Thresholding Strategies for Text
Categorization"; for a label that dev has too few examples of, see ``choose_thresholds``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from scipy.special import expit

from nlpipe.errors import DataError
from nlpipe.predictions import Predictions
from nlpipe.wire import LabelSets, Vectors

FEWEST_ON_DEV = 5
"""Examples of a label on dev below which it has no threshold of its own: the best one for so few is chance."""


def joined(data: Iterable[tuple[Vectors, LabelSets]]) -> tuple[Vectors, LabelSets]:
    """All batches as one.

    Raises:
        DataError: there is no example, or none has a label.
    """
    batches = list(data)
    sets = LabelSets.concat([target for _, target in batches]) if batches else LabelSets([])
    if not len(sets):
        raise DataError("there is no training example")
    if not any(sets.values):
        raise DataError(f"none of the {len(sets):,} training examples has a label: there is nothing to learn")
    return Vectors.concat([source for source, _ in batches if len(source)]), sets


def counts_of(sets: LabelSets) -> Counter[str]:
    """How many examples have each label."""
    return Counter(label for labels in sets.values for label in labels)


def predict_sets(
    margins: np.ndarray, thresholds: np.ndarray | None, classes: tuple[str, ...], probabilities: bool
) -> Predictions[LabelSets]:
    """The labels whose margins reach their thresholds.

    Args:
        margins: (B, C).
        thresholds: (C,); None: 0 for all.
        probabilities: whether margins are log-odds.
    """
    given = margins >= (0.0 if thresholds is None else thresholds)  # (B, C)
    values = LabelSets([[classes[code] for code in np.flatnonzero(row)] for row in given])
    if not probabilities:
        return Predictions(values, classes=classes)
    shares = expit(np.asarray(margins, dtype=np.float64))  # (B, C)
    scores = np.where(given, shares, 1.0 - shares).prod(axis=1)  # (B,)
    return Predictions(values, scores, shares, classes)


def choose_thresholds(margins: np.ndarray, has: np.ndarray) -> np.ndarray:
    """(C,) for each label the threshold with the highest F1; of equally good ones that nearest to 0.

    A label with fewer than ``FEWEST_ON_DEV`` examples gets the one threshold that gives the highest micro F1 of all
    labels together. A label whose margin is the same for every text keeps 0.

    Args:
        margins: (N, C) of dev.
        has: (N, C) whether each example has each label.
    """
    thresholds = np.zeros(margins.shape[1])
    if not len(margins):
        return thresholds
    moving = margins.max(axis=0) > margins.min(axis=0)  # (C,)
    shared = _best(margins[:, moving].reshape(-1), has[:, moving].reshape(-1)) if moving.any() else 0.0
    for code in np.flatnonzero(moving):
        often = has[:, code].sum() >= FEWEST_ON_DEV
        thresholds[code] = _best(margins[:, code], has[:, code]) if often else shared
    return thresholds


def _best(margins: np.ndarray, has: np.ndarray) -> float:
    """The threshold on margins (N,) with the highest F1, between two margins; 0 where nothing has the label."""
    if not has.any():
        return 0.0
    order = np.argsort(-margins, kind="stable")
    sorted_margins = margins[order]
    right = np.cumsum(has[order])  # (N,) of the k + 1 examples with the highest margins
    f1 = 2.0 * right / (np.arange(1, len(margins) + 1) + has.sum())
    ends = np.append(sorted_margins[:-1] > sorted_margins[1:], True)  # a threshold never parts equal margins
    below = np.append(sorted_margins[1:], -np.inf)
    best = np.flatnonzero(ends & (f1 >= f1[ends].max() - 1e-12))
    # any value in (below, margin] gives the same answers on dev: 0 if it is one of them, else the middle
    found = []
    for index in best:
        low, high = float(below[index]), float(sorted_margins[index])
        found.append(0.0 if low < 0.0 <= high else high if np.isinf(low) else (low + high) / 2)
    return min(found, key=abs)


def tuned(predictions: Predictions[LabelSets], gold: LabelSets, classes: Sequence[str]) -> Predictions[LabelSets]:
    """``predictions`` with the thresholds that suit ``gold``: how good they can be, before thresholds are chosen."""
    if predictions.probabilities is None:
        return predictions
    shares = np.clip(np.asarray(predictions.probabilities, dtype=np.float64), 1e-15, 1 - 1e-15)
    margins = np.log(shares) - np.log1p(-shares)  # (N, C)
    thresholds = choose_thresholds(margins, gold.matrix(classes))
    return predict_sets(margins, thresholds, tuple(classes), probabilities=True)
