"""Products of rows and weights, x W^T + b, by the faster of two libraries.

torch leaves products in float32 on a CPU to MKL, which does not use AVX-512 on processors of AMD. oneDNN, which comes
with torch too, does: it takes 0.42 of the time there, and 0.8 to 0.95 with AVX2 alone, but more for few rows
(`python -m benchmarks products`). All other products, in bfloat16, under autocast and on GPUs, are torch's own.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEAST = {"AVX512": 1 << 21, "AVX2": 1 << 24}
"""By what torch says of the processor: multiplications of a product from which oneDNN is the faster one."""


class LinearLayer(nn.Linear):
    """``nn.Linear`` by ``linear``."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - its name in torch
        return linear(input, self.weight, self.bias)


def linear(rows: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Rows W^T + b, with gradients.

    Args:
        rows: (..., I).
        weight: (O, I), or what ``packed`` gave, which gets no gradients.
        bias: (O,).

    Returns:
        (..., O).
    """
    if not weight.is_mkldnn and not _faster_by_onednn(rows, weight):
        return F.linear(rows, weight, bias)
    if torch.is_grad_enabled():
        result: Tensor = _Linear.apply(rows, weight, bias)  # type: ignore[no-untyped-call]
        return result
    return _by_onednn(rows, weight, bias)


def packed(weight: Tensor) -> Tensor:
    """``weight`` (O, I) in the order in which oneDNN reads it, for many products with few rows; else as it is."""
    if _usable(weight) and not torch.is_grad_enabled():
        ordered: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.detach())
        return ordered
    return weight


def use_linear(model: nn.Module) -> None:
    """Have the layers of a model that is not ours compute by ``linear``; its parameters stay as they are."""
    for module in model.modules():
        if type(module) is nn.Linear:
            module.__class__ = LinearLayer


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(rows, weight)
        return _by_onednn(rows, weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        rows, weight = ctx.saved_tensors
        slope = gradients[0]
        of_rows = of_weight = of_bias = None
        if ctx.needs_input_grad[0]:
            of_rows = linear(slope, weight.T)  # (..., I)
        slope = slope.flatten(0, -2)  # (N, O)
        if ctx.needs_input_grad[1]:
            of_weight = linear(slope.T, rows.flatten(0, -2).T)  # (O, I)
        if ctx.needs_input_grad[2]:
            of_bias = slope.sum(0)
        return of_rows, of_weight, of_bias


def _by_onednn(rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    product: Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, bias, "none", [], "")
    return product


def _faster_by_onednn(rows: Tensor, weight: Tensor) -> bool:
    least = _least()
    return (
        least is not None
        and type(rows) is Tensor  # while a network is written to a file it is another type, with sizes still unknown
        and rows.numel() * len(weight) >= least
        and not torch.compiler.is_compiling()
        and rows.dtype is torch.float32
        and _usable(weight)
        and not torch.is_autocast_enabled("cpu")
    )


def _usable(weight: Tensor) -> bool:
    return _least() is not None and weight.dtype is torch.float32 and weight.device.type == "cpu"


@functools.cache
def _least() -> int | None:
    """From how many multiplications oneDNN is the faster one on this machine; None: never."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return None
    operators = torch.ops.mkldnn
    if not all(hasattr(operators, name) for name in ("_linear_pointwise", "_reorder_linear_weight")):
        return None  # torch promises neither
    return LEAST.get(torch.backends.cpu.get_cpu_capability())
