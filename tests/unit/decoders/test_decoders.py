"""What every decoder owes a search: step by step it gives what it gives at once, however hypotheses are reordered."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from nlpipe.decoders import GRU, LSTM, RNN, Transformer
from nlpipe.errors import WiringError
from nlpipe.registry import slot
from nlpipe.search import take

WIDTH, MEMORY = 8, 6
CASES: list[tuple[type[Any], dict[str, Any]]] = [
    (RNN, {"hidden": 5, "attention": "none"}),
    (LSTM, {"hidden": 6, "attention": "dot"}),
    (LSTM, {"hidden": 5, "layers": 2, "attention": "bahdanau"}),
    (GRU, {"hidden": 5, "attention": "general"}),
    (GRU, {"hidden": 5, "attention": "general", "input_feeding": True}),
    (LSTM, {"hidden": 5, "layers": 2, "attention": "bahdanau", "input_feeding": True}),
    (RNN, {"hidden": 5, "attention": "none", "input_feeding": True}),
    (Transformer, {"layers": 2, "heads": 2, "feed_forward": 12}),
    (Transformer, {"heads": 4, "norm": "post", "positions": "learned", "activation": "relu"}),
    (Transformer, {"heads": 2, "positions": "rotary"}),
]
each = pytest.mark.parametrize(("kind", "options"), CASES, ids=lambda value: getattr(value, "__name__", str(value)))


def made(kind: type[Any], options: dict[str, Any]) -> Any:
    torch.manual_seed(3)
    decoder = kind(**options)
    decoder.memory_width = MEMORY
    decoder.build(WIDTH)
    return decoder.eval()


def memory_of(decoder: Any, lengths: tuple[int, ...] = (4, 2, 3)) -> Any:
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    rows = torch.randn(len(lengths), max(lengths), MEMORY, generator=torch.Generator().manual_seed(1))
    return decoder.remember(rows * mask[..., None], mask)


def inputs(batch: int = 3, time: int = 5) -> Tensor:
    return torch.randn(batch, time, WIDTH, generator=torch.Generator().manual_seed(2))


def test_every_decoder_is_tried() -> None:
    assert {kind for kind, _ in CASES} == {slot("decoder").load(name) for name in slot("decoder").names()}


@each
def test_step_by_step_is_at_once(kind: type[Any], options: dict[str, Any]) -> None:
    decoder = made(kind, options)
    memory, x = memory_of(decoder), inputs()
    whole = decoder.read(x, memory)
    state = decoder.start(memory)
    for t in range(x.shape[1]):
        y, state = decoder.step(x[:, t : t + 1], state, memory)
        assert_close(y[:, 0], whole[:, t])


@each
def test_hypotheses_share_a_memory_and_follow_their_parents(kind: type[Any], options: dict[str, Any]) -> None:
    """Two, then three hypotheses a sentence, reordered on the way; then one sentence leaves."""
    decoder = made(kind, options)
    memory, x = memory_of(decoder), inputs(9, 5)
    state = decoder.start(memory)
    history = torch.zeros(3, 0, WIDTH)

    def go(rows: Tensor, tokens: Tensor) -> Tensor:
        nonlocal state, history
        state = take(state, rows)
        history = torch.cat([history[rows], tokens[:, None]], 1)
        y, state = decoder.step(tokens[:, None], state, memory)
        return y[:, 0]

    def expected(sentences: Tensor) -> Tensor:
        every = memory_of(decoder)
        return decoder.read(history, take(every, sentences))[:, -1]

    assert_close(go(torch.arange(3), x[:3, 0]), expected(torch.arange(3)))
    assert_close(go(torch.tensor([0, 0, 1, 1, 2, 2]), x[:6, 1]), expected(torch.tensor([0, 0, 1, 1, 2, 2])))
    assert_close(
        go(torch.tensor([1, 0, 1, 3, 3, 3, 4, 5, 4]), x[:, 2]), expected(torch.tensor([0] * 3 + [1] * 3 + [2] * 3))
    )
    assert_close(
        go(torch.tensor([2, 2, 0, 4, 3, 5, 8, 6, 7]), x[:, 3]), expected(torch.tensor([0] * 3 + [1] * 3 + [2] * 3))
    )
    memory = take(memory, torch.tensor([0, 2]))
    assert_close(go(torch.tensor([0, 1, 1, 7, 8, 6]), x[:6, 4]), expected(torch.tensor([0] * 3 + [2] * 3)))


@each
def test_a_state_can_be_continued_in_several_ways(kind: type[Any], options: dict[str, Any]) -> None:
    decoder = made(kind, options)
    memory, x = memory_of(decoder), inputs()
    _, state = decoder.step(x[:, :1], decoder.start(memory), memory)
    first = decoder.step(x[:, 1:2], state, memory)[0]
    other = decoder.step(x[:, 2:3], state, memory)[0]
    assert_close(decoder.step(x[:, 1:2], state, memory)[0], first)
    assert not torch.allclose(first, other)


@each
def test_its_attention_is_what_the_search_is_told(kind: type[Any], options: dict[str, Any]) -> None:
    decoder = made(kind, options)
    memory, x = memory_of(decoder), inputs()
    attention = decoder.attention(x, memory)  # (B, T, S)
    state = decoder.start(memory, track_coverage=True)
    for t in range(x.shape[1]):
        y, state = decoder.step(x[:, t : t + 1], state, memory)
        assert_close(y[:, 0], decoder.read(x, memory)[:, t])
    if options.get("attention") == "none":
        assert attention.shape == (3, 5, 0)
        assert (decoder.coverage(state) == 1).all()
        return
    assert_close(attention.sum(-1), torch.ones(3, 5))
    padding = torch.arange(4) >= torch.tensor([4, 2, 3])[:, None]
    assert (attention.masked_select(padding[:, None].expand_as(attention)) == 0).all()
    assert_close(decoder.coverage(state), attention.sum(1) + padding.float())


@each
def test_padding_of_the_memory_changes_nothing(kind: type[Any], options: dict[str, Any]) -> None:
    decoder = made(kind, options)
    x = inputs()
    together = decoder.read(x, memory_of(decoder))
    mask = torch.ones(1, 2, dtype=torch.bool)
    rows = torch.randn(3, 4, MEMORY, generator=torch.Generator().manual_seed(1))[1:2, :2]
    assert_close(decoder.read(x[1:2], decoder.remember(rows, mask)), together[1:2])


@each
def test_a_source_without_a_word(kind: type[Any], options: dict[str, Any]) -> None:
    decoder = made(kind, options)
    memory = decoder.remember(torch.zeros(2, 1, MEMORY), torch.zeros(2, 1, dtype=torch.bool))
    assert decoder.read(inputs(2), memory).isfinite().all()


def test_dot_needs_features_of_the_same_number() -> None:
    with pytest.raises(WiringError, match="set hidden: 6, or take attention: general"):
        made(LSTM, {"hidden": 5, "attention": "dot"})


def test_attention_is_that_of_the_papers() -> None:
    from nlpipe.nn.recurrent_attention import Additive, Dot, General

    torch.manual_seed(0)
    query, rows, mask = torch.randn(1, 1, 3), torch.randn(1, 2, 3), torch.ones(1, 2, dtype=torch.bool)
    h, s = query[0, 0], rows[0]
    dot, general, additive = Dot(3, 3), General(3, 3), Additive(3, 3)
    assert_close(dot(query, dot.keys(rows), mask)[0, 0], torch.stack([h @ s[0], h @ s[1]]).softmax(0))
    weight = general.key.weight
    assert_close(general(query, general.keys(rows), mask)[0, 0], torch.stack([h @ (weight @ v) for v in s]).softmax(0))
    score = [
        additive.score.weight[0] @ torch.tanh(additive.query.weight @ h + additive.query.bias + additive.key.weight @ v)
        for v in s
    ]
    assert_close(additive(query, additive.keys(rows), mask)[0, 0], torch.stack(score).softmax(0))
