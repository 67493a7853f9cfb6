"""What only some stages can do: protocols that name each capability, and what they give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


@dataclass(frozen=True)
class Translation:
    """One of the n best: a text and its log-probability in nats, the end included; ``score`` is what ranked it."""

    text: str
    log_probability: float
    score: float


class Attention(NamedTuple):
    """Where a translation looked: the words of its source, its own with the end, and weights (T, S)."""

    source: list[str]
    target: list[str]
    weights: np.ndarray
