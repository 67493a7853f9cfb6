"""Pretrained word vectors: GloVe, word2vec, fastText's .vec, from a wheel or a file."""

from __future__ import annotations

from typing import Literal

from nlpipe.classical.vector_files import read_vectors
from nlpipe.classical.word_vectors import Counts, Lookup
from nlpipe.options import Count, FileName
from nlpipe.stage import Data
from nlpipe.wire import Tokens


class Static(Lookup):
    """Pretrained word vectors, as they are or trained further.

    The table, and with it the saved model, holds the vectors of the words of the training split and of the commonest
    ``max_words`` of the source (files list the commonest first), so that new texts meet few unknown words and the
    model needs its source no more. Where it is trained, the words of the training split are; the others stay.

    Options:
        vectors: glove_6b_50d, or a file: word2vec (.bin), text (.txt, .vec; also .gz), array (.npy and words in .txt).
        max_words: how many of the source's commonest words are kept besides those of the training split; null for all.
        lowercase: whether a word that is not found is looked for in lower case.
        trainable: whether the pipeline trains the vectors further.
        unknown: vector of a word without one, the mean of all or zeros.
        weights: what a word's vector is multiplied by, for averages; null for nothing, idf, or sif.
    """

    def __init__(
        self,
        vectors: FileName = "glove_6b_50d",
        max_words: Count | None = 100_000,
        lowercase: bool = True,
        trainable: bool = False,
        unknown: Literal["mean", "zero"] = "mean",
        weights: Literal["idf", "sif"] | None = None,
    ) -> None:
        super().__init__(trainable, unknown, weights)
        self.source = vectors
        self.max_words = max_words
        self.lowercase = lowercase

    def fit(self, data: Data[Tokens]) -> None:
        counts = Counts.of(words for tokens, _ in data for words in tokens.words)
        seen = set(counts.words)
        if self.lowercase:
            seen |= {word.lower() for word in seen}
        most = self.max_words
        words, vectors = read_vectors(self.source, lambda word, place: most is None or place < most or word in seen)
        order = sorted(range(len(words)), key=lambda i: words[i] not in seen)  # the trained rows come first
        learned = sum(word in seen for word in words)
        self.fill([words[i] for i in order], vectors[order], learned, counts)
