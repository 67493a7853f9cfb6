"""Sparse features of a word and its neighbours, as classical taggers use them.

Ratinov and Roth 2009, "Design Challenges and Misconceptions in Named Entity Recognition". The features of a word are
computed once for each distinct word; everything else is done with numpy and SciPy.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from nlpipe.errors import DataError
from nlpipe.files import decode_utf8
from nlpipe.options import Count, FileName, Positive
from nlpipe.stage import Data, Representation, State
from nlpipe.wire import Sequences, Tokens
from nlpipe.writing_systems import UNSPACED

CACHE_SIZE = 200_000
"""Maximum number of distinct words whose features are cached."""
REPEATED, ONCE = re.compile(r"(.)\1+"), r"\1"
"""A character that is repeated, as in the shape ``Xxxx``, and its replacement."""
Gazetteer = dict[str, dict[int, set[tuple[str, ...]]]]
"""Names in lower case, as tuples of units: first unit to number of units (largest first) to the names."""
UNITS = re.compile(rf"[^\W{UNSPACED}]+|\S")
"""The units by which words and names are compared: a run of letters or digits, or any other single character.

A letter of a writing system without spaces is a unit. A name is therefore found however the tokenizer splits it:
``St. Gallen`` in ``St``, ``.``, ``Gallen``."""
BORDER = "\0"
"""The word that stands for the places before the first and after the last word of a text."""


@dataclass(frozen=True)
class WordFeatures:
    """The features of a word.

    Args:
        own: columns of its features.
        near: columns of its features as a neighbour.
        number: its number in pairs; -1 if it is in no known pair.
    """

    own: np.ndarray
    near: np.ndarray
    number: int


class Window(Representation[Tokens, Sequences]):
    """Sparse features of each word: word, shape and affixes, also of its neighbours, word pairs, and lists of names.

    The tokenizer should keep capital letters (``lowercase: false``).

    Options:
        window: number of neighbours on each side whose word, shape and affixes are features.
        affixes: maximum length of prefixes and suffixes, in characters.
        pairs: whether the pairs of a word and its neighbours are features.
        min_count: how often a feature must occur in the training split.
        gazetteers: text files with one name per line; the names become part of the saved model.
    """

    seeded = False

    def __init__(
        self,
        window: Count = 2,
        affixes: Count = 4,
        pairs: bool = True,
        min_count: Positive = 1,
        gazetteers: list[FileName] = [],  # noqa: B006 - a default that YAML can write; it is copied
    ) -> None:
        self.window = window
        self.affixes = affixes
        self.with_pairs = pairs
        self.min_count = min_count
        self.paths = list(gazetteers)
        self.own: dict[str, int] = {}
        """Features of the word itself, to their columns."""
        self.near: dict[str, int] = {}
        """Features of a neighbour, to their columns within the block of each neighbour."""
        self.numbers: dict[str, int] = {}
        """Words of ``pairs``, in lower case, to their numbers."""
        self.pairs = np.zeros(0, dtype=np.int64)
        """Keys of the known pairs, sorted: number of the first word times the number of words, plus the second."""
        self.gazetteers: list[Gazetteer] = []
        self._cache: dict[str, WordFeatures] = {}

    @property
    def width(self) -> int:
        """D."""
        return len(self.own) + 2 * self.window * len(self.near) + 2 * len(self.pairs) + 2 * len(self.gazetteers)

    def build(self, width: int) -> int:
        return self.width

    def fit(self, data: Data[Tokens]) -> None:
        """Learn which features occur.

        Raises:
            DataError: a gazetteer cannot be read or is empty.
        """
        self.gazetteers = [_read_gazetteer(path) for path in self.paths]
        words: Counter[str] = Counter()
        pairs: Counter[tuple[str, str]] = Counter()
        for source, _ in data:
            for sentence in source.words:
                words.update(sentence)
                if self.with_pairs:
                    pairs.update(pairwise([BORDER, *(word.lower() for word in sentence), BORDER]))
        own: Counter[str] = Counter()
        near: Counter[str] = Counter({"border": self.min_count})
        for word, count in words.items():
            names = self._feature_names(word)
            for name in names:
                own[name] += count
            for name in _neighbour_features(names):
                near[name] += count
        self.own, self.near = self._columns(own), self._columns(near)
        frequent = sorted(pair for pair, count in pairs.items() if count >= self.min_count)
        self.numbers = {word: i for i, word in enumerate(sorted({word for pair in frequent for word in pair}))}
        first, second = ([self.numbers[pair[i]] for pair in frequent] for i in (0, 1))
        self.pairs = np.sort(self._pair_keys(first, second))
        self._cache = {}

    def _columns(self, counts: Counter[str]) -> dict[str, int]:
        """Number the features that occur often enough, in alphabetical order."""
        return {name: i for i, name in enumerate(sorted(n for n, count in counts.items() if count >= self.min_count))}

    def _pair_keys(self, first: Sequence[int] | np.ndarray, second: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return the keys of N pairs, as in ``pairs``, from the numbers of their words; -1 if a word is unknown."""
        left, right = np.asarray(first, dtype=np.int64), np.asarray(second, dtype=np.int64)
        return np.where((left < 0) | (right < 0), -1, left * len(self.numbers) + right)

    def _feature_names(self, word: str) -> list[str]:
        """Return the names of all features of a word."""
        lower = word.lower()
        shape = _shape(word)
        names = [f"w={lower}", f"S={REPEATED.sub(ONCE, shape)}", f"s={shape}"]
        if word != lower:
            names.append(f"W={word}")
        for n in range(1, min(self.affixes, len(lower)) + 1):
            names += [f"p={lower[:n]}", f"e={lower[-n:]}"]
        if any(letter.isdigit() for letter in word):
            names.append("digit")
        if word.isupper() and len(word) > 1:
            names.append("capitals")
        if "-" in word:
            names.append("hyphen")
        return names

    def _features(self, word: str) -> WordFeatures:
        """Return the features of a word, from the cache if they are there."""
        features = self._cache.get(word)
        if features is None:
            names = ["border"] if word == BORDER else self._feature_names(word)
            own = sorted({self.own[name] for name in names if name in self.own})
            near = sorted({self.near[name] for name in _neighbour_features(names) if name in self.near})
            number = self.numbers.get(word.lower(), -1)
            features = WordFeatures(np.array(own, np.int32), np.array(near, np.int32), number)
            if len(self._cache) >= CACHE_SIZE:
                self._cache.clear()
            self._cache[word] = features
        return features

    def forward(self, source: Tokens) -> Sequences:
        lengths = source.lengths
        return Sequences(self._rows(source.words, lengths), lengths, source)

    def _rows(self, sentences: Sequence[list[str]], lengths: np.ndarray) -> sp.csr_matrix:
        """Return the features of all N words, (N, D), where N is the sum of T_b."""
        width = max(self.window, 1)
        border = [BORDER] * width
        padded = [word for words in sentences for word in (*border, *words, *border)]
        distinct = {word: i for i, word in enumerate(dict.fromkeys(padded))}
        indices = np.array([distinct[word] for word in padded], dtype=np.int64)  # into the U distinct words
        features = [self._features(word) for word in distinct]
        own = _indicators([word.own for word in features], len(self.own))  # (U, own)
        near = _indicators([word.near for word in features], len(self.near))  # (U, near)
        shifts = (2 * np.arange(len(lengths)) + 1) * width  # (B,) border words before the first word of each text
        positions = np.arange(lengths.sum()) + np.repeat(shifts, lengths)  # (N,) of each word in ``padded``
        offsets = [k for k in range(-self.window, self.window + 1) if k]
        parts = [own[indices[positions]], *(near[indices[positions + k]] for k in offsets)]
        if self.with_pairs:
            numbers = np.array([word.number for word in features], dtype=np.int64)[indices]
            for k in (-1, 0):
                parts.append(self._pair_rows(self._pair_keys(numbers[positions + k], numbers[positions + k + 1])))
        if self.gazetteers:
            parts.append(_gazetteer_rows(sentences, self.gazetteers))
        return sp.csr_matrix(sp.hstack(parts, format="csr", dtype=np.float32))

    def _pair_rows(self, keys: np.ndarray) -> sp.csr_matrix:
        """Return (N, pairs) with a one for each of N keys that is known."""
        columns = np.searchsorted(self.pairs, keys).clip(max=max(len(self.pairs) - 1, 0))
        known = self.pairs[columns] == keys if len(self.pairs) else np.zeros(len(keys), dtype=bool)
        ends = np.concatenate([[0], np.cumsum(known)])
        return sp.csr_matrix((np.ones(ends[-1], np.float32), columns[known], ends), shape=(len(keys), len(self.pairs)))

    def ledger(self, source: Tokens) -> dict[str, float]:
        words = [word for sentence in source.words for word in sentence]
        return {
            "tokens": len(words),
            "out_of_vocabulary": sum(f"w={word.lower()}" not in self.own for word in words),
            "truncated_tokens": 0,
        }

    def state(self) -> State:
        data = {
            "own": list(self.own), "near": list(self.near), "words": list(self.numbers),
            "names": [[list(name) for lengths in gazetteer.values() for n in lengths for name in sorted(lengths[n])]
                      for gazetteer in self.gazetteers],
        }  # fmt: skip
        return State({"pairs": self.pairs}, data)

    def load_state(self, state: State, version: int) -> None:
        super().load_state(state, version)
        self.own = {name: i for i, name in enumerate(state.data["own"])}
        self.near = {name: i for i, name in enumerate(state.data["near"])}
        self.numbers = {word: i for i, word in enumerate(state.data["words"])}
        self.pairs = state.arrays["pairs"]
        self.gazetteers = [_make_gazetteer(_units(" ".join(name)) for name in names) for names in state.data["names"]]
        self._cache = {}


def _neighbour_features(names: Iterable[str]) -> list[str]:
    """Select the features that are used of a neighbour: the word, its shape and its affixes of three characters."""
    return [name for name in names if name[:2] in ("w=", "S=") or (name[:2] in ("p=", "e=") and len(name) == 5)
            or name == "border"]  # fmt: skip


def _shape(word: str) -> str:
    """Return the shape of a word: ``Xxxx-dd`` for ``Anna-12``; ``c`` stands for letters without case."""
    return "".join(
        "X" if c.isupper() else "x" if c.islower() else "d" if c.isdigit() else "c" if c.isalpha() else c for c in word
    )[:20]


def _indicators(columns: Sequence[np.ndarray], width: int) -> sp.csr_matrix:
    """Return (N, width) with ones in the given columns of each of N rows."""
    ends = np.cumsum([0, *map(len, columns)])
    flat = np.concatenate([*columns, np.zeros(0, np.int32)])
    return sp.csr_matrix((np.ones(len(flat), np.float32), flat, ends), shape=(len(columns), width))


def _read_gazetteer(path: str) -> Gazetteer:
    try:
        content = Path(path).expanduser().read_bytes()
    except OSError as error:
        root = "" if Path(path).is_absolute() else f"; the path is relative to the pipeline file or to {Path.cwd()}"
        raise DataError(f"gazetteers: {path} cannot be read: {error.strerror or error}{root}") from None
    lines = decode_utf8(content, f"gazetteers: {path}").removeprefix("\ufeff").split("\n")
    names = {_units(line.lower()) for line in lines} - {()}
    if not names:
        raise DataError(f"gazetteers: {path} contains no names; write one name per line")
    return _make_gazetteer(names)


def _make_gazetteer(names: Iterable[tuple[str, ...]]) -> Gazetteer:
    gazetteer: Gazetteer = {}
    for name in sorted(names, key=lambda name: (-len(name), name)):
        gazetteer.setdefault(name[0], {}).setdefault(len(name), set()).add(name)
    return gazetteer


def _gazetteer_rows(sentences: Sequence[list[str]], gazetteers: Sequence[Gazetteer]) -> sp.csr_matrix:
    """Return (N, 2 gazetteers): whether each word is the first word, or a later word, of the longest name found."""
    marks = np.zeros((sum(map(len, sentences)), 2 * len(gazetteers)), dtype=np.float32)
    first = 0
    for sentence in sentences:
        units_of_words = [_units(word.lower()) for word in sentence]
        units = [unit for word in units_of_words for unit in word]
        word_of = [i for i, word in enumerate(units_of_words) for _ in word]  # index of the word of each unit
        borders = {0, len(units), *(t for t in range(1, len(units)) if word_of[t] != word_of[t - 1])}
        for g, gazetteer in enumerate(gazetteers):
            t = 0
            while t < len(units):
                candidates = gazetteer.get(units[t], {}) if t in borders else {}
                lengths = (
                    n for n, names in candidates.items() if t + n in borders and tuple(units[t : t + n]) in names
                )
                length = next(lengths, 0)  # of the longest name that starts at unit t; 0 if there is none
                if length:
                    start, last = first + word_of[t], first + word_of[t + length - 1]
                    marks[start, 2 * g] = 1
                    marks[start + 1 : last + 1, 2 * g + 1] = 1
                t += max(length, 1)
        first += len(sentence)
    return sp.csr_matrix(marks)


@functools.lru_cache(maxsize=CACHE_SIZE)
def _units(text: str) -> tuple[str, ...]:
    return tuple(UNITS.findall(unicodedata.normalize("NFC", text)))
