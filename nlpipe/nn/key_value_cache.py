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


class KeyValueCache:
    """What every layer of a causal transformer keeps of the tokens read so far, by N hypotheses: a state for a search.

    It is read and written without gradients. ``extend`` and ``take`` give new caches and leave this one as it is, so
    that the same tokens may be continued in several ways.

    Args:
        layers: how many keep something.
        heads: h of each.
        dim: d, features of one head.
        like: a tensor with the device and type of what is kept.
        batch: N at first, each hypothesis a sentence of its own.
    """

    def __init__(self, layers: int, heads: int, dim: int, like: Tensor, batch: int) -> None:
        self.stores = [_Store(like.new_empty(2, batch, heads, ROOM, 1, dim)) for _ in range(layers)]
        self.length = 0
        """Tokens so far, t."""
        self.tokens = 0
        """Newest tokens, T: those that ``extend`` made room for."""
        self.width = 1
        """Hypotheses that share a store, K."""
        self.bias: Tensor | None = None
        """(N, t K) 0 where the entry is an ancestor's, else the lowest number; None where K is 1."""
        self.newest_bias: Tensor | None = None
        """What is added to the scores of the newest tokens: (B, 1, K T, t K); None: they see all entries."""

    def _copy(self) -> Self:
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        return other

    def extend(self, hypotheses: int, tokens: int = 1, sentences: int | None = None) -> Self:
        """The cache with room for ``tokens`` more of each of N ``hypotheses``.

        Args:
            hypotheses: N, as many as the cache has.
            tokens: T.
            sentences: B, where every N / B adjacent hypotheses are of one sentence and shall share a store; None: the
                stores stay as they are.
        """
        width = self.width if sentences is None else hypotheses // sentences
        after = self._copy() if width == self.width else self._regrouped(width)
        after.stores = [store.with_room(after.length, tokens) for store in after.stores]
        like = after.stores[0].tensor
        if width > 1:
            own = _each_its_own(width, like).repeat(hypotheses // width, tokens)  # (N, T K)
            after.bias = own if after.bias is None else torch.cat([after.bias, own], 1)  # (N, (t + T) K)
        after.length += tokens
        after.tokens = tokens
        after.newest_bias = None
        if after.bias is not None:
            after.newest_bias = after.bias.view(-1, 1, width, after.bias.shape[1])  # (B, 1, K, (t + T) K)
        if tokens > 1:
            seen = _causal(tokens, after.length, like).repeat_interleave(width, 1)  # (T, (t + T) K)
            if after.newest_bias is not None:
                seen = torch.minimum(after.newest_bias[:, :, :, None], seen).flatten(2, 3)  # (B, 1, K T, (t + T) K)
            after.newest_bias = seen
        return after

    def attend(self, layer: int, query: Tensor, key_value: Tensor) -> Tensor:
        """Write keys and values of the newest tokens and attend to all so far, themselves among them.

        Args:
            layer: whose they are.
            query: (N T, h, d), the tokens of a hypothesis side by side.
            key_value: (N T, 2, h, d).

        Returns:
            (N T, h d).
        """
        heads, dim = query.shape[1:]
        width, tokens, tensor = self.width, self.tokens, self.stores[layer].tensor  # (2, B, h, room, K, d)
        batch = tensor.shape[1]
        newest = key_value.view(batch, width, tokens, 2, heads, dim).permute(3, 0, 4, 2, 1, 5)  # (2, B, h, T, K, d)
        tensor[:, :, :, self.length - tokens : self.length].copy_(newest)
        keys, values = tensor[:, :, :, : self.length].flatten(1, 2).flatten(2, 3)  # (B h, t K, d) each
        queries = query.view(batch, -1, heads, dim).transpose(1, 2).reshape(batch * heads, -1, dim)  # (B h, K T, d)
        scores = torch.baddbmm(queries.new_empty(1), queries, keys.transpose(1, 2), beta=0, alpha=dim**-0.5)
        if self.newest_bias is not None:
            scores.view(batch, heads, *scores.shape[1:]).add_(self.newest_bias)  # (B, h, K T, t K)
        joined: Tensor = scores.softmax(-1) @ values  # (B h, K T, d)
        return joined.view(batch, heads, -1, dim).transpose(1, 2).reshape(-1, heads * dim)  # (N T, h d)

    def take(self, rows: Tensor) -> Self:
        """The hypotheses ``rows`` (M,), in that order; where they keep their sentences, only the bias is moved."""
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


def _lowest(rows: int, columns: int, like: Tensor) -> Tensor:
    """The lowest number of the type of ``like``: (rows, columns)."""
    return torch.full((rows, columns), torch.finfo(like.dtype).min, dtype=like.dtype, device=like.device)


def _each_its_own(width: int, like: Tensor) -> Tensor:
    """The bias (K, K) of one step at which every hypothesis is its own ancestor."""
    return _lowest(width, width, like).fill_diagonal_(0.0)


def _causal(tokens: int, length: int, like: Tensor) -> Tensor:
    """The bias (T, t) by which the last T of t tokens see themselves and all before."""
    return _lowest(tokens, length, like).triu_(length - tokens + 1)


class _Store:
    """Keys and values of one layer: (2, B, h, room, K, d), of which ``filled`` steps are taken."""

    def __init__(self, tensor: Tensor, filled: int = 0) -> None:
        self.tensor = tensor
        self.filled = filled

    def with_room(self, length: int, tokens: int) -> _Store:
        """A store whose ``tokens`` steps from ``length`` on may be written.

        This one, where it has the room and no other cache has written there.
        """
        room, wanted = self.tensor.shape[3], length + tokens
        if self.filled == length and wanted <= room:
            self.filled = wanted
            return self
        shape = list(self.tensor.shape)
        while shape[3] < wanted:
            shape[3] *= 2
        tensor = self.tensor.new_empty(shape)  # (2, B, h, room, K, d)
        tensor[:, :, :, :length] = self.tensor[:, :, :, :length]
        return _Store(tensor, wanted)

    def take(self, sentences: Tensor) -> _Store:
        """Those of these sentences."""
        return _Store(self.tensor.index_select(1, sentences), self.filled)

    def apart(self, length: int, bias: Tensor | None, width: int) -> _Store:
        """Every hypothesis's own keys and values, in a store of its own."""
        if width == 1 or bias is None:
            return self
        batch, heads, room, dim = *self.tensor.shape[1:4], self.tensor.shape[5]
        own = bias.view(batch, width, length, width).argmax(-1)  # (B, K, t): the ancestor at each step
        index = own.permute(0, 2, 1)[None, :, None, :, :, None].expand(2, -1, heads, -1, -1, dim)  # (2, B, h, t, K, d)
        tensor = self.tensor.new_empty(2, batch, width, heads, room, dim)
        gathered = self.tensor[:, :, :, :length].gather(4, index)  # (2, B, h, t, K, d)
        tensor[:, :, :, :, :length] = gathered.permute(0, 1, 4, 2, 3, 5)
        return _Store(tensor.view(2, batch * width, heads, room, 1, dim), length)

    def together(self, width: int) -> _Store:
        """Every ``width`` stores as one."""
        both, batch, heads, room, _, dim = self.tensor.shape
        parts = self.tensor.view(both, batch // width, width, heads, room, dim).permute(0, 1, 3, 4, 2, 5)
        return _Store(parts.contiguous(), self.filled)  # (2, B, h, room, K, d)
