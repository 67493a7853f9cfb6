"""Calibration of a linear classifier: margins become probabilities, fitted by cross-validation.

For two classes, a sigmoid (Platt 1999, with the Newton method of Lin, Lin and Weng 2007). For more classes, a softmax
with a temperature (Guo et al. 2017), which has one parameter only, so that rare classes do not disturb it. The softmax
keeps the order of the classes; the sigmoid keeps it up to its shift. Both can be applied by scaling the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, logsumexp

Candidates = Sequence[tuple[np.ndarray, np.ndarray]]
"""Linear classifiers to choose from, simplest first: weights (D, K) and offsets (K,), where K is the number of classes,
or 1 for two classes."""

Fit = Callable[[Any, np.ndarray, "np.ndarray | None"], Candidates]
"""Fits classifiers: takes (matrix (N, D), class codes (N,), example weights (N,) or None)."""


@dataclass(frozen=True)
class Calibrated:
    """A classifier whose margins are logits.

    Args:
        weights: (D, K).
        offsets: (K,).
        index: its place among the candidates.
    """

    weights: np.ndarray
    offsets: np.ndarray
    index: int


def platt(margins: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Fit a sigmoid to N margins; return its slope and shift.

    The targets are slightly above 0 and below 1, so that the slope stays finite if the margins separate the classes.
    If the examples are all of one class, or the slope is not positive, return (1, 0), the logistic function: a
    decreasing sigmoid would reverse the predictions.

    Args:
        margins: (N,).
        positive: (N,) whether each example belongs to the class.
        weights: (N,) weights of the examples.
    """
    positives, negatives = float(weights[positive].sum()), float(weights[~positive].sum())
    if positives == 0 or negatives == 0:
        return 1.0, 0.0
    targets = np.where(positive, (positives + 1) / (positives + 2), 1 / (negatives + 2))  # (N,)

    def loss(parameters: np.ndarray) -> float:
        logits = margins * parameters[0] + parameters[1]
        return float(weights @ (np.logaddexp(0.0, logits) - targets * logits))

    inputs = np.stack([margins, np.ones_like(margins)], axis=1)  # (N, 2)
    parameters = np.array([0.0, np.log((positives + 1) / (negatives + 1))])
    value = loss(parameters)
    for _ in range(100):
        probabilities = expit(inputs @ parameters)  # (N,)
        gradient = inputs.T @ (weights * (probabilities - targets))  # (2,)
        if np.abs(gradient).max() < 1e-7 * weights.sum():
            break
        curvature = weights * probabilities * (1 - probabilities)
        hessian = (inputs * curvature[:, None]).T @ inputs + 1e-12 * np.eye(2)  # (2, 2)
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while size > 1e-10 and (new_value := loss(parameters - size * step)) > value - 1e-4 * size * (gradient @ step):
            size /= 2
        if size <= 1e-10:
            break
        parameters, value = parameters - size * step, new_value
    return (float(parameters[0]), float(parameters[1])) if parameters[0] > 0 else (1.0, 0.0)


def temperature(margins: np.ndarray, codes: np.ndarray, weights: np.ndarray) -> float:
    """Return the slope for which softmax(slope * margins) has the highest likelihood.

    Args:
        margins: (N, C), -inf for classes without a margin.
        codes: (N,) the true classes.
        weights: (N,) weights of the examples.
    """
    from scipy.optimize import minimize_scalar  # slow to import and only needed for fitting

    finite = np.isfinite(margins[np.arange(len(codes)), codes])
    margins, codes, weights = margins[finite], codes[finite], weights[finite]
    if not len(codes):
        return 1.0
    gold = margins[np.arange(len(codes)), codes]  # (N,)

    def loss(log_slope: float) -> float:
        slope = np.exp(log_slope)
        return float(weights @ (logsumexp(slope * margins, axis=1) - slope * gold))

    return float(np.exp(minimize_scalar(loss, bounds=(-5.0, 5.0), method="bounded").x))


def folds_of(codes: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Return the fold of each example, (N,), drawn with ``seed`` and stratified by class."""
    shuffled = np.random.default_rng(seed).permutation(len(codes))
    by_class = shuffled[np.argsort(codes[shuffled], kind="stable")]
    assigned = np.empty(len(codes), dtype=np.int64)
    assigned[by_class] = np.arange(len(codes)) % folds
    return assigned


def calibrate(
    fit: Fit, matrix: Any, codes: np.ndarray, weights: np.ndarray | None, folds: int, seed: int
) -> Calibrated:
    """Choose among the classifiers that ``fit`` gives; return it fitted to all examples, with margins that are logits.

    Both are decided by margins from cross-validation: each example's margins come from classifiers that were fitted
    without its fold. A class that is missing in the other folds has no margin for these examples. The choice is the
    first candidate that is behind the most accurate one by no more than the standard error of that difference.

    Args:
        fit: fits the classifiers; the codes that it gets are 0, 1, … without gaps.
        matrix: (N, D) the examples.
        codes: (N,) their classes, of C classes.
        weights: (N,) weights of the examples, or None.
        folds: number of folds; at most N are used.
        seed: seed with which the folds are drawn.
    """
    margins = held_out_margins(fit, matrix, codes, weights, folds, seed)  # (M, N, C)
    example_weights = np.ones(len(codes)) if weights is None else weights
    index = 0
    if len(margins) > 1:
        right = (margins.argmax(axis=2) == codes) * example_weights  # (M, N)
        behind = right[right.sum(axis=1).argmax()] - right  # (M, N)
        index = int(np.argmax(behind.mean(axis=1) <= behind.std(axis=1) / np.sqrt(len(codes))))
    slope, shift = scale(margins[index], codes, example_weights)
    chosen_weights, offsets = fit(matrix, codes, weights)[index]
    return Calibrated(chosen_weights * slope, offsets * slope + shift, index)


def held_out_margins(
    fit: Fit, matrix: Any, codes: np.ndarray, weights: np.ndarray | None, folds: int, seed: int
) -> np.ndarray:
    """The margins of N examples by M candidates that were fitted without the example's fold, (M, N, C).

    Margins that no fold gives are -inf. Two classes have the margins of the second class and their negation.
    """
    count = int(codes.max()) + 1
    assigned = folds_of(codes, min(folds, len(codes)), seed)
    margins = np.zeros((0, 0, 0))
    for fold in range(assigned.max() + 1):
        inside, outside = np.flatnonzero(assigned != fold), np.flatnonzero(assigned == fold)
        present, part = np.unique(codes[inside], return_inverse=True)
        if len(present) < 2:
            continue
        candidates = fit(matrix[inside], part, None if weights is None else weights[inside])
        if not len(margins):
            margins = np.full((len(candidates), len(codes), count), -np.inf)
        for m, (coefficients, offsets) in enumerate(candidates):
            fold_margins = np.asarray(matrix[outside] @ coefficients + offsets)  # (n, K)
            both = np.hstack([-fold_margins, fold_margins]) if fold_margins.shape[1] == 1 else fold_margins
            margins[m][np.ix_(outside, present)] = both
    return margins if len(margins) else np.full((1, len(codes), count), -np.inf)


def scale(margins: np.ndarray, codes: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """The slope and shift that make logits of margins (N, C); of two classes, those of the second class's margin.

    Args:
        margins: (N, C), -inf for classes without a margin.
        codes: (N,) the true classes.
        weights: (N,) weights of the examples.
    """
    if margins.shape[1] > 2:
        return temperature(margins, codes, weights), 0.0
    finite = np.isfinite(margins[:, 1])
    return platt(margins[finite, 1], codes[finite] == 1, weights[finite])
