"""Words that already carry their ids, so that looking them up is done once per example and not once an epoch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from nlpipe.vocabulary import Vocabulary
from nlpipe.wire import Locate, Tokens


class Numbered(Tokens):
    """Tokens with the ids of their words under one vocabulary.

    Args:
        words: B lists of words.
        texts: B strings.
        locate: finds the words in their text again.
        ids: B arrays (T_b,).
        vocabulary: whose ids they are.
    """

    def __init__(
        self,
        words: Sequence[list[str]],
        texts: Sequence[str],
        locate: Locate,
        ids: Sequence[np.ndarray],
        vocabulary: Vocabulary,
    ) -> None:
        super().__init__(words, texts, locate)
        self.ids = list(ids)
        self.vocabulary = vocabulary

    @property
    def lengths(self) -> np.ndarray:
        """(B,) tokens in each example."""
        return np.array([len(ids) for ids in self.ids], dtype=np.int64)

    def flat(self) -> np.ndarray:
        """The ids of all examples after one another, (sum of T_b,)."""
        return np.concatenate([*self.ids, np.zeros(0, dtype=np.int64)])

    def take(self, indices: Sequence[int]) -> Numbered:
        chosen = super().take(indices)
        return Numbered(chosen.words, chosen.texts, chosen.locate, [self.ids[i] for i in indices], self.vocabulary)

    @classmethod
    def concat(cls, parts: Sequence[Numbered]) -> Numbered:
        joined = Tokens.concat(parts)
        ids = [array for part in parts for array in part.ids]
        one = all(part.vocabulary is parts[0].vocabulary for part in parts)
        vocabulary = parts[0].vocabulary if one else Vocabulary.from_counts(Counter(), 1, None)  # to be numbered again
        return cls(joined.words, joined.texts, joined.locate, ids, vocabulary)


def number(tokens: Tokens, vocabulary: Vocabulary, look_up: Callable[[list[str]], np.ndarray]) -> Numbered:
    """``tokens`` with the ids that ``look_up`` gives their words; as they are where they carry them already."""
    if isinstance(tokens, Numbered) and tokens.vocabulary is vocabulary:
        return tokens
    ids = [look_up(words) for words in tokens.words]
    return Numbered(tokens.words, tokens.texts, tokens.locate, ids, vocabulary)
