"""The transformer decoder: layers of causal self-attention and attention over the source.

Vaswani et al. 2017, "Attention Is All You Need", section 3.1; the layer itself is in ``nlpipe.nn.transformer_layer``.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nlpipe.nn.attention import Memory
from nlpipe.nn.dropout import Drop
from nlpipe.nn.key_value_cache import KeyValueCache
from nlpipe.nn.neural import Neural
from nlpipe.nn.positions import Positions, Rotary, added_positions
from nlpipe.nn.transformer_layer import Activation, Norm, TransformerLayer
from nlpipe.options import Dropout, Positive
from nlpipe.stage import Decoder
from nlpipe.wire import Sequences


@dataclass(frozen=True)
class DecoderState:
    """What N hypotheses have read.

    Args:
        cache: keys and values of all layers.
        coverage: (N, S) attention that the source got from the last layer in all, 1 for padding; None: not tracked.
    """

    cache: KeyValueCache
    coverage: Tensor | None

    def take(self, rows: Tensor) -> DecoderState:
        """The hypotheses ``rows`` (M,), in that order."""
        coverage = None if self.coverage is None else self.coverage.index_select(0, rows)
        return DecoderState(self.cache.take(rows), coverage)


class Transformer(Neural[Sequences, Sequences], Decoder[Sequences, Sequences]):
    """Transformer decoder: every token attends to those before it and to the source.

    Options:
        layers: how many.
        heads: of each attention; a divisor of the features.
        feed_forward: features inside the feed-forward networks; null: 4 x those of the inputs.
        dropout: share dropped in training of the inputs, of sublayers' outputs and inside feed-forward networks.
        positions: how word order is told: sinusoidal, learned, rotary, or none.
        norm: pre (normalise before each sublayer; steadier) or post (after the sum, as in 2017).
        activation: of the feed-forward networks, relu or gelu.
        max_length: for learned positions, how many tokens a text may have.
    """

    fitted = ("memory_width",)

    def __init__(
        self,
        layers: Positive = 2,
        heads: Positive = 4,
        feed_forward: Positive | None = None,
        dropout: Dropout = 0.1,
        positions: Positions = "sinusoidal",
        norm: Norm = "pre",
        activation: Activation = "gelu",
        max_length: Positive = 512,
    ) -> None:
        super().__init__()
        self.depth = layers
        self.heads = heads
        self.inner = feed_forward
        self.rate = dropout
        self.positions = positions
        self.norm = norm
        self.activation: Activation = activation
        self.max_length = max_length

    @property
    def max_positions(self) -> int | None:
        return self.max_length if self.positions == "learned" else None

    def allocate(self, width: int) -> int:
        self.place = added_positions(self.positions, width, self.max_length)
        self.dropout = Drop(self.rate)
        rotary = Rotary(width // self.heads) if self.positions == "rotary" else None
        inner, memory = self.inner or 4 * width, self.memory_width or width
        self.layers = nn.ModuleList(
            TransformerLayer(width, self.heads, inner, self.rate, self.norm, self.activation, rotary, memory)
            for _ in range(self.depth)
        )
        self.last = nn.LayerNorm(width) if self.norm == "pre" else nn.Identity()
        return width

    def stack(self) -> list[TransformerLayer]:
        """Its layers, the first to read first."""
        return [layer for layer in self.layers if isinstance(layer, TransformerLayer)]

    def remember(self, rows: Tensor, mask: Tensor) -> tuple[Memory, ...]:
        return tuple(layer.remember(rows, mask) for layer in self.stack())

    def read(self, x: Tensor, memory: tuple[Memory, ...]) -> Tensor:
        x = self.dropout(self.place(x))  # (B, T, D)
        for layer, of_layer in zip(self.stack(), memory, strict=True):
            x = layer(x, causal=True, memory=of_layer)  # (B, T, D)
        output: Tensor = self.last(x)
        return output

    def start(self, memory: tuple[Memory, ...], track_coverage: bool = False) -> DecoderState:
        keys, mask = memory[0].keys, memory[0].mask  # (B, h, S, d), (B, S)
        cache = KeyValueCache(self.depth, self.heads, keys.shape[3], keys, len(mask))
        return DecoderState(cache, 1.0 - mask.float() if track_coverage else None)

    def step(self, x: Tensor, state: DecoderState, memory: tuple[Memory, ...]) -> tuple[Tensor, DecoderState]:
        cache = state.cache.extend(len(x), x.shape[1], len(memory[0].mask))
        output, weights = self._step(x, cache, memory)
        coverage = state.coverage
        if coverage is not None:
            coverage = coverage + _over_heads(weights, memory[-1]).view(len(x), x.shape[1], -1).sum(1)  # (N, S)
        return output, DecoderState(cache, coverage)

    def _step(self, x: Tensor, cache: KeyValueCache, memory: tuple[Memory, ...]) -> tuple[Tensor, Tensor]:
        """Vectors (N, T, D) of the newest tokens ``x``, and the last layer's weights (B, h, N T / B, S)."""
        rows = self.dropout(self.place(x, cache.length - x.shape[1])).flatten(0, 1)  # (N T, D)
        weights: Tensor | None = None
        for index, (layer, of_layer) in enumerate(zip(self.stack(), memory, strict=True)):
            rows, weights = layer.step(rows, cache, index, of_layer)
        assert weights is not None
        return self.last(rows).view(x.shape), weights

    def coverage(self, state: DecoderState) -> Tensor:
        assert state.coverage is not None, "start was not asked to track coverage"
        return state.coverage

    @torch.no_grad()
    def attention(self, x: Tensor, memory: tuple[Memory, ...]) -> Tensor:
        cache = self.start(memory).cache.extend(len(x), x.shape[1], len(memory[0].mask))
        return _over_heads(self._step(x, cache, memory)[1], memory[-1])  # (B, T, S)


def _over_heads(weights: Tensor, memory: Memory) -> Tensor:
    """The mean over the heads of ``weights`` (B, h, T, S), 0 for padding: (B, T, S)."""
    return (weights * (memory.bias == 0)).mean(1)
