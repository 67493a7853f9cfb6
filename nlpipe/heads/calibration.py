"""Margins to probabilities: one sigmoid a class, fitted to margins of examples that the classifier had not seen.

Platt 1999, "Probabilistic outputs for support vector machines", with the Newton steps of Lin, Lin and Weng 2007.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

Fit = Callable[[Any, np.ndarray, "np.ndarray | None"], tuple[np.ndarray, np.ndarray]]
"""(matrix (N, D), codes (N,), example weights (N,) or None) to weights (D, K) and offsets (K,)."""


@dataclass(frozen=True)
class Sigmoids:
    """P(class k | margin m) = 1 / (1 + exp(-(slopes[k] * m + shifts[k]))), K of them; K = 1 for two classes."""

    slopes: np.ndarray
    shifts: np.ndarray

    def probabilities(self, margins: np.ndarray) -> np.ndarray:
        """(B, K) to (B, C), each row with a sum of 1."""
        curves = np.asarray(expit(margins * self.slopes + self.shifts))  # (B, K)
        if curves.shape[1] == 1:
            return np.hstack([1.0 - curves, curves])  # (B, 2)
        totals = curves.sum(axis=1, keepdims=True)
        even = np.full_like(curves, 1.0 / curves.shape[1])  # where no class is likely at all
        np.divide(curves, totals, out=even, where=totals > 0)
        return even


def platt(margins: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Slope and shift of the sigmoid through N margins; ``positive`` (N,) is true for the class, ``weights`` (N,).

    Targets are a little inside of 0 and 1, so that margins that separate the class do not give an infinite slope.
    Without an example of both kinds it is the plain logistic function.
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
    return float(parameters[0]), float(parameters[1])


def folds_of(codes: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """(N,): the fold of each example, drawn by ``seed``; each class is spread over the folds as evenly as can be."""
    shuffled = np.random.default_rng(seed).permutation(len(codes))
    by_class = shuffled[np.argsort(codes[shuffled], kind="stable")]
    assigned = np.empty(len(codes), dtype=np.int64)
    assigned[by_class] = np.arange(len(codes)) % folds
    return assigned


def calibrated(
    fit: Fit, matrix: Any, codes: np.ndarray, count: int, weights: np.ndarray | None, folds: int, seed: int
) -> Sigmoids:
    """Sigmoids through the margins that each example gets from a classifier fitted without its fold.

    A class with no example left in a fold's training part has no margin there; those rows do not count for it.

    Args:
        fit: fits the classifier; codes it is given run from 0 without gaps.
        matrix: (N, D).
        codes: (N,).
        count: C.
        weights: (N,) of the examples, or None.
        folds: how many parts; not more than there are examples.
        seed: draws the folds.
    """
    assigned = folds_of(codes, min(folds, len(codes)), seed)
    margins = np.full((len(codes), count), np.nan)  # (N, C)
    for fold in range(assigned.max() + 1):
        inside, outside = np.flatnonzero(assigned != fold), np.flatnonzero(assigned == fold)
        present, part = np.unique(codes[inside], return_inverse=True)
        if len(present) < 2:
            continue
        coefficients, offsets = fit(matrix[inside], part, None if weights is None else weights[inside])
        found = np.asarray(matrix[outside] @ coefficients + offsets)  # (n, K)
        margins[np.ix_(outside, present)] = np.hstack([-found, found]) if found.shape[1] == 1 else found
    if count == 2:
        margins = margins[:, 1:]  # (N, 1)
    counts = np.ones(len(codes)) if weights is None else weights
    curves = []
    for k in range(margins.shape[1]):
        known = ~np.isnan(margins[:, k])
        positive = codes[known] == (1 if count == 2 else k)
        curves.append(platt(margins[known, k], positive, counts[known]))
    slopes, shifts = np.array(curves).T
    return Sigmoids(slopes, shifts)
