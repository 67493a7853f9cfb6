"""What encoders of sequences say of themselves: who is causal never looks ahead, and reads step by step what it reads
at once. Over every registered encoder; options are in ``examples.OPTIONS``."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from nlpipe.capabilities import Steps, able, declares
from nlpipe.errors import WiringError
from nlpipe.registry import slot
from nlpipe.search import take
from nlpipe.wire import Sequences, Vectors

from .examples import cases, label, make

Case = tuple[str, str, dict[str, Any]]
WIDTH, BATCH, TIME = 8, 3, 9

CASES = [case for case in cases("encoder") if slot("encoder").load(case[1]).takes is Sequences]
OVER_TOKENS = [case for case in CASES if slot("encoder").load(case[1]).gives is Sequences]
STEPPING = [case for case in OVER_TOKENS if declares(slot("encoder").load(case[1]), Steps)]


def built(case: Case) -> Any:
    torch.manual_seed(3)
    encoder = make(case)
    encoder.build(WIDTH)
    return encoder.eval() if encoder.module is not None else encoder


def inputs() -> Tensor:
    return torch.randn(BATCH, TIME, WIDTH, generator=torch.Generator().manual_seed(4))


def outputs(encoder: Any, x: Tensor) -> Tensor:
    """What it gives for whole texts: (B, T, features)."""
    mask = torch.ones(x.shape[:2], dtype=torch.bool)
    rows, _ = encoder.forward(Sequences(x, [x.shape[1]] * len(x), mask=mask)).padded()
    assert isinstance(rows, Tensor)
    return rows


@pytest.mark.parametrize("case", OVER_TOKENS, ids=label)
@torch.no_grad()
def test_a_later_token_changes_an_earlier_output_unless_it_is_causal(case: Case) -> None:
    encoder, x = built(case), inputs()
    before = outputs(encoder, x)
    for place in range(1, TIME):
        changed = x.clone()
        changed[:, place] = -2.0 * x[:, place] + x[:, 0]
        after = outputs(encoder, changed)
        assert not torch.allclose(after[:, place:], before[:, place:], atol=1e-4)
        assert torch.allclose(after[:, :place], before[:, :place], atol=1e-6) == encoder.causal


@pytest.mark.parametrize("case", STEPPING, ids=label)
@pytest.mark.parametrize("chunk", [1, 4])
@torch.no_grad()
def test_step_by_step_equals_forward(case: Case, chunk: int) -> None:
    encoder, x = built(case), inputs()
    if not encoder.causal:
        with pytest.raises(WiringError, match="cannot read word by word; set"):
            encoder.start(BATCH)
        return
    state, parts = encoder.start(BATCH), []
    for part in x.split(chunk, 1):
        y, state = encoder.step(part, state)
        parts.append(y)
    assert_close(torch.cat(parts, 1), outputs(encoder, x))


@pytest.mark.parametrize("case", STEPPING, ids=label)
@torch.no_grad()
def test_a_state_is_reordered_by_a_search_and_can_be_used_again(case: Case) -> None:
    encoder, x, end = built(case), inputs(), inputs()[:, :1]
    if not encoder.causal:
        return
    rows = torch.tensor([2, 0, 0])
    _, state = encoder.step(x, encoder.start(BATCH))
    moved, _ = encoder.step(end, take(state, rows))
    assert_close(moved, outputs(encoder, torch.cat([x[rows], end], 1))[:, -1:])
    stayed, _ = encoder.step(end, state)
    assert_close(stayed, outputs(encoder, torch.cat([x, end], 1))[:, -1:])


@pytest.mark.parametrize("case", CASES, ids=label)
def test_who_is_causal_can_step(case: Case) -> None:
    encoder = built(case)
    assert isinstance(encoder.causal, bool)
    if encoder.causal:
        assert able(encoder, Steps) is encoder
    if encoder.gives is Vectors:
        assert not encoder.causal


@pytest.mark.parametrize("name", sorted({case[1] for case in STEPPING}))
def test_who_can_step_is_tried_causal(name: str) -> None:
    assert any(built(case).causal for case in STEPPING if case[1] == name), "give examples.OPTIONS options for it"
