"""The classifier: vectors to labels by a linear layer, or one hidden layer, trained by gradients."""

from __future__ import annotations

from collections import Counter

import numpy as np
import torch
from torch import Tensor

from nlpipe.capabilities import Scores, Trained
from nlpipe.nn.softmax import ClassWeight, Softmax, fit_temperature
from nlpipe.options import Dropout, Positive
from nlpipe.stage import Data, LabelHead, Predictions
from nlpipe.wire import Labels, Vectors


class Classifier(Softmax[Vectors, Labels], LabelHead, Trained[Vectors, Labels], Scores[Vectors, Labels]):
    """Neural classifier: softmax over a linear layer, with a hidden layer before it as an option.

    Options:
        dropout: share of the inputs, and of the hidden layer's outputs, dropped in training.
        hidden: features of a hidden layer with ReLU; null: none.
        class_weight: auto (every label the same weight in all), a mapping of labels to weights (else 1), or null.
        label_smoothing: share of each label's probability that training spreads over all labels.
    """

    def __init__(
        self,
        dropout: Dropout = 0.0,
        hidden: Positive | None = None,
        class_weight: ClassWeight = None,
        label_smoothing: Dropout = 0.0,
    ) -> None:
        super().__init__(dropout, hidden, class_weight, label_smoothing)

    def fit(self, data: Data[Vectors]) -> None:
        counts: Counter[str] = Counter()
        for _, target in data:
            counts.update(target.values)
        self.learn_classes(counts)

    def logits(self, source: Vectors) -> Tensor:
        """(B, C), float32, before softmax and temperature."""
        return self.logits_of(source.tensor(self.device))

    def loss(self, source: Vectors, target: Labels) -> tuple[Tensor, Tensor]:
        """Summed negative log-likelihood in nats, weighted and smoothed as options say, and B; shapes () and ().

        Raises:
            DataError: a label that the training split does not have.
        """
        return self.loss_of(self.logits(source), target.values)

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
            places, columns = self.known(target.values)
            rows.append(self.logits(source).cpu().double().numpy()[places])  # (B, C)
            gold += columns
        self.temperature = fit_temperature(np.concatenate(rows), np.array(gold)) if gold else 1.0
