"""Sampling: the shares of what is drawn, the nucleus, and what is refused."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from nlpipe.errors import ModelError
from nlpipe.search import beam_search, greedy, sample
from nlpipe.search.sampling import restrict

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
        assert int(restrict(scores, None, top_p).isfinite().sum()) == kept, top_p


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
    with pytest.raises(ValueError, match=f"{next(iter(options))}: invalid value"):
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


SEARCHES = {
    "greedy": greedy,
    "beam": beam_search,
    "sample": lambda *given, **options: sample(*given, generator=torch.Generator().manual_seed(1), **options),
}


@pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)
@pytest.mark.parametrize(
    "rules", [{"no_repeat_ngram": 1}, {"banned": [2]}, {"min_length": 3}, {"no_repeat_ngram": 2, "banned": [2, 3]}]
)
def test_a_forced_beginning_is_stronger_than_other_rules(search: Any, rules: dict[str, Any]) -> None:
    state, first = torch.zeros(2, 1), torch.tensor([START, START])
    prefix = torch.tensor([[2, 2], [2, -1]])
    found = search(step, first, state, state, end=END, max_length=4, prefix=prefix, **rules)
    (one,), (other,) = found.lists()
    assert one[:2] == [2, 2] and other[:1] == [2]
    expected = SHARES[torch.tensor([*one, END])].log().sum()
    assert float(found.log_probs[0, 0]) == pytest.approx(float(expected), abs=1e-4)


@pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)
def test_an_end_in_a_forced_beginning_ends(search: Any) -> None:
    state, first = torch.zeros(1, 1), torch.tensor([START])
    prefix = torch.tensor([[2, END]])
    found = search(step, first, state, state, end=END, max_length=4, min_length=3, prefix=prefix)
    assert found.lists() == [[[2]]]


@pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)
@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (torch.full((4,), float("nan")), "not numbers"),
        (torch.tensor([0.0, -1.0, float("nan"), -2.0]), "not numbers"),
        (torch.full((4,), float("-inf")), "every token the probability 0"),
    ],
)
@pytest.mark.parametrize("sound", [0, 2])
def test_a_model_that_broke_down_is_told(search: Any, broken: Tensor, said: str, sound: int) -> None:
    """At once, or after ``sound`` tokens."""

    def breaking(tokens: Tensor, state: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        logs = torch.tensor([-1.0, float("-inf"), -1.0, -1.0])
        return torch.where(state < sound, logs, broken), state + 1

    state, first = torch.zeros(3, 1), torch.full((3,), START)
    with pytest.raises(ModelError, match=said):
        search(breaking, first, state, state, end=END, max_length=6)


def test_the_lowest_temperature_is_greedy() -> None:
    state, first = torch.zeros(1, 1), torch.tensor([START])
    found = sample(step, first, state, state, end=END, max_length=3, temperature=1e-45)
    assert found.lists() == [[[2, 2, 2]]]
