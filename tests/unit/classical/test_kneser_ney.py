"""The language model is a distribution after every history, and is Chen and Goodman's formula."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpipe.classical.kneser_ney import KneserNey

START, END, SIZE = 1, 2, 7
CORPORA = st.lists(st.lists(st.integers(3, 5), max_size=6), min_size=1, max_size=6)


def fitted(corpus, order):
    words, lengths = np.array([w for s in corpus for w in s], dtype=int), np.array([len(s) for s in corpus])
    return KneserNey.fit(words, lengths, SIZE, order, START, END)


def probabilities(model, words):
    """p(. | start and ``words``), (V,)."""
    history = model.begin(1)
    for word in words:
        _, history = model.step(history, np.array([word]))
    with np.errstate(invalid="ignore"):
        return np.exp(model.step(np.repeat(history, SIZE, 0), np.arange(SIZE))[0])


@given(CORPORA, st.integers(1, 4), st.lists(st.integers(3, 6), max_size=5))
@settings(max_examples=80, deadline=None)
def test_it_is_a_distribution_after_every_history(corpus, order, words):
    found = probabilities(fitted(corpus, order), words)
    assert found.sum() == pytest.approx(1.0)
    assert found[START] == found[0] == 0.0
    assert (found[2:] > 0).all()


def discount(count, counts):
    """D(count) of Chen and Goodman 1998, equation 26, from the counts of counts; within 0.1 and the count less 0.1."""
    if count == 0:
        return 0.0
    having = [sum(other == n for other in counts) for n in range(5)]
    share = having[1] / (having[1] + 2 * having[2]) if having[1] else 0.5
    n = int(min(count, 3))
    estimate = n - (n + 1) * share * having[n + 1] / having[n] if having[n] else share
    return min(max(estimate, 0.1), n - 0.1)


def formula(corpus, order):
    """p(word | history) by the formula, with dictionaries."""
    padded = [(START, *sentence, END) for sentence in corpus]
    counts = [Counter(s[i : i + n] for s in padded for i in range(len(s) - n + 1)) for n in range(1, order + 1)]
    adjusted = []
    for n in range(1, order + 1):
        if n == order:
            found = {gram: float(count) for gram, count in counts[n - 1].items()}
        else:
            behind = defaultdict(set)
            for longer in counts[n]:
                behind[longer[1:]].add(longer[0])
            found = {gram: float(count if gram[0] == START else len(behind[gram]))
                     for gram, count in counts[n - 1].items()}  # fmt: skip
        if n == 1:
            found.pop((START,), None)
        adjusted.append(found)
    off = []
    for n, found in enumerate(adjusted):
        values = [found.get((w,), 0.0) for w in range(SIZE)] if n == 0 else list(found.values())
        taken = [discount(value, values) for value in values]
        off.append(dict(zip([(w,) for w in range(SIZE)] if n == 0 else found, taken, strict=True)))

    def p(history, word):
        found = adjusted[len(history)]
        if not history:
            total = sum(found.values())
            gamma = sum(off[0][gram] for gram in found) / total
            return (found.get((word,), 0.0) - off[0].get((word,), 0.0)) / total + gamma / (SIZE - 2)
        after = [gram for gram in found if gram[:-1] == history]
        if not after:
            return p(history[1:], word)
        total = sum(found[gram] for gram in after)
        gamma = sum(off[len(history)][gram] for gram in after) / total
        gram = (*history, word)
        own = (found[gram] - off[len(history)][gram]) / total if gram in found else 0.0
        return own + gamma * p(history[1:], word)

    return p


@given(CORPORA, st.integers(1, 4), st.lists(st.integers(3, 6), max_size=4))
@settings(max_examples=80, deadline=None)
def test_it_is_the_formula(corpus, order, words):
    p = formula(corpus, order)
    history = (START, *words)[-(order - 1) :] if order > 1 else ()
    expected = [p(history, word) for word in range(2, SIZE)]
    np.testing.assert_allclose(probabilities(fitted(corpus, order), words)[2:], expected)


def test_it_survives_arrays():
    model = fitted([[3, 4, 5], [3, 4], [4, 4]], 3)
    again = KneserNey.from_arrays(model.arrays(), START)
    for words in ([], [3], [3, 4], [5, 6]):
        np.testing.assert_array_equal(probabilities(again, words), probabilities(model, words))


def test_what_was_seen_is_likelier():
    model = fitted([[3, 4], [3, 4], [3, 4], [5, 3]], 2)
    found = probabilities(model, [3])
    assert found.argmax() == 4
