"""Counts of n-grams of words, of characters, or of characters within words; learned in one pass over batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import chain, compress, repeat
from typing import Literal

import numpy as np
import scipy.sparse as sp

from nlpipe.classical.ngrams import NgramTree
from nlpipe.stage import State

Unit = Literal["word", "character", "character_in_word"]
"""The unit of n-grams. Those of ``character_in_word`` do not cross words; spaces mark the start and end of a word."""

Sentences = Sequence[Sequence[str]]
"""A batch: B lists of words."""


class NgramCounter(ABC):
    """Learns the n-grams of the training batches, then counts them in these and other batches.

    Call ``read`` for each training batch, then ``learn``. Only numbers are stored, so the batches can be freed.

    Args:
        ngrams: the smallest and the largest n.
        minimum: n-grams with fewer occurrences may be left out while learning, to save memory.
    """

    def __init__(self, ngrams: tuple[int, int], minimum: int = 1) -> None:
        self.ngrams = ngrams
        self.minimum = minimum
        self.tree = NgramTree((), (), 0)
        self._symbols: list[np.ndarray] = []
        self._lengths: list[np.ndarray] = []

    @property
    def width(self) -> int:
        """Number of columns, D."""
        return self.tree.width

    @abstractmethod
    def read(self, sentences: Sentences) -> None:
        """Store a training batch."""

    @abstractmethod
    def learn(self) -> Iterator[sp.csr_matrix]:
        """Learn the n-grams; yield the counts (B, D) of each training batch. D is known after the first."""

    @abstractmethod
    def count(self, sentences: Sentences) -> sp.csr_matrix:
        """Return the counts (B, D) of a batch, float64."""

    @abstractmethod
    def select(self, mask: np.ndarray) -> None:
        """Remove the columns where ``mask`` (D,) is false."""

    @abstractmethod
    def names(self) -> list[str]:
        """Return the n-gram of each column."""

    @abstractmethod
    def alphabet(self) -> dict[str, np.ndarray]:
        """Return the symbols as arrays."""

    @abstractmethod
    def load_alphabet(self, arrays: dict[str, np.ndarray]) -> None:
        """Restore the symbols from what ``alphabet`` returned."""

    def state(self) -> State:
        """Return the symbols and the n-grams as arrays."""
        keys = {f"keys.{n}": level for n, level in enumerate(self.tree.keys, start=2)}
        columns = {f"columns.{n}": level for n, level in enumerate(self.tree.columns, start=1)}
        return State({**self.alphabet(), **keys, **columns}, {"width": self.width, "levels": len(columns)})

    def load_state(self, state: State) -> None:
        """Restore the counter from what ``state`` returned."""
        levels = state.data["levels"]
        keys = tuple(state.arrays[f"keys.{n}"] for n in range(2, levels + 1))
        columns = tuple(state.arrays[f"columns.{n}"] for n in range(1, levels + 1))
        self.tree = NgramTree(keys, columns, state.data["width"])
        self.load_alphabet(state.arrays)

    def _learn(self, symbols: np.ndarray, symbol_count: int, whole: bool) -> Iterator[sp.csr_matrix]:
        """Learn from symbols (N,) that are numbered in the order of their spelling, then count batch by batch."""
        lengths = np.concatenate([*self._lengths, _EMPTY])
        self.tree, nodes = NgramTree.learn(symbols, lengths, symbol_count, self.ngrams, self.minimum, whole)
        start = 0
        for batch in self._lengths:
            end = start + int(batch.sum())
            yield self.tree.count([level[start:end] for level in nodes], batch)
            start = end
        self._lengths = []


class WordCounter(NgramCounter):
    """N-grams of words."""

    def __init__(self, ngrams: tuple[int, int], minimum: int = 1) -> None:
        super().__init__(ngrams, minimum)
        self.numbers: dict[str, int] = {}

    def read(self, sentences: Sentences) -> None:
        lengths = _lengths(sentences)
        numbers = self.numbers
        for word in set(chain.from_iterable(sentences)):
            if word not in numbers:
                numbers[word] = len(numbers)
        self._symbols.append(self._look_up(sentences, lengths))
        self._lengths.append(lengths)

    def _look_up(self, sentences: Sentences, lengths: np.ndarray) -> np.ndarray:
        numbers = map(self.numbers.get, chain.from_iterable(sentences), repeat(-1))
        return np.fromiter(numbers, dtype=np.int32, count=int(lengths.sum()))

    def learn(self) -> Iterator[sp.csr_matrix]:
        words = sorted(self.numbers)
        ranks = np.empty(len(words) + 1, dtype=np.int32)
        ranks[np.fromiter(map(self.numbers.__getitem__, words), dtype=np.int64, count=len(words))] = np.arange(
            len(words), dtype=np.int32
        )
        self.numbers = dict(zip(words, range(len(words)), strict=True))
        symbols = ranks[np.concatenate([*self._symbols, _EMPTY.astype(np.int32)])]
        self._symbols = []
        yield from self._learn(symbols, len(words), whole=False)

    def count(self, sentences: Sentences) -> sp.csr_matrix:
        lengths = _lengths(sentences)
        return self.tree.count(self.tree.find(self._look_up(sentences, lengths), lengths), lengths)

    def select(self, mask: np.ndarray) -> None:
        self.tree, needed = self.tree.select(mask)
        words = list(compress(self.numbers, needed.tolist()))
        self.numbers = dict(zip(words, range(len(words)), strict=True))

    def names(self) -> list[str]:
        return self.tree.names(list(self.numbers), " ")

    def alphabet(self) -> dict[str, np.ndarray]:
        encoded = [word.encode("utf-8", "surrogatepass") for word in self.numbers]
        ends = np.cumsum([len(word) for word in encoded], dtype=np.int64)
        return {"words": np.frombuffer(b"".join(encoded), dtype=np.uint8), "ends": ends}

    def load_alphabet(self, arrays: dict[str, np.ndarray]) -> None:
        encoded, ends = arrays["words"].tobytes(), arrays["ends"].tolist()
        bounds = zip([0, *ends], ends, strict=False)
        words = [encoded[start:end].decode("utf-8", "surrogatepass") for start, end in bounds]
        self.numbers = dict(zip(words, range(len(words)), strict=True))


class CharacterCounter(NgramCounter):
    """N-grams of the characters of a text, which is its words joined by spaces.

    Args:
        ngrams: the smallest and the largest n.
        minimum: n-grams with fewer occurrences may be left out while learning.
        whole: whether a text that is shorter than the smallest n is a feature as a whole.
    """

    def __init__(self, ngrams: tuple[int, int], minimum: int = 1, whole: bool = False) -> None:
        super().__init__(ngrams, minimum)
        self.whole = whole
        self.characters = np.zeros(0, dtype=np.uint32)  # sorted code points

    def read(self, sentences: Sentences) -> None:
        self.read_texts([" ".join(words) for words in sentences])

    def read_texts(self, texts: Sequence[str]) -> None:
        """Store a training batch of B strings."""
        self._symbols.append(_code_points(texts))
        self._lengths.append(_lengths(texts))

    def learn(self) -> Iterator[sp.csr_matrix]:
        codes = np.concatenate([*self._symbols, self.characters])
        self._symbols = []
        self.characters, symbols = np.unique(codes, return_inverse=True)
        yield from self._learn(symbols.astype(np.int32), len(self.characters), self.whole)

    def count(self, sentences: Sentences) -> sp.csr_matrix:
        return self.count_texts([" ".join(words) for words in sentences])

    def count_texts(self, texts: Sequence[str]) -> sp.csr_matrix:
        """Return the counts (B, D) of a batch of strings."""
        codes = _code_points(texts)
        symbols = np.searchsorted(self.characters, codes).astype(np.int32)
        known = symbols < len(self.characters)
        known[known] = self.characters[symbols[known]] == codes[known]
        symbols[~known] = -1
        lengths = _lengths(texts)
        return self.tree.count(self.tree.find(symbols, lengths), lengths)

    def select(self, mask: np.ndarray) -> None:
        self.tree, needed = self.tree.select(mask)
        self.characters = self.characters[needed]

    def names(self) -> list[str]:
        return self.tree.names([chr(code) for code in self.characters.tolist()], "")

    def alphabet(self) -> dict[str, np.ndarray]:
        return {"characters": self.characters}

    def load_alphabet(self, arrays: dict[str, np.ndarray]) -> None:
        self.characters = arrays["characters"]


class CharacterInWordCounter(CharacterCounter):
    """N-grams of the characters of each word with a space before and after it, as in scikit-learn's ``char_wb``.

    Each distinct word is analysed once: the counts are the product of the word counts (B, words) and the counts of
    n-grams in each word (words, D).
    """

    def __init__(self, ngrams: tuple[int, int], minimum: int = 1) -> None:
        super().__init__(ngrams, 1, whole=True)  # each distinct word is read once, so the n-grams' counts are unknown
        self._words = WordCounter((1, 1))

    def read(self, sentences: Sentences) -> None:
        self._words.read(sentences)

    def learn(self) -> Iterator[sp.csr_matrix]:
        word_counts = self._words.learn()
        first = next(word_counts, None)
        self.read_texts([f" {word} " for word in self._words.numbers])
        (within_words,) = super().learn()
        self._lengths = []
        if first is not None:
            for counts in chain([first], word_counts):
                yield _product(counts, within_words)
        self._words = WordCounter((1, 1))

    def count(self, sentences: Sentences) -> sp.csr_matrix:
        words = WordCounter((1, 1))
        words.read(sentences)
        (counts,) = words.learn()
        return _product(counts, self.count_texts([f" {word} " for word in words.numbers]))


def make_counter(unit: Unit, ngrams: tuple[int, int], minimum: int = 1) -> NgramCounter:
    """Return a new counter for n-grams of ``unit``."""
    kinds: dict[Unit, type[NgramCounter]] = {
        "word": WordCounter,
        "character": CharacterCounter,
        "character_in_word": CharacterInWordCounter,
    }
    return kinds[unit](ngrams, minimum)


def check_ngrams(ngrams: tuple[int, int]) -> None:
    """Check the option ``ngrams`` of a stage.

    Raises:
        ValueError: the smallest n is larger than the largest.
    """
    low, high = ngrams
    if low > high:
        raise ValueError(f"ngrams: invalid value {[low, high]}: expected the smaller number first, [{high}, {low}]")


_EMPTY = np.zeros(0, dtype=np.int64)


def _lengths(sentences: Sequence[Sequence[str]] | Sequence[str]) -> np.ndarray:
    return np.fromiter(map(len, sentences), dtype=np.int64, count=len(sentences))


def _code_points(texts: Sequence[str]) -> np.ndarray:
    return np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def _product(left: sp.csr_matrix, right: sp.csr_matrix) -> sp.csr_matrix:
    counts = left @ right
    counts.sort_indices()
    return counts
