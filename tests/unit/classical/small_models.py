"""N-gram models of a few words that are numbers."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from nlpipe.classical.ngram_model import NgramModel

START, END, SIZE = 1, 2, 7
M = TypeVar("M", bound=NgramModel)


def fitted(kind: type[M], texts: list[list[int]], order: int, dtype: Any = np.int64) -> M:
    """A model of order ``order``, fitted on texts of the words 3 to 6."""
    words, lengths = np.array([w for text in texts for w in text], dtype=dtype), np.array([len(t) for t in texts])
    return kind.fit(words, lengths, SIZE, order, START, END)
