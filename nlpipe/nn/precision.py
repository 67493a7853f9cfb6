"""When bfloat16 pays: a rule, not a measurement, so that the same model computes the same on the same machine."""

from __future__ import annotations

import torch
from torch import nn

WORTHWHILE = 250_000
"""Weights in linear layers from which bf16 pays on a CPU that has it.

Measured on one Zen 4 core, whole steps: two Transformer layers of width 128 gain 1.7 times, six of width 384 2.7
times, and an MLP of width 128 loses a third.
"""
RECURRENT = 50_000
"""Weights in one recurrent layer and direction from which it pays as well.

Measured on one Zen 4 core, forward and backward over padded rows (64 texts of 20 tokens, D = 50): at 128 features an
LSTM (92,160 weights) gains 1.6 times, a GRU (69,120) 1.4; at 64 a GRU (22,272) and at 32 an RNN lose. It is different
for packed sequences, which gain nothing; nothing here packs.
"""


def bf16_pays(model: nn.Module, device: str) -> bool:
    """Whether ``model`` is faster in bf16 on ``device`` (``cpu``, ``cuda`` …)."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device != "cpu" or not cpu_has_bf16():
        return False
    modules = list(model.modules())
    weights = sum(m.weight.numel() for m in modules if isinstance(m, nn.Linear))
    layers = [sum(p.numel() for p in m.parameters()) for m in modules if isinstance(m, nn.RNNBase)]
    return weights >= WORTHWHILE or max(layers, default=0) >= RECURRENT


def cpu_has_bf16() -> bool:
    """Whether this CPU multiplies bf16 in hardware (AVX512_BF16 or AMX)."""
    tests = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(test() for test in tests if test is not None)
