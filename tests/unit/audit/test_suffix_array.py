"""The suffix array: the same as looking through the corpus in plain loops, and fast on a book."""

from __future__ import annotations

import time

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nlpipe.audit.numbered_texts import BORDER
from nlpipe.audit.suffix_array import Matches, SuffixArray, covered

TEXTS = st.lists(st.lists(st.integers(0, 3), max_size=12), max_size=6)


def bordered(texts: list[list[int]]) -> np.ndarray:
    return np.array([token for text in texts for token in (*text, BORDER)], dtype=np.int32)


def occurrences(corpus: list[list[int]], wanted: list[int]) -> int:
    return sum(text[i : i + len(wanted)] == wanted for text in corpus for i in range(len(text) - len(wanted) + 1))


@given(corpus=TEXTS, queries=TEXTS, depth=st.integers(1, 9))
def test_it_finds_what_plain_loops_find(corpus: list[list[int]], queries: list[list[int]], depth: int) -> None:
    lengths, times = [], []
    for text in queries:
        for start in range(len(text)):
            sizes = [
                n for n in range(1, min(depth, len(text) - start) + 1) if occurrences(corpus, text[start : start + n])
            ]
            lengths.append(max(sizes, default=0))
            times.append(occurrences(corpus, text[start : start + lengths[-1]]) if sizes else 0)
    flat = np.array([token for text in queries for token in text], dtype=np.int64)
    found = SuffixArray(bordered(corpus), depth).matches(
        flat, np.array([len(text) for text in queries], dtype=np.int64)
    )
    assert found.lengths.tolist() == lengths and found.times.tolist() == times


def test_unknown_tokens_match_nothing() -> None:
    found = SuffixArray(bordered([[0, 1, 2]]), 4).matches(np.array([0, -2, 1, 2, -1]), np.array([5]))
    assert found.lengths.tolist() == [1, 0, 2, 1, 0]


def test_a_stretch_covers_all_its_tokens() -> None:
    matches = Matches(np.array([1, 4, 3, 2, 1, 0, 3, 2, 1]), np.ones(9, dtype=np.int64))
    assert covered(matches, 3).tolist() == [False, True, True, True, True, False, True, True, True]
    assert not covered(matches, 5).any()


def test_a_book_takes_seconds() -> None:
    random = np.random.default_rng(13)
    corpus = np.minimum(random.zipf(1.2, 600_000), 50_000).astype(np.int32)
    query = np.concatenate([corpus[1000:1100], random.permutation(corpus)[:9_900]]).astype(np.int64)
    start = time.process_time()
    found = SuffixArray(corpus, 100).matches(query, np.array([100] * 100))
    assert time.process_time() - start < 20  # about one second
    assert found.lengths[0] == 100 and found.lengths[100:].max() < 30
