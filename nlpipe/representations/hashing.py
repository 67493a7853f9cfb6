"""The hashing trick: a hash function assigns n-grams to a fixed number of columns (Weinberger et al. 2009)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

import scipy.sparse as sp
from annotated_types import Ge, Le

from nlpipe.classical.counting import Unit, check_ngrams
from nlpipe.options import Positive
from nlpipe.stage import Representation
from nlpipe.wire import Tokens, Vectors


class Hashing(Representation[Tokens, Vectors]):
    """Counts of n-grams in columns that a hash function chooses: nothing is fitted, and the size is fixed.

    Options:
        ngrams: smallest and largest n, ``[1, 2]`` for single units and pairs.
        unit: unit of the n-grams: words, characters of the text, or characters within words.
        bits: the number of columns is 2 ** bits; with fewer columns, more n-grams share one.
        signed: whether half of the n-grams count -1, so that n-grams that share a column cancel out on average.
        binary: whether to count each n-gram at most once per text.
        norm: norm to which each vector is scaled to length 1; null: no scaling.
    """

    def __init__(
        self,
        ngrams: tuple[Positive, Positive] = (1, 1),
        unit: Unit = "word",
        bits: Annotated[int, Ge(1), Le(30)] = 20,
        signed: bool = True,
        binary: bool = False,
        norm: Literal["l1", "l2"] | None = "l2",
    ) -> None:
        check_ngrams(ngrams)
        self.ngrams = ngrams
        self.unit = unit
        self.bits = bits
        self.signed = signed
        self.binary = binary
        self.norm = norm

    def build(self, width: int) -> int:
        return int(2**self.bits)

    def forward(self, source: Tokens) -> Vectors:
        from sklearn.feature_extraction.text import HashingVectorizer

        if len(source) == 0:
            return Vectors(sp.csr_matrix((0, 2**self.bits)))
        vectorizer = HashingVectorizer(
            analyzer=self._ngrams,
            n_features=2**self.bits,
            alternate_sign=self.signed,
            binary=self.binary,
            norm=self.norm,
        )
        return Vectors(vectorizer.transform(source.words))

    def _ngrams(self, words: Sequence[str]) -> Iterator[str]:
        """Yield every occurrence of the n-grams of one text, in scikit-learn's spelling."""
        low, high = self.ngrams
        if self.unit == "word":
            for n in range(low, high + 1):
                yield from words if n == 1 else map(" ".join, zip(*(words[i:] for i in range(n)), strict=False))
            return
        texts = [" ".join(words)] if self.unit == "character" else [f" {word} " for word in words]
        for text in texts:
            for n in range(low, high + 1):
                yield from (text[i : i + n] for i in range(len(text) - n + 1))
            if self.unit == "character_in_word" and len(text) < low:
                yield text
