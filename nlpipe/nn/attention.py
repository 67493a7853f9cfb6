"""Multi-head attention over the sequence itself or over a memory: all tokens at once, or step by step with a cache.

    Attention(Q, K, V) = softmax(Q K^T / sqrt(d)) V                            (eq. 1; d features in a head)
    head_i             = Attention(X W_i^Q, Y W_i^K, Y W_i^V)
    MultiHead(X, Y)    = Concat(head_1, ..., head_h) W^O

``SelfAttention`` has Y = X and one product for all three projections; ``CrossAttention`` has Y = a memory, whose
keys and values are computed once. Throughout: B texts, N = B K hypotheses, T queries, S keys, h heads, d = D / h.

Vaswani et al. 2017, "Attention Is All You Need", section 3.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlpipe.errors import WiringError
from nlpipe.nn.key_value_cache import KeyValueCache
from nlpipe.nn.linear_layer import LinearLayer
from nlpipe.nn.positions import Rotary

WRITTEN_OUT = 512 * 512
"""Products T S up to which, in bfloat16 on a CPU, the formula written out is faster than torch's fused kernel: measured
for training two times at T = 512, six at T = 21. In float32, and on GPUs, the fused kernel is the faster one."""


@dataclass(frozen=True)
class Memory:
    """What a layer attends to: keys and values of B texts, computed once and fixed for all steps.

    Args:
        keys: (B, h, S, d).
        values: (B, h, S, d), zero for padding.
        mask: (B, S), true where a token is.
        bias: (B, 1, 1, S), the mask as what is added to scores: 0 for a token, the lowest number for padding.
    """

    keys: Tensor
    values: Tensor
    mask: Tensor
    bias: Tensor

    def take(self, rows: Tensor) -> Memory:
        """The memory of the texts ``rows`` (M,), in that order."""
        return Memory(*(part.index_select(0, rows) for part in (self.keys, self.values, self.mask, self.bias)))


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
    if query.dtype == torch.bfloat16 and query.device.type == "cpu" and length * keys <= WRITTEN_OUT:
        weights = attention_weights(query, key, causal_mask(length, query.device) if causal else visible)
        return F.dropout(weights, dropout).to(value.dtype) @ value  # (B, h, T, d)
    if visible is None:
        return F.scaled_dot_product_attention(query, key, value, dropout_p=dropout, is_causal=causal)
    sees_none = ~visible.any(-1, keepdim=True)  # softmax over nothing is NaN: such a query sees all, and is zeroed
    heads = F.scaled_dot_product_attention(query, key, value, attn_mask=visible | sees_none, dropout_p=dropout)
    return heads.masked_fill(sees_none, 0.0)  # (B, h, T, d)


def attention_weights(query: Tensor, key: Tensor, visible: Tensor | None) -> Tensor:
    """softmax(Q K^T / sqrt(d)), written out: (B, h, T, S); rows sum to 1, or to 0 where no key is visible."""
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])  # (B, h, T, S)
    if visible is None:
        return scores.softmax(-1)
    return scores.masked_fill(~visible, torch.finfo(scores.dtype).min).softmax(-1) * visible


def causal_mask(length: int, device: torch.device) -> Tensor:
    """Which of ``length`` tokens each of them sees, itself and those before it: boolean (length, length)."""
    return torch.ones(length, length, dtype=torch.bool, device=device).tril()


def mask_bias(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """``mask`` (B, S) as what is added to scores (B, h, T, S): (B, 1, 1, S), 0 for a token, else the lowest number."""
    lowest = torch.full((), torch.finfo(dtype).min, dtype=dtype, device=mask.device)
    return torch.where(mask, torch.zeros((), dtype=dtype, device=mask.device), lowest)[:, None, None]


def split_heads(x: Tensor, heads: int) -> Tensor:
    """(B, T, D) as (B, heads, T, D / heads)."""
    return x.view(*x.shape[:-1], heads, x.shape[-1] // heads).transpose(1, 2)


def join_heads(x: Tensor) -> Tensor:
    """(B, heads, T, d) as (B, T, heads * d)."""
    return x.transpose(1, 2).flatten(2)


def check_heads(dim: int, heads: int) -> None:
    """Raises WiringError where ``heads`` do not divide ``dim``."""
    if dim % heads:
        raise WiringError(
            f"{heads} heads do not divide a width of {dim}; choose another number of heads, or a width that is a "
            f"multiple of {heads}"
        )


def _linear(inputs: int, outputs: int, parts: int = 1) -> LinearLayer:
    """``parts`` projections side by side, each Glorot-uniform on its own, with biases of zero."""
    linear = LinearLayer(inputs, parts * outputs)
    for part in linear.weight.chunk(parts):
        nn.init.xavier_uniform_(part)
    nn.init.zeros_(linear.bias)
    return linear


class SelfAttention(nn.Module):
    """Each token attends to the tokens of its own text.

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
        query, key, value = (split_heads(part, self.heads) for part in self.query_key_value(x).chunk(3, -1))
        if self.rotary is not None:
            query, key = self.rotary(query), self.rotary(key)  # (B, h, T, d) each
        dropout = self.dropout if self.training else 0.0
        if mask is None:
            heads = attend(query, key, value, dropout=dropout, causal=causal)  # (B, h, T, d)
        else:
            visible = mask[:, None, None]  # (B, 1, 1, T)
            if causal:
                visible = visible & causal_mask(x.shape[1], x.device)  # (B, 1, T, T)
            heads = attend(query, key, value, visible, dropout)  # (B, h, T, d)
        output: Tensor = self.output(join_heads(heads))  # (B, T, D)
        return output

    def step(self, rows: Tensor, cache: KeyValueCache, layer: int) -> Tensor:
        """``forward`` with ``causal``, for the newest T tokens of each of N texts; those before are in the cache.

        Args:
            rows: (N T, D), the tokens of a text side by side.
            cache: with room for these tokens, as ``extend`` gives it; keys and values are written into it.
            layer: number of this layer in it.

        Returns:
            (N T, D).
        """
        parts = self.query_key_value(rows).view(len(rows), 3, self.heads, -1)  # (N T, 3, h, d)
        if self.rotary is not None:
            parts = self._turn(parts, self.rotary, cache)
        output: Tensor = self.output(cache.attend(layer, parts[:, 0], parts[:, 1:]))  # (N T, D)
        return output

    def _turn(self, parts: Tensor, rotary: Rotary, cache: KeyValueCache) -> Tensor:
        """``parts`` (N T, 3, h, d) with queries and keys turned by their positions."""
        by_text = parts.view(-1, cache.tokens, 3, *parts.shape[2:]).permute(2, 0, 3, 1, 4)  # (3, N, h, T, d)
        turned = rotary(by_text[:2].flatten(0, 1), cache.length - cache.tokens)  # (2 N, h, T, d)
        joined = torch.cat([turned.view_as(by_text[:2]), by_text[2:]])  # (3, N, h, T, d)
        return joined.permute(1, 3, 0, 2, 4).flatten(0, 1)  # (N T, 3, h, d)


class CrossAttention(nn.Module):
    """Each token attends to a memory: what an encoder made of the source.

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

    def remember(self, rows: Tensor, mask: Tensor) -> Memory:
        """The memory of ``rows`` (B, S, memory_dim) with their ``mask`` (B, S)."""
        key, value = (split_heads(part, self.heads) for part in self.key_value(rows).chunk(2, -1))  # (B, h, S, d)
        values = value.contiguous() * mask[:, None, :, None]  # zero for padding, so that a text without a token gives 0
        return Memory(key.contiguous(), values, mask, mask_bias(mask, rows.dtype))

    def forward(self, x: Tensor, memory: Memory) -> Tensor:
        """Attend to ``memory``.

        Args:
            x: (B, T, D), or (B K, T, D) where K adjacent rows share one row of the memory, which is never copied.
            memory: what ``remember`` gave.

        Returns:
            The shape of ``x``; for a memory without a token, the output's bias.
        """
        dropout = self.dropout if self.training else 0.0
        query = split_heads(self.query(x).reshape(len(memory.mask), -1, x.shape[-1]), self.heads)  # (B, h, K T, d)
        heads = attend(query, memory.keys, memory.values, memory.mask[:, None, None], dropout)  # (B, h, K T, d)
        output: Tensor = self.output(join_heads(heads))  # (B, K T, D)
        return output.view_as(x)  # (B K, T, D)

    def step(self, rows: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """``forward`` without dropout for ``rows`` (B K T, D), by the way that is fastest for few of them.

        Returns:
            (B K T, D), and the attention weights (B, h, K T, S); they are not 0 where a text has no token at all.
        """
        keys, values = memory.keys, memory.values
        batch, dim = keys.shape[0], keys.shape[3]
        query = split_heads(self.query(rows).view(batch, -1, rows.shape[-1]), self.heads)  # (B, h, K T, d)
        query = query.reshape(batch * self.heads, -1, dim)  # (B h, K T, d)
        scores = torch.baddbmm(query.new_empty(1), query, keys.flatten(0, 1).transpose(1, 2), beta=0, alpha=dim**-0.5)
        scores.view(batch, self.heads, -1, keys.shape[2]).add_(memory.bias)  # (B, h, K T, S)
        weights = scores.softmax(-1)  # (B h, K T, S)
        heads = (weights @ values.flatten(0, 1)).view(batch, self.heads, -1, dim)  # (B, h, K T, d)
        output: Tensor = self.output(heads.transpose(1, 2).reshape(len(rows), -1))  # (B K T, D)
        return output, weights.view(batch, self.heads, -1, keys.shape[2])
