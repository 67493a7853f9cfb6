"""Lengths far from the usual ones: Tukey's outer fences (1977, "Exploratory Data Analysis"), on the logarithm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nlpipe.audit.contents import Contents, Item
from nlpipe.tasks.task import Split
from nlpipe.wire import Text, Tokens

FENCE = 3.0
"""Interquartile ranges beyond the quartiles at which the outer fences stand."""
FEWEST = 20
"""Training examples below which quartiles say too little."""


@dataclass(frozen=True)
class Outlier:
    """An example of unusual length.

    Args:
        measure: ``characters``, ``words``, or ``target / source`` (characters, of pairs of texts).
        value: of the example.
        low: the lower fence, from the training split.
        high: the upper fence.
    """

    item: Item
    measure: str
    value: float
    low: float
    high: float

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "item": self.item.record(), "measure": self.measure, "value": round(self.value, 4),
            "low": round(self.low, 4), "high": round(self.high, 4),
        }  # fmt: skip


def outliers(contents: Contents) -> list[Outlier]:
    """The examples of all splits whose length is beyond a fence, by measure, the farthest first."""
    train = contents.splits["train"]
    found = _beyond(contents, "words" if isinstance(train.inputs, Tokens) else "characters", _length)
    if isinstance(train.targets, Text):
        found += _beyond(contents, "target / source", _ratio)
    return found


def _length(split: Split) -> np.ndarray:
    """(N,) log of 1 + length."""
    lengths: np.ndarray = np.log1p(split.inputs.lengths)
    return lengths


def _ratio(split: Split) -> np.ndarray:
    """(N,) log of the characters of the target over those of the source, one added to each."""
    assert isinstance(split.targets, Text)
    ratios: np.ndarray = np.log1p(split.targets.lengths) - np.log1p(split.inputs.lengths)
    return ratios


def _beyond(contents: Contents, measure: str, of: Callable[[Split], np.ndarray]) -> list[Outlier]:
    train = of(contents.splits["train"])
    if len(train) < FEWEST:
        return []
    first, third = np.quantile(train, [0.25, 0.75])
    low, high = first - FENCE * (third - first), third + FENCE * (third - first)
    if not third > first:  # most examples have one length
        return []
    shown = np.exp if measure == "target / source" else np.expm1
    found = []
    for name, split in contents.splits.items():
        values = of(split)
        for i in np.flatnonzero((values < low) | (values > high)).tolist():
            distance = max(low - values[i], values[i] - high)
            bounds = max(0.0, float(shown(low))), float(shown(high))
            found.append((-distance, Outlier(contents.item(name, i), measure, float(shown(values[i])), *bounds)))
    return [outlier for _, outlier in sorted(found, key=lambda pair: pair[0])]
