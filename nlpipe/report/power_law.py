"""A power law through the scores of a learning curve, to be drawn: score = a - b n ** -c.

It is a guide for the eye and no forecast: the error of an extrapolation is mostly that the law is not quite the true
curve, which the scores at a few sizes cannot tell, so that no interval is given.

Cortes et al. 1994, "Learning Curves: Asymptotic Values and Rate of Convergence"; Viering & Loog 2023, "The Shape of
Learning Curves: a Review".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import least_squares

POINTS = 40
"""Points of the curve that is drawn."""
FEWEST = 3
"""Training sizes from which a law is fitted: it has three parameters."""
EXPONENTS = (0.01, 2.0)
"""Bounds of c: below them the law is a straight line, above them a step."""


def power_law(sizes: Sequence[float], scores: Sequence[float]) -> list[tuple[float, float]]:
    """Points of the law that is closest to ``scores`` at ``sizes``; none with fewer than three sizes."""
    x, y = np.array(sizes, dtype=np.float64), np.array(scores, dtype=np.float64)
    if len(np.unique(x)) < FEWEST:
        return []
    unit = x.min()

    def errors(parameters: np.ndarray) -> np.ndarray:
        a, b, c = parameters
        return np.asarray(a - b * (x / unit) ** -c - y)

    rise = float(y[x.argmax()] - y[x.argmin()])
    found = least_squares(
        errors,
        [float(y[x.argmax()]), rise, 0.5],
        bounds=([-np.inf, -np.inf, EXPONENTS[0]], [np.inf, np.inf, EXPONENTS[1]]),
    )
    a, b, c = found.x
    at = np.geomspace(x.min(), x.max(), POINTS)
    return [(float(n), float(value)) for n, value in zip(at, a - b * (at / unit) ** -c, strict=True)]
