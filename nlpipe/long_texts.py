"""Texts too long to be tagged at once: cut into overlapping stretches, the answers put together again.

Every word is answered once, by the stretch in which it stands further from a cut: no word is without a tag, and the
memory of a pipeline does not grow with the length of a text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nlpipe.stage import Predictions
from nlpipe.wire import Tags, Tokens, locate_between_spaces

LONGEST = 1000
"""Words that are tagged at once."""
SHARED = 64
"""Words that two neighbouring stretches both read."""


@dataclass(frozen=True)
class Stretches:
    """Stretches of B texts.

    Args:
        whole: the texts.
        parts: the stretches, as texts of their own: their words with a space between.
        owner: (P,) the text each is of.
        keep: (P, 2) the words of a stretch whose answers count: first, and one after the last.
    """

    whole: Tokens
    parts: Tokens
    owner: np.ndarray
    keep: np.ndarray

    def join(self, found: Predictions[Any]) -> Predictions[Tags]:
        """The answers for the stretches as answers for the texts."""
        values: list[list[str]] = [[] for _ in range(len(self.whole))]
        scores: list[list[Any]] = [[] for _ in range(len(self.whole))]
        for p, (b, (first, last)) in enumerate(zip(self.owner, self.keep, strict=True)):
            values[b] += found.values.values[p][first:last]
            if found.scores is not None:
                scores[b].append(found.scores[p][first:last])
        joined = None
        if found.scores is not None:
            joined = np.empty(len(values), dtype=object)
            for b, pieces in enumerate(scores):
                joined[b] = np.concatenate(pieces) if pieces else np.zeros(0)
        return Predictions(Tags(values, self.whole), joined)


def cut_long(tokens: Tokens, longest: int = LONGEST, shared: int = SHARED) -> Stretches | None:
    """Stretches of at most ``longest`` words, or None where no text has more."""
    if max(map(len, tokens.words), default=0) <= longest:
        return None
    words: list[list[str]] = []
    texts: list[str] = []
    owner, keep = [], []
    for b, sentence in enumerate(tokens.words):
        spans = tokens.spans(b)
        raw = [tokens.texts[b][start:end].replace(" ", "\u00a0") for start, end in spans]
        for first in range(0, max(1, len(sentence) - shared), longest - shared):
            last = min(first + longest, len(sentence))
            words.append(sentence[first:last])
            texts.append(" ".join(raw[first:last]))
            owner.append(b)
            left = 0 if first == 0 else shared // 2
            right = last - first if last == len(sentence) else last - first - (shared - shared // 2)
            keep.append((left, right))
    return Stretches(tokens, Tokens(words, texts, locate_between_spaces), np.array(owner), np.array(keep))
