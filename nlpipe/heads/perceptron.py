"""The averaged perceptron: a linear classifier whose weights change whenever it predicts a wrong label.

Freund and Schapire 1999, "Large Margin Classification Using the Perceptron Algorithm". For tagging: Collins 2002,
"Discriminative Training Methods for Hidden Markov Models", here without transitions between tags.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from nlpipe.capabilities import Margins
from nlpipe.classical.examples import gather, need_memory
from nlpipe.classical.linear import Linear
from nlpipe.options import Positive
from nlpipe.predictions import Predictions
from nlpipe.stage import Data
from nlpipe.wire import Labels, Vectors


class Perceptron(Linear, Margins):
    """The averaged perceptron: trains fast on many sparse features and gives no probabilities.

    Its final weights are the mean of the weights after each training example. The examples are shuffled in each epoch,
    determined by the seed. Training stops early after an epoch without a wrong prediction.

    Options:
        epochs: maximum number of passes over the training split.
    """

    probabilities_from_margins = False

    def __init__(self, epochs: Positive = 10) -> None:
        self.epochs = epochs

    def fit(self, data: Data[Vectors]) -> None:
        """Learn the weights.

        Raises:
            DataError: fewer than two labels, no features, or too many weights for the memory of this machine.
        """
        examples = gather(data)
        self.classes, self.columns = examples.classes, examples.columns
        rows = sp.csr_matrix(examples.matrix)
        need_memory(rows.shape[1] + 1, len(self.classes), tables=2)
        columns, values, boundaries = rows.indices, rows.data.astype(np.float64), rows.indptr
        weights = np.zeros((rows.shape[1] + 1, len(self.classes)))  # (D + 1, C), the last row for the offsets
        # The mean over time is the final weights minus each update times the share of examples seen before it
        weighted_updates = np.zeros_like(weights)
        seen = 0
        random = np.random.default_rng(self.seed)
        for _ in range(self.epochs):
            mistakes = 0
            for i in random.permutation(len(examples.codes)):
                start, end = boundaries[i], boundaries[i + 1]
                indices, features = columns[start:end], values[start:end]
                margins = features @ weights[indices] + weights[-1]  # (C,)
                predicted, gold = int(margins.argmax()), int(examples.codes[i])
                if predicted != gold:
                    mistakes += 1
                    for code, sign in ((gold, 1.0), (predicted, -1.0)):
                        weights[indices, code] += sign * features
                        weighted_updates[indices, code] += sign * seen * features
                        weights[-1, code] += sign
                        weighted_updates[-1, code] += sign * seen
                seen += 1
            if not mistakes:
                break
        weighted_updates /= seen
        weights -= weighted_updates  # in place, because with thousands of labels a table takes gigabytes
        self.weights, self.offsets = weights[:-1], weights[-1].copy()

    def predict(self, source: Vectors) -> Predictions[Labels]:
        """The label with the largest margin; a perceptron has no probabilities."""
        best = self.margins(source).argmax(1)  # (B,)
        return Predictions(Labels([self.classes[code] for code in best.tolist()]), classes=self.classes)
