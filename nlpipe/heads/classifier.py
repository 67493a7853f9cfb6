"""The classifier: vectors to labels by a linear layer, or one hidden layer, trained by gradients.

Label smoothing: Szegedy et al. 2016, "Rethinking the Inception Architecture", section 7. Temperature: Guo et al.
2017, "On Calibration of Modern Neural Networks".
"""

from __future__ import annotations

import math
from collections import Counter
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlpipe.errors import DataError, suggest
from nlpipe.nn.dropout import Drop
from nlpipe.nn.neural import Neural
from nlpipe.options import Dropout, Positive, PositiveFloat
from nlpipe.stage import Data, LabelHead, Predictions, State
from nlpipe.wire import Labels, Vectors

COLDEST, HOTTEST = 0.05, 20.0
"""Bounds of the temperature: a dev split that is all right, or too small, cannot drive it to 0 or without end."""


class Classifier(Neural[Vectors, Labels], LabelHead):
    """Neural classifier: softmax over a linear layer, with a hidden layer before it as an option.

    Options:
        dropout: share of the inputs, and of the hidden layer's outputs, dropped in training.
        hidden: features of a hidden layer with ReLU; null: none.
        class_weight: auto (every label the same weight in all), a mapping of labels to weights (else 1), or null.
        label_smoothing: share of each label's probability that training spreads over all labels.
    """

    by_gradient: ClassVar[bool] = True
    fitted = ("classes", "weights", "temperature")

    def __init__(
        self,
        dropout: Dropout = 0.0,
        hidden: Positive | None = None,
        class_weight: Literal["auto"] | dict[str, PositiveFloat] | None = None,
        label_smoothing: Dropout = 0.0,
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.hidden = hidden
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.weights: list[float] | None = None
        self.temperature = 1.0

    def fit(self, data: Data[Vectors]) -> None:
        """Learn the labels, sorted, and how often each occurs.

        Raises:
            DataError: there are none, or ``class_weight`` names one that does not occur.
        """
        counts: Counter[str] = Counter()
        for _, target in data:
            counts.update(target.values)
        if not counts:
            raise DataError("classifier: the training split has no labels to learn from")
        self.classes = tuple(sorted(counts))
        self.weights = self._weigh(counts)
        self.temperature = 1.0

    def _weigh(self, counts: Counter[str]) -> list[float] | None:
        """A weight for each class, None for all alike."""
        if self.class_weight is None:
            return None
        if self.class_weight == "auto":
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
            layers += [nn.Linear(width, self.hidden), nn.ReLU(), Drop(self.dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(self.hidden or width, len(self.classes)))
        weights = self.weights or [1.0] * len(self.classes)
        self.register_buffer("weight", torch.tensor(weights), persistent=False)
        return len(self.classes)

    def logits(self, source: Vectors) -> Tensor:
        """(B, C), float32, before softmax and temperature."""
        rows = source.tensor(self.device)
        logits: Tensor = self.layers(rows.to(next(self.parameters()).dtype))
        return logits.float()  # (B, C)

    def loss(self, source: Vectors, target: Labels) -> tuple[Tensor, Tensor]:
        """Summed negative log-likelihood in nats, weighted and smoothed as options say, and B; shapes () and ().

        Raises:
            DataError: a label that the training split does not have.
        """
        logits = self.logits(source)  # (B, C)
        gold = torch.tensor([self._column(label) for label in target.values], dtype=torch.long, device=logits.device)
        weight = self.get_buffer("weight") if self.weights is not None else None
        total = F.cross_entropy(logits, gold, weight, reduction="sum", label_smoothing=self.label_smoothing)
        return total, torch.tensor(float(len(target)), device=logits.device)

    def _column(self, label: str) -> int:
        column = self.columns.get(label)
        if column is None:
            raise DataError(f"the training split has no label '{label}'{suggest(label, self.classes)}")
        return column

    @torch.no_grad()
    def score(self, source: Vectors, target: Labels) -> np.ndarray:
        """Log-probability, in nats, of each gold label: (B,); unsmoothed, -inf for a label never seen in training."""
        logged = (self.logits(source) / self.temperature).log_softmax(-1).cpu().double().numpy()  # (B, C)
        columns = np.array([self.columns.get(label, -1) for label in target.values], dtype=np.int64)
        scores = logged[np.arange(len(columns)), columns]
        return np.where(columns < 0, -np.inf, scores)

    @torch.no_grad()
    def predict(self, source: Vectors) -> Predictions[Labels]:
        probabilities = (self.logits(source) / self.temperature).softmax(-1).cpu().numpy()  # (B, C)
        best = probabilities.argmax(-1)  # (B,)
        values = Labels([self.classes[i] for i in best])
        return Predictions(values, probabilities[np.arange(len(best)), best], probabilities, self.classes)

    def forward(self, source: Vectors) -> Labels:
        """The most probable label of each; to train, use ``loss``."""
        return self.predict(source).values

    @torch.no_grad()
    def calibrate(self, dev: Data[Vectors]) -> None:
        """Divide the logits by the temperature from 0.05 to 20 that makes the dev labels most probable.

        Labels that training did not have say nothing about it and are left out; without any other it stays 1.
        """
        rows, gold = [], []
        for source, target in dev:
            known = [i for i, label in enumerate(target.values) if label in self.columns]
            rows.append(self.logits(source).cpu().double().numpy()[known])  # (B, C)
            gold += [self.columns[target.values[i]] for i in known]
        self.temperature = fit_temperature(np.concatenate(rows), np.array(gold)) if gold else 1.0

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
