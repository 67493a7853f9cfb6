"""Pretrained word vectors (GloVe, word2vec, fastText's .vec format) from a wheel or a file."""

from __future__ import annotations

from typing import Literal

from nlpipe.classical.vector_files import read_vectors
from nlpipe.classical.word_vectors import WordCounts, WordVectors
from nlpipe.options import Count, FileName
from nlpipe.stage import Data
from nlpipe.wire import Tokens


class Static(WordVectors):
    """Pretrained word vectors, fixed or trained further.

    The table, which is part of the saved model, contains the words of the training split and the ``max_words`` most
    frequent words of the source (files list frequent words first). New texts therefore have few unknown words, and a
    saved model does not need the source. If ``trainable`` is set, only words of the training split are trained.

    Options:
        vectors: glove_6b_50d, or a file: word2vec (.bin), text (.txt, .vec, also .gz), array (.npy, words in .txt).
        max_words: number of the most frequent words of the source to keep besides the training words; null: all.
        lowercase: whether to look up a word in lower case if it has no vector.
        trainable: whether the vectors are trained with the pipeline.
        unknown: vector for words that have none: the mean of all vectors, or zeros.
        weights: weights by which vectors are multiplied, for averages: idf or sif; null: none.
    """

    seeded = False

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
        counts = WordCounts.of(words for tokens, _ in data for words in tokens.words)
        training_words = set(counts.words)
        if self.lowercase:
            training_words |= {word.lower() for word in training_words}

        def select(word: str, index: int) -> bool:
            return self.max_words is None or index < self.max_words or word in training_words

        words, vectors = read_vectors(self.source, select)
        order = sorted(range(len(words)), key=lambda i: words[i] not in training_words)  # rows to train come first
        learned = sum(word in training_words for word in words)
        self.set_vectors([words[i] for i in order], vectors[order], learned, counts)
