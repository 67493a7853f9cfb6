"""Batches of words to counts of n-grams, in one pass: of words, of the characters of a text, of those of each word."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from typing import Literal

import numpy as np
import scipy.sparse as sp

from nlpipe.classical.ngrams import Grams
from nlpipe.stage import State

Unit = Literal["word", "character", "character_in_word"]
"""What n-grams are made of; ``character_in_word`` never crosses words and shows where they begin and end."""

Sentences = Sequence[Sequence[str]]


class Counter(ABC):
    """Learns n-grams from batches as they pass, then counts them in those batches and in any other.

    Only numbers are kept of a batch: its words may be freed.

    Args:
        ngrams: the shortest and the longest n.
        minimum: n-grams that stand in fewer places may be forgotten at once.
    """

    def __init__(self, ngrams: tuple[int, int], minimum: int = 1) -> None:
        self.ngrams = ngrams
        self.minimum = minimum
        self.grams = Grams((), (), 0)
        self._symbols: list[np.ndarray] = []
        self._lengths: list[np.ndarray] = []

    @property
    def width(self) -> int:
        """Columns."""
        return self.grams.width

    @abstractmethod
    def read(self, sentences: Sentences) -> None:
        """Take note of a batch."""

    @abstractmethod
    def learned(self) -> Iterator[sp.csr_matrix]:
        """The counts (B, width) of every batch that was read; ``width`` is known from the first of them on."""

    @abstractmethod
    def count(self, sentences: Sentences) -> sp.csr_matrix:
        """The counts (B, width) of a batch, float64."""

    @abstractmethod
    def keep(self, kept: np.ndarray) -> None:
        """Forget the columns where ``kept``, (width,), is false."""

    @abstractmethod
    def names(self) -> list[str]:
        """What each column counts."""

    @abstractmethod
    def alphabet(self) -> dict[str, np.ndarray]:
        """The symbols as arrays."""

    @abstractmethod
    def load_alphabet(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back what ``alphabet`` gave."""

    def state(self) -> State:
        """The symbols and their n-grams as arrays."""
        keys = {f"keys.{n}": level for n, level in enumerate(self.grams.keys, start=2)}
        columns = {f"columns.{n}": level for n, level in enumerate(self.grams.columns, start=1)}
        return State({**self.alphabet(), **keys, **columns}, {"width": self.width, "levels": len(columns)})

    def load_state(self, state: State) -> None:
        """Take back what ``state`` gave."""
        levels = state.data["levels"]
        keys = tuple(state.arrays[f"keys.{n}"] for n in range(2, levels + 1))
        columns = tuple(state.arrays[f"columns.{n}"] for n in range(1, levels + 1))
        self.grams = Grams(keys, columns, state.data["width"])
        self.load_alphabet(state.arrays)

    def _learned(self, symbols: np.ndarray, known: int, whole: bool) -> Iterator[sp.csr_matrix]:
        """Learn from symbols (N,) in the order of their spelling, then count batch by batch."""
        lengths = np.concatenate([*self._lengths, _NONE])
        self.grams, nodes = Grams.learn(symbols, lengths, known, self.ngrams, self.minimum, whole)
        start = 0
        for batch in self._lengths:
            end = start + int(batch.sum())
            yield self.grams.count([level[start:end] for level in nodes], batch)
            start = end
        self._lengths = []


class WordCounter(Counter):
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
        found = map(self.numbers.get, chain.from_iterable(sentences), repeat(-1))
        return np.fromiter(found, dtype=np.int32, count=int(lengths.sum()))

    def learned(self) -> Iterator[sp.csr_matrix]:
        words = sorted(self.numbers)
        ranks = np.empty(len(words) + 1, dtype=np.int32)
        ranks[np.fromiter(map(self.numbers.__getitem__, words), dtype=np.int64, count=len(words))] = np.arange(
            len(words), dtype=np.int32
        )
        self.numbers = dict(zip(words, range(len(words)), strict=True))
        symbols = ranks[np.concatenate([*self._symbols, _NONE.astype(np.int32)])]
        self._symbols = []
        yield from self._learned(symbols, len(words), whole=False)

    def count(self, sentences: Sentences) -> sp.csr_matrix:
        lengths = _lengths(sentences)
        return self.grams.count(self.grams.find(self._look_up(sentences, lengths), lengths), lengths)

    def keep(self, kept: np.ndarray) -> None:
        self.grams, useful = self.grams.keep(kept)
        words = [word for word, use in zip(self.numbers, useful.tolist(), strict=True) if use]
        self.numbers = dict(zip(words, range(len(words)), strict=True))

    def names(self) -> list[str]:
        return self.grams.names(list(self.numbers), " ")

    def alphabet(self) -> dict[str, np.ndarray]:
        spelled = [word.encode("utf-8", "surrogatepass") for word in self.numbers]
        ends = np.cumsum([len(word) for word in spelled], dtype=np.int64)
        return {"words": np.frombuffer(b"".join(spelled), dtype=np.uint8), "ends": ends}

    def load_alphabet(self, arrays: dict[str, np.ndarray]) -> None:
        spelled, ends = arrays["words"].tobytes(), arrays["ends"].tolist()
        bounds = zip([0, *ends], ends, strict=False)
        words = [spelled[start:end].decode("utf-8", "surrogatepass") for start, end in bounds]
        self.numbers = dict(zip(words, range(len(words)), strict=True))


class CharacterCounter(Counter):
    """N-grams of characters: of the words of a text joined by spaces.

    Args:
        ngrams, minimum: as for every counter.
        whole: a text shorter than the shortest n counts as it is.
    """

    def __init__(self, ngrams: tuple[int, int], minimum: int = 1, whole: bool = False) -> None:
        super().__init__(ngrams, minimum)
        self.whole = whole
        self.characters = np.zeros(0, dtype=np.uint32)  # in order

    def read(self, sentences: Sentences) -> None:
        self.read_texts([" ".join(words) for words in sentences])

    def read_texts(self, texts: Sequence[str]) -> None:
        """Take note of a batch of strings."""
        self._symbols.append(_code_points(texts))
        self._lengths.append(_lengths(texts))

    def learned(self) -> Iterator[sp.csr_matrix]:
        codes = np.concatenate([*self._symbols, self.characters])
        self._symbols = []
        self.characters, symbols = np.unique(codes, return_inverse=True)
        yield from self._learned(symbols.astype(np.int32), len(self.characters), self.whole)

    def count(self, sentences: Sentences) -> sp.csr_matrix:
        return self.count_texts([" ".join(words) for words in sentences])

    def count_texts(self, texts: Sequence[str]) -> sp.csr_matrix:
        """The counts (B, width) of a batch of strings."""
        codes = _code_points(texts)
        symbols = np.searchsorted(self.characters, codes).astype(np.int32)
        inside = symbols < len(self.characters)
        inside[inside] = self.characters[symbols[inside]] == codes[inside]
        symbols[~inside] = -1
        lengths = _lengths(texts)
        return self.grams.count(self.grams.find(symbols, lengths), lengths)

    def keep(self, kept: np.ndarray) -> None:
        self.grams, useful = self.grams.keep(kept)
        self.characters = self.characters[useful]

    def names(self) -> list[str]:
        return self.grams.names([chr(code) for code in self.characters.tolist()], "")

    def alphabet(self) -> dict[str, np.ndarray]:
        return {"characters": self.characters}

    def load_alphabet(self, arrays: dict[str, np.ndarray]) -> None:
        self.characters = arrays["characters"]


class InsideWordCounter(CharacterCounter):
    """N-grams of the characters of each word with a space before and behind it, as fastText and ``char_wb`` have them.

    Each distinct word is looked at once: counts of words (B, words) times what is in a word (words, width).
    """

    def __init__(self, ngrams: tuple[int, int], minimum: int = 1) -> None:
        super().__init__(ngrams, 1, whole=True)  # how often a word's n-grams occur is not known while it is read
        self._words = WordCounter((1, 1))

    def read(self, sentences: Sentences) -> None:
        self._words.read(sentences)

    def learned(self) -> Iterator[sp.csr_matrix]:
        of_words = self._words.learned()
        first = next(of_words, None)
        self.read_texts([f" {word} " for word in self._words.numbers])
        (inside,) = super().learned()
        self._lengths = []
        if first is not None:
            for counts in chain([first], of_words):
                yield _product(counts, inside)
        self._words = WordCounter((1, 1))

    def count(self, sentences: Sentences) -> sp.csr_matrix:
        words = WordCounter((1, 1))
        words.read(sentences)
        (counts,) = words.learned()
        return _product(counts, self.count_texts([f" {word} " for word in words.numbers]))


def counter(unit: Unit, ngrams: tuple[int, int], minimum: int = 1) -> Counter:
    """The counter of one kind of n-grams."""
    kinds: dict[Unit, type[Counter]] = {
        "word": WordCounter,
        "character": CharacterCounter,
        "character_in_word": InsideWordCounter,
    }
    return kinds[unit](ngrams, minimum)


_NONE = np.zeros(0, dtype=np.int64)


def _lengths(sentences: Sequence[Sequence[str]] | Sequence[str]) -> np.ndarray:
    return np.fromiter(map(len, sentences), dtype=np.int64, count=len(sentences))


def _code_points(texts: Sequence[str]) -> np.ndarray:
    return np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def _product(left: sp.csr_matrix, right: sp.csr_matrix) -> sp.csr_matrix:
    counts = left @ right
    counts.sort_indices()
    return counts
