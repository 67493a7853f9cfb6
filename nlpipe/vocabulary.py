"""Words to ids: what a representation or a head knows of the words of the training split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any


class Vocabulary:
    """Words by id; 0 is padding, 1 stands for every word that is not known."""

    PAD, UNKNOWN = 0, 1

    def __init__(self, words: Iterable[str] = ()) -> None:
        self.words = ["<pad>", "<unk>", *words]
        self._ids = {word: i for i, word in enumerate(self.words) if i > self.UNKNOWN}

    @classmethod
    def from_counts(cls, counts: Counter[str], min_count: int = 1, max_size: int | None = None) -> Vocabulary:
        """The words seen ``min_count`` times or more, the commonest first, at most ``max_size`` of them."""
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return cls([word for word, count in ranked if count >= min_count][:max_size])

    def __len__(self) -> int:
        return len(self.words)

    def ids(self, words: Sequence[str]) -> list[int]:
        """The id of each word."""
        return [self._ids.get(word, self.UNKNOWN) for word in words]

    def state(self) -> dict[str, Any]:
        """As JSON writes it."""
        return {"words": self.words[2:]}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Vocabulary:
        """Back from ``state``."""
        return cls(state["words"])
