"""The neural classifier: vectors to labels by a linear layer, optionally after a hidden layer, trained by gradients."""

from __future__ import annotations

from collections import Counter

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from nlpipe.capabilities import LabelsSeparately, Scores, Trained
from nlpipe.nn.softmax import ClassWeight, Softmax, fit_temperature
from nlpipe.options import Dropout, Positive
from nlpipe.predictions import Predictions
from nlpipe.stage import Data, LabelHead, State
from nlpipe.use_order import noting
from nlpipe.wire import Labels, LabelSets, Vectors


class Classifier(
    Softmax[Vectors, Labels], LabelHead, Trained[Vectors, Labels], Scores[Vectors, Labels], LabelsSeparately
):
    """Neural classifier: a softmax over a linear layer, optionally after a hidden layer.

    Where a text has any number of labels, a logistic function for each label is in place of the softmax.

    Options:
        dropout: dropout rate of the inputs and of the hidden layer's outputs in training.
        hidden: number of features of a hidden layer with ReLU; null for no hidden layer.
        class_weight: auto or balanced weighs each label by the inverse of its share; a mapping from label to weight (1
            for labels not named); null for equal weights.
        label_smoothing: share of each label's probability that training spreads over all labels.
    """

    thresholds: np.ndarray | None = None

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

    @noting("fit")
    def fit_separately(self, data: Data[Vectors]) -> None:
        """As ``LabelsSeparately``. The weight of a label is that of the texts that have it, against those without it.

        Raises:
            DataError: no example has a label, or ``class_weight`` names one that does not occur.
        """
        counts: Counter[str] = Counter()
        total = 0
        for _, target in data:
            counts.update(label for labels in target.values for label in labels)
            total += len(target)
        self.learn_classes(counts)
        self.thresholds = None
        if isinstance(self.class_weight, str):
            self.weights = [max(total - counts[label], 1) / counts[label] for label in self.classes]

    def logits(self, source: Vectors) -> Tensor:
        """(B, C), float32, before softmax and temperature."""
        return self.logits_of(source.tensor(self.device))

    def loss(self, source: Vectors, target: Labels | LabelSets) -> tuple[Tensor, Tensor]:
        """Summed negative log-likelihood in nats, with class weights and label smoothing, and B; shapes () and ().

        Of sets of labels it is that of all C decisions, the binary cross-entropy.

        Raises:
            DataError: the training split does not have one of the labels.
        """
        if isinstance(target, LabelSets):
            return self._loss_of_sets(self.logits(source), target)
        return self.loss_of(self.logits(source), target.values)

    def _loss_of_sets(self, logits: Tensor, target: LabelSets) -> tuple[Tensor, Tensor]:
        gold = torch.from_numpy(target.matrix(self.classes)).to(logits)  # (B, C)
        gold = gold * (1.0 - self.label_smoothing) + 0.5 * self.label_smoothing
        weight = self.get_buffer("weight") if self.weights is not None else None
        total = F.binary_cross_entropy_with_logits(logits, gold, pos_weight=weight, reduction="sum")
        return total, torch.tensor(float(len(target)), device=logits.device)

    @torch.no_grad()
    def separate_margins(self, source: Vectors) -> np.ndarray:
        return self.logits(source).cpu().double().numpy()  # (B, C)

    @torch.no_grad()
    def score(self, source: Vectors, target: Labels) -> np.ndarray:
        """Log-probability in nats of each gold label: (B,); unsmoothed; -inf for labels not seen in training."""
        log_probs = (self.logits(source) / self.temperature).log_softmax(-1).cpu().double().numpy()  # (B, C)
        columns = np.array([self.columns.get(label, -1) for label in target.values], dtype=np.int64)
        scores = log_probs[np.arange(len(columns)), columns]
        return np.where(columns < 0, -np.inf, scores)

    @torch.no_grad()
    def predict(self, source: Vectors) -> Predictions[Labels]:
        probabilities = (self.logits(source) / self.temperature).softmax(-1).cpu().numpy()  # (B, C)
        best = probabilities.argmax(-1)  # (B,)
        values = Labels([self.classes[i] for i in best])
        return Predictions(values, probabilities[np.arange(len(best)), best], probabilities, self.classes)

    def forward(self, source: Vectors) -> Labels:
        """The most probable label of each example; use ``loss`` to train."""
        return self.predict(source).values

    @torch.no_grad()
    def calibrate(self, dev: Data[Vectors]) -> None:
        """Set the temperature, from 0.05 to 20, under which the dev labels are most probable (Guo et al. 2017).

        Labels that were not seen in training are left out. If no label is left, the temperature is 1.
        """
        logits, gold = [], []
        for source, target in dev:
            rows, columns = self.known(target.values)
            logits.append(self.logits(source).cpu().double().numpy()[rows])  # (B, C)
            gold += columns
        self.temperature = fit_temperature(np.concatenate(logits), np.array(gold)) if gold else 1.0

    def state(self) -> State:
        state = super().state()
        if self.thresholds is not None:
            state.data["thresholds"] = self.thresholds.tolist()
        return state

    def load_state(self, state: State, version: int) -> None:
        super().load_state(state, version)
        thresholds = state.data.get("thresholds")
        self.thresholds = None if thresholds is None else np.array(thresholds)
