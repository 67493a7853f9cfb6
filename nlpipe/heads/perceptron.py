"""The averaged perceptron: a linear classifier that learns from its mistakes.

Freund and Schapire 1999, "Large Margin Classification Using the Perceptron Algorithm"; for tagging Collins 2002,
"Discriminative Training Methods for Hidden Markov Models" (without the Markov model: each word alone).
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from nlpipe.capabilities import Margins
from nlpipe.classical.examples import gather, need_memory
from nlpipe.classical.linear import Linear
from nlpipe.options import Positive
from nlpipe.stage import Data, Predictions
from nlpipe.wire import Labels, Vectors


class Perceptron(Linear, Margins):
    """The averaged perceptron: fast to learn from many sparse features, without probabilities.

    The weights that it answers with are the mean of those after every example. The order of the examples is shuffled
    anew in each epoch, by the seed.

    Options:
        epochs: times through the training split.
    """

    def __init__(self, epochs: Positive = 10) -> None:
        self.epochs = epochs

    def fit(self, data: Data[Vectors]) -> None:
        """Learn weights.

        Raises:
            DataError: fewer than two labels, or no features.
        """
        examples = gather(data)
        self.classes = examples.classes
        rows = sp.csr_matrix(examples.matrix)
        need_memory(rows.shape[1] + 1, len(self.classes), tables=2)
        columns, values, ends = rows.indices, rows.data.astype(np.float64), rows.indptr
        weights = np.zeros((rows.shape[1] + 1, len(self.classes)))  # (D + 1, C), the last row for the offsets
        late = np.zeros_like(weights)  # each change times the examples seen before it
        seen = 0
        random = np.random.default_rng(self.seed)
        for _ in range(self.epochs):
            mistakes = 0
            for i in random.permutation(len(examples.codes)):
                start, end = ends[i], ends[i + 1]
                used, by = columns[start:end], values[start:end]
                margins = by @ weights[used] + weights[-1]  # (C,)
                said, true = int(margins.argmax()), int(examples.codes[i])
                if said != true:
                    mistakes += 1
                    for code, sign in ((true, 1.0), (said, -1.0)):
                        weights[used, code] += sign * by
                        late[used, code] += sign * seen * by
                        weights[-1, code] += sign
                        late[-1, code] += sign * seen
                seen += 1
            if not mistakes:
                break
        late /= seen
        weights -= late  # in place: with thousands of labels a table is gigabytes
        self.weights, self.offsets = weights[:-1], weights[-1].copy()

    def predict(self, source: Vectors) -> Predictions[Labels]:
        best = self.margins(source).argmax(1)  # (B,)
        return Predictions(Labels([self.classes[code] for code in best.tolist()]), classes=self.classes)
