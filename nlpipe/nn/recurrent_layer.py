"""One recurrent layer over padded rows, for encoders and decoders: states are batch first and any number type works."""

from __future__ import annotations

import contextlib
import copy
import warnings
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from nlpipe.errors import NlpipeWarning
from nlpipe.nn.packed_lstm import PackedLSTM
from nlpipe.nn.precision import computes_in_bf16, kind_of

LayerState = tuple[Tensor, ...]
"""What a layer hands on from token to token, (N, hidden) each: its features and, in an LSTM, its cell."""


def states_of(kind: type[nn.RNNBase]) -> int:
    """Tensors that a layer of this ``kind`` hands on from token to token."""
    return 2 if issubclass(kind, nn.LSTM) else 1


def run_layer(layer: nn.Module, x: Tensor, state: LayerState | None = None) -> tuple[Tensor, LayerState]:
    """Read the tokens ``x`` (N, T, D).

    Under autocast to bfloat16 on a CPU that has none for this kind of layer, it computes in float32 and warns.

    Args:
        layer: of torch, ``batch_first``, or what ``ready_layer`` made of it.
        x: (N, T, D).
        state: after the tokens before; None: zeros.

    Returns:
        (N, T, hidden), and the new state.
    """
    several = isinstance(layer, nn.LSTM | PackedLSTM)
    if not isinstance(layer, nn.RNNBase) or not _needs_float32(layer, x):
        rows, after = layer(x, _given(state, several))  # (N, T, hidden)
    else:
        warnings.warn(
            f"this processor cannot compute layers of the kind {kind_of(layer)} in bfloat16; they compute in float32",
            NlpipeWarning,
            stacklevel=2,
        )
        dtype = next(layer.parameters()).dtype
        with torch.autocast("cpu", enabled=False):
            state = None if state is None else tuple(tensor.to(dtype) for tensor in state)
            rows, after = layer(x.to(dtype), _given(state, several))  # (N, T, hidden)
    return rows, tuple(tensor[0] for tensor in (after if several else (after,)))


def run_layers(
    layers: Iterable[nn.Module], dropout: nn.Module, x: Tensor, states: Iterable[LayerState]
) -> tuple[Tensor, tuple[LayerState, ...]]:
    """Read the tokens ``x`` (N, T, D) with all ``layers``, dropout before each: (N, T, hidden), and the new states."""
    after = []
    for layer, state in zip(layers, states, strict=True):
        x, state = run_layer(layer, dropout(x), state)
        after.append(state)
    return x, tuple(after)


def ready_layer(layer: nn.Module, dtype: torch.dtype) -> nn.Module:
    """``layer`` made ready to predict in ``dtype``: its weights are converted, and packed where that can be done.

    It computes what autocast computes with the layer, but autocast without gradients converts the weights in each step.
    """
    assert isinstance(layer, nn.RNNBase)
    first = next(layer.parameters())
    if isinstance(layer, nn.LSTM) and first.device.type == "cpu":
        with contextlib.suppress(RuntimeError):
            return PackedLSTM(layer, dtype)
    return layer if dtype == first.dtype else copy.deepcopy(layer).to(dtype)


def _needs_float32(layer: nn.RNNBase, x: Tensor) -> bool:
    """Whether autocast asks for what this processor does not have."""
    return (
        x.device.type == "cpu"
        and torch.is_autocast_enabled("cpu")
        and torch.get_autocast_dtype("cpu") == torch.bfloat16
        and not computes_in_bf16(kind_of(layer))
    )


def _given(state: LayerState | None, several: bool) -> tuple[Tensor, ...] | Tensor | None:
    """A state as torch has it, (1, N, hidden) each."""
    if state is None:
        return None
    tensors = tuple(tensor[None].contiguous() for tensor in state)  # (1, N, hidden) each
    return tensors if several else tensors[0]
