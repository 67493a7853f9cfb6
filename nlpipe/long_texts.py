"""Long texts and words, which would take too much memory or time: tagging in windows, and words that are broken.

In the overlap of two windows, each word takes its tag from the window in which it is further from the edge. Every word
has exactly one tag.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nlpipe.predictions import AnyPredictions, Predictions
from nlpipe.wire import Tags, Tokens, locate_between_spaces

WINDOW = 1000
"""Maximum number of words in a window."""
OVERLAP = 64
"""Number of words that two neighbouring windows share."""
LONGEST_WORD = 1000
"""Characters without white space from which pieces are learned; the time for it grows with their square."""
_LONG_WORD = re.compile(rf"(\S{{{LONGEST_WORD}}})(?=\S)")


def with_broken_words(texts: Iterable[str]) -> list[str]:
    """``texts`` with a space behind every ``LONGEST_WORD`` characters without white space, to learn pieces from."""
    return [_LONG_WORD.sub(r"\1 ", text) for text in texts]


@dataclass(frozen=True)
class TextWindows:
    """P windows over B texts.

    Args:
        source: the B texts.
        windows: the P windows, each as a text: its words joined by spaces.
        owners: (P,) the index of the text that each window belongs to.
        kept: (P, 2) the words of each window whose tags are used: index of the first, index after the last.
    """

    source: Tokens
    windows: Tokens
    owners: np.ndarray
    kept: np.ndarray

    def join(self, predictions: AnyPredictions) -> Predictions[Tags]:
        """Combine the P predictions for the windows into B predictions for the texts."""
        tags: list[list[str]] = [[] for _ in range(len(self.source))]
        scores: list[list[Any]] = [[] for _ in range(len(self.source))]
        for p, (b, (start, end)) in enumerate(zip(self.owners, self.kept, strict=True)):
            tags[b] += predictions.values.values[p][start:end]
            if predictions.scores is not None:
                scores[b].append(predictions.scores[p][start:end])
        joined = None
        if predictions.scores is not None:
            joined = np.empty(len(tags), dtype=object)
            for b, arrays in enumerate(scores):
                joined[b] = np.concatenate(arrays) if arrays else np.zeros(0)
        return Predictions(Tags(tags, self.source), joined)


def cut_long(tokens: Tokens, size: int = WINDOW, overlap: int = OVERLAP) -> TextWindows | None:
    """Cut the texts into windows of at most ``size`` words; return None if no text has more words than that."""
    if max(map(len, tokens.words), default=0) <= size:
        return None
    words: list[list[str]] = []
    texts: list[str] = []
    owners, kept = [], []
    for b, sentence in enumerate(tokens.words):
        spelled = [tokens.texts[b][start:end].replace(" ", "\u00a0") for start, end in tokens.spans(b)]
        for start in range(0, max(1, len(sentence) - overlap), size - overlap):
            end = min(start + size, len(sentence))
            words.append(sentence[start:end])
            texts.append(" ".join(spelled[start:end]))
            owners.append(b)
            first = 0 if start == 0 else overlap // 2
            last = end - start if end == len(sentence) else end - start - (overlap - overlap // 2)
            kept.append((first, last))
    return TextWindows(tokens, Tokens(words, texts, locate_between_spaces), np.array(owners), np.array(kept))
