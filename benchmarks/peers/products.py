"""Microseconds of products in float32, by torch and by oneDNN, with one thread; prints one JSON object.

python benchmarks/peers/products.py '[[rows, inputs, outputs], …]'
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from nlpipe.nn import linear_layer as ours

ROUNDS, SECONDS = 7, 0.03


def least(function: Callable[[], object]) -> float:
    """The least of several rounds, in microseconds."""
    function()
    figures = []
    for _ in range(ROUNDS):
        count, started = 0, time.perf_counter()
        while time.perf_counter() - started < SECONDS:
            function()
            count += 1
        figures.append((time.perf_counter() - started) / count)
    return 1e6 * min(figures)


def timed(rows: int, inputs: int, outputs: int) -> dict[str, float]:
    """Each way to multiply ``rows`` rows, forwards alone and with gradients."""
    layer = nn.Linear(inputs, outputs)
    x, slope = torch.randn(rows, inputs), torch.randn(rows, outputs)
    given = x.clone().requires_grad_(), layer.weight, layer.bias
    ways = {"torch": F.linear, "oneDNN": ours._Linear.apply}  # not chosen by size, as ``linear`` does
    figures: dict[str, float] = {}
    for name, product in ways.items():
        figures[name] = least(partial(product, x, layer.weight.detach(), layer.bias.detach()))
        figures[f"{name}, with gradients"] = least(
            lambda product=product: torch.autograd.grad(product(*given), given, slope)  # type: ignore[misc]
        )
    with torch.no_grad():
        once = ours.packed(layer.weight)
        figures["oneDNN, packed"] = least(partial(ours.linear, x, once, layer.bias))
    return figures


if __name__ == "__main__":
    torch.set_num_threads(1)
    sizes = json.loads(sys.argv[1])
    capability = torch.backends.cpu.get_cpu_capability()
    print(json.dumps({"capability": capability, "figures": [timed(*size) for size in sizes]}))
