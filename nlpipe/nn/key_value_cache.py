"""Keys and values of the tokens so far, where a search can reorder hypotheses without moving any of them.

The K hypotheses of a sentence share one store: what they read at step t stands side by side, in the order in which they
were then. A hypothesis sees, of each step, the one entry that was its ancestor's; that is a bias on the attention's
scores, the same in all layers, and only the bias is reordered. Stores grow by doubling, so that a token costs the same
after a thousand others.
"""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor

ROOM = 32
"""Steps that a new store has room for."""


class Past:
    """What every layer of a decoder keeps of the tokens read so far, by N hypotheses: a state for a search.

    Args:
        layers: how many keep something.
        heads: h of each.
        dim: d, features of one head.
        like: a tensor with the device and type of what is kept.
        batch: N, each hypothesis a sentence of its own.
    """

    def __init__(self, layers: int, heads: int, dim: int, like: Tensor, batch: int) -> None:
        self.stores = [_Store(like.new_empty(2, batch, heads, ROOM, 1, dim)) for _ in range(layers)]
        self.length = 0
        """Steps so far, t."""
        self.width = 1
        """Hypotheses that share a store, K."""
        self.bias: Tensor | None = None
        """(N, t K) 0 where the entry was an ancestor's, else so low that nothing of it is seen; None where K is 1."""

    def _copy(self) -> Self:
        other = object.__new__(type(self))
        other.stores, other.length, other.width, other.bias = self.stores, self.length, self.width, self.bias
        return other

    def step(self, sentences: int, hypotheses: int) -> Self:
        """The past with room for one more token of each of N ``hypotheses`` of B ``sentences``; this one stays."""
        after = self._regrouped(hypotheses // sentences) if hypotheses != sentences * self.width else self._copy()
        after.stores = [store.with_room(after.length) for store in after.stores]
        if after.width > 1:
            own = _each_its_own(after.width, after.stores[0].tensor).repeat(sentences, 1)  # (N, K)
            after.bias = own if after.bias is None else torch.cat([after.bias, own], 1)  # (N, (t + 1) K)
        after.length += 1
        return after

    def attend(self, layer: int, query: Tensor, key_value: Tensor) -> Tensor:
        """Keep key and value of the newest token in ``layer`` and attend to all so far, itself among them.

        Args:
            query: (N, h, d).
            key_value: (N, 2, h, d).

        Returns:
            (N, h d).
        """
        heads, dim = query.shape[1:]
        width, tensor = self.width, self.stores[layer].tensor  # (2, B, h, room, K, d)
        batch = tensor.shape[1]
        newest = key_value.view(batch, width, 2, heads, dim).permute(2, 0, 3, 1, 4)  # (2, B, h, K, d)
        tensor[:, :, :, self.length - 1].copy_(newest)
        keys, values = tensor[:, :, :, : self.length].flatten(1, 2).flatten(2, 3)  # (B h, t K, d) each
        asked = query.view(batch, width, heads, dim).transpose(1, 2).reshape(-1, width, dim)  # (B h, K, d)
        scores = torch.baddbmm(asked.new_empty(1), asked, keys.transpose(1, 2), beta=0, alpha=dim**-0.5)
        if self.bias is not None:
            seen = self.bias.view(batch, 1, width, -1)  # (B, 1, K, t K)
            scores.view(batch, heads, width, -1).add_(seen)
        found: Tensor = scores.softmax(-1) @ values  # (B h, K, d)
        return found.view(batch, heads, width, dim).transpose(1, 2).reshape(-1, heads * dim)  # (N, h d)

    def take(self, rows: Tensor) -> Self:
        """The hypotheses of these ``rows``: of whole sentences, where it can be, nothing but the bias is moved."""
        after = self._copy()
        grouped = rows.view(-1, self.width) // self.width if len(rows) % self.width == 0 else None  # (B, K)
        if grouped is None or not bool((grouped == grouped[:, :1]).all()):
            after.stores = [store.apart(self.length, self.bias, self.width) for store in self.stores]
            after.width, after.bias = 1, None
            grouped = rows[:, None]  # (N, 1)
        elif self.bias is not None:
            after.bias = self.bias.index_select(0, rows)
        sentences = grouped[:, 0]
        count = after.stores[0].tensor.shape[1]
        if len(sentences) != count or not torch.equal(sentences, torch.arange(count, device=rows.device)):
            after.stores = [store.take(sentences) for store in after.stores]
        return after

    def _regrouped(self, width: int) -> Self:
        """Every ``width`` adjacent hypotheses in one store."""
        after = self._copy()
        after.stores = [store.apart(self.length, self.bias, self.width).together(width) for store in self.stores]
        after.width = width
        after.bias = None
        if width > 1 and self.length:
            tensor = after.stores[0].tensor
            after.bias = _each_its_own(width, tensor).repeat(tensor.shape[1], self.length)  # (N, t K)
        return after


def _each_its_own(width: int, like: Tensor) -> Tensor:
    """The bias (K, K) of one step at which every hypothesis is its own ancestor."""
    low = torch.finfo(like.dtype).min
    return torch.full((width, width), low, dtype=like.dtype, device=like.device).fill_diagonal_(0.0)


class _Store:
    """Keys and values of one layer: (2, B, h, room, K, d), of which ``filled`` steps are taken."""

    def __init__(self, tensor: Tensor, filled: int = 0) -> None:
        self.tensor = tensor
        self.filled = filled

    def with_room(self, length: int) -> _Store:
        """A store whose steps from ``length`` on may be written: this one, unless another past has written there."""
        room = self.tensor.shape[3]
        if self.filled == length < room:
            self.filled += 1
            return self
        shape = list(self.tensor.shape)
        shape[3] = room if length < room else 2 * room
        tensor = self.tensor.new_empty(shape)
        tensor[:, :, :, :length] = self.tensor[:, :, :, :length]
        return _Store(tensor, length + 1)

    def take(self, sentences: Tensor) -> _Store:
        """Those of these sentences."""
        return _Store(self.tensor.index_select(1, sentences), self.filled)

    def apart(self, length: int, bias: Tensor | None, width: int) -> _Store:
        """Every hypothesis's own, in a store of its own."""
        if width == 1 or bias is None:
            return self
        batch, heads, room, dim = *self.tensor.shape[1:4], self.tensor.shape[5]
        own = bias.view(batch, width, length, width).argmax(-1)  # (B, K, t): the ancestor at each step
        index = own.permute(0, 2, 1)[None, :, None, :, :, None].expand(2, -1, heads, -1, -1, dim)  # (2, B, h, t, K, d)
        tensor = self.tensor.new_empty(2, batch, width, heads, room, dim)
        found = self.tensor[:, :, :, :length].gather(4, index)  # (2, B, h, t, K, d)
        tensor[:, :, :, :, :length] = found.permute(0, 1, 4, 2, 3, 5)
        return _Store(tensor.view(2, batch * width, heads, room, 1, dim), length)

    def together(self, width: int) -> _Store:
        """Every ``width`` stores as one."""
        both, batch, heads, room, _, dim = self.tensor.shape
        parts = self.tensor.view(both, batch // width, width, heads, room, dim).permute(0, 1, 3, 4, 2, 5)
        return _Store(parts.contiguous(), self.filled)
