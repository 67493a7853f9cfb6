"""Word2Vec, trained on the training split with gensim.

Mikolov, Chen, Corrado, Dean 2013, "Efficient Estimation of Word Representations in Vector Space"; Mikolov, Sutskever,
Chen, Corrado, Dean 2013, "Distributed Representations of Words and Phrases and their Compositionality".
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable
from typing import Any, Literal

import gensim.models
import numpy as np
from gensim.models.callbacks import CallbackAny2Vec
from gensim.utils import RULE_DISCARD, RULE_KEEP

from nlpipe.classical.word_vectors import WordCounts, WordVectors
from nlpipe.options import NonNegativeFloat, Positive, PositiveFloat
from nlpipe.stage import Data
from nlpipe.wire import Tokens

LOG = logging.getLogger(__name__)

LONGEST = 10_000
"""Maximum number of words of a sentence in gensim, which ignores the others; longer texts are split."""


class Word2Vec(WordVectors):
    """Word vectors learned from the training split by Word2Vec (skip-gram or CBOW).

    The same texts, options and seed give the same vectors in every process. Words that occur fewer than ``min_count``
    times have no vector of their own.

    Options:
        dim: D, size of a word's vector.
        window: maximum distance, in words, between a word and the words that it predicts or that predict it.
        negative: number of noise words drawn for each true word.
        epochs: number of passes over the training split.
        min_count: how often a word must occur in the training split to have a vector.
        max_words: maximum number of words with a vector, the most frequent; null: no limit.
        algorithm: skip_gram predicts the context from the word (better on small data), cbow the word from its context.
        lr: initial learning rate; it decreases linearly to lr / 250.
        subsample: words with a larger share of the tokens are randomly left out; 0 keeps all.
        trainable: whether the vectors are trained further with the pipeline.
        unknown: vector for words that have none: the mean of all vectors, or zeros.
        weights: weights by which vectors are multiplied, for averages: idf or sif; null: none.
        workers: number of threads; with more than one, the vectors differ slightly between runs.
    """

    def __init__(
        self,
        dim: Positive = 100,
        window: Positive = 5,
        negative: Positive = 5,
        epochs: Positive = 10,
        min_count: Positive = 2,
        max_words: Positive | None = None,
        algorithm: Literal["skip_gram", "cbow"] = "skip_gram",
        lr: PositiveFloat = 0.025,
        subsample: NonNegativeFloat = 1e-3,
        trainable: bool = False,
        unknown: Literal["mean", "zero"] = "mean",
        weights: Literal["idf", "sif"] | None = None,
        workers: Positive = 1,
    ) -> None:
        super().__init__(trainable, unknown, weights)
        self.dim = dim
        self.window = window
        self.negative = negative
        self.epochs = epochs
        self.min_count = min_count
        self.max_words = max_words
        self.algorithm = algorithm
        self.lr = lr
        self.subsample = subsample
        self.workers = workers

    def fit(self, data: Data[Tokens]) -> None:
        unique: dict[str, str] = {}  # one string object for all occurrences of a word, to save memory
        sentences = [[unique.setdefault(w, w) for w in words] for tokens, _ in data for words in tokens.words]
        counts = WordCounts.of(sentences)
        if not any(count >= self.min_count for count in counts.words.values()):
            self.set_vectors([], np.zeros((0, self.dim), dtype=np.float32), 0, counts)
            return
        model = gensim.models.Word2Vec(
            sentences=[words[i : i + LONGEST] for words in sentences for i in range(0, len(words), LONGEST)],
            vector_size=self.dim,
            window=self.window,
            negative=self.negative,
            epochs=self.epochs,
            min_count=self.min_count,
            trim_rule=self._trim_rule(counts),
            sg=int(self.algorithm == "skip_gram"),
            alpha=self.lr,
            min_alpha=self.lr / 250,
            sample=self.subsample,
            seed=self.seed % 2**32,
            workers=self.workers,
            hashfxn=_stable_hash,
            callbacks=[_Progress(self.epochs)],
        )
        words: list[str] = list(model.wv.index_to_key)
        self.set_vectors(words, np.asarray(model.wv.vectors, dtype=np.float32), len(words), counts)

    def _trim_rule(self, counts: WordCounts) -> Callable[[str, int, int], int] | None:
        """Return gensim's rule that keeps the ``max_words`` most frequent words; None if there are not more."""
        frequent = [word for word, count in counts.words.items() if count >= self.min_count]
        if self.max_words is None or len(frequent) <= self.max_words:
            return None
        vocabulary = set(sorted(frequent, key=lambda word: (-counts.words[word], word))[: self.max_words])
        return lambda word, count, min_count: RULE_KEEP if word in vocabulary else RULE_DISCARD


def _stable_hash(text: str) -> int:
    """Return the same number for a text in every process, unlike ``hash``."""
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))


class _Progress(CallbackAny2Vec):  # type: ignore[misc]
    """Logs the end of each epoch."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.done = 0

    def on_epoch_end(self, model: Any) -> None:
        self.done += 1
        LOG.info("word2vec: epoch %d of %d", self.done, self.epochs)
