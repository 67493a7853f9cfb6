"""The transformer layer: self-attention, attention over a memory where there is one, and a feed-forward network.

    after the sum (2017):   x = norm(x + dropout(sublayer(x)))
    before the sublayer:    x = x + dropout(sublayer(norm(x)))

Vaswani et al. 2017, "Attention Is All You Need", section 3.1; the norm before the sublayer trains without warm-up:
Xiong et al. 2020, "On Layer Normalization in the Transformer Architecture".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from torch import Tensor, nn

from nlpipe.nn.attention import CrossAttention, Memory, SelfAttention
from nlpipe.nn.dropout import Drop
from nlpipe.nn.key_value_cache import KeyValueCache
from nlpipe.nn.linear_layer import LinearLayer
from nlpipe.nn.positions import Rotary

Norm = Literal["pre", "post"]
Activation = Literal["relu", "gelu"]

ACTIVATIONS: Mapping[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU}


class PreNorm(nn.Module):
    """The path around a sublayer that sees normalised inputs."""

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.dropout = Drop(dropout)

    def enter(self, x: Tensor) -> Tensor:
        """What the sublayer is given."""
        normalised: Tensor = self.norm(x)
        return normalised

    def leave(self, x: Tensor, y: Tensor) -> Tensor:
        """``x`` joined with ``y``, the sublayer's output."""
        total: Tensor = x + self.dropout(y)
        return total


class PostNorm(PreNorm):
    """The path around a sublayer whose sum with the input is normalised."""

    def enter(self, x: Tensor) -> Tensor:
        return x

    def leave(self, x: Tensor, y: Tensor) -> Tensor:
        normalised: Tensor = self.norm(x + self.dropout(y))
        return normalised


class FeedForward(nn.Sequential):
    """FFN(x) = activation(x W_1 + b_1) W_2 + b_2, each token for itself (eq. 2)."""

    def __init__(self, dim: int, inner: int, activation: Activation, dropout: float) -> None:
        super().__init__(LinearLayer(dim, inner), ACTIVATIONS[activation](), Drop(dropout), LinearLayer(inner, dim))


class TransformerLayer(nn.Module):
    """One layer, for encoders and decoders.

    Args:
        dim: D, of inputs and outputs.
        heads: a divisor of D.
        feed_forward: features inside the feed-forward network.
        dropout: share dropped of each sublayer's output and inside the feed-forward network.
        norm: ``pre`` or ``post``; after the last ``pre`` layer one more norm belongs.
        activation: of the feed-forward network.
        rotary: positions turned into queries and keys, if any.
        memory_dim: features of the memory it attends to; None: it attends to none.

    Raises:
        WiringError: ``heads`` do not divide ``dim``.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        feed_forward: int,
        dropout: float = 0.1,
        norm: Norm = "pre",
        activation: Activation = "gelu",
        rotary: Rotary | None = None,
        memory_dim: int | None = None,
    ) -> None:
        super().__init__()
        around = {"pre": PreNorm, "post": PostNorm}[norm]
        self.attention = SelfAttention(dim, heads, rotary=rotary)
        self.around_attention = around(dim, dropout)
        self.cross = None if memory_dim is None else CrossAttention(dim, heads, memory_dim)
        self.around_cross = None if memory_dim is None else around(dim, dropout)
        self.feed_forward = FeedForward(dim, feed_forward, activation, dropout)
        self.around_feed_forward = around(dim, dropout)

    def remember(self, rows: Tensor, mask: Tensor) -> Memory:
        """The memory of ``rows`` (B, S, memory_dim) with their ``mask`` (B, S), for this layer."""
        assert self.cross is not None, "this layer was made without a memory"
        return self.cross.remember(rows, mask)

    def forward(
        self, x: Tensor, mask: Tensor | None = None, causal: bool = False, memory: Memory | None = None
    ) -> Tensor:
        """All tokens at once.

        Args:
            x: (B, T, D).
            mask: (B, T), true where a token is; None: everywhere.
            causal: whether a token sees only itself and those before it.
            memory: what ``remember`` gave, for a layer with a memory.

        Returns:
            (B, T, D).
        """
        x = self.around_attention.leave(x, self.attention(self.around_attention.enter(x), mask, causal))
        if self.cross is not None and self.around_cross is not None and memory is not None:
            x = self.around_cross.leave(x, self.cross(self.around_cross.enter(x), memory))
        return self.around_feed_forward.leave(x, self.feed_forward(self.around_feed_forward.enter(x)))

    def step(
        self, rows: Tensor, cache: KeyValueCache, index: int, memory: Memory | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """The newest T tokens of each of N texts; step by step it equals ``forward`` with ``causal``.

        Args:
            rows: (N T, D), the tokens of a text side by side.
            cache: with room for these tokens, as ``extend`` gives it; keys and values are written into it.
            index: number of this layer in the cache.
            memory: of B texts, for a layer with a memory; N / B adjacent texts share one row.

        Returns:
            (N T, D), and the attention weights (B, h, N T / B, S) over the memory, None where there is none.
        """
        attended = self.attention.step(self.around_attention.enter(rows), cache, index)
        rows = self.around_attention.leave(rows, attended)
        weights = None
        if self.cross is not None and self.around_cross is not None and memory is not None:
            attended, weights = self.cross.step(self.around_cross.enter(rows), memory)
            rows = self.around_cross.leave(rows, attended)
        return self.around_feed_forward.leave(rows, self.feed_forward(self.around_feed_forward.enter(rows))), weights
