"""What heads with a softmax share: class weights, the linear layer, the loss, the temperature.

Label smoothing: Szegedy et al. 2016, "Rethinking the Inception Architecture", section 7. Temperature: Guo et al.
2017, "On Calibration of Modern Neural Networks".
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlpipe.errors import DataError, suggest
from nlpipe.nn.dropout import Drop
from nlpipe.nn.linear_layer import LinearLayer
from nlpipe.nn.neural import Neural
from nlpipe.options import PositiveFloat
from nlpipe.stage import In, Out, State

COLDEST, HOTTEST = 0.05, 20.0
"""Bounds of the temperature: a dev split that is all right, or too small, cannot drive it to 0 or without end."""

ClassWeight = Literal["auto", "balanced"] | dict[str, PositiveFloat] | None
"""``auto``, or ``balanced``, gives every class the same weight in all; a mapping names classes, all others weigh 1."""


class Softmax(Neural[In, Out]):
    """C classes by a linear layer over rows (N, D), with a hidden layer before it as an option."""

    fitted: ClassVar[tuple[str, ...]] = ("classes", "weights", "temperature")
    classes: tuple[str, ...] = ()

    def __init__(self, dropout: float, hidden: int | None, class_weight: ClassWeight, label_smoothing: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.hidden = hidden
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.weights: list[float] | None = None
        self.temperature = 1.0

    def learn_classes(self, counts: Counter[str]) -> None:
        """Learn the classes, sorted, and their weights from how often each occurs.

        Raises:
            DataError: there are none, or ``class_weight`` names one that does not occur.
        """
        if not counts:
            raise DataError(f"{type(self).__name__.lower()}: the training split has no labels to learn from")
        self.classes = tuple(sorted(counts))
        self.weights = self._weigh(counts)
        self.temperature = 1.0

    def _weigh(self, counts: Counter[str]) -> list[float] | None:
        """A weight for each class, None for all alike."""
        if self.class_weight is None:
            return None
        if isinstance(self.class_weight, str):
            return [counts.total() / (len(counts) * counts[label]) for label in self.classes]
        assert isinstance(self.class_weight, dict)
        for label in self.class_weight:
            if label not in counts:
                raise DataError(f"class_weight: the training split has no label '{label}'{suggest(label, counts)}")
        return [self.class_weight.get(label, 1.0) for label in self.classes]

    def allocate(self, width: int) -> int:
        self.columns = {label: i for i, label in enumerate(self.classes)}
        layers: list[nn.Module] = [Drop(self.dropout)]
        if self.hidden is not None:
            layers += [LinearLayer(width, self.hidden), nn.ReLU(), Drop(self.dropout)]
        self.layers = nn.Sequential(*layers, LinearLayer(self.hidden or width, len(self.classes)))
        weights = self.weights or [1.0] * len(self.classes)
        self.register_buffer("weight", torch.tensor(weights), persistent=False)
        return len(self.classes)

    def logits_of(self, rows: Tensor) -> Tensor:
        """(N, C), float32, of rows (N, D), before softmax and temperature."""
        logits: Tensor = self.layers(rows.to(self.dtype))
        return logits.float()  # (N, C)

    def loss_of(self, logits: Tensor, labels: Iterable[str]) -> tuple[Tensor, Tensor]:
        """Summed negative log-likelihood in nats of N labels, weighted and smoothed as options say, and N.

        Raises:
            DataError: a label that the training split does not have.
        """
        gold = torch.tensor([self._column(label) for label in labels], dtype=torch.long, device=logits.device)
        weight = self.get_buffer("weight") if self.weights is not None else None
        total = F.cross_entropy(logits, gold, weight, reduction="sum", label_smoothing=self.label_smoothing)
        return total, torch.tensor(float(len(gold)), device=logits.device)

    def _column(self, label: str) -> int:
        column = self.columns.get(label)
        if column is None:
            raise DataError(f"the training split has no label '{label}'{suggest(label, self.classes)}")
        return column

    def known(self, labels: Iterable[str]) -> tuple[list[int], list[int]]:
        """Places of the labels that training had, and their columns."""
        columns = [self.columns.get(label, -1) for label in labels]
        return [i for i, column in enumerate(columns) if column >= 0], [column for column in columns if column >= 0]

    def load_state(self, state: State, version: int) -> None:
        super().load_state(state, version)
        self.classes = tuple(self.classes)  # JSON has lists


def fit_temperature(logits: np.ndarray, gold: np.ndarray) -> float:
    """The temperature that minimises the mean negative log-likelihood of ``gold`` (N,) under ``logits`` (N, C).

    It is convex in 1 / temperature and so has one minimum, found by golden section on a logarithmic scale (Kiefer
    1953). Where no temperature is better than 1 (logits that say nothing), it is 1.
    """

    def nll(log_temperature: float) -> float:
        scaled = logits / math.exp(log_temperature)  # (N, C)
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        return float(np.mean(np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(gold)), gold]))

    shrink = (math.sqrt(5) - 1) / 2
    low, high = math.log(COLDEST), math.log(HOTTEST)
    left, right = high - shrink * (high - low), low + shrink * (high - low)
    at_left, at_right = nll(left), nll(right)
    while high - low > 1e-5:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - shrink * (high - low)
            at_left = nll(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + shrink * (high - low)
            at_right = nll(right)
    best = (low + high) / 2
    return math.exp(best) if nll(best) < nll(0.0) - 1e-9 else 1.0
