"""Words to ids and back, with counts and special words; texts and tokens that carry the ids of their words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np

from nlpipe.wire import Locate, Text, Tokens

PAD, UNKNOWN = "<pad>", "<unk>"
START, END, MASK = "<s>", "</s>", "<mask>"


class Vocabulary:
    """V words with their ids: the specials first, then words by falling count, equal counts in alphabetical order.

    Args:
        words: all V words in the order of their ids; ``<pad>`` is 0 and ``<unk>`` is 1.
        counts: (V,) how often each was seen, 0 for specials.
        specials: how many of the first words are specials.
    """

    def __init__(self, words: Sequence[str], counts: Sequence[int], specials: int = 2) -> None:
        if list(words[:2]) != [PAD, UNKNOWN]:
            raise AssertionError(f"a vocabulary begins with {PAD} and {UNKNOWN}, not {list(words[:2])}")
        if len(words) != len(counts) or len(set(words)) != len(words):
            raise AssertionError(f"{len(words)} words ({len(set(words))} different) with {len(counts)} counts")
        self._words = list(words)
        self.counts = np.asarray(counts, dtype=np.int64)
        self.specials = specials
        self._ids = {word: i for i, word in enumerate(self._words)}

    @classmethod
    def count(
        cls,
        sentences: Iterable[Iterable[str]],
        min_count: int = 1,
        max_size: int | None = None,
        specials: Sequence[str] = (),
    ) -> Self:
        """The words of ``sentences`` seen ``min_count`` times or more, at most ``max_size`` of them.

        ``specials`` come after ``<pad>`` and ``<unk>`` and do not count towards ``max_size``; a special that stands
        in the data is that special.
        """
        counts = Counter[str]()
        for sentence in sentences:
            counts.update(sentence)
        return cls.from_counts(counts, min_count, max_size, specials)

    @classmethod
    def from_counts(
        cls,
        counts: Mapping[str, int],
        min_count: int = 1,
        max_size: int | None = None,
        specials: Sequence[str] = (),
    ) -> Self:
        """As ``count``, from words that are counted already."""
        first = list(dict.fromkeys([PAD, UNKNOWN, *specials]))
        known = [(word, n) for word, n in counts.items() if n >= min_count and word not in first]
        known.sort(key=lambda item: (-item[1], item[0]))
        kept = known[:max_size]
        return cls([*first, *(word for word, _ in kept)], [0] * len(first) + [n for _, n in kept], len(first))

    def __len__(self) -> int:
        return len(self._words)

    def __contains__(self, word: object) -> bool:
        return word in self._ids

    def id(self, word: str) -> int:
        """The id of one word; 1 where it is unknown."""
        return self._ids.get(word, 1)

    def ids(self, words: Sequence[str]) -> np.ndarray:
        """(len(words),) int64 ids, 1 for unknown words; flatten a batch of sentences first, one call is faster."""
        get = self._ids.get
        return np.array([get(word, 1) for word in words], dtype=np.int64)

    def words(self, ids: Iterable[int] | None = None) -> list[str]:
        """The words of ``ids``, or all V of them.

        Raises:
            IndexError: an id is V or more, or negative.
        """
        if ids is None:
            return list(self._words)
        chosen = [int(i) for i in ids]
        if any(i < 0 for i in chosen):
            raise IndexError(f"there is no word with the id {min(chosen)}")
        return [self._words[i] for i in chosen]

    def out_of_vocabulary(self, words: Iterable[str]) -> int:
        """How many of ``words`` (counted as often as they stand there) are not known."""
        return sum(word not in self._ids for word in words)

    def state(self) -> dict[str, Any]:
        """All of it as JSON writes it."""
        return {"words": list(self._words), "counts": self.counts.tolist(), "specials": self.specials}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """What ``state`` gave, as a vocabulary again."""
        return cls(state["words"], state["counts"], state["specials"])


class EncodedTokens(Tokens):
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

    def take(self, indices: Sequence[int]) -> EncodedTokens:
        chosen = super().take(indices)
        return EncodedTokens(chosen.words, chosen.texts, chosen.locate, [self.ids[i] for i in indices], self.vocabulary)

    @classmethod
    def concat(cls, parts: Sequence[EncodedTokens]) -> EncodedTokens:
        joined = Tokens.concat(parts)
        ids = [array for part in parts for array in part.ids]
        one = all(part.vocabulary is parts[0].vocabulary for part in parts)
        vocabulary = parts[0].vocabulary if one else Vocabulary.from_counts(Counter(), 1, None)  # to be numbered again
        return cls(joined.words, joined.texts, joined.locate, ids, vocabulary)


def encode(tokens: Tokens, vocabulary: Vocabulary, look_up: Callable[[list[str]], np.ndarray]) -> EncodedTokens:
    """``tokens`` with the ids that ``look_up`` gives their words; as they are where they carry them already."""
    if isinstance(tokens, EncodedTokens) and tokens.vocabulary is vocabulary:
        return tokens
    ids = [look_up(words) for words in tokens.words]
    return EncodedTokens(tokens.words, tokens.texts, tokens.locate, ids, vocabulary)


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
