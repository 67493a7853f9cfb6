"""The most frequent label for every text: the baseline that every other classifier must exceed."""

from __future__ import annotations

import numpy as np

from nlpipe.classical.examples import answer, gather
from nlpipe.predictions import Predictions
from nlpipe.stage import Data, LabelHead, State
from nlpipe.wire import Labels, Vectors


class Majority(LabelHead):
    """Predicts the most frequent label of the training split; its probabilities are the shares of the labels.

    Options:
        none
    """

    seeded = False

    frequencies: np.ndarray = np.zeros(0)
    """(C,) share of each label in the training split."""

    def fit(self, data: Data[Vectors]) -> None:
        """Count the labels.

        Raises:
            DataError: fewer than two labels.
        """
        examples = gather(data)
        self.classes = examples.classes
        self.frequencies = examples.frequencies

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
