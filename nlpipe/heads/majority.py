"""The most frequent label for every text: the baseline that every other classifier must exceed."""

from __future__ import annotations

import numpy as np

from nlpipe.capabilities import LabelsSeparately
from nlpipe.classical.examples import answer, gather
from nlpipe.classical.label_sets import counts_of, joined
from nlpipe.predictions import Predictions
from nlpipe.stage import Data, LabelHead, State
from nlpipe.use_order import noting
from nlpipe.wire import Labels, Vectors


class Majority(LabelHead, LabelsSeparately):
    """Predicts the most frequent label of the training split; its probabilities are the shares of the labels.

    Where a text has any number of labels, it predicts those that at least half of the training examples have.

    Options:
        none
    """

    seeded = False

    frequencies: np.ndarray = np.zeros(0)
    """(C,) share of each label in the training split."""
    thresholds: np.ndarray | None = None

    def __init__(self) -> None:
        pass

    def fit(self, data: Data[Vectors]) -> None:
        """Count the labels.

        Raises:
            DataError: fewer than two labels.
        """
        examples = gather(data)
        self.classes = examples.classes
        self.frequencies = examples.frequencies

    @noting("fit")
    def fit_separately(self, data: Data[Vectors]) -> None:
        """Count the labels.

        Raises:
            DataError: no example has one.
        """
        _, sets = joined(data)
        counts = counts_of(sets)
        self.classes = tuple(sorted(counts))
        self.frequencies = np.array([counts[label] / len(sets) for label in self.classes])

    def separate_margins(self, source: Vectors) -> np.ndarray:
        with np.errstate(divide="ignore"):
            odds = np.log(self.frequencies) - np.log1p(-self.frequencies)  # (C,)
        return np.tile(odds, (len(source), 1))

    def build(self, width: int) -> int:
        return len(self.classes)

    def predict(self, source: Vectors) -> Predictions[Labels]:
        return answer(np.tile(self.frequencies, (len(source), 1)), self.classes)

    def state(self) -> State:
        return State({"frequencies": self.frequencies}, {"classes": list(self.classes)})

    def load_state(self, state: State, version: int) -> None:
        super().load_state(state, version)
        self.frequencies = state.arrays["frequencies"]
        self.classes = tuple(state.data["classes"])
