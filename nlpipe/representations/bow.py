"""Bag of words: how often each n-gram stands in a text; scikit-learn's CountVectorizer on words that are split already.

The matrix, its columns and their order are CountVectorizer's. It is counted by numbers, not strings (``ngrams.py``),
in one pass over the batches, which takes a fraction of the time and memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import scipy.sparse as sp
from annotated_types import Gt, Lt

from nlpipe.classical.counting import Unit, counter
from nlpipe.errors import DataError, WiringError
from nlpipe.options import Fraction, Positive
from nlpipe.stage import Data, Representation, State
from nlpipe.wire import Labels, Tokens, Vectors

MinCount = Positive | Annotated[float, Gt(0.0), Lt(1.0)]
"""A number of texts, or the share of them."""


class BagOfWords(Representation[Tokens, Vectors]):
    """Counts of n-grams of words or characters.

    Options:
        ngrams: shortest and longest n-gram, ``[1, 2]`` for words and pairs of words
        unit: what n-grams are made of: words, characters of the text, or characters inside of words
        min_count: leave out n-grams that stand in fewer training texts (a number, or a share below 1)
        max_count: leave out n-grams that stand in a larger share of the training texts
        max_features: keep only this many, the most frequent
        select: keep only this many, those that depend most on the label by a chi-squared test
        binary: count every n-gram once a text
        stop_words: words to leave out before n-grams are made: a list, or ``english`` for scikit-learn's list
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
    ) -> None:
        if ngrams[0] > ngrams[1]:
            raise ValueError(
                f"ngrams: {list(ngrams)} will not do: the shortest comes first, [{ngrams[1]}, {ngrams[0]}]"
            )
        self.ngrams = ngrams
        self.unit = unit
        self.min_count = min_count
        self.max_count = max_count
        self.max_features = max_features
        self.select = select
        self.binary = binary
        self.stop_words = stop_words
        self.counter = counter(unit, ngrams)

    def names(self) -> list[str]:
        """What each of the D columns counts, in order."""
        return self.counter.names()

    def fit(self, data: Data[Tokens]) -> None:
        for _ in self.fit_forward(data):
            pass

    def fit_forward(self, data: Data[Tokens]) -> Iterator[Vectors]:
        """One pass over ``data``; of each batch only numbers are kept.

        Raises:
            DataError: there is no n-gram to count.
        """
        minimum = self.min_count if isinstance(self.min_count, int) else 1
        self.counter = counter(self.unit, self.ngrams, minimum)
        targets = []
        for source, target in data:
            self.counter.read(self._words(source))
            if self.select is not None:
                targets.append(target)
        batches = list(self.counter.learned())
        if self.binary:
            for batch in batches:
                batch.data.fill(1.0)
        self._limit(batches, targets)
        self.learn(batches)
        batches.reverse()
        while batches:
            yield Vectors(self.weigh(batches.pop()))

    def learn(self, batches: Sequence[sp.csr_matrix]) -> None:
        """Learn from the final counts of the training batches what ``weigh`` needs."""

    def weigh(self, counts: sp.csr_matrix) -> sp.csr_matrix:
        """Counts (B, D) to what the stage gives; may change ``counts``."""
        return counts

    def build(self, width: int) -> int:
        return self.counter.width

    def forward(self, source: Tokens) -> Vectors:
        counts = self.counter.count(self._words(source))
        if self.binary:
            counts.data.fill(1.0)
        return Vectors(self.weigh(counts))

    def state(self) -> State:
        return self.counter.state()

    def load_state(self, state: State, version: int) -> None:
        super().load_state(state, version)
        self.counter = counter(self.unit, self.ngrams)
        self.counter.load_state(state)

    def _words(self, source: Tokens) -> list[list[str]]:
        if self.stop_words is None:
            return source.words
        if self.stop_words == "english":
            from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

            stopped = ENGLISH_STOP_WORDS
        else:
            stopped = frozenset(self.stop_words)
        return [[word for word in words if word not in stopped] for words in source.words]

    def _limit(self, batches: list[sp.csr_matrix], targets: list[Any]) -> None:
        """Leave out what the options say, of the counter and, in place, of the counts of the training batches."""
        texts = sum(batch.shape[0] for batch in batches)
        if self.counter.width == 0:
            pruned = f", or no n-gram stands in min_count={self.min_count} of them" if self.min_count != 1 else ""
            raise DataError(f"no features: every one of {texts} texts is empty after tokenisation{pruned}")
        least = self.min_count if isinstance(self.min_count, int) else self.min_count * texts
        kept = np.ones(self.counter.width, dtype=bool)
        if least > 1 or self.max_count < 1.0:
            frequency = document_frequency(batches)
            kept = (frequency >= least) & (frequency <= self.max_count * texts)
        if self.max_features is not None and kept.sum() > self.max_features:
            totals = sum(np.bincount(batch.indices, batch.data, self.counter.width) for batch in batches)
            totals = np.where(kept, totals, -math.inf)
            kept[np.argsort(-totals, kind="stable")[self.max_features :]] = False
        if not kept.any():
            raise DataError(
                f"no features are left of {len(kept)} in {texts} texts: lower min_count={self.min_count} "
                f"or raise max_count={self.max_count}"
            )
        self._keep(batches, kept)
        if self.select is not None and self.select < self.counter.width:
            self._keep(batches, self._dependent(batches, targets, self.select))

    def _keep(self, batches: list[sp.csr_matrix], kept: np.ndarray) -> None:
        if kept.all():
            return
        self.counter.keep(kept)
        numbers = np.cumsum(kept) - 1
        for i, batch in enumerate(batches):
            stays = kept[batch.indices]
            indices = numbers[batch.indices[stays]].astype(np.int32)
            bounds = np.concatenate([[0], np.cumsum(stays)])[batch.indptr]  # (B + 1,)
            batches[i] = sp.csr_matrix((batch.data[stays], indices, bounds), shape=(batch.shape[0], self.counter.width))

    def _dependent(self, batches: Sequence[sp.csr_matrix], targets: Sequence[Any], select: int) -> np.ndarray:
        """(D,): whether a column is one of the ``select`` that depend most on the labels."""
        from sklearn.feature_selection import SelectKBest, chi2

        if not all(isinstance(target, Labels) for target in targets):
            raise WiringError(f"select={select} needs a label for each text; leave it out for this task")
        labels = [value for target in targets for value in target.values]
        if len(set(labels)) < 2:
            raise DataError(f"select={select} needs two labels or more, but every text has {labels[0]!r}")
        selector = SelectKBest(chi2, k=select).fit(sp.vstack(batches, format="csr"), labels)
        return np.asarray(selector.get_support())


def document_frequency(batches: Sequence[sp.csr_matrix]) -> np.ndarray:
    """(D,): in how many rows each column is not zero."""
    width = batches[0].shape[1]
    frequency = np.zeros(width, dtype=np.int64)
    for batch in batches:
        frequency += np.bincount(batch.indices, minlength=width)
    return frequency
