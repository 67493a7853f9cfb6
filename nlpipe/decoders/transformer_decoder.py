"""The transformer decoder: layers of causal self-attention and attention over the source.

Vaswani et al. 2017, "Attention Is All You Need", section 3.1; the layer itself is in ``nlpipe.nn.transformer_layer``.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from nlpipe.nn.attention import bias
from nlpipe.nn.dropout import Drop
from nlpipe.nn.key_value_cache import Past
from nlpipe.nn.neural import Neural
from nlpipe.nn.positions import Learned, Rotary, Sinusoidal, Unplaced
from nlpipe.nn.transformer_layer import Activation, Norm, TransformerLayer
from nlpipe.options import Dropout, Positive
from nlpipe.stage import Decoder
from nlpipe.wire import Sequences

Source = tuple[tuple[tuple[Tensor, Tensor], ...], Tensor, Tensor]
"""Keys and values of each layer (B, h, S, d), the mask (B, S), and the same as a bias (B, 1, 1, S)."""

State = tuple[Past, tuple[Tensor, ...]]
"""What the layers keep; attention (N, S) that the source got from the last layer, if watched."""


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
        positions: Literal["sinusoidal", "learned", "rotary", "none"] = "sinusoidal",
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
    def longest(self) -> int | None:
        return self.max_length if self.positions == "learned" else None

    def allocate(self, width: int) -> int:
        self.place = self._place(width)
        self.dropout = Drop(self.rate)
        inner, memory = self.inner or 4 * width, self.memory_width or width
        self.layers = nn.ModuleList(
            TransformerLayer(width, self.heads, inner, self.rate, self.norm, self.activation, rotary, memory)
            for rotary in [self._rotary(width)] * self.depth
        )
        self.last = nn.LayerNorm(width) if self.norm == "pre" else nn.Identity()
        return width

    def _place(self, width: int) -> nn.Module:
        if self.positions == "sinusoidal":
            return Sinusoidal(width)
        return Learned(width, self.max_length) if self.positions == "learned" else Unplaced()

    def _rotary(self, width: int) -> Rotary | None:
        return Rotary(width // self.heads) if self.positions == "rotary" else None

    def _layers(self) -> list[TransformerLayer]:
        return [layer for layer in self.layers if isinstance(layer, TransformerLayer)]

    def remember(self, rows: Tensor, mask: Tensor) -> Source:
        pairs = []
        for layer in self._layers():
            key, value, _ = layer.remember(rows, mask)  # (B, h, S, d) each
            pairs.append((key, value * mask[:, None, :, None]))
        return tuple(pairs), mask, bias(mask, rows.dtype)

    def read(self, x: Tensor, memory: Source) -> Tensor:
        return self._read(x, memory, None)

    def look(self, x: Tensor, memory: Source) -> Tensor:
        seen: list[Tensor] = []
        self._read(x, memory, seen)
        return seen[-1].mean(1)  # (B, T, S) of the last layer, its heads alike

    def _read(self, x: Tensor, memory: Source, seen: list[Tensor] | None) -> Tensor:
        x = self.dropout(self.place(x))  # (B, T, D)
        for layer, (key, value) in zip(self._layers(), memory[0], strict=True):
            x = layer(x, causal=True, memory=(key, value, memory[1]), seen=seen)
        output: Tensor = self.last(x)
        return output

    def start(self, memory: Source, watch: bool = False) -> State:
        (key, _), mask = memory[0][0], memory[1]
        past = Past(self.depth, self.heads, key.shape[3], key, len(mask))
        return past, ((1.0 - mask.float(),) if watch else ())

    def step(self, x: Tensor, state: State, memory: Source) -> tuple[Tensor, State]:
        past, seen = state
        past = past.step(len(memory[1]), len(x))
        row = self.dropout(self.place(x, past.length - 1))[:, 0]  # (N, D)
        weights: list[Tensor] | None = [] if seen else None
        for index, (layer, (key, value)) in enumerate(zip(self._layers(), memory[0], strict=True)):
            row = layer.advance(row, past, index, (key, value, memory[2]), weights)
        if weights is not None:
            seen = (seen[0] + weights[-1].mean(1).reshape(len(x), -1),)  # (B, K, S) as (N, S)
        return self.last(row)[:, None], (past, seen)

    def watched(self, state: State) -> Tensor:
        return state[1][0]
