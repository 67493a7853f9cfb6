"""The laws of decoders, over every registered one: a batch equals one by one, steps equal reading, state is restored.

Their behaviour in a search is tested in ``tests/unit/decoders``.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from nlpipe.errors import ModelError
from nlpipe.search import take

from .examples import cases, label, make, restore

Case = tuple[str, str, dict[str, Any]]
CASES = cases("decoder")
WIDTH, MEMORY, LENGTHS = 8, 6, (4, 1, 3)


def ready(case: Case) -> Any:
    """A decoder for inputs of 8 features and a memory of 6, in eval mode."""
    torch.manual_seed(13)
    decoder = make(case)
    decoder.memory_width = MEMORY
    decoder.build(WIDTH)
    return decoder.eval()


def memory_rows() -> tuple[Tensor, Tensor]:
    """A memory (3, 4, 6) with its mask (3, 4)."""
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    rows = torch.randn(len(LENGTHS), max(LENGTHS), MEMORY, generator=torch.Generator().manual_seed(1))
    return rows * mask[..., None], mask


def inputs() -> Tensor:
    """Tokens (3, 5, 8)."""
    return torch.randn(len(LENGTHS), 5, WIDTH, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("case", CASES, ids=label)
def test_a_batch_equals_one_by_one_and_step_by_step(case: Case) -> None:
    decoder = ready(case)
    memory, x = decoder.remember(*memory_rows()), inputs()
    with torch.inference_mode():
        whole = decoder.read(x, memory)
        assert whole.shape[:2] == x.shape[:2]
        for b in range(len(LENGTHS)):
            one = torch.tensor([b])
            assert_close(decoder.read(x[one], take(memory, one)), whole[one])
        state = decoder.start(memory)
        for t in range(x.shape[1]):
            y, state = decoder.step(x[:, t : t + 1], state, memory)
            assert_close(y[:, 0], whole[:, t])


@pytest.mark.parametrize("case", CASES, ids=label)
def test_its_inputs_are_not_changed(case: Case) -> None:
    decoder = ready(case)
    (rows, mask), x = memory_rows(), inputs()
    memory = decoder.remember(rows, mask)
    with torch.inference_mode():
        decoder.read(x, memory)
        decoder.step(x[:, :1], decoder.start(memory), memory)
    assert torch.equal(x, inputs())
    assert torch.equal(rows, memory_rows()[0])
    assert torch.equal(mask, memory_rows()[1])


@pytest.mark.parametrize("case", CASES, ids=label)
def test_its_state_is_restored_from_safetensors_and_json(case: Case) -> None:
    decoder = ready(case)

    def made(again: Case) -> Any:
        copy = make(again)
        copy.memory_width = MEMORY
        return copy

    restored = restore(decoder, case, made).eval()
    with torch.inference_mode():
        expected = decoder.read(inputs(), decoder.remember(*memory_rows()))
        assert torch.equal(restored.read(inputs(), restored.remember(*memory_rows())), expected)
    with pytest.raises(ModelError, match="format"):
        made(case).load_state(decoder.state(), 10_000)
