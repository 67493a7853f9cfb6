"""The hashing trick: n-grams to a fixed number of columns without a vocabulary (Weinberger et al. 2009)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

import scipy.sparse as sp
from annotated_types import Ge, Le

from nlpipe.classical.counting import Unit
from nlpipe.options import Positive
from nlpipe.stage import Representation
from nlpipe.wire import Tokens, Vectors


class Hashing(Representation[Tokens, Vectors]):
    """Counts of n-grams in columns chosen by a hash: nothing to fit, a model of fixed size.

    Options:
        ngrams: shortest and longest n-gram, ``[1, 2]`` for words and pairs of words
        unit: what n-grams are made of: words, characters of the text, or characters inside of words
        bits: 2 ** bits columns; fewer columns, more n-grams that share one
        signed: half of the n-grams count negative, so that those that share a column cancel out on average
        binary: count every n-gram once a text
        norm: scale each text to this length; null leaves it as it is
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
        if ngrams[0] > ngrams[1]:
            raise ValueError(
                f"ngrams: {list(ngrams)} will not do: the shortest comes first, [{ngrams[1]}, {ngrams[0]}]"
            )
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
        """The n-grams of one text, each as often as it stands there, spelled as scikit-learn spells them."""
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
