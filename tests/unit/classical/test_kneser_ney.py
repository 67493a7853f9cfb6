"""The language model is a distribution after every history, and is Chen and Goodman's formula."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpipe.classical import ngram_model
from nlpipe.classical.kneser_ney import KneserNey

from .books import closed_vocabulary
from .kneser_ney_oracle import Oracle
from .small_models import END, SIZE, START, fitted

CORPORA = st.lists(st.lists(st.integers(3, 5), max_size=6), min_size=1, max_size=6)


def probabilities(model: KneserNey, words: list[int]) -> np.ndarray:
    """p(. | start and ``words``), (V,)."""
    history = model.begin(1)
    for word in words:
        _, history = model.step(history, np.array([word]))
    with np.errstate(invalid="ignore"):
        return np.exp(model.step(np.repeat(history, SIZE, 0), np.arange(SIZE))[0])


@given(CORPORA, st.sampled_from([1, 2, 3, 4, 10]), st.lists(st.integers(3, 6), max_size=12))
@settings(max_examples=80, deadline=None)
def test_it_is_a_distribution_after_every_history(corpus: list[list[int]], order: int, words: list[int]) -> None:
    found = probabilities(fitted(KneserNey, corpus, order), words)
    assert found.sum() == pytest.approx(1.0)
    assert found[START] == found[0] == 0.0
    assert (found[2:] > 0).all()


@given(CORPORA, st.integers(1, 5), st.lists(st.integers(3, 6), max_size=5))
@settings(max_examples=80, deadline=None)
def test_it_is_the_formula(corpus: list[list[int]], order: int, words: list[int]) -> None:
    oracle = Oracle(corpus, order, SIZE - 2, START, END)
    history = (START, *words)[-(order - 1) :] if order > 1 else ()
    expected = [oracle.probability(history, word) for word in range(2, SIZE)]
    np.testing.assert_allclose(probabilities(fitted(KneserNey, corpus, order, np.int32), words)[2:], expected)


@pytest.mark.shared_data
def test_it_is_the_formula_on_a_book(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words of War and Peace, order 5, a closed vocabulary with ``<unk>``; scored in parts of odd size."""
    monkeypatch.setattr(ngram_model, "PART", 777)
    vocabulary, train, test = closed_vocabulary(shared_data / "war_and_peace", 4_000, 400)
    size, (start, end) = len(vocabulary), vocabulary.ids(["<s>", "</s>"]).tolist()
    lengths = np.array([len(text) for text in train])
    model = KneserNey.fit(
        np.concatenate([np.array(text, dtype=np.int32) for text in train]), lengths, size, 5, start, end
    )
    oracle = Oracle(train, 5, size - 2, start, end)
    texts = [[*text, end] for text in test]
    scores = model.score(np.concatenate([np.array(text) for text in texts]), np.array([len(text) for text in texts]))
    expected = oracle.score(texts)
    assert sum(text.count(vocabulary.id("<unk>")) for text in test) > 50
    np.testing.assert_allclose(scores, expected, rtol=1e-9)
    assert math.exp(-scores.mean()) == pytest.approx(math.exp(-sum(expected) / len(expected)), rel=1e-9)


def test_it_survives_arrays() -> None:
    model = fitted(KneserNey, [[3, 4, 5], [3, 4], [4, 4]], 3)
    again = KneserNey.from_arrays(model.arrays(), START)
    for words in ([], [3], [3, 4], [5, 6]):
        np.testing.assert_array_equal(probabilities(again, words), probabilities(model, words))


def test_what_was_seen_is_likelier() -> None:
    model = fitted(KneserNey, [[3, 4], [3, 4], [3, 4], [5, 3]], 2)
    found = probabilities(model, [3])
    assert found.argmax() == 4
