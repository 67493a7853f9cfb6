"""Margins to probabilities, by how right the classifier is on folds it had not seen.

Two classes: a sigmoid (Platt 1999, with the Newton steps of Lin, Lin and Weng 2007). More: a softmax at a temperature
(Guo et al. 2017), which no rare class can disturb. Both keep the order of the classes that the margins have, up to
the sigmoid's shift, and both amount to scaled weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import expit, logsumexp

Fit = Callable[[Any, np.ndarray, "np.ndarray | None"], tuple[np.ndarray, np.ndarray]]
"""(matrix (N, D), codes (N,), example weights (N,) or None) to weights (D, K) and offsets (K,)."""


def platt(margins: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Slope and shift of the sigmoid through N margins; ``positive`` (N,) is true for the class, ``weights`` (N,).

    Targets are a little inside of 0 and 1, so that margins that separate the class do not give an infinite slope.
    Where the margins say nothing (one kind of example only, or a slope that is not above 0) it is the plain logistic
    function: a sigmoid that falls would turn the classifier round.
    """
    ahead, behind = float(weights[positive].sum()), float(weights[~positive].sum())
    if ahead == 0 or behind == 0:
        return 1.0, 0.0
    targets = np.where(positive, (ahead + 1) / (ahead + 2), 1 / (behind + 2))  # (N,)

    def loss(parameters: np.ndarray) -> float:
        logits = margins * parameters[0] + parameters[1]
        return float(weights @ (np.logaddexp(0.0, logits) - targets * logits))

    inputs = np.stack([margins, np.ones_like(margins)], axis=1)  # (N, 2)
    parameters = np.array([0.0, np.log((ahead + 1) / (behind + 1))])
    value = loss(parameters)
    for _ in range(100):
        guess = expit(inputs @ parameters)
        gradient = inputs.T @ (weights * (guess - targets))  # (2,)
        if np.abs(gradient).max() < 1e-7 * weights.sum():
            break
        curvature = (inputs * (weights * guess * (1 - guess))[:, None]).T @ inputs + 1e-12 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        size = 1.0
        while size > 1e-10 and (tried := loss(parameters - size * step)) > value - 1e-4 * size * (gradient @ step):
            size /= 2
        if size <= 1e-10:
            break
        parameters, value = parameters - size * step, tried
    return (float(parameters[0]), float(parameters[1])) if parameters[0] > 0 else (1.0, 0.0)


def temperature(margins: np.ndarray, codes: np.ndarray, weights: np.ndarray) -> float:
    """The slope with which softmax(slope * margins) is most likely; margins (N, C) are -inf for classes not known."""
    from scipy.optimize import minimize_scalar  # slow to import, and only fitting needs it

    known = np.isfinite(margins[np.arange(len(codes)), codes])
    margins, codes, weights = margins[known], codes[known], weights[known]
    if not len(codes):
        return 1.0
    gold = margins[np.arange(len(codes)), codes]  # (N,)

    def loss(log_slope: float) -> float:
        slope = np.exp(log_slope)
        return float(weights @ (logsumexp(slope * margins, axis=1) - slope * gold))

    return float(np.exp(minimize_scalar(loss, bounds=(-5.0, 5.0), method="bounded").x))


def folds_of(codes: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """(N,): the fold of each example, drawn by ``seed``; each class is spread over the folds as evenly as can be."""
    shuffled = np.random.default_rng(seed).permutation(len(codes))
    by_class = shuffled[np.argsort(codes[shuffled], kind="stable")]
    assigned = np.empty(len(codes), dtype=np.int64)
    assigned[by_class] = np.arange(len(codes)) % folds
    return assigned


def calibrate(
    fit: Fit, matrix: Any, codes: np.ndarray, weights: np.ndarray | None, folds: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (D, K) and offsets (K,) fitted to all examples, scaled so that their margins are logits.

    The scale comes from the margins that each example gets from a classifier fitted without its fold. A class with no
    example left in a fold's training part has no margin there.

    Args:
        fit: fits the classifier; the codes it is given run from 0 without gaps.
        matrix: (N, D).
        codes: (N,), of C classes.
        weights: (N,) of the examples, or None.
        folds: how many parts; not more than there are examples.
        seed: draws the folds.
    """
    count = int(codes.max()) + 1
    assigned = folds_of(codes, min(folds, len(codes)), seed)
    margins = np.full((len(codes), count), -np.inf)  # (N, C)
    for fold in range(assigned.max() + 1):
        inside, outside = np.flatnonzero(assigned != fold), np.flatnonzero(assigned == fold)
        present, part = np.unique(codes[inside], return_inverse=True)
        if len(present) < 2:
            continue
        coefficients, offsets = fit(matrix[inside], part, None if weights is None else weights[inside])
        found = np.asarray(matrix[outside] @ coefficients + offsets)  # (n, K)
        margins[np.ix_(outside, present)] = np.hstack([-found, found]) if found.shape[1] == 1 else found
    counts = np.ones(len(codes)) if weights is None else weights
    slope, shift = 1.0, 0.0
    if count == 2:
        known = np.isfinite(margins[:, 1])
        slope, shift = platt(margins[known, 1], codes[known] == 1, counts[known])
    else:
        slope = temperature(margins, codes, counts)
    coefficients, offsets = fit(matrix, codes, weights)
    return coefficients * slope, offsets * slope + shift
