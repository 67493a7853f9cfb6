"""Near duplicates: the pairs are those of an exhaustive search with sets of strings."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpipe.audit.near import SIZE, jaccard, ngrams, similar_across, similar_within


def string_ngrams(text: str) -> set[str]:
    return {text[i : i + SIZE] for i in range(len(text) - SIZE + 1)} if len(text) >= SIZE else {text} - {""}


def string_jaccard(one: str, other: str) -> float:
    a, b = string_ngrams(one), string_ngrams(other)
    return len(a & b) / len(a | b) if a | b else 0.0


def random_texts(seed: int, count: int) -> list[str]:
    draw = random.Random(seed)
    words = ["a", "bb", "ccc", "good", "film", "filme", "é", "日本語", "x"]
    return [" ".join(draw.choice(words) for _ in range(draw.randint(0, 14))) for _ in range(count)]


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8, 1.0])
def test_pairs_are_those_of_an_exhaustive_search(threshold: float) -> None:
    texts = random_texts(1, 150)
    expected = {
        (i, j): string_jaccard(texts[i], texts[j])
        for i in range(len(texts))
        for j in range(i)
        if string_jaccard(texts[i], texts[j]) >= threshold
    }
    assert expected
    pairs = similar_within(texts, threshold)
    assert dict(zip(zip(pairs.left, pairs.right, strict=True), pairs.similarity, strict=True)) == pytest.approx(
        expected
    )


def test_pairs_of_texts_from_one_template_are_those_of_an_exhaustive_search() -> None:
    draw = random.Random(4)
    ends = ["in May", "in the evening of the last day of the month", "now"]
    texts = [
        f"Order {draw.randint(1, 400)} of {draw.randint(1, 28)}.5. will arrive {draw.choice(ends)}" for _ in range(120)
    ]
    texts = list(dict.fromkeys(texts))
    expected = {(i, j) for i in range(len(texts)) for j in range(i) if string_jaccard(texts[i], texts[j]) >= 0.7}
    assert len(expected) > 50
    pairs = similar_within(texts, 0.7)
    assert set(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)) == expected


def test_pairs_across_are_those_of_an_exhaustive_search() -> None:
    left, right = random_texts(2, 80), random_texts(3, 120)
    expected = {(i, j) for i, a in enumerate(left) for j, b in enumerate(right) if string_jaccard(a, b) >= 0.5}
    assert expected
    pairs = similar_across(left, right, 0.5)
    assert set(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)) == expected


@settings(max_examples=50)
@given(st.text(max_size=40), st.text(max_size=40))
def test_similarity_is_that_of_the_sets_of_strings(one: str, other: str) -> None:
    assert jaccard(ngrams(one), ngrams(other)) == pytest.approx(string_jaccard(one, other))


def test_half_of_a_surrogate_pair_and_nul_are_characters() -> None:
    assert len(ngrams("abcd\ud800\x00")) == 2
    assert jaccard(ngrams("\x00"), ngrams("\x00\x00")) == 0


def test_no_texts() -> None:
    assert len(similar_within([]).left) == 0
    assert len(similar_across([], ["a text"]).left) == 0
    assert len(similar_across(["", "a"], ["", "b"]).left) == 0


def test_a_text_of_a_million_characters() -> None:
    draw = np.random.default_rng(0)
    long = "".join(map(chr, draw.integers(97, 123, 1_000_000)))
    begun = time.monotonic()
    pairs = similar_across([long[1000:], "short text"], [long, "another one"])
    assert list(zip(pairs.left, pairs.right, strict=True)) == [(0, 0)]
    assert time.monotonic() - begun < 20
