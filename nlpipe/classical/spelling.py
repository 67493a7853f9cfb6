"""The probability of a word outside the vocabulary, letter by letter, so that every model gives one to every text.

A model that reads ``<unk>`` in place of an unknown word says nothing of which word it was, and would be rewarded for a
small vocabulary. Here the word costs what its spelling costs besides: a character model of order ``ORDER`` learns from
words that are rare in training, since unknown words look like them.

Brown et al. 1992, "An Estimate of an Upper Bound for the Entropy of English", section 4 (a spelling model for unknown
words); Mielke and Eisner 2019, "Spell Once, Summon Anywhere".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from nlpipe.classical.kneser_ney import KneserNey
from nlpipe.vocabulary import END, START, UNKNOWN_ID, Vocabulary

ORDER = 4
CHARACTERS = 0x110000
"""Characters of Unicode: one that training has not is any of them, all alike."""
MOST = 200_000
"""Words that it learns from."""


class Spelling:
    """A character model of words.

    Args:
        characters: what words are spelled with.
        model: of their ids.
    """

    def __init__(self, characters: Vocabulary, model: KneserNey) -> None:
        self.characters = characters
        self.model = model

    @classmethod
    def learn(cls, counts: Mapping[str, int], vocabulary: Vocabulary) -> Self:
        """Learn from the words of the training split outside of ``vocabulary``; where there are none, from the rarest.

        Args:
            counts: how often each word of the training split occurs.
            vocabulary: what the model of words knows.
        """
        words = [word for word in counts if word not in vocabulary]
        if not words:
            least = min(counts.values(), default=0)
            words = [word for word, count in counts.items() if count == least]
        words = sorted(words)[:: max(1, len(words) // MOST)]
        characters = Vocabulary.count(words, specials=(START, END))
        ids = [characters.ids(list(word)) for word in words] or [np.zeros(0, dtype=np.int64)]
        flat, lengths = np.concatenate(ids), np.array([len(word) for word in ids], dtype=np.int64)
        start, end = characters.id(START), characters.id(END)
        return cls(characters, KneserNey.fit(flat, lengths, len(characters), ORDER, start, end))

    def surprisals(self, words: Sequence[str]) -> np.ndarray:
        """-log p in nats of the spelling of N words, their ends included: (N,)."""
        lengths = np.array([len(word) + 1 for word in words], dtype=np.int64)
        ids = self.characters.ids([char for word in words for char in (*word, END)])  # (sum of T_n + 1,)
        costs = np.where(ids == UNKNOWN_ID, math.log(CHARACTERS), 0.0) - self.model.score(ids, lengths)
        return np.bincount(np.repeat(np.arange(len(words)), lengths), costs, minlength=len(words))

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and plain data, for ``from_state``."""
        return {f"spelling.{name}": array for name, array in self.model.arrays().items()}, self.characters.state()

    @classmethod
    def from_state(cls, arrays: Mapping[str, np.ndarray], data: Mapping[str, Any]) -> Self:
        """Restore what ``state`` gave; other arrays are ignored."""
        characters = Vocabulary.from_state(data)
        own = {n.removeprefix("spelling."): array for n, array in arrays.items() if n.startswith("spelling.")}
        return cls(characters, KneserNey.from_arrays(own, characters.id(START)))


def spelled(
    surprisals: list[np.ndarray], words: Sequence[Sequence[str]], vocabulary: Vocabulary, spelling: Spelling
) -> list[np.ndarray]:
    """``surprisals`` (T_b + 1,) of B texts with the cost of the spelling added to that of each unknown word.

    Args:
        words: B lists of words, T_b each.
    """
    places = [(b, t) for b, text in enumerate(words) for t, word in enumerate(text) if word not in vocabulary]
    for (b, t), cost in zip(places, spelling.surprisals([words[b][t] for b, t in places]), strict=True):
        surprisals[b][t] += cost
    return surprisals
