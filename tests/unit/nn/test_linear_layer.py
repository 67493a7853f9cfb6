"""Products by oneDNN are those of torch, with their gradients, and only where they are meant to be."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlpipe.nn import linear_layer as module
from nlpipe.nn.linear_layer import LinearLayer, linear, packed, use_linear


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> list[torch.Size]:
    """oneDNN takes products of every size; the shapes of the rows that it was given."""
    module._least.cache_clear()
    if module._least() is None:
        pytest.skip("this torch has no oneDNN")
    monkeypatch.setattr(module, "_least", lambda: 1)
    taken: list[torch.Size] = []
    given = module._by_onednn

    def noted(rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        taken.append(rows.shape)
        return given(rows, weight, bias)

    monkeypatch.setattr(module, "_by_onednn", noted)
    return taken


@pytest.mark.parametrize("shape", [(7, 5), (2, 3, 5), (1, 5), (2, 3, 4, 5)])
@pytest.mark.parametrize("biased", [True, False])
def test_values_and_gradients_are_those_of_torch(
    always: list[torch.Size], shape: tuple[int, ...], biased: bool
) -> None:
    torch.manual_seed(1)
    layer = LinearLayer(5, 4, bias=biased)
    found = []
    for product in (F.linear, linear):
        rows = torch.arange(float(torch.Size(shape).numel())).view(shape).requires_grad_()
        result = product(rows, layer.weight, layer.bias)
        (result * torch.linspace(-1, 1, 4)).sum().backward()
        found.append([result, rows.grad, *(parameter.grad for parameter in layer.parameters())])
        layer.zero_grad()
    assert len(always) == 3  # once forwards, twice backwards
    for theirs, ours in zip(*found, strict=True):
        assert torch.equal(theirs, ours) or torch.allclose(theirs, ours, rtol=1e-5, atol=1e-6)


def test_what_is_not_contiguous_is_read_rightly(always: list[torch.Size]) -> None:
    torch.manual_seed(1)
    rows, weight = torch.randn(5, 7).T, torch.randn(5, 12).T[::2]
    with torch.no_grad():
        assert torch.allclose(linear(rows, weight), rows @ weight.T, atol=1e-6)
        assert torch.allclose(linear(torch.randn(1, 5).expand(3, 5), weight).var(0), torch.zeros(6))
    assert len(always) == 2


def test_packed_weights_give_the_same(always: list[torch.Size]) -> None:
    layer, rows = nn.Linear(6, 300), torch.randn(5, 6)
    assert packed(layer.weight) is layer.weight  # gradients are followed
    with torch.no_grad():
        ready = packed(layer.weight)
        assert ready.is_mkldnn
        assert torch.allclose(linear(rows, ready, layer.bias), layer(rows), atol=1e-6)
        assert linear(rows[:0], ready, layer.bias).shape == (0, 300)


def test_other_types_autocast_and_exports_stay_with_torch(always: list[torch.Size]) -> None:
    layer, rows = LinearLayer(5, 4), torch.randn(3, 5)
    assert layer.double()(rows.double()).dtype is torch.float64
    layer.float()
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(rows).dtype is torch.bfloat16
    program = torch.export.export(layer, (rows,), dynamic_shapes=({0: torch.export.Dim.AUTO},))
    assert not always
    assert torch.allclose(program.module()(torch.ones(9, 5)), layer(torch.ones(9, 5)))


def test_small_products_stay_with_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_by_onednn", lambda *_: pytest.fail("it is too small"))
    assert linear(torch.ones(1, 8), torch.ones(8, 8)).tolist() == [[8.0] * 8]


def test_a_model_keeps_its_parameters() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Sequential(nn.Linear(4, 2, bias=False)))
    names = list(model.state_dict())
    use_linear(model)
    assert list(model.state_dict()) == names
    assert [type(each) for each in model.modules() if isinstance(each, nn.Linear)] == [LinearLayer, LinearLayer]
