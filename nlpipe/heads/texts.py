"""Texts on both sides of a sequence-to-sequence head: targets with their ids, translations, and where they looked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from nlpipe.vocabulary import Vocabulary
from nlpipe.wire import Text


class EncodedText(Text):
    """Texts with the ids of their tokens under one vocabulary.

    Args:
        strings: B texts.
        ids: B arrays (T_b,).
        vocabulary: whose ids they are.
    """

    def __init__(self, strings: Sequence[str], ids: Sequence[np.ndarray], vocabulary: Vocabulary) -> None:
        super().__init__(strings)
        self.ids = list(ids)
        self.vocabulary = vocabulary

    @property
    def lengths(self) -> np.ndarray:
        """(B,) tokens in each text."""
        return np.array([len(ids) for ids in self.ids], dtype=np.int64)

    def take(self, indices: Sequence[int]) -> EncodedText:
        return EncodedText([self.strings[i] for i in indices], [self.ids[i] for i in indices], self.vocabulary)


@dataclass(frozen=True)
class Translation:
    """One of the n best: a text and its log-probability in nats, the end included; ``score`` is what ranked it."""

    text: str
    log_probability: float
    score: float


class Attention(NamedTuple):
    """Where a translation looked: the words of its source, its own with the end, and weights (T, S)."""

    source: list[str]
    target: list[str]
    weights: np.ndarray
