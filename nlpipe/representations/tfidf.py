"""TF-IDF: counts of n-grams, weighted by inverse document frequency (Spärck Jones 1972).

Columns and values are those of scikit-learn's TfidfVectorizer; the n-grams are counted as in ``bow``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import scipy.sparse as sp

from nlpipe.classical.counting import Unit
from nlpipe.options import Fraction, Positive
from nlpipe.representations.bow import BagOfWords, MinCount, document_frequency
from nlpipe.stage import State


class TfIdf(BagOfWords):
    """Counts of n-grams of words or characters, weighted by inverse document frequency.

    Options:
        ngrams: smallest and largest n, ``[1, 2]`` for single units and pairs.
        unit: unit of the n-grams: words, characters of the text, or characters within words.
        min_count: leave out n-grams that occur in fewer training texts (a number, or a share below 1).
        max_count: leave out n-grams that occur in a larger share of the training texts.
        max_features: keep only this number of n-grams, the most frequent; null keeps all.
        select: keep only this number of n-grams, those with the highest chi-squared statistic for the label.
        binary: whether to count each n-gram at most once per text.
        stop_words: words to remove before n-grams are formed: a list, or ``english`` for scikit-learn's list.
        sublinear: whether to replace each count by 1 + log(count).
        idf: whether to multiply by the inverse document frequency.
        smooth: whether to add 1 to the document frequencies, as if one more text contained every n-gram.
        norm: norm to which each vector is scaled to length 1; null: no scaling.
    """

    def __init__(
        self,
        ngrams: tuple[Positive, Positive] = (1, 1),
        unit: Unit = "word",
        min_count: MinCount = 1,
        max_count: Fraction = 1.0,
        max_features: Positive | None = None,
        select: Positive | None = None,
        binary: bool = False,
        stop_words: Literal["english"] | list[str] | None = None,
        sublinear: bool = False,
        idf: bool = True,
        smooth: bool = True,
        norm: Literal["l1", "l2"] | None = "l2",
    ) -> None:
        super().__init__(ngrams, unit, min_count, max_count, max_features, select, binary, stop_words)
        self.sublinear = sublinear
        self.idf = idf
        self.smooth = smooth
        self.norm = norm
        self.weights = np.zeros(0)

    def learn(self, batches: Sequence[sp.csr_matrix]) -> None:
        """Learn idf = ln((1 + n) / (1 + df)) + 1, with df of n texts; without ``smooth``, ln(n / df) + 1."""
        if self.idf:
            texts = sum(batch.shape[0] for batch in batches) + int(self.smooth)
            self.weights = np.log(texts / (document_frequency(batches) + float(self.smooth))) + 1.0  # (D,)

    def weigh(self, counts: sp.csr_matrix) -> sp.csr_matrix:
        from sklearn.preprocessing import normalize

        if self.sublinear:
            np.log(counts.data, out=counts.data)
            counts.data += 1.0
        if self.idf:
            counts.data *= self.weights[counts.indices]
        if self.norm is None or counts.shape[0] == 0:
            return counts
        return normalize(counts, norm=self.norm, copy=False)

    def state(self) -> State:
        state = super().state()
        state.arrays["idf"] = self.weights
        return state

    def load_state(self, state: State, version: int) -> None:
        super().load_state(state, version)
        self.weights = state.arrays["idf"]
