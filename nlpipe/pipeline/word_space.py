"""Words as points: the nearest by cosine, sums and differences of words, and the cosines of pairs.

Sums of unit vectors, the words asked for left out of the answer: Mikolov, Yih, Zweig 2013, "Linguistic Regularities in
Continuous Space Word Representations" (3CosAdd in Levy and Goldberg 2014).
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nlpipe.capabilities import (
    ComputesWordVectors,
    OffersPieces,
    OffersWordVectors,
    Split,
    WordTable,
    able,
    declares,
)
from nlpipe.errors import NlpipeError, NlpipeWarning, suggest
from nlpipe.pipeline.saving import all_states
from nlpipe.pipeline.wiring import stages_with
from nlpipe.registry import slot_name, written_name
from nlpipe.stage import AnyStage, Tokenizer
from nlpipe.wire import Text

SMALL = 1e-6
"""A sum of unit vectors that is shorter has no direction."""
SHOWN = 8
"""Pieces of a word that a message names."""
LONGEST = 60
"""Characters of a word that a message shows."""


@dataclass(frozen=True)
class Neighbours:
    """The words nearest to a query.

    Args:
        query: as a person writes it: ``king + woman - man``.
        nearest: words with their cosines, the nearest first.
        composed: words of the query without a vector of their own, each with the pieces whose mean it got.
    """

    query: str
    nearest: tuple[tuple[str, float], ...]
    composed: Mapping[str, tuple[str, ...]]


class WordSpace:
    """V words and their vectors.

    Args:
        part: the stage that they come from, ``representation`` or ``head.models.0``.
        name: of that stage, ``word2vec``.
        others: the other parts that could be looked at.
        table: words and vectors.
        split: how words are split into the words of the table.
        compute: gives any word its vector; None: words that are not in the table have none.
    """

    def __init__(
        self,
        part: str,
        name: str,
        others: Sequence[str],
        table: WordTable,
        split: Split,
        compute: Callable[[Sequence[str]], np.ndarray] | None = None,
    ) -> None:
        self.part = part
        self.name = name
        self.others = tuple(others)
        self.words = table.words
        self.vectors = table.vectors
        self.computes = compute is not None
        self._compute = compute
        self._units = unit(table.vectors)
        self._rows = {word: i for i, word in enumerate(table.words)}
        self._lowercase = table.lowercase
        self._split = split

    def __repr__(self) -> str:
        how = ", of any word from its letters" if self.computes else ""
        size = f"{len(self.words):,} words, {self.vectors.shape[1]:,} dimensions"
        return f"{self.part} ({self.name}): {size}{how}"

    def neighbours(self, words: str | Sequence[str], minus: str | Sequence[str] = (), top: int = 10) -> Neighbours:
        """The ``top`` words nearest to the sum of ``words`` less the sum of ``minus``; these words are left out.

        Raises:
            NlpipeError: a word has no vector, the sum has no direction, or ``top`` is below 1.
        """
        added = [words] if isinstance(words, str) else list(words)
        removed = [minus] if isinstance(minus, str) else list(minus)
        query = " - ".join([" + ".join(added), *removed])
        if top < 1:
            raise NlpipeError(f"top: invalid value {top}: expected 1 or more")
        if not added:
            raise NlpipeError("neighbours: no word is given to look for")
        if not self.words:
            raise NlpipeError(self._no_words())
        read = self.read([*added, *removed])
        signs = np.array([1] * len(added) + [-1] * len(removed), dtype=np.float32)
        direction = signs @ unit(self.look_up(read))  # (D,)
        length = float(np.linalg.norm(direction))
        if length < SMALL:
            raise NlpipeError(f"{query}: the vectors add up to zero, which is near to no word; ask for other words")
        cosines = self._units @ (direction / length)  # (V,)
        asked = [row for pieces in read for piece in pieces if (row := self._rows.get(piece)) is not None]
        cosines[asked] = -np.inf
        best = np.argsort(-cosines, kind="stable")[: min(top, len(self.words) - len(set(asked)))]
        composed = {word: pieces for word, pieces in zip([*added, *removed], read, strict=True) if len(pieces) > 1}
        for word, pieces in composed.items():
            parts = ", ".join(map(repr, pieces[:SHOWN])) + (" …" if len(pieces) > SHOWN else "")
            message = f"{_short(word)} has no vector of its own: it gets the mean of its parts {parts}"
            warnings.warn(message, NlpipeWarning, stacklevel=2)
        return Neighbours(query, tuple((self.words[i], float(cosines[i])) for i in best), composed)

    def read(self, words: Sequence[str]) -> list[tuple[str, ...]]:
        """Each word as the words or pieces whose vectors it has; their mean is its own.

        Raises:
            NlpipeError: one has none.
        """
        found = self.find(words)
        unknown = [word for word, pieces in zip(words, found, strict=True) if pieces is None]
        if unknown:
            near = self._near(unknown[0])
            way = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
            size = f"{len(self.words):,} words"
            raise NlpipeError(f"{_short(unknown[0])} is not among the {size} of '{self.name}' ({self.part}){way}")
        return [pieces for pieces in found if pieces is not None]

    def find(self, words: Sequence[str]) -> list[tuple[str, ...] | None]:
        """As ``read``, with None for words without a vector."""
        return [self._find(word, pieces) for word, pieces in zip(words, self._split(list(words)), strict=True)]

    def _find(self, word: str, pieces: Sequence[str]) -> tuple[str, ...] | None:
        """The word as the pipeline reads it, or as it is written, or in lower case, or in pieces."""
        if self.computes:
            return (pieces[0] if len(pieces) == 1 else word,) if word else None
        lower = [piece.lower() for piece in pieces] if self._lowercase else []
        for candidate in ([*pieces], [word], [*lower] if len(lower) == 1 else []):
            if len(candidate) == 1 and candidate[0] in self._rows:
                return (candidate[0],)
        whole = [piece if piece in self._rows or not lower else lower[i] for i, piece in enumerate(pieces)]
        return tuple(whole) if whole and all(piece in self._rows for piece in whole) else None

    def look_up(self, read: Sequence[tuple[str, ...]]) -> np.ndarray:
        """The vectors (N, D) of N words that ``read`` gave."""
        if self._compute is not None:
            return self._compute([pieces[0] for pieces in read])
        rows = [self.vectors[[self._rows[piece] for piece in pieces]].mean(0) for pieces in read]
        return np.stack(rows) if rows else self.vectors[:0]  # (N, D)

    def _near(self, word: str) -> list[str]:
        """Words that are spelled alike; only those of similar length with the same start or end, for speed."""
        candidates = [
            other
            for other in self.words
            if abs(len(other) - len(word)) <= 2 and (other[:1] == word[:1] or other[-1:] == word[-1:])
        ]
        return difflib.get_close_matches(word, candidates, n=3, cutoff=0.7)

    def _no_words(self) -> str:
        if self.computes:
            return (
                f"'{self.name}' ({self.part}) computes a vector of any word and has no list of words to look through; "
                "join it with 'embedding', 'static' or 'word2vec', whose words it then takes"
            )
        return f"'{self.name}' ({self.part}) has no words: none occurred min_count times in the training split"


def _short(word: str) -> str:
    """A word in a message, quoted, and cut if it is long."""
    return repr(word if len(word) <= LONGEST else word[:LONGEST] + "…")


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (N, D) divided by their lengths; zero vectors stay zero."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    units: np.ndarray = vectors / np.where(lengths > 0, lengths, 1)
    return units


def word_space(stages: Sequence[AnyStage], part: str | None = None) -> WordSpace:
    """The words of a pipeline with static vectors.

    Args:
        stages: of the pipeline, fitted.
        part: where the vectors are; None: the first stage with a table of them, else with letters.

    Raises:
        NlpipeError: no stage has any, or ``part`` names none that has.
    """
    placed = [(slot_name(stage) + key, each) for stage in stages for key, each in all_states(stage)]
    tables = {place: (stage, table) for place, stage in placed if (table := _table(stage)) is not None}
    computing = {place: found for place, stage in placed if (found := able(stage, ComputesWordVectors)) is not None}
    names = {place: written_name(stage) for place, stage in placed if place in {*tables, *computing}}
    if not names:
        raise NlpipeError(_no_vectors(stages))
    chosen = part or next(iter({**tables, **computing}))
    if chosen not in names:
        raise NlpipeError(f"part: '{chosen}' has no static vectors of words{suggest(chosen, names)}")
    others = [place for place in names if place != chosen]
    tokenizer = stages[0]

    def split(words: Sequence[str]) -> list[list[str]]:
        return tokenizer.forward(Text(words)).words if isinstance(tokenizer, Tokenizer) else [[w] for w in words]

    if chosen in tables:
        table = tables[chosen][1]
        return WordSpace(chosen, names[chosen], others, table, table.split or split)
    compute = computing[chosen].compute_vectors
    words = next((table.words for stage, table in tables.values() if table.split is None), [])
    return WordSpace(chosen, names[chosen], others, WordTable(words, compute(words)), split, compute)


def _table(stage: AnyStage) -> WordTable | None:
    offers = able(stage, OffersWordVectors)
    return None if offers is None else offers.word_table()


def _no_vectors(stages: Sequence[AnyStage]) -> str:
    """Why a pipeline has no vectors to look at."""
    reads_context = next((stage for stage in stages if declares(type(stage), OffersPieces)), None)
    known = ", ".join(stages_with("representation", lambda owner: declares(owner, OffersWordVectors)))
    if reads_context is not None:
        name = written_name(reads_context)
        return (
            f"'{name}' gives a word another vector in every text, so no word has one vector to compare; "
            f"representations with static vectors: {known}"
        )
    names = " → ".join(map(written_name, stages))
    return f"no stage of this pipeline ({names}) has vectors of words; representations that have: {known}"
