"""Multi-head attention: over the sequence itself, over a memory, or one step at a time with a cache.

    Attention(Q, K, V) = softmax(Q K^T / sqrt(d)) V                            (eq. 1; d features in a head)
    head_i             = Attention(X W_i^Q, Y W_i^K, Y W_i^V)
    MultiHead(X, Y)    = Concat(head_1, ..., head_h) W^O

``SelfAttention`` has Y = X and one product for all three projections; ``CrossAttention`` has Y = a memory, whose
keys and values are computed once. Throughout: T queries, S keys, h heads, d = D / h.

Vaswani et al. 2017, "Attention Is All You Need", section 3.2.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlpipe.errors import WiringError
from nlpipe.nn.positions import Rotary

Cache = tuple[Tensor, Tensor]
"""Keys and values of the tokens so far, (N, h, S, d) each: batch first, so that a search can reorder it."""

Memory = tuple[Tensor, Tensor, Tensor]
"""Keys and values of a memory, (B, h, S, d) each, and its mask (B, S), true where a token is."""


SHORT = 512 * 512
"""Products T S up to which, in bfloat16 on a CPU, the formula written out is faster than torch's fused kernel: measured
for training two times at T = 512, six at T = 21. In float32, and on GPUs, the fused kernel is the faster one."""


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    visible: Tensor | None = None,
    dropout: float = 0.0,
    causal: bool = False,
) -> Tensor:
    """softmax(Q K^T / sqrt(d)) V by whichever way is fastest; the fused kernel never holds all weights in memory.

    Args:
        query: (B, h, T, d).
        key: (B, h, S, d).
        value: (B, h, S, d).
        visible: boolean, spreads to (B, h, T, S): which keys a query sees; None: all. One that sees none gives zeros.
        dropout: share of the weights dropped.
        causal: instead of ``visible``, where T = S: each query sees its own key and those before it.

    Returns:
        (B, h, T, d).
    """
    length, keys = query.shape[2], key.shape[2]
    if query.dtype == torch.bfloat16 and query.device.type == "cpu" and length * keys <= SHORT:
        weights = weigh(query, key, until_now(length, keys, query.device) if causal else visible)  # (B, h, T, S)
        return F.dropout(weights, dropout).to(value.dtype) @ value
    if visible is None:
        return F.scaled_dot_product_attention(query, key, value, dropout_p=dropout, is_causal=causal)
    blind = ~visible.any(-1, keepdim=True)  # softmax over nothing would be NaN: let it look, and forget what it saw
    seen = F.scaled_dot_product_attention(query, key, value, attn_mask=visible | blind, dropout_p=dropout)
    return seen.masked_fill(blind, 0.0)


def weigh(query: Tensor, key: Tensor, visible: Tensor | None) -> Tensor:
    """softmax(Q K^T / sqrt(d)), written out, to be looked at: (B, h, T, S); rows sum to 1, or to 0 if all is hidden."""
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])  # (B, h, T, S)
    if visible is None:
        return scores.softmax(-1)
    return scores.masked_fill(~visible, torch.finfo(scores.dtype).min).softmax(-1) * visible


def until_now(length: int, keys: int, device: torch.device) -> Tensor:
    """What the last ``length`` of ``keys`` tokens may see, themselves and all before: boolean (length, keys)."""
    return torch.ones(length, keys, dtype=torch.bool, device=device).tril(keys - length)


def split_heads(x: Tensor, heads: int) -> Tensor:
    """(B, T, D) as (B, heads, T, D / heads)."""
    return x.view(*x.shape[:-1], heads, x.shape[-1] // heads).transpose(1, 2)


def join_heads(x: Tensor) -> Tensor:
    """(B, heads, T, d) as (B, T, heads * d)."""
    return x.transpose(1, 2).flatten(2)


def check_heads(dim: int, heads: int) -> None:
    """Raises WiringError where ``heads`` do not divide ``dim``."""
    if dim % heads:
        said = f"{heads} heads do not divide a width of {dim}"
        raise WiringError(f"{said}; choose another number of heads, or a width that is a multiple of {heads}")


def _linear(inputs: int, outputs: int, parts: int = 1) -> nn.Linear:
    """``parts`` projections side by side, each Glorot-uniform on its own, without their biases at first."""
    linear = nn.Linear(inputs, parts * outputs)
    for part in linear.weight.chunk(parts):
        nn.init.xavier_uniform_(part)
    nn.init.zeros_(linear.bias)
    return linear


class SelfAttention(nn.Module):
    """Each token looks at the tokens of its own text.

    Args:
        dim: D, of inputs and outputs.
        heads: h, a divisor of D.
        dropout: share of the attention weights dropped in training; above 0 it costs the fast kernel on CPUs.
        rotary: positions turned into queries and keys, of D / h features; None: positions are in the inputs.

    Raises:
        WiringError: ``heads`` do not divide ``dim``.
    """

    def __init__(self, dim: int, heads: int, dropout: float = 0.0, rotary: Rotary | None = None) -> None:
        super().__init__()
        check_heads(dim, heads)
        self.heads = heads
        self.dropout = dropout
        self.rotary = rotary
        self.query_key_value = _linear(dim, dim, parts=3)
        self.output = _linear(dim, dim)

    def _project(self, x: Tensor, offset: int = 0) -> tuple[Tensor, Tensor, Tensor]:
        """Q, K, V of ``x`` (B, T, D), whose first token stands at ``offset``: (B, h, T, d) each."""
        query, key, value = (split_heads(part, self.heads) for part in self.query_key_value(x).chunk(3, -1))
        if self.rotary is not None:
            query, key = self.rotary(query, offset), self.rotary(key, offset)
        return query, key, value

    def _visible(self, x: Tensor, mask: Tensor | None, causal: bool) -> Tensor | None:
        visible = until_now(x.shape[1], x.shape[1], x.device) if causal else None  # (T, T)
        if mask is None:
            return visible
        keys = mask[:, None, None]  # (B, 1, 1, T)
        return keys if visible is None else keys & visible  # (B, 1, T, T)

    def forward(self, x: Tensor, mask: Tensor | None = None, causal: bool = False) -> Tensor:
        """Attend within ``x``.

        Args:
            x: (B, T, D).
            mask: (B, T), true where a token is; None: everywhere. Where padding stands at the end and ``causal`` is
                set it is not needed, for no token sees what comes later, and without it the kernel is faster.
            causal: whether a token sees only itself and those before it.

        Returns:
            (B, T, D); anything, but never NaN, where there is no token.
        """
        query, key, value = self._project(x)
        dropout = self.dropout if self.training else 0.0
        if causal and mask is None:
            heads = attend(query, key, value, dropout=dropout, causal=True)  # (B, h, T, d)
        else:
            heads = attend(query, key, value, self._visible(x, mask, causal), dropout)  # (B, h, T, d)
        output: Tensor = self.output(join_heads(heads))  # (B, T, D)
        return output

    def show(self, x: Tensor, mask: Tensor | None = None, causal: bool = False) -> tuple[Tensor, Tensor]:
        """What ``forward`` gives without dropout, (B, T, D), and the weights it gave, (B, h, T, T), for display."""
        query, key, value = self._project(x)
        weights = weigh(query, key, self._visible(x, mask, causal))  # (B, h, T, T)
        return self.output(join_heads(weights @ value)), weights

    def one(self, x: Tensor, offset: int) -> tuple[Tensor, Tensor]:
        """Q (N, h, d), and K and V (N, 2, h, d), of one token of each text, ``x`` (N, D), that stands at ``offset``."""
        parts = self.query_key_value(x).view(len(x), 3, self.heads, -1)  # (N, 3, h, d)
        if self.rotary is not None:
            turned = (self.rotary(parts[:, i, :, None], offset)[:, :, 0] for i in range(2))  # (N, h, d) each
            parts = torch.stack([*turned, parts[:, 2]], 1)  # (N, 3, h, d)
        return parts[:, 0], parts[:, 1:]

    def start(self, batch: int) -> Cache:
        """The cache of ``batch`` texts of which nothing has been read."""
        weight = self.output.weight
        empty = weight.new_zeros(batch, self.heads, 0, weight.shape[0] // self.heads)  # (N, h, 0, d)
        return empty, empty

    def step(self, x: Tensor, cache: Cache) -> tuple[Tensor, Cache]:
        """Read the next tokens, usually one; equal to ``forward`` with ``causal`` over all tokens at once.

        The cache given is left as it is: the same prefix may be continued in several ways.

        Args:
            x: (N, T, D), T new tokens.
            cache: of the S tokens before them.

        Returns:
            (N, T, D), and the cache of S + T tokens.
        """
        before = cache[0].shape[2]
        query, key, value = self._project(x, before)
        if before:
            key = torch.cat([cache[0], key], 2)  # (N, h, S + T, d)
            value = torch.cat([cache[1], value], 2)  # (N, h, S + T, d)
        visible = None if x.shape[1] == 1 else until_now(x.shape[1], key.shape[2], x.device)
        return self.output(join_heads(attend(query, key, value, visible))), (key, value)


class CrossAttention(nn.Module):
    """Each token looks at a memory: what an encoder made of the source.

    Args:
        dim: D, of inputs and outputs.
        heads: h, a divisor of D.
        memory_dim: features of the memory; None: D.
        dropout: share of the attention weights dropped in training.

    Raises:
        WiringError: ``heads`` do not divide ``dim``.
    """

    def __init__(self, dim: int, heads: int, memory_dim: int | None = None, dropout: float = 0.0) -> None:
        super().__init__()
        check_heads(dim, heads)
        self.heads = heads
        self.dropout = dropout
        self.query = _linear(dim, dim)
        self.key_value = _linear(dim if memory_dim is None else memory_dim, dim, parts=2)
        self.output = _linear(dim, dim)

    def remember(self, memory: Tensor, mask: Tensor) -> Memory:
        """Keys and values of ``memory`` (B, S, D of the memory) with its ``mask`` (B, S): once for all steps."""
        key, value = (split_heads(part, self.heads) for part in self.key_value(memory).chunk(2, -1))  # (B, h, S, d)
        return key.contiguous(), value.contiguous(), mask

    def _query(self, x: Tensor, memory: Memory) -> Tensor:
        """Queries (B, h, K T, d): K hypotheses of one text ask its one memory, which is never copied for them."""
        return split_heads(self.query(x).reshape(memory[0].shape[0], -1, x.shape[-1]), self.heads)

    def forward(self, x: Tensor, memory: Memory) -> Tensor:
        """Attend to ``memory``.

        Args:
            x: (B, T, D), or (B K, T, D) where K adjacent rows ask one row of the memory.
            memory: what ``remember`` gave.

        Returns:
            The shape of ``x``; for a memory without a token, the output's bias.
        """
        key, value, mask = memory
        dropout = self.dropout if self.training else 0.0
        heads = attend(self._query(x, memory), key, value, mask[:, None, None], dropout)  # (B, h, K T, d)
        output: Tensor = self.output(join_heads(heads))  # (B, K T, D)
        return output.view_as(x)  # (B K, T, D)

    def show(self, x: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """What ``forward`` gives without dropout, shaped as ``x`` (B, T, D), and the weights, (B, h, T, S)."""
        key, value, mask = memory
        weights = weigh(self._query(x, memory), key, mask[:, None, None])  # (B, h, T, S)
        return self.output(join_heads(weights @ value)).view_as(x), weights

    def one(self, x: Tensor, memory: Memory, seen: list[Tensor] | None = None) -> Tensor:
        """``forward`` for one token of each hypothesis, ``x`` (N, D): (N, D).

        Args:
            memory: keys and values (B, h, S, d), these zero for padding, and in place of the mask its ``bias``.
            seen: takes the weights (B, h, K, S).
        """
        key, value, hidden = memory
        batch, dim = key.shape[0], key.shape[3]
        asked = self._query(x[:, None], memory).reshape(-1, len(x) // batch, dim)  # (B h, K, d)
        scores = torch.baddbmm(asked.new_empty(1), asked, key.flatten(0, 1).transpose(1, 2), beta=0, alpha=dim**-0.5)
        scores.view(batch, self.heads, -1, key.shape[2]).add_(hidden)  # (B, h, K, S)
        weights = scores.softmax(-1)  # (B h, K, S)
        if seen is not None:
            seen.append(weights.view(batch, self.heads, -1, key.shape[2]) * (hidden == 0))
        heads = (weights @ value.flatten(0, 1)).view(batch, self.heads, -1, dim)  # (B, h, K, d)
        output: Tensor = self.output(heads.transpose(1, 2).reshape(len(x), -1))  # (N, D)
        return output


def bias(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """``mask`` (B, S) as what is added to scores (B, h, T, S): 0 for a token, so low that it is unseen for padding."""
    low = torch.full((), torch.finfo(dtype).min, dtype=dtype, device=mask.device)
    return torch.where(mask, torch.zeros((), dtype=dtype, device=mask.device), low)[:, None, None]
