"""When bfloat16 is faster: a rule, not a measurement, so that the same model computes the same on the same machine."""

from __future__ import annotations

import functools
from typing import Literal

import torch
from torch import nn

RecurrentKind = Literal["RNN", "LSTM", "GRU"]

LINEAR_WEIGHTS = 250_000
"""Weights in linear layers from which bf16 is faster on a CPU that has it.

Measured on one Zen 4 core, whole steps: two Transformer layers of width 128 gain 1.7 times, six of width 384 2.7
times, and an MLP of width 128 loses a third.
"""
RECURRENT_WEIGHTS = 50_000
"""Weights in one recurrent layer and direction from which bf16 is faster as well.

Measured on one Zen 4 core, forward and backward over padded rows (64 texts of 20 tokens, D = 50): at 128 features an
LSTM (92,160 weights) gains 1.6 times, a GRU (69,120) 1.4; at 64 a GRU (22,272) and at 32 an RNN lose. It is different
for packed sequences, which gain nothing; nothing here packs.
"""


def bf16_pays(model: nn.Module, device: str) -> bool:
    """Whether ``model`` is faster in bf16 on ``device`` (``cpu``, ``cuda`` …); it walks through all its layers."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device != "cpu" or not cpu_has_bf16():
        return False
    weights = sum(m.weight.numel() for m in model.modules() if isinstance(m, nn.Linear))
    layers = [sum(p.numel() for p in m.parameters()) for m in model.modules() if isinstance(m, nn.RNNBase)]
    if weights < LINEAR_WEIGHTS and max(layers, default=0) < RECURRENT_WEIGHTS:
        return False
    return not layers_without_bf16(model, device)


def cpu_has_bf16() -> bool:
    """Whether this CPU multiplies bf16 in hardware (AVX512_BF16 or AMX)."""
    tests = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(test() for test in tests if test is not None)


def kind_of(layer: nn.RNNBase) -> RecurrentKind:
    """``RNN``, ``LSTM`` or ``GRU``."""
    return "LSTM" if isinstance(layer, nn.LSTM) else "GRU" if isinstance(layer, nn.GRU) else "RNN"


def layers_without_bf16(model: nn.Module, device: str) -> list[RecurrentKind]:
    """Kinds of recurrent layers in ``model`` that ``device`` cannot compute in bf16, in alphabetical order."""
    if device != "cpu":
        return []
    kinds = {kind_of(module) for module in model.modules() if isinstance(module, nn.RNNBase)}
    return sorted(kind for kind in kinds if not computes_in_bf16(kind))


@functools.cache
def computes_in_bf16(kind: RecurrentKind) -> bool:
    """Whether this CPU computes recurrent layers of this ``kind`` under autocast to bf16; a small one is tried, once.

    Neither the processor's flags nor torch's own tests tell: under autocast torch hands an LSTM to oneDNN, which has
    no bf16 LSTM for processors without AVX-512 and raises a RuntimeError.
    """
    kinds = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}
    with torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng(devices=()):
        layer = kinds[kind](8, 8, batch_first=True)
        try:
            with torch.autocast("cpu", torch.bfloat16):
                rows = layer(torch.zeros(1, 2, 8))[0]  # (1, 2, 8)
            rows.float().sum().backward()
        except RuntimeError:
            return False
    return True
