"""A word by what it looks like and what stands around it: the features of taggers before word vectors.

Ratinov and Roth 2009, "Design Challenges and Misconceptions in Named Entity Recognition". What a word looks like is
worked out once for each different word; the rest is numpy and SciPy over numbers.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from nlpipe.errors import DataError
from nlpipe.options import Count, FileName, Positive
from nlpipe.stage import Data, Representation, State
from nlpipe.wire import Sequences, Tokens

KEPT = 200_000
"""Different words whose features are remembered."""
REPEATS, REPEATED = re.compile(r"(.)\1+"), r"\1"
Names = dict[str, dict[int, set[tuple[str, ...]]]]
"""A gazetteer: first unit to length, longest first, to the names of so many units, in lower case."""
UNITS = re.compile(
    r"[^\W\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    r"\U00020000-\U0003ffff]+|\S"
)
"""What names and words are compared by: runs of letters; each other sign, and each letter of a script that writes no
spaces, alone. So a name is found however the tokenizer splits it: ``St. Gallen`` in ``St``, ``.``, ``Gallen``."""
BORDER = "\0"
"""Stands before the first word of a text and behind the last."""


class Window(Representation[Tokens, Sequences]):
    """Sparse features of each word: itself, its shape and affixes, those of its neighbours, pairs, lists of names.

    The tokenizer before it should keep capitals (``lowercase: false``).

    Options:
        window: neighbours on each side whose word, shape and affixes count.
        affixes: longest prefix and suffix, in characters.
        pairs: whether the pairs that a word makes with its neighbours count.
        min_count: times a feature must occur in the training split.
        gazetteers: text files of names, one a line, found however they are split into words; kept in the saved model.
    """

    def __init__(
        self,
        window: Count = 2,
        affixes: Count = 4,
        pairs: bool = True,
        min_count: Positive = 1,
        gazetteers: list[FileName] = [],  # noqa: B006 - a default that YAML can spell; copied below
    ) -> None:
        self.window = window
        self.affixes = affixes
        self.with_pairs = pairs
        self.min_count = min_count
        self.paths = list(gazetteers)
        self.own: dict[str, int] = {}
        """Feature of the word itself to its column."""
        self.near: dict[str, int] = {}
        """Feature of a neighbour to its column within each neighbour's part."""
        self.numbers: dict[str, int] = {}
        """Word, in lower case, to its number in ``pairs``."""
        self.pairs = np.zeros(0, dtype=np.int64)
        """Sorted numbers of known pairs: first word x words + second word."""
        self.names: list[Names] = []
        """Each gazetteer."""
        self._seen: dict[str, tuple[np.ndarray, np.ndarray, int]] = {}

    @property
    def width(self) -> int:
        """D."""
        return len(self.own) + 2 * self.window * len(self.near) + 2 * len(self.pairs) + 2 * len(self.names)

    def build(self, width: int) -> int:
        return self.width

    def fit(self, data: Data[Tokens]) -> None:
        """Learn which features there are.

        Raises:
            DataError: a gazetteer cannot be read or is empty.
        """
        self.names = [_read_names(path) for path in self.paths]
        words: Counter[str] = Counter()
        pairs: Counter[tuple[str, str]] = Counter()
        for source, _ in data:
            for sentence in source.words:
                words.update(sentence)
                if self.with_pairs:
                    lowered = [BORDER, *(word.lower() for word in sentence), BORDER]
                    pairs.update(pairwise(lowered))
        own: Counter[str] = Counter()
        near: Counter[str] = Counter({"border": self.min_count})
        for word, count in words.items():
            looks = self._looks(word)
            for feature in looks:
                own[feature] += count
            for feature in _of_neighbour(looks):
                near[feature] += count
        self.own, self.near = self._columns(own), self._columns(near)
        kept = sorted(pair for pair, count in pairs.items() if count >= self.min_count)
        self.numbers = {word: i for i, word in enumerate(sorted({word for pair in kept for word in pair}))}
        self.pairs = np.sort(self._keys([self.numbers[a] for a, _ in kept], [self.numbers[b] for _, b in kept]))
        self._seen = {}

    def _columns(self, counts: Counter[str]) -> dict[str, int]:
        return {name: i for i, name in enumerate(sorted(n for n, count in counts.items() if count >= self.min_count))}

    def _keys(self, first: Sequence[int] | np.ndarray, second: Sequence[int] | np.ndarray) -> np.ndarray:
        one, two = np.asarray(first, dtype=np.int64), np.asarray(second, dtype=np.int64)
        return np.where((one < 0) | (two < 0), -1, one * len(self.numbers) + two)

    def _looks(self, word: str) -> list[str]:
        """What a word looks like; the first of ``NEAR`` are also told of a neighbour."""
        lower = word.lower()
        shape = _shape(word)
        found = [f"w={lower}", f"S={REPEATS.sub(REPEATED, shape)}", f"s={shape}"]
        if word != lower:
            found.append(f"W={word}")
        for n in range(1, min(self.affixes, len(lower)) + 1):
            found += [f"p={lower[:n]}", f"e={lower[-n:]}"]
        if any(letter.isdigit() for letter in word):
            found.append("digit")
        if word.isupper() and len(word) > 1:
            found.append("capitals")
        if "-" in word:
            found.append("hyphen")
        return found

    def _features(self, word: str) -> tuple[np.ndarray, np.ndarray, int]:
        """Columns of a word's own features, of its features as a neighbour, and its number (-1: unknown)."""
        known = self._seen.get(word)
        if known is None:
            looks = ["border"] if word == BORDER else self._looks(word)
            own = sorted({self.own[name] for name in looks if name in self.own})
            near = sorted({self.near[name] for name in _of_neighbour(looks) if name in self.near})
            known = np.array(own, np.int32), np.array(near, np.int32), self.numbers.get(word.lower(), -1)
            if len(self._seen) >= KEPT:
                self._seen.clear()
            self._seen[word] = known
        return known

    def forward(self, source: Tokens) -> Sequences:
        lengths = np.array([len(words) for words in source.words], dtype=np.int64)
        return Sequences(self._rows(source.words, lengths), lengths, source)

    def _rows(self, sentences: Sequence[list[str]], lengths: np.ndarray) -> sp.csr_matrix:
        """(sum of T_b, D)."""
        around = max(self.window, 1)
        border = [BORDER] * around
        padded = [word for words in sentences for word in (*border, *words, *border)]
        distinct = {word: i for i, word in enumerate(dict.fromkeys(padded))}
        kinds = np.array([distinct[word] for word in padded], dtype=np.int64)
        told = [self._features(word) for word in distinct]
        own = _matrix([own for own, _, _ in told], len(self.own))  # (U, own)
        near = _matrix([near for _, near, _ in told], len(self.near))  # (U, near)
        starts = np.repeat(np.cumsum(lengths) - lengths + (2 * np.arange(len(lengths)) + 1) * around, lengths)
        places = starts + np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)  # (N,)
        offsets = [k for k in range(-self.window, self.window + 1) if k]
        parts = [own[kinds[places]], *(near[kinds[places + k]] for k in offsets)]
        if self.with_pairs:
            numbers = np.array([number for _, _, number in told], dtype=np.int64)[kinds]
            for k in (-1, 0):
                parts.append(self._pair_rows(self._keys(numbers[places + k], numbers[places + k + 1])))
        if self.names:
            parts.append(_name_rows(sentences, self.names))
        return sp.csr_matrix(sp.hstack(parts, format="csr", dtype=np.float32))

    def _pair_rows(self, keys: np.ndarray) -> sp.csr_matrix:
        """(N, pairs): the known pair of each word."""
        found = np.searchsorted(self.pairs, keys).clip(max=max(len(self.pairs) - 1, 0))
        known = self.pairs[found] == keys if len(self.pairs) else np.zeros(len(keys), dtype=bool)
        ends = np.concatenate([[0], np.cumsum(known)])
        return sp.csr_matrix((np.ones(ends[-1], np.float32), found[known], ends), shape=(len(keys), len(self.pairs)))

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
            "names": [[list(name) for sized in each.values() for n in sized for name in sorted(sized[n])]
                      for each in self.names],
        }  # fmt: skip
        return State({"pairs": self.pairs}, data)

    def load_state(self, state: State, version: int) -> None:
        super().load_state(state, version)
        self.own = {name: i for i, name in enumerate(state.data["own"])}
        self.near = {name: i for i, name in enumerate(state.data["near"])}
        self.numbers = {word: i for i, word in enumerate(state.data["words"])}
        self.pairs = state.arrays["pairs"]
        self.names = [_by_first(_units(" ".join(name)) for name in names) for names in state.data["names"]]
        self._seen = {}


def _of_neighbour(looks: Iterable[str]) -> list[str]:
    """What is told of a neighbour: the word, its shape, its affixes of three characters."""
    return [name for name in looks if name[:2] in ("w=", "S=") or (name[:2] in ("p=", "e=") and len(name) == 5)
            or name == "border"]  # fmt: skip


def _shape(word: str) -> str:
    """``Xxxx-dd`` for ``Anna-12``: capitals, small letters, other letters, digits, all else as it is."""
    return "".join(
        "X" if c.isupper() else "x" if c.islower() else "d" if c.isdigit() else "c" if c.isalpha() else c for c in word
    )[:20]


def _matrix(columns: Sequence[np.ndarray], width: int) -> sp.csr_matrix:
    """(N, width) with ones in the columns given for each row."""
    ends = np.cumsum([0, *map(len, columns)])
    flat = np.concatenate([*columns, np.zeros(0, np.int32)])
    return sp.csr_matrix((np.ones(len(flat), np.float32), flat, ends), shape=(len(columns), width))


def _read_names(path: str) -> Names:
    try:
        lines = Path(path).expanduser().read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        here = "" if Path(path).is_absolute() else f"; its path starts from the pipeline file, or from {Path.cwd()}"
        raise DataError(f"gazetteers: {path} cannot be read: {error.strerror or error}{here}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DataError(f"gazetteers: {path}:{line}: not UTF-8; convert the file first") from None
    names = {_units(line.lower()) for line in lines} - {()}
    if not names:
        raise DataError(f"gazetteers: {path} holds no names; write one a line")
    return _by_first(names)


def _by_first(names: Iterable[tuple[str, ...]]) -> Names:
    found: Names = {}
    for name in sorted(names, key=lambda name: (-len(name), name)):
        found.setdefault(name[0], {}).setdefault(len(name), set()).add(name)
    return found


def _name_rows(sentences: Sequence[list[str]], gazetteers: Sequence[Names]) -> sp.csr_matrix:
    """(N, 2 gazetteers): whether a word begins, or goes on with, the longest name that stands there."""
    marks = np.zeros((sum(map(len, sentences)), 2 * len(gazetteers)), dtype=np.float32)
    first = 0
    for sentence in sentences:
        split = [_units(word.lower()) for word in sentence]
        units = [unit for each in split for unit in each]
        word_of = [i for i, each in enumerate(split) for _ in each]
        borders = {0, len(units), *(t for t in range(1, len(units)) if word_of[t] != word_of[t - 1])}
        for g, names in enumerate(gazetteers):
            t = 0
            while t < len(units):
                known = names.get(units[t], {}) if t in borders else {}
                ends = (n for n, same in known.items() if t + n in borders and tuple(units[t : t + n]) in same)
                found = next(ends, 0)
                if found:
                    begin, last = first + word_of[t], first + word_of[t + found - 1]
                    marks[begin, 2 * g] = 1
                    marks[begin + 1 : last + 1, 2 * g + 1] = 1
                t += max(found, 1)
        first += len(sentence)
    return sp.csr_matrix(marks)


@functools.lru_cache(maxsize=KEPT)
def _units(text: str) -> tuple[str, ...]:
    return tuple(UNITS.findall(text))
