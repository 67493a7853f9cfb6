"""Vocabularies map words to ids and back; encoded tokens and texts carry the ids of their words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np

from nlpipe.wire import Locate, Text, Tokens

PAD, UNKNOWN = "<pad>", "<unk>"
START, END, MASK = "<s>", "</s>", "<mask>"
PAD_ID, UNKNOWN_ID = 0, 1
"""The ids of ``<pad>`` and ``<unk>`` in every vocabulary."""
SPECIAL = frozenset({PAD, UNKNOWN, START, END, MASK})
"""Words that a text may hold by chance, and that models read otherwise."""
ESCAPE = "\\"
"""What stands before a word of a text that is spelled like a special one: ``\\<s>`` is that word, ``<s>`` the start."""


def escaped(words: Iterable[str]) -> list[str]:
    """``words`` of a text as a vocabulary has them, so that none is taken for a special one; see ``ESCAPE``."""
    return [ESCAPE + word if _is_spelled_specially(word) else word for word in words]


def unescaped(words: Iterable[str]) -> list[str]:
    """Words of a vocabulary as they stand in a text: undoes ``escaped``, and leaves special words as they are."""
    return [word[1:] if word.startswith(ESCAPE) and _is_spelled_specially(word) else word for word in words]


def _is_spelled_specially(word: str) -> bool:
    return word[-1:] == ">" and word.lstrip(ESCAPE) in SPECIAL


class Vocabulary:
    """V words with their ids: first the special words, then the others by decreasing count, then alphabetically.

    Args:
        words: all V words in the order of their ids; ``<pad>`` has id 0 and ``<unk>`` has id 1.
        counts: (V,) how often each word occurred, 0 for special words.
        specials: number of special words, which come first.
    """

    def __init__(self, words: Sequence[str], counts: Sequence[int], specials: int = 2) -> None:
        if list(words[:2]) != [PAD, UNKNOWN]:
            raise AssertionError(f"a vocabulary must begin with {PAD} and {UNKNOWN}, not {list(words[:2])}")
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
        """Build a vocabulary of the words that occur at least ``min_count`` times in ``sentences``.

        Args:
            sentences: lists of words.
            min_count: how often a word must occur.
            max_size: maximum number of words, the most frequent ones, without the special words; None keeps all.
            specials: special words that follow ``<pad>`` and ``<unk>``. If one also occurs as a word of the data, both
                are the same entry.
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
        """Build the vocabulary that ``count`` would build, from words that are already counted."""
        first = list(dict.fromkeys([PAD, UNKNOWN, *specials]))
        frequent = [(word, n) for word, n in counts.items() if n >= min_count and word not in first]
        frequent = sorted(frequent, key=lambda item: (-item[1], item[0]))[:max_size]
        words, numbers = [word for word, _ in frequent], [n for _, n in frequent]
        return cls([*first, *words], [0] * len(first) + numbers, len(first))

    def __len__(self) -> int:
        return len(self._words)

    def __contains__(self, word: object) -> bool:
        return word in self._ids

    def id(self, word: str) -> int:
        """Return the id of a word; 1 if the word is unknown."""
        return self._ids.get(word, UNKNOWN_ID)

    def ids(self, words: Sequence[str]) -> np.ndarray:
        """Return the ids of N words, (N,) int64; 1 for unknown words. One call for a whole batch is fastest."""
        get = self._ids.get
        return np.array([get(word, UNKNOWN_ID) for word in words], dtype=np.int64)

    def words(self, ids: Iterable[int] | None = None) -> list[str]:
        """Return the words with these ``ids``, or all V words.

        Raises:
            IndexError: an id is negative, or V or more.
        """
        if ids is None:
            return list(self._words)
        chosen = [int(i) for i in ids]
        if any(i < 0 for i in chosen):
            raise IndexError(f"no word has the id {min(chosen)}")
        return [self._words[i] for i in chosen]

    def out_of_vocabulary(self, words: Iterable[str]) -> int:
        """Count the words that are unknown; a word that occurs twice counts twice."""
        return sum(word not in self._ids for word in words)

    def state(self) -> dict[str, Any]:
        """Return the vocabulary as plain data for JSON."""
        return {"words": list(self._words), "counts": self.counts.tolist(), "specials": self.specials}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Restore a vocabulary from what ``state`` returned."""
        return cls(state["words"], state["counts"], state["specials"])


class EncodedTokens(Tokens):
    """Tokens with the ids that their words have in one vocabulary.

    Args:
        words: B lists of words.
        texts: B strings.
        locate: finds the words of a text in it, as for ``Tokens``.
        ids: B arrays (T_b,), the ids of each example.
        vocabulary: the vocabulary of the ids.
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

    def ledger(self) -> dict[str, float]:
        """Return the counts of these tokens for the ledger of a stage that looks up their ids."""
        ids = self.flat()
        return {"tokens": len(ids), "out_of_vocabulary": int((ids == UNKNOWN_ID).sum()), "truncated_tokens": 0}

    def flat(self) -> np.ndarray:
        """Return the ids of all examples in one array, (sum of T_b,)."""
        return np.concatenate([*self.ids, np.zeros(0, dtype=np.int64)])

    def take(self, indices: Sequence[int]) -> EncodedTokens:
        chosen = super().take(indices)
        return EncodedTokens(chosen.words, chosen.texts, chosen.locate, [self.ids[i] for i in indices], self.vocabulary)

    @classmethod
    def concat(cls, parts: Sequence[EncodedTokens]) -> EncodedTokens:
        joined = Tokens.concat(parts)
        ids = [array for part in parts for array in part.ids]
        same = all(part.vocabulary is parts[0].vocabulary for part in parts)
        vocabulary = parts[0].vocabulary if same else Vocabulary.from_counts({})  # so that ``encode`` computes new ids
        return cls(joined.words, joined.texts, joined.locate, ids, vocabulary)


class TokenIds(EncodedTokens):
    """Tokens that are known by their ids alone: windows of a corpus, whose words and texts nobody needs.

    Args:
        ids: B arrays (T_b,).
        vocabulary: the vocabulary of the ids.
        begins: whether nothing was read before them; if not, they go on where the batch before ended.
    """

    def __init__(self, ids: Sequence[np.ndarray], vocabulary: Vocabulary, begins: bool = True) -> None:
        self.ids = list(ids)
        self.vocabulary = vocabulary
        self.begins = begins
        self.words = [[]] * len(self.ids)
        self.texts = [""] * len(self.ids)

    @property
    def lengths(self) -> np.ndarray:
        """(B,) tokens of each window."""
        return np.array([len(ids) for ids in self.ids], dtype=np.int64)


def encode(tokens: Tokens, vocabulary: Vocabulary, look_up: Callable[[list[str]], np.ndarray]) -> EncodedTokens:
    """Return ``tokens`` with their ids; unchanged if they already carry ids of this vocabulary.

    Args:
        tokens: B lists of words.
        vocabulary: the vocabulary of the ids.
        look_up: returns the ids (T,) of T words: ``vocabulary.ids``, or a function that normalises words first.
    """
    if isinstance(tokens, EncodedTokens) and tokens.vocabulary is vocabulary:
        return tokens
    ids = [look_up(words) for words in tokens.words]
    return EncodedTokens(tokens.words, tokens.texts, tokens.locate, ids, vocabulary)


class EncodedText(Text):
    """Texts with the ids that their tokens have in one vocabulary.

    Args:
        strings: B texts.
        ids: B arrays (T_b,), the ids of each example.
        vocabulary: the vocabulary of the ids.
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
