"""Beam search against exhaustive search, against greedy search, and a sentence alone against the same in a batch."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nlpipe.errors import ModelError
from nlpipe.search import beam_search, greedy, take
from nlpipe.search.beam import BLOCK, length_penalty, top

from .toy import END, START, WORDS, Toy, exhaustive

LONGEST = 4
SPACE = sum((WORDS - 1) ** length for length in range(LONGEST + 1))  # 121 sentences


def search(toy: Toy, batch: int, **options: Any) -> Any:
    state, memory = toy.start(batch)
    options = {"end": END, "max_length": LONGEST, **options}
    return beam_search(toy.step, torch.full((batch,), START), state, memory, **options)


def assert_found(found: Any, b: int, expected: list[tuple[float, list[int]]]) -> None:
    n = min(found.scores.shape[1], len(expected))
    assert found.lists()[b] == [words for _, words in expected[:n]]
    scores = torch.tensor([score for score, _ in expected[:n]])
    torch.testing.assert_close(found.scores[b, :n], scores, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("stopping", ["exact", "early"])
@pytest.mark.parametrize(("alpha", "beta"), list(itertools.product([0.0, 0.6, 1.0, 2.0], [0.0, 0.2])))
def test_a_beam_as_wide_as_the_space_is_exhaustive_search(alpha: float, beta: float, stopping: str) -> None:
    toy = Toy.make(1)
    found = search(
        toy, 3, beam=SPACE, n_best=SPACE, length_penalty=alpha, coverage_penalty=beta, coverage=toy.coverage,
        stopping=stopping,
    )  # fmt: skip
    for b in range(3):
        assert_found(found, b, exhaustive(toy, b, LONGEST, alpha, beta))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    alpha=st.sampled_from([0.0, 1.0]),
    longest=st.integers(0, LONGEST),
    shortest=st.integers(0, 2),
    ngram=st.integers(0, 3),
    prefix=st.lists(st.sampled_from([-1, 0, 2, 3]), max_size=2),
    banned=st.sampled_from([(), (0,)]),
)
def test_every_rule_is_that_of_exhaustive_search(
    seed: int, alpha: float, longest: int, shortest: int, ngram: int, prefix: list[int], banned: tuple[int, ...]
) -> None:
    toy, shortest = Toy.make(seed), min(shortest, longest)
    prefix = prefix[:longest]
    expected = exhaustive(toy, 0, longest, alpha, 0.0, shortest, ngram, tuple(prefix), banned)
    if not expected:
        return  # rules that leave nothing give way: the next test
    found = search(
        toy, 1, max_length=longest, min_length=shortest, no_repeat_ngram=ngram, banned=banned, beam=SPACE,
        n_best=3, length_penalty=alpha, prefix=torch.tensor([prefix], dtype=torch.long),
    )  # fmt: skip
    assert_found(found, 0, expected)


@pytest.mark.parametrize("n_best", [1, 2, 4])
def test_the_bound_changes_no_result(n_best: int) -> None:
    """Stopping exactly gives what going on to the longest sentence gives."""
    stopped_early = 0
    for seed in range(30):
        toy = Toy.make(seed)
        steps: list[int] = []

        def counted(tokens: Tensor, state: Any, memory: Any, toy: Toy = toy, steps: list[int] = steps) -> Any:
            steps.append(len(tokens))
            return toy.step(tokens, state, memory)

        state, memory = toy.start(1)
        first = torch.tensor([START])
        found = beam_search(counted, first, state, memory, end=END, max_length=12, beam=4, n_best=n_best)
        expected = endless(toy, beam=4, longest=12)[:n_best]
        assert found.lists()[0] == [words for _, words in expected]
        stopped_early += len(steps) < 13
    assert stopped_early > 10


def test_hypotheses_that_end_leave_as_many_to_go_on() -> None:
    """Where half of the best continuations are ends, K others still run."""
    for seed in range(60):
        toy = Toy.make(seed, ending=2.0)
        found = search(toy, 1, beam=3, n_best=3, max_length=6)
        assert found.lists()[0] == [words for _, words in endless(toy, beam=3, longest=6)[:3]]


def endless(toy: Toy, beam: int, longest: int) -> list[tuple[float, list[int]]]:
    """The same beam in plain Python, which never stops before the longest sentence."""
    running: list[tuple[float, list[int]]] = [(0.0, [])]
    finished: list[tuple[float, list[int]]] = []
    for length in range(longest + 1):
        following = []
        for total, words in running:
            code = torch.zeros(1, dtype=torch.long)
            for word in [START, *words]:
                code = toy.code(code, torch.tensor([word]), torch.tensor([0]))
            for word in range(WORDS) if length < longest else [END]:
                following.append((total + float(toy.table[code[0], word]), [*words, word]))
        following.sort(reverse=True)
        for rank, (total, words) in enumerate(following):
            if words[-1] == END and rank < beam:
                finished.append((total / float(length_penalty(len(words), 1.0)), words[:-1]))
        running = [item for item in following if item[1][-1] != END][:beam]
    return sorted(finished, reverse=True)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), alpha=st.sampled_from([0.0, 1.0, 3.0]), ngram=st.integers(0, 2))
def test_a_beam_of_one_is_greedy_search(seed: int, alpha: float, ngram: int) -> None:
    toy = Toy.make(seed)
    state, memory = toy.start(5)
    first = torch.full((5,), START)
    for stopping in ("exact", "early"):
        beam = search(toy, 5, beam=1, length_penalty=alpha, max_length=9, no_repeat_ngram=ngram, stopping=stopping)
        plain = greedy(toy.step, first, state, memory, end=END, max_length=9, no_repeat_ngram=ngram)
        assert beam.lists() == plain.lists()
        torch.testing.assert_close(beam.log_probs, plain.log_probs)


@pytest.mark.parametrize("stopping", ["exact", "early"])
@pytest.mark.parametrize("beam", [1, 2, 5, 30])
def test_a_sentence_is_the_same_alone_and_in_any_batch(beam: int, stopping: str) -> None:
    toy = Toy.make(3)
    batch = 24
    longest = torch.arange(batch) % 7
    state, memory = toy.start(batch)
    options: dict[str, Any] = {"end": END, "beam": beam, "stopping": stopping, "n_best": min(beam, 3)}
    first = torch.full((batch,), START)
    together = beam_search(toy.step, first, state, memory, max_length=longest, **options)
    assert len({tuple(rows[0]) for rows in together.lists()}) > 5
    for b in range(batch):
        row = torch.tensor([b])
        alone = beam_search(
            toy.step, first[row], take(state, row), take(memory, row), max_length=longest[row], **options
        )
        assert alone.lists()[0] == together.lists()[b]
        torch.testing.assert_close(alone.scores[0], together.scores[b])


def test_finished_sentences_leave_the_batch() -> None:
    rows: list[tuple[int, int]] = []
    toy = Toy.make(3)

    def watched(tokens: Tensor, state: Any, memory: Any) -> Any:
        rows.append((len(tokens), len(memory)))
        return toy.step(tokens, state, memory)

    state, memory = toy.start(20)
    longest = torch.arange(20)
    beam_search(watched, torch.full((20,), START), state, memory, end=END, max_length=longest, beam=3)
    assert rows[0] == (20, 20)  # one hypothesis each before the first step
    assert all(tokens == 3 * sentences for tokens, sentences in rows[1:])
    assert rows[-1][1] < 5


def test_log_probabilities_are_those_of_the_words() -> None:
    toy = Toy.make(5)
    found = search(toy, 4, beam=4, n_best=4, max_length=6)
    for b, hypotheses in enumerate(found.lists()):
        for i, words in enumerate(hypotheses):
            assert float(found.log_probs[b, i]) == pytest.approx(toy.score(b, tuple(words))[0], abs=1e-4)


def test_maximum_length_zero_is_an_empty_sentence() -> None:
    toy = Toy.make(1)
    found = search(toy, 2, max_length=0, beam=3, n_best=2)
    assert found.lists() == [[[]], [[]]]
    assert float(found.log_probs[0, 0]) == pytest.approx(toy.score(0, ())[0], abs=1e-5)


def endless_step(tokens: Tensor, state: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    """A model that never ends a sentence."""
    scores = torch.tensor([0.1, 0.0, 0.6, 0.3]).log()
    return scores.expand(len(tokens), -1), state


def test_a_model_that_never_ends_is_cut() -> None:
    first, state = torch.tensor([START, START]), torch.zeros(2, 1)
    found = beam_search(endless_step, first, state, state, end=END, max_length=5, beam=3, n_best=3)
    assert found.lists()[0][0] == [2] * 5
    assert float(found.log_probs[0, 0]) == pytest.approx(5 * torch.tensor(0.6).log().item(), abs=1e-5)
    assert greedy(endless_step, first, state, state, end=END, max_length=5).lists() == [[[2] * 5]] * 2


def test_a_beam_wider_than_the_vocabulary_finds_all_there_is() -> None:
    toy = Toy.make(2)
    found = search(toy, 1, max_length=1, beam=50, n_best=50)
    assert found.lists()[0] == [words for _, words in exhaustive(toy, 0, 1)]


def test_rules_that_leave_nothing_give_way() -> None:
    toy = Toy.make(2)
    found = search(toy, 1, beam=3, min_length=4, no_repeat_ngram=1, banned=(0,), max_length=9)
    assert [len(words) for words in found.lists()[0]] == [2]  # two words there are, and neither may come again


def test_no_sentences_give_nothing() -> None:
    state, memory = Toy.make(1).start(0)
    found = beam_search(Toy.make(1).step, torch.zeros(0, dtype=torch.long), state, memory, end=END, max_length=3)
    assert found.lists() == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beam": 2, "n_best": 3}, "n_best: invalid value 3: expected a number from 1 to the beam, which is 2"),
        ({"length_penalty": -1.0}, r"invalid penalties -1.0 \(length\) and 0.0 \(coverage\): expected 0 or more"),
        ({"coverage_penalty": 0.1}, "coverage_penalty: 0.1 requires coverage"),
        ({"max_length": -1}, "max_length: invalid value -1: expected 0 or more"),
        ({"max_length": 2, "min_length": 3}, "min_length: 3 is above max_length: 2"),
        ({"max_length": [1, 2, 3]}, r"max_length: invalid shape \(3,\): expected one number or 2 numbers"),
        ({"prefix": torch.zeros(3, 1)}, r"prefix: invalid shape \(3, 1\): expected \(2, P\)"),
        ({"banned": (END,)}, "is the token that ends a sentence"),
        ({"no_repeat_ngram": -1}, "no_repeat_ngram: invalid value -1"),
        ({"end": WORDS}, f"end: invalid token {WORDS}: step scores {WORDS} tokens"),
        ({"banned": (WORDS + 2,)}, f"banned: invalid token {WORDS + 2}"),
        ({"prefix": torch.tensor([[-1], [WORDS]])}, f"prefix: invalid token {WORDS}"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        search(Toy.make(1), 2, **options)


@pytest.mark.parametrize("look", [beam_search, greedy])
def test_a_step_of_another_shape_is_refused(look: Any) -> None:
    def step(tokens: Tensor, state: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        return torch.zeros(len(tokens), 1, WORDS), state

    with pytest.raises(ValueError, match=r"step gave log-probabilities of the shape \(2, 1, 4\): expected \(2, V\)"):
        look(step, torch.tensor([START, START]), torch.zeros(2, 1), end=END, max_length=3)


@pytest.mark.parametrize("state", [[torch.zeros(2)], {"h": torch.zeros(2)}, (torch.zeros(2), None)])
def test_a_state_without_rows_is_refused(state: Any) -> None:
    with pytest.raises(TypeError, match=r"an object with take\(rows\), not a (list|dict|NoneType)"):
        take(state, torch.tensor([0]))


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_a_model_that_is_broken_is_said_to_be(value: float) -> None:
    def broken(tokens: Tensor, state: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        return torch.full((len(tokens), WORDS), value), state

    state = torch.zeros(1, 1)
    with pytest.raises(ModelError, match="the model gave"):
        beam_search(broken, torch.tensor([START]), state, state, end=END, max_length=0 if value != value else 3)


@settings(max_examples=50, deadline=None)
@given(size=st.sampled_from([1, 7, 640, 4 * BLOCK * 6, 4 * BLOCK * 6 + 1, 4 * BLOCK * 6 + 63]), seed=st.integers(0, 99))
def test_top_is_topk(size: int, seed: int) -> None:
    scores = torch.randn(3, size, generator=torch.Generator().manual_seed(seed))
    values, places = top(scores, 6)
    expected = scores.topk(min(6, size))
    torch.testing.assert_close(values[:, : expected.values.shape[1]], expected.values, rtol=0, atol=0)
    assert (places[:, : expected.values.shape[1]] == expected.indices).all()
    assert (values[:, size:] == float("-inf")).all()


def test_the_length_penalty_is_that_of_the_paper() -> None:
    assert length_penalty(1, 0.7) == 1.0
    assert length_penalty(7, 1.0) == 2.0
    assert length_penalty(9, 0.0) == 1.0
