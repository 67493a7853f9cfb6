import pytest
import torch

from nlpipe.nn.dropout import Drop


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_drops_its_share_and_keeps_the_mean(share):
    torch.manual_seed(0)
    x = torch.ones(1001, 1003)
    dropped = Drop(share)(x)
    assert (dropped == 0).float().mean().item() == pytest.approx(share, abs=0.003)  # six standard errors
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.02)
    assert dropped[dropped != 0].unique().tolist() == pytest.approx([1 / (1 - share)], rel=1e-3)
    neighbours = ((dropped[:, 1:] == 0) & (dropped[:, :-1] == 0)).float().mean().item()
    assert neighbours == pytest.approx(share**2, abs=0.005)  # numbers are dropped independently


def test_gradient_is_the_mask():
    x = torch.randn(5, 7, requires_grad=True)
    y = Drop(0.5)(x)
    y.sum().backward()
    assert torch.equal(x.grad == 0, y == 0)


def test_seeded_and_off_outside_training():
    x, drop = torch.ones(33), Drop(0.5)
    torch.manual_seed(1)
    first = drop(x)
    torch.manual_seed(1)
    assert torch.equal(drop(x), first)
    assert drop(x[:0]).shape == (0,)
    assert drop(x.bfloat16()).dtype == torch.bfloat16
    assert drop.eval()(x) is x
    assert Drop(0.0)(x) is x
    assert Drop(0.999999)(x).isfinite().all()
