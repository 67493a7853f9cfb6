"""Viterbi against all sequences, one by one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from nlpipe import tag_schemes
from nlpipe.search.viterbi import viterbi


def best_of_all(scores, start, pairs, end):
    """The score of the best allowed sequence, or None."""
    found = None
    for chosen in itertools.product(range(scores.shape[1]), repeat=len(scores)):
        if start[chosen[0]] and end[chosen[-1]] and all(pairs[a, b] for a, b in itertools.pairwise(chosen)):
            total = sum(scores[t, c] for t, c in enumerate(chosen))
            found = total if found is None else max(found, total)
    return found


@pytest.mark.parametrize("scheme", ["IOB1", "IOB2", "IOBES", "BILOU"])
@pytest.mark.parametrize("seed", range(5))
def test_it_finds_the_best_allowed_sequence(scheme, seed):
    random = np.random.default_rng(seed)
    classes = ["O", *(f"{mark}-{kind}" for kind in "XY" for mark in tag_schemes.MARKS[scheme])]
    rules = tag_schemes.allowed(classes, scheme)
    lengths = np.array([3, 0, 1, 4, 2])
    scores = random.normal(size=(lengths.sum(), len(classes))) * 3
    best = viterbi(scores, lengths, *rules)
    for first, length in zip(np.cumsum(lengths) - lengths, lengths, strict=True):
        if length:
            own, chosen = scores[first : first + length], best[first : first + length]
            assert tag_schemes.faults([classes[c] for c in chosen], scheme) == []
            assert own[np.arange(length), chosen].sum() == pytest.approx(best_of_all(own, *rules))


@pytest.mark.parametrize("scheme", ["IOB1", "IOB2", "IOBES"])
@pytest.mark.parametrize("noise", [0.5, 2.0])
def test_long_texts_are_as_good_as_when_searched_word_by_word(scheme, noise):
    random = np.random.default_rng(3)
    classes = ["O", *(f"{mark}-{kind}" for kind in "XY" for mark in tag_schemes.MARKS[scheme])]
    rules = start, pairs, end = tag_schemes.allowed(classes, scheme)
    lengths = random.integers(1, 60, size=80)
    scores = random.normal(size=(lengths.sum(), len(classes))) * noise
    scores[:, 0] += 1.5  # mostly O, so that broken rules stand apart
    best = viterbi(scores, lengths, *rules)
    forbidden = np.where(pairs, 0.0, -np.inf)
    for last, length in zip(np.cumsum(lengths), lengths, strict=True):
        own, chosen = scores[last - length : last], best[last - length : last]
        value = own[0] + np.where(start, 0.0, -np.inf)
        for row in own[1:]:
            value = (value[:, None] + forbidden).max(0) + row
        assert tag_schemes.faults([classes[c] for c in chosen], scheme) == []
        assert own[np.arange(length), chosen].sum() == pytest.approx((value + np.where(end, 0.0, -np.inf)).max())


def test_any_rules_with_large_sets_of_predecessors():
    random = np.random.default_rng(0)
    for _ in range(20):
        start, end = random.random(7) < 0.7, random.random(7) < 0.7
        pairs = random.random((7, 7)) < 0.6
        scores = random.normal(size=(4, 7))
        wanted = best_of_all(scores, start, pairs, end)
        best = viterbi(scores, np.array([4]), start, pairs, end)
        if wanted is not None:
            assert scores[np.arange(4), best].sum() == pytest.approx(wanted)


def test_a_text_is_answered_the_same_alone_and_in_a_batch():
    classes = ["O", "B-X", "I-X", "B-Y", "I-Y"]
    rules = tag_schemes.allowed(classes, "IOB2")
    random = np.random.default_rng(1)
    lengths = random.integers(1, 12, size=40)
    scores = random.normal(size=(lengths.sum(), 5))
    together = viterbi(scores, lengths, *rules)
    parts = np.split(scores, np.cumsum(lengths)[:-1])
    alone = [viterbi(part, np.array([len(part)]), *rules) for part in parts]
    assert np.array_equal(together, np.concatenate(alone))


def test_impossible_tags_are_taken_only_where_nothing_else_is_allowed():
    start, pairs, end = np.array([False, False]), np.ones((2, 2), dtype=bool), np.array([True, True])
    assert viterbi(np.array([[0.0, 1.0]]), np.array([1]), start, pairs, end).tolist() == [1]
    rules = tag_schemes.allowed(["O", "I-X"], "IOB2")
    assert viterbi(np.array([[-np.inf, 0.0]]), np.array([1]), *rules).tolist() == [0]


def test_no_words():
    rules = tag_schemes.allowed(["O", "B-X"], "IOB2")
    assert viterbi(np.zeros((0, 2)), np.array([0, 0]), *rules).tolist() == []
