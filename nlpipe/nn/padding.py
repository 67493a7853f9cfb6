"""Batches with padding, and what every encoder of sequences owes them: no token's vector depends on it."""

from __future__ import annotations

import torch
from torch import Tensor

from nlpipe.wire import Sequences


def open_batch(source: Sequences, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Padded rows (B, T, D), of this number type, and their mask (B, T), on this device.

    T is at least 1, also where every text is empty: layers of torch refuse T = 0, and parameters that take no part
    in a step leave distributed training waiting for their gradients.
    """
    rows, mask = source.padded(device)
    if rows.shape[1] == 0:
        rows = rows.new_zeros(len(source), 1, rows.shape[-1])  # (B, 1, D)
        mask = mask.new_zeros(len(source), 1)  # (B, 1)
    return rows.to(dtype), mask


def close_batch(rows: Tensor, mask: Tensor, source: Sequences) -> Sequences:
    """Rows (B, T, D) as the sequences that ``source`` became, zero where there is no token."""
    if not full(source, mask):
        rows = rows.masked_fill(~mask[..., None], 0.0)  # (B, T, D)
    if int(source.lengths.max(initial=0)) == 0:
        rows, mask = rows[:, :0], mask[:, :0]  # (B, 0, D), (B, 0)
    return Sequences(rows, source.lengths, source.tokens, mask)


def full(source: Sequences, mask: Tensor) -> bool:
    """Whether ``source``, opened with ``mask``, has no padding; known without asking the device."""
    return bool((source.lengths == mask.shape[1]).all())


def reversal(mask: Tensor, lengths: Tensor) -> Tensor:
    """The permutation of B T rows that turns each text around and leaves padding at its end: (B T,), its own inverse.

    Args:
        mask: (B, T).
        lengths: (B,), on the same device.
    """
    batch, time = mask.shape
    positions = torch.arange(time, device=mask.device)
    turned = torch.where(mask, lengths[:, None] - 1 - positions, positions)  # (B, T)
    return (turned + time * torch.arange(batch, device=mask.device)[:, None]).flatten()  # (B T,)


def turn_around(rows: Tensor, order: Tensor | None) -> Tensor:
    """``rows`` (B, T, D) with each text turned around: by ``order`` (B T,), or, where no text is shorter, None."""
    if order is None:
        return rows.flip(1)
    return rows.flatten(0, 1).index_select(0, order).view_as(rows)
