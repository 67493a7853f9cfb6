"""Add-k and stupid backoff by hand, and laws of every smoothing: word by word, all words at once, whole texts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpipe.classical.kneser_ney import KneserNey
from nlpipe.classical.ngram_model import NgramModel
from nlpipe.classical.ngram_smoothing import AddK, StupidBackoff

from .small_models import END, SIZE, START, fitted

TEXTS = [[3, 4, 5], [3, 4], [4, 4]]


def after(model: NgramModel, words: list[int]) -> np.ndarray:
    history = model.begin(1)
    for word in words:
        _, history = model.step(history, np.array([word]))
    return np.exp(model.log_probs(history)[0])


def test_add_one_is_the_rule_of_succession() -> None:
    found = after(fitted(AddK, TEXTS, 2), [3])  # 3 occurs twice, both times before 4; 5 words are predicted
    assert found[4] == pytest.approx((2 + 1) / (2 + 5)) and found[5] == pytest.approx(1 / (2 + 5))
    assert found[START] == found[0] == 0.0 and found.sum() == pytest.approx(1.0)


def test_stupid_backoff_is_a_relative_frequency_divided_by_the_sum() -> None:
    model = fitted(StupidBackoff, TEXTS, 2)
    found = after(model, [4])  # 4 occurs four times: before 5 once, before 4 once, at the end twice
    counts = {3: 2, 4: 4, 5: 1, END: 3, 6: 0.5}
    unseen = {word: 0.4 * counts[word] / sum(counts.values()) for word in (3, 6)}
    total = 1 / 4 + 1 / 4 + 2 / 4 + sum(unseen.values())  # what the scores add up to
    assert found[5] == pytest.approx(1 / 4 / total) and found[END] == pytest.approx(2 / 4 / total)
    assert found[3] == pytest.approx(unseen[3] / total) and found[6] == pytest.approx(unseen[6] / total)


@given(st.lists(st.lists(st.integers(3, 6), max_size=6), min_size=1, max_size=5), st.integers(2, 4))
@settings(max_examples=40, deadline=None)
def test_stupid_backoff_keeps_the_ratios_of_its_scores(texts: list[list[int]], order: int) -> None:
    """Against the definition in plain loops."""
    model = fitted(StupidBackoff, texts, order)
    padded = [[START, *text, END] for text in texts]
    singles = {word: max(sum(text.count(word) for text in padded), 0.5) for word in (3, 4, 5, 6, END)}

    def times(ngram: list[int]) -> int:
        return sum(text[i : i + len(ngram)] == ngram for text in padded for i in range(len(text)))

    def score(history: list[int], word: int) -> float:
        if not history:
            return singles[word] / sum(singles.values())
        seen = sum(times([*history, other]) for other in singles)
        if times([*history, word]):
            return times([*history, word]) / seen
        return (0.4 if times(history) else 1.0) * score(history[1:], word)

    for words in ([], [3], [4, 5], [3, 3, 4]):
        found = after(model, words)
        scores = {word: score([START, *words][-(order - 1) :], word) for word in singles}
        for word in singles:
            assert found[word] == pytest.approx(scores[word] / sum(scores.values()))


@given(
    st.lists(st.lists(st.integers(3, 6), max_size=6), min_size=1, max_size=5), st.integers(1, 5),
    st.lists(st.integers(3, 6), max_size=6), st.sampled_from([KneserNey, AddK, StupidBackoff]),
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_a_text_at_once_is_its_words_one_by_one(
    texts: list[list[int]], order: int, words: list[int], kind: type[NgramModel]
) -> None:
    model = fitted(kind, texts, order)
    text = [*words, END]
    whole = model.score(np.array([*text, *text]), np.array([len(text)] * 2))
    history, logs = model.begin(1), []
    for word in text:
        every = model.log_probs(history)[0]
        (log,), history = model.step(history, np.array([word]))
        assert every[word] == pytest.approx(log, rel=1e-12)
        assert math.fsum(np.exp(every)) == pytest.approx(1.0)
        logs.append(float(log))
    assert whole == pytest.approx([*logs, *logs])


@pytest.mark.parametrize("kind", [KneserNey, AddK, StupidBackoff])
def test_all_words_after_many_histories_at_once(kind: type[NgramModel]) -> None:
    model = fitted(kind, TEXTS, 4)
    history = np.concatenate([model.begin(1), np.full((1, 3), -1)])  # at the start of a text; nothing known
    for word in (3, 4, 6):  # 6 was never seen
        history = np.concatenate([history, model.step(history, np.full(len(history), word))[1]])
    every = model.log_probs(history)
    for word in range(SIZE):
        alone = model.step(history, np.full(len(history), word))[0]
        finite = np.isfinite(every[:, word])
        assert finite.all() == (word not in (0, START))
        np.testing.assert_array_equal(every[finite, word], alone[finite])
