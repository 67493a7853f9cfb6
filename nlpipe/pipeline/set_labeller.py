"""A head of one label a text, as one that gives any number of labels: how the same heads serve multi-label tasks."""

from __future__ import annotations

import numpy as np

from nlpipe.capabilities import LabelsSeparately, able
from nlpipe.classical.label_sets import choose_thresholds, predict_sets
from nlpipe.predictions import Predictions
from nlpipe.stage import Data, Head, LabelHead
from nlpipe.wire import LabelSets, Vectors


class SetLabeller(Head[Vectors, LabelSets]):
    """A head that decides on each label by itself, with thresholds chosen on dev.

    Options:
        head: it keeps all that is learnt, thresholds included.
    """

    def __init__(self, head: LabelHead) -> None:
        separate = able(head, LabelsSeparately)
        assert separate is not None, head
        self.head = separate

    @property
    def answers(self) -> tuple[str, ...]:
        return self.head.classes

    def fit(self, data: Data[Vectors]) -> None:
        self.head.fit_separately(data)

    def calibrate(self, dev: Data[Vectors]) -> None:
        """Choose the threshold of each label; without a dev split they are 0, a probability of 0.5."""
        batches = list(dev)
        if batches:
            margins = np.concatenate([self.head.separate_margins(source) for source, _ in batches])  # (N, C)
            gold = LabelSets.concat([target for _, target in batches])
            self.head.thresholds = choose_thresholds(margins, gold.matrix(self.head.classes))

    def predict(self, source: Vectors) -> Predictions[LabelSets]:
        margins = self.head.separate_margins(source)  # (B, C)
        return predict_sets(margins, self.head.thresholds, self.head.classes, self.head.probabilities_from_margins)
