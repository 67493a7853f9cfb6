"""IBM Model 1 against a plain loop and a hand-worked case; its likelihood never falls."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpipe.classical.ibm_model1 import EMPTY, EMPTY_SHARE, align

IDS = st.lists(st.integers(1, 4), min_size=1, max_size=4)
CORPORA = st.lists(st.tuples(IDS, IDS), min_size=1, max_size=5)


def arrays(corpus):
    return [np.array(s) for s, _ in corpus], [np.array(t) for _, t in corpus]


def plain_model_1(corpus, iterations):
    """t(f | e) as Brown et al. write it, word by word, with the prior of the empty word."""
    table = defaultdict(lambda: 1.0)

    def weigh(source, word):
        found = {i: (1 - EMPTY_SHARE) / len(source) * table[word, e] for i, e in enumerate(source, 1)}
        return {0: EMPTY_SHARE * table[word, EMPTY], **found}

    for _ in range(iterations):
        counts, totals = defaultdict(float), defaultdict(float)
        for source, target in corpus:
            for word in target:
                weights = weigh(source, word)
                for i, weight in weights.items():
                    e = EMPTY if i == 0 else source[i - 1]
                    counts[word, e] += weight / sum(weights.values())
                    totals[e] += weight / sum(weights.values())
        table = defaultdict(float, {(word, e): count / totals[e] for (word, e), count in counts.items()})
    links = [max(weigh(source, word).items(), key=lambda item: (item[1], -item[0]))[0]
             for source, target in corpus for word in target]  # fmt: skip
    return table, links


@given(CORPORA, st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_it_is_model_1(corpus, iterations):
    expected, links = plain_model_1(corpus, iterations)
    found = align(*arrays(corpus), iterations)
    for e, f, p in zip(found.sources, found.targets, found.probabilities, strict=True):
        assert p == pytest.approx(expected[f, e])
    assert len(found.sources) == len(expected)
    chosen = np.asarray(found.links)
    assert chosen.shape == (len(links),)
    place = 0
    for source, target in corpus:  # of equally probable ones rounding decides, so probabilities are compared
        for word in target:
            ids = [EMPTY if i == 0 else source[i - 1] for i in (int(chosen[place]), links[place])]
            priors = [EMPTY_SHARE if e == EMPTY else (1 - EMPTY_SHARE) / len(source) for e in ids]
            assert priors[0] * expected[word, ids[0]] == pytest.approx(priors[1] * expected[word, ids[1]])
            place += 1


@given(CORPORA, st.sampled_from([0.0, 4.0]))
@settings(max_examples=60, deadline=None)
def test_em_never_makes_the_data_less_likely(corpus, diagonal):
    found = align(*arrays(corpus), 6, diagonal)
    steps = np.diff(found.log_likelihoods[1:])  # the first is of a table that is no distribution yet
    assert (steps >= -1e-9).all()


def test_probabilities_of_a_source_word_sum_to_one():
    found = align(*arrays([([1, 2], [1, 2]), ([1], [1]), ([3, 3], [2])]), 5, 4.0)
    sums = np.bincount(found.sources, found.probabilities)
    np.testing.assert_allclose(sums[np.unique(found.sources)], 1.0)


def test_what_occurs_together_is_found_apart():
    """das Haus, das Buch, ein Buch (the textbook's example): every word finds its own."""
    corpus = [([1, 2], [1, 2]), ([1, 3], [1, 3]), ([4, 3], [4, 3])]
    found = align(*arrays(corpus), 20)
    assert found.links.tolist() == [1, 2] * 3


def test_near_places_break_ties():
    found = align(*arrays([([1, 1], [1, 1])]), 5, diagonal=4.0)
    assert found.links.tolist() == [1, 2]


def test_a_side_without_words():
    found = align([np.array([], dtype=int), np.array([1])], [np.array([2]), np.array([], dtype=int)], 3)
    assert found.links.tolist() == [0]
    assert found.sources.tolist() == [EMPTY]
