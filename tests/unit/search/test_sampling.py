"""Sampling: the shares of what is drawn, the nucleus, and what is refused."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from nlpipe.search import greedy, sample
from nlpipe.search.sampling import narrow

from .toy import END, START, Toy

SHARES = torch.tensor([0.1, 0.2, 0.4, 0.3])  # of words 0, END, 2, 3


def step(tokens: Tensor, state: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    return SHARES.log().expand(len(tokens), -1), state


def draw(batch: int = 4000, **options: Any) -> Tensor:
    """The share of each word as the first of a sentence."""
    state = torch.zeros(batch, 1)
    made = torch.Generator().manual_seed(7)
    first = torch.full((batch,), START)
    found = sample(step, first, state, state, end=END, max_length=1, generator=made, **options)
    words = [hypotheses[0][0] if hypotheses[0] else END for hypotheses in found.lists()]
    return torch.tensor(words).bincount(minlength=4) / batch


def test_words_come_as_often_as_they_are_probable() -> None:
    torch.testing.assert_close(draw(), SHARES, rtol=0, atol=0.03)


def test_temperature_sharpens() -> None:
    expected = (SHARES.log() / 0.5).softmax(-1)
    torch.testing.assert_close(draw(temperature=0.5), expected, rtol=0, atol=0.03)


def test_top_k_and_top_p_cut_the_tail() -> None:
    torch.testing.assert_close(draw(top_k=2), torch.tensor([0, 0, 4 / 7, 3 / 7]), rtol=0, atol=0.03)
    torch.testing.assert_close(draw(top_p=0.8), torch.tensor([0, 2 / 9, 4 / 9, 3 / 9]), rtol=0, atol=0.03)


def test_the_nucleus_is_the_smallest_set_that_reaches_top_p() -> None:
    scores = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
    for top_p, kept in ((0.1, 1), (0.49, 1), (0.51, 2), (0.79, 2), (0.81, 3), (0.96, 4), (1.0, 4)):
        assert int(narrow(scores, None, top_p).isfinite().sum()) == kept, top_p


def test_top_k_of_one_is_greedy() -> None:
    toy = Toy.make(4)
    state, memory = toy.start(6)
    first = torch.full((6,), START)
    drawn = sample(toy.step, first, state, memory, end=END, max_length=8, top_k=1)
    plain = greedy(toy.step, first, state, memory, end=END, max_length=8)
    assert drawn.lists() == plain.lists()
    torch.testing.assert_close(drawn.log_probs, plain.log_probs)


def test_log_probabilities_are_the_models_own() -> None:
    toy = Toy.make(4)
    state, memory = toy.start(6)
    first = torch.full((6,), START)
    torch.manual_seed(1)
    found = sample(toy.step, first, state, memory, end=END, max_length=8, temperature=3.0)
    for b, hypotheses in enumerate(found.lists()):
        assert float(found.log_probs[b, 0]) == pytest.approx(toy.score(b, tuple(hypotheses[0]))[0], abs=1e-4)


def test_a_prefix_is_kept_and_repetitions_are_not() -> None:
    state = torch.zeros(50, 1)
    first = torch.full((50,), START)
    prefix = torch.tensor([[3, 2]] * 50)
    found = sample(step, first, state, state, end=END, max_length=9, prefix=prefix, no_repeat_ngram=2)
    for (words,) in found.lists():
        assert words[:2] == [3, 2]
        pairs = list(itertools.pairwise(words))
        assert len(set(pairs)) == len(pairs)


@pytest.mark.parametrize("options", [{"temperature": 0.0}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.1}])
def test_what_does_not_fit_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        draw(4, **options)


@pytest.mark.parametrize("search", [greedy, sample])
def test_a_step_may_give_double_precision(search: Any) -> None:
    """What numpy computed is float64."""
    table = torch.tensor([[0.1, 0.9], [0.9, 0.1]], dtype=torch.float64).log()  # 0 ends
    options = {"top_k": 1} if search is sample else {}
    found = search(
        lambda tokens, state, _: (table[tokens], state), torch.tensor([0]), (), end=0, max_length=3, **options
    )
    assert found.lists() == [[[1]]]
    assert found.log_probs.item() == pytest.approx(2 * table[0, 1].item())
