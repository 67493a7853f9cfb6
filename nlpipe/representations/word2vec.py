"""Word2Vec, trained in the pipeline on the words of its training split; gensim does the work.

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

from nlpipe.classical.word_vectors import Counts, Lookup
from nlpipe.options import NonNegativeFloat, Positive, PositiveFloat
from nlpipe.stage import Data
from nlpipe.wire import Tokens

LOG = logging.getLogger(__name__)

LONGEST = 10_000
"""Words of a sentence that gensim reads; it drops the rest in silence, so longer texts are given in pieces."""


class Word2Vec(Lookup):
    """Word vectors learned from the training split by Word2Vec (skip-gram or CBOW).

    The same texts, options and seed give the same vectors, in any process. Words seen fewer than ``min_count`` times
    have no vector of their own.

    Options:
        dim: D, numbers in a word's vector.
        window: words to each side that are predicted from the word (skip_gram) or predict it (cbow), at most.
        negative: noise words drawn for each true one.
        epochs: passes over the training split.
        min_count: times a word must stand in the training split to have a vector.
        max_words: most words with a vector, the commonest; null for no bound.
        algorithm: skip_gram predicts the words around, better on small data; cbow is predicted by them, faster.
        lr: learning rate at the start; it falls linearly to lr / 250.
        subsample: share of the tokens above which a word is left out now and then; 0 to keep every one.
        trainable: whether the pipeline trains the vectors further.
        unknown: vector of a word without one, the mean of all or zeros.
        weights: what a word's vector is multiplied by, for averages; null for nothing, idf, or sif.
        workers: threads; with more than one the vectors differ a little from run to run.
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
        once: dict[str, str] = {}  # each word kept once in memory, however often it stands there
        sentences = [[once.setdefault(w, w) for w in words] for tokens, _ in data for words in tokens.words]
        counts = Counts.of(sentences)
        if not any(count >= self.min_count for count in counts.words.values()):
            self.fill([], np.zeros((0, self.dim), dtype=np.float32), 0, counts)
            return
        model = gensim.models.Word2Vec(
            sentences=[words[i : i + LONGEST] for words in sentences for i in range(0, len(words), LONGEST)],
            vector_size=self.dim,
            window=self.window,
            negative=self.negative,
            epochs=self.epochs,
            min_count=self.min_count,
            trim_rule=self._trim(counts),
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
        self.fill(words, np.asarray(model.wv.vectors, dtype=np.float32), len(words), counts)

    def _trim(self, counts: Counts) -> Callable[[str, int, int], int] | None:
        """Which words gensim keeps, where there are more than ``max_words``; equal counts in alphabetical order."""
        often = [word for word, count in counts.words.items() if count >= self.min_count]
        if self.max_words is None or len(often) <= self.max_words:
            return None
        kept = set(sorted(often, key=lambda word: (-counts.words[word], word))[: self.max_words])
        return lambda word, count, least: RULE_KEEP if word in kept else RULE_DISCARD


def _stable_hash(text: str) -> int:
    """The same for a text in every process, unlike ``hash``."""
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))


class _Progress(CallbackAny2Vec):  # type: ignore[misc]
    """Says in the log when an epoch is over."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.done = 0

    def on_epoch_end(self, model: Any) -> None:
        self.done += 1
        LOG.info("word2vec: epoch %d of %d", self.done, self.epochs)
