"""Tf-idf: counts weighed by how rare an n-gram is (Spärck Jones 1972); scikit-learn's TfidfVectorizer.

Columns and values are TfidfVectorizer's; the counting is that of ``bow``.
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
    """Counts of n-grams, the rarer in the training texts the weightier.

    Options:
        ngrams: shortest and longest n-gram, ``[1, 2]`` for words and pairs of words
        unit: what n-grams are made of: words, characters of the text, or characters inside of words
        min_count: leave out n-grams that stand in fewer training texts (a number, or a share below 1)
        max_count: leave out n-grams that stand in a larger share of the training texts
        max_features: keep only this many, the most frequent
        select: keep only this many, those that depend most on the label by a chi-squared test of the counts
        binary: count every n-gram once a text
        stop_words: words to leave out before n-grams are made: a list, or ``english`` for scikit-learn's list
        sublinear: 1 + log(count) in place of the count
        idf: weigh by rarity; without it, counts are only scaled to ``norm``
        smooth: as if one text more had every n-gram once
        norm: scale each text to this length; null leaves it as it is
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
        """Learn idf = ln((1 + texts) / (1 + texts with it)) + 1, without the ones inside if not ``smooth``."""
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
