"""Texts as numbers of their tokens, and excerpts of them: to be looked up in other texts, or continued by a model."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nlpipe.pipeline.batches import cuts, sizes_of
from nlpipe.stage import Tokenizer
from nlpipe.wire import Text

UNKNOWN_TOKEN, BORDER = -2, -1
"""Numbers of a token that the training text does not have, and of what stands between its texts."""


@dataclass(frozen=True)
class Prefix:
    """The beginning of an excerpt, and the tokens that follow it there."""

    prompt: str
    following: tuple[str, ...]


class NumberedTexts:
    """B texts with their tokens as numbers.

    Args:
        texts: none of them is empty.
        tokenizer: of a pipeline that was fitted.
        numbers: of the tokens that are known; None: every token gets a number in the order of its first occurrence.
    """

    def __init__(self, texts: Sequence[str], tokenizer: Tokenizer, numbers: dict[str, int] | None = None) -> None:
        self.texts, self.tokenizer = texts, tokenizer
        self.numbers: dict[str, int] = {} if numbers is None else numbers
        ids, lengths, wire = array("i"), array("q"), Text(list(texts))
        for start, end in cuts(sizes_of(wire)):
            for words in tokenizer.forward(wire.take(range(start, end))).words:
                lengths.append(len(words))
                ids.extend(self._new(words) if numbers is None else self.known(words))
        self.ids = np.frombuffer(ids, dtype=np.int32) if ids else np.zeros(0, np.int32)
        """(N,) of all texts, one after another."""
        self.lengths = np.frombuffer(lengths, dtype=np.int64) if lengths else np.zeros(0, np.int64)
        """(B,) tokens of each text."""

    def _new(self, words: Sequence[str]) -> list[int]:
        return [self.numbers.setdefault(word, len(self.numbers)) for word in words]

    def known(self, words: Sequence[str]) -> list[int]:
        """The numbers of tokens; ``UNKNOWN_TOKEN`` for one that has none."""
        return [self.numbers.get(word, UNKNOWN_TOKEN) for word in words]

    def bordered(self) -> np.ndarray:
        """(N + B,) the numbers with ``BORDER`` behind each text."""
        places = np.cumsum(self.lengths + 1) - 1  # (B,)
        bordered = np.full(len(self.ids) + len(self.lengths), BORDER, dtype=np.int32)
        inside = np.ones(len(bordered), dtype=bool)
        inside[places] = False
        bordered[inside] = self.ids
        return bordered

    def excerpts(self, lengths: Sequence[int], random: np.random.Generator) -> list[np.ndarray]:
        """Numbers of stretches that have these lengths, each from any place of a text that is long enough; where none
        is, the longest text."""
        starts = np.cumsum(self.lengths) - self.lengths
        found = []
        for length in lengths:
            length = min(length, int(self.lengths.max()))
            rooms = np.maximum(self.lengths - length + 1, 0)  # (B,) places where one can begin
            text, offset = _place(np.cumsum(rooms), int(random.integers(rooms.sum())))
            start = int(starts[text]) + offset
            found.append(self.ids[start : start + length])
        return found

    def prefixes(self, count: int, context: int, length: int, random: np.random.Generator) -> list[Prefix]:
        """Prefixes of ``context`` tokens that ``length`` tokens follow, from any place; fewer where there are fewer.

        The prefix is read again as a text of its own; one that is split into other tokens then is left out.
        """
        rooms = np.cumsum(np.maximum(self.lengths - context - length + 1, 0))  # (B,)
        total = int(rooms[-1]) if len(rooms) else 0
        found = []
        for number in random.choice(total, min(count, total), replace=False) if total else ():
            text, offset = _place(rooms, int(number))
            whole = self.tokenizer.forward(Text([self.texts[text]]))
            spans = whole.spans(0)
            begin, middle, end = (spans[offset + i] for i in (0, context - 1, context + length - 1))
            prompt, excerpt = (self.texts[text][begin[0] : last[1]] for last in (middle, end))
            before, words = self.tokenizer.forward(Text([prompt, excerpt])).words
            if words[: len(before)] == before and len(words) >= len(before) + length:
                found.append(Prefix(prompt, tuple(words[len(before) : len(before) + length])))
        return found


def _place(ends: np.ndarray, number: int) -> tuple[int, int]:
    """Text and offset of the place ``number``, where ``ends`` (B,) sums the places of the texts up to each."""
    text = int(np.searchsorted(ends, number, side="right"))
    return text, number - (int(ends[text - 1]) if text else 0)
