"""Long texts in stretches: every word once, with its own answer."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nlpipe.long_texts import cut_long
from nlpipe.predictions import Predictions
from nlpipe.wire import Tags, Tokens


@given(st.lists(st.integers(0, 60), min_size=1, max_size=4), st.integers(5, 12), st.integers(0, 4))
def test_every_word_is_answered_once_and_in_its_place(lengths, longest, shared):
    words = [[f"{b}.{t}" for t in range(length)] for b, length in enumerate(lengths)]
    cut = cut_long(Tokens.from_words(words), longest, shared)
    if cut is None:
        assert max(lengths) <= longest
        return
    assert all(len(part) <= longest for part in cut.windows.words)
    for b in range(len(cut.windows)):
        spans = cut.windows.spans(b)
        assert [cut.windows.texts[b][start:end] for start, end in spans] == cut.windows.words[b]
    scores = np.empty(len(cut.windows), dtype=object)
    scores[:] = [np.arange(len(part), dtype=float) for part in cut.windows.words]
    found = cut.join(Predictions(Tags([list(part) for part in cut.windows.words]), scores))
    assert found.values.values == words  # each word's answer was the word
    assert [len(part) for part in found.scores] == lengths
    inside = [part[longest:-longest] for part in found.scores]
    assert all((part >= shared // 2).all() for part in inside if len(part))  # context on the left of every cut
