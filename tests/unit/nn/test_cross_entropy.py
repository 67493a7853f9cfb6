"""The loss over blocks of tokens against torch's own, value and gradients."""

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from nlpipe.nn import cross_entropy as module
from nlpipe.nn.cross_entropy import cross_entropy


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("count", [1, 5, 8, 21])
def test_it_is_torch_s_cross_entropy_and_so_are_its_gradients(smoothing, count, monkeypatch):
    monkeypatch.setattr(module, "ROWS", 8)
    torch.manual_seed(0)
    gold = torch.randint(0, 11, (count,))
    ours = [torch.randn(count, 4, requires_grad=True), torch.randn(11, 4, requires_grad=True)]
    theirs = [tensor.detach().clone().requires_grad_() for tensor in ours]
    loss = cross_entropy(ours[0], ours[1], gold, smoothing)
    expected = F.cross_entropy(theirs[0] @ theirs[1].T, gold, reduction="sum", label_smoothing=smoothing)
    assert_close(loss, expected)
    (3 * loss).backward()
    (3 * expected).backward()
    for mine, other in zip(ours, theirs, strict=True):
        assert_close(mine.grad, other.grad)


def test_large_scores_do_not_overflow():
    rows, table = torch.full((2, 1), 1000.0), torch.tensor([[1.0], [-1.0], [0.5]])
    assert_close(cross_entropy(rows, table, torch.tensor([0, 2])), torch.tensor(500.0))


def test_under_autocast_its_gradients_are_near():
    torch.manual_seed(0)
    rows, table = torch.randn(30, 16), torch.randn(50, 16).requires_grad_()
    gold = torch.randint(0, 50, (30,))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = cross_entropy(rows, table, gold, 0.1)
    loss.backward()
    half = table.grad.clone()
    table.grad = None
    cross_entropy(rows, table, gold, 0.1).backward()
    assert loss.dtype == torch.float32
    assert_close(half, table.grad, rtol=0.05, atol=0.1)


def test_only_what_is_asked_for_is_computed():
    rows, table = torch.randn(3, 2), torch.randn(4, 2, requires_grad=True)
    cross_entropy(rows, table, torch.tensor([0, 1, 2])).backward()
    assert table.grad is not None and rows.grad is None
    with torch.no_grad():
        assert cross_entropy(rows, table, torch.tensor([0, 1, 2])).isfinite()
