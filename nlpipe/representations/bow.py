"""Bag of words: how often each n-gram occurs in a text.

The matrix and the order of its columns are those of scikit-learn's CountVectorizer. The counter works on numbers
instead of strings (``classical/ngrams.py``), in one pass over the batches, with less time and memory.
"""

from __future__ import annotations

import math
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import scipy.sparse as sp
from annotated_types import Gt, Lt

from nlpipe.classical.counting import Unit, check_ngrams, make_counter
from nlpipe.errors import DataError, NlpipeWarning, WiringError
from nlpipe.options import Fraction, Positive
from nlpipe.stage import Data, Representation, State
from nlpipe.wire import Labels, LabelSets, Tokens, Vectors

MinCount = Positive | Annotated[float, Gt(0.0), Lt(1.0)]
"""A number of texts, or a share of the texts."""


class BagOfWords(Representation[Tokens, Vectors]):
    """Counts of n-grams of words or characters.

    Options:
        ngrams: smallest and largest n, ``[1, 2]`` for single units and pairs.
        unit: unit of the n-grams: words, characters of the text, or characters within words.
        min_count: leave out n-grams that occur in fewer training texts (a number, or a share below 1).
        max_count: leave out n-grams that occur in a larger share of the training texts.
        max_features: keep only this number of n-grams, the most frequent; null keeps all.
        select: keep only this number of n-grams, those with the highest chi-squared statistic for the label.
        binary: whether to count each n-gram at most once per text.
        stop_words: words to remove before n-grams are formed: a list, or ``english`` for scikit-learn's list.
    """

    seeded = False

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
        check_ngrams(ngrams)
        self.ngrams = ngrams
        self.unit = unit
        self.min_count = min_count
        self.max_count = max_count
        self.max_features = max_features
        self.select = select
        self.binary = binary
        self.stop_words = stop_words
        self.counter = make_counter(unit, ngrams)

    def names(self) -> list[str]:
        """Return the n-gram of each of the D columns."""
        return self.counter.names()

    def fit(self, data: Data[Tokens]) -> None:
        for _ in self.fit_forward(data):
            pass

    def fit_forward(self, data: Data[Tokens]) -> Iterator[Vectors]:
        """Learn the n-grams in one pass over ``data``, then yield the vectors of each batch.

        Raises:
            DataError: the training texts contain no n-gram, or the options exclude all of them.
        """
        minimum = self.min_count if isinstance(self.min_count, int) else 1
        self.counter = make_counter(self.unit, self.ngrams, minimum)
        targets = []
        spellings = self._other_spellings()
        occurring: set[str] = set()
        for source, target in data:
            if spellings:
                occurring.update(*map({*spellings, *spellings.values()}.intersection, source.words))
            self.counter.read(self._words(source))
            if self.select is not None:
                targets.append(target)
        for word, other in spellings.items():
            if other in occurring and word not in occurring:
                message = (
                    f"stop_words: {word!r} is not removed: no word of the training split is spelt so, as the tokenizer"
                )
                warnings.warn(
                    f"{message} changes words to lower case or NFC; write {other!r}", NlpipeWarning, stacklevel=2
                )
        batches = list(self.counter.learn())
        if self.binary:
            for batch in batches:
                batch.data.fill(1.0)
        self._remove_excluded(batches, targets)
        self.learn(batches)
        batches.reverse()
        while batches:
            yield Vectors(self.weigh(batches.pop()))

    def learn(self, batches: Sequence[sp.csr_matrix]) -> None:
        """Learn what ``weigh`` needs from the counts of the training batches, each (B, D)."""

    def weigh(self, counts: sp.csr_matrix) -> sp.csr_matrix:
        """Turn counts (B, D) into the output of the stage, (B, D); may change ``counts`` in place."""
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
        self.counter = make_counter(self.unit, self.ngrams)
        self.counter.load_state(state)

    def _other_spellings(self) -> dict[str, str]:
        """Each stop word of a list that a tokenizer may change, to what it becomes."""
        listed = self.stop_words if isinstance(self.stop_words, list) else []
        spellings = {word: unicodedata.normalize("NFC", word).lower() for word in listed}
        return {word: other for word, other in spellings.items() if word != other}

    def _words(self, source: Tokens) -> list[list[str]]:
        if self.stop_words is None:
            return source.words
        if self.stop_words == "english":
            from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

            stop_words = ENGLISH_STOP_WORDS
        else:
            stop_words = frozenset(self.stop_words)
        return [[word for word in words if word not in stop_words] for words in source.words]

    def _remove_excluded(self, batches: list[sp.csr_matrix], targets: list[Any]) -> None:
        """Remove the n-grams that the options exclude from the counter and, in place, from the training batches."""
        texts = sum(batch.shape[0] for batch in batches)
        if self.counter.width == 0:
            pruned = f", or no n-gram occurs in min_count={self.min_count} of them" if self.min_count != 1 else ""
            raise DataError(f"no features: all {texts} texts are empty after tokenisation{pruned}")
        minimum = self.min_count if isinstance(self.min_count, int) else self.min_count * texts
        mask = np.ones(self.counter.width, dtype=bool)
        if minimum > 1 or self.max_count < 1.0:
            frequency = document_frequency(batches)
            mask = (frequency >= minimum) & (frequency <= self.max_count * texts)
        if self.max_features is not None and mask.sum() > self.max_features:
            totals = sum(np.bincount(batch.indices, batch.data, self.counter.width) for batch in batches)
            totals = np.where(mask, totals, -math.inf)
            mask[np.argsort(-totals, kind="stable")[self.max_features :]] = False
        if not mask.any():
            raise DataError(
                f"no features: none of {len(mask)} n-grams in {texts} texts is left; lower min_count={self.min_count} "
                f"or raise max_count={self.max_count}"
            )
        self._keep_columns(batches, mask)
        if self.select is not None and self.select < self.counter.width:
            self._keep_columns(batches, self._select_by_labels(batches, targets, self.select))

    def _keep_columns(self, batches: list[sp.csr_matrix], mask: np.ndarray) -> None:
        """Remove the columns where ``mask`` (D,) is false."""
        if mask.all():
            return
        self.counter.select(mask)
        numbers = np.cumsum(mask) - 1
        for i, batch in enumerate(batches):
            entries = mask[batch.indices]
            indices = numbers[batch.indices[entries]].astype(np.int32)
            bounds = np.concatenate([[0], np.cumsum(entries)])[batch.indptr]  # (B + 1,)
            batches[i] = sp.csr_matrix((batch.data[entries], indices, bounds), (batch.shape[0], self.counter.width))

    def _select_by_labels(self, batches: Sequence[sp.csr_matrix], targets: Sequence[Any], select: int) -> np.ndarray:
        """(D,): whether a column is one of the ``select`` columns that depend most on the labels."""
        from sklearn.feature_selection import SelectKBest, chi2

        if all(isinstance(target, LabelSets) for target in targets):
            counts = sp.vstack(batches, format="csr")
            sets = LabelSets.concat(list(targets))
            labels = sorted({label for own in sets.values for label in own})
            dependence = np.zeros(counts.shape[1])  # (D,) of the label that depends most on the column
            for has in sets.matrix(labels).T:
                if has.any() and not has.all():
                    dependence = np.maximum(dependence, np.nan_to_num(chi2(counts, has)[0]))
            mask = np.zeros(len(dependence), dtype=bool)
            mask[np.argsort(-dependence, kind="stable")[:select]] = True
            return mask
        if not all(isinstance(target, Labels) for target in targets):
            raise WiringError(f"select={select} needs a label for each text; omit it for this task")
        labels = [value for target in targets for value in target.values]
        if len(set(labels)) < 2:
            raise DataError(f"select={select} needs at least two labels, but every text has {labels[0]!r}")
        selector = SelectKBest(chi2, k=select).fit(sp.vstack(batches, format="csr"), labels)
        return np.asarray(selector.get_support())


def document_frequency(batches: Sequence[sp.csr_matrix]) -> np.ndarray:
    """Return in how many rows of the batches each column is not zero, (D,)."""
    width = batches[0].shape[1]
    frequency = np.zeros(width, dtype=np.int64)
    for batch in batches:
        frequency += np.bincount(batch.indices, minlength=width)
    return frequency
