"""Cross-entropy over a large vocabulary, with its gradients found on the way.

The scores (N, V) of all tokens are the largest thing in training a translator: kept for the backward pass they cost
more time to read and write than to compute. Here a block of tokens at a time is scored, and its gradients are computed
while its scores are still in the cache. No one-hot target is made: of label smoothing (share e, over V words) only the
mean score is needed,

    loss = lse(z) - (1 - e) z_gold - e mean(z)          d loss / d z = softmax(z) - (1 - e) [gold] - e / V

Szegedy et al. 2016, "Rethinking the Inception Architecture", section 7 (smoothing).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nlpipe.nn.linear_layer import linear, packed

ROWS = 256
"""Tokens scored together."""


def cross_entropy(rows: Tensor, table: Tensor, gold: Tensor, smoothing: float = 0.0) -> Tensor:
    """Summed negative log-likelihood, in nats, of words under softmax(rows table^T); shape ().

    Under autocast the products are in its type; sums and the loss are float32.

    Args:
        rows: (N, D).
        table: (V, D), a vector for each word.
        gold: (N,) ids.
        smoothing: share of each target's probability that is spread over all V words.
    """
    kind = rows.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else rows.dtype
    loss: Tensor = _CrossEntropy.apply(rows, table, gold, smoothing, dtype)  # type: ignore[no-untyped-call]
    return loss


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, table: Tensor, gold: Tensor, smoothing: float, dtype: torch.dtype) -> Tensor:
        words, size = table.to(dtype), len(table)  # (V, D)
        learns_rows, learns_table = ctx.needs_input_grad[:2]
        total = rows.new_zeros((), dtype=torch.float32)
        of_rows = torch.empty_like(rows) if learns_rows else None
        of_table = torch.zeros_like(table, dtype=torch.float32) if learns_table else None
        with torch.autocast(rows.device.type, enabled=False):
            into, back = packed(words), packed(words.T)
            middle = words.float().mean(0)  # (D,): a row's mean score is its product with it
            for start in range(0, len(rows), ROWS):
                some = rows[start : start + ROWS].to(dtype)  # (n, D)
                wanted = gold[start : start + ROWS, None]  # (n, 1)
                scores = linear(some, into).float()  # (n, V)
                total -= (1 - smoothing) * scores.gather(1, wanted).sum()
                if smoothing:
                    total -= smoothing * (some.float() @ middle).sum()
                highest = scores.amax(-1, keepdim=True)  # (n, 1)
                slope = scores.sub_(highest).exp_()  # (n, V)
                mass = slope.sum(-1, keepdim=True)  # (n, 1)
                total += (highest + mass.log()).sum()
                if of_rows is None and of_table is None:
                    continue
                slope = slope.div_(mass).sub_(smoothing / size)
                slope.scatter_add_(1, wanted, slope.new_full(wanted.shape, smoothing - 1))
                slope = slope.to(dtype)
                if of_rows is not None:
                    of_rows[start : start + ROWS] = linear(slope, back)
                if of_table is not None:
                    of_table += linear(slope.T, some.T)
        ctx.save_for_backward(of_rows, of_table)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None, None, None]:
        of_rows, of_table = ctx.saved_tensors
        scale = gradients[0]
        return (
            None if of_rows is None else of_rows * scale.to(of_rows.dtype),
            None if of_table is None else of_table * scale,
            None, None, None,
        )  # fmt: skip
