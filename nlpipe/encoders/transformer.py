"""The transformer encoder: layers of self-attention over a text, from scratch.

Vaswani et al. 2017, "Attention Is All You Need"; the layer itself is in ``nlpipe.nn.transformer_layer``.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from nlpipe.capabilities import Steps
from nlpipe.errors import WiringError
from nlpipe.nn.dropout import Drop
from nlpipe.nn.key_value_cache import KeyValueCache
from nlpipe.nn.neural import Neural
from nlpipe.nn.padding import close_batch, full, open_batch
from nlpipe.nn.positions import Positions, Rotary, added_positions
from nlpipe.nn.transformer_layer import Activation, Norm, TransformerLayer
from nlpipe.options import Dropout, Positive
from nlpipe.stage import Encoder
from nlpipe.wire import Sequences


class Transformer(Neural[Sequences, Sequences], Encoder[Sequences, Sequences], Steps[KeyValueCache]):
    """Transformer: layers in which every token attends to all others, or to those before it.

    Options:
        layers: how many.
        heads: of each attention; a divisor of the features.
        hidden: features inside and of the outputs, inputs are projected to them; null: those of the inputs.
        feed_forward: features inside the feed-forward networks; null: 4 x hidden.
        dropout: share dropped in training of the inputs, of sublayers' outputs and inside feed-forward networks.
        positions: how word order is told: sinusoidal, learned, rotary, or none.
        norm: pre (normalise before each sublayer; steadier) or post (after the sum, as in 2017).
        activation: of the feed-forward networks, relu or gelu.
        causal: each token sees only itself and those before it.
        max_length: for learned positions, how many tokens a text may have.
        width: D of the inputs, to use it alone in Python; in a pipeline it is known.
    """

    recurrent: ClassVar[bool] = False

    def __init__(
        self,
        layers: Positive = 2,
        heads: Positive = 4,
        hidden: Positive | None = None,
        feed_forward: Positive | None = None,
        dropout: Dropout = 0.1,
        positions: Positions = "sinusoidal",
        norm: Norm = "pre",
        activation: Activation = "gelu",
        causal: bool = False,
        max_length: Positive = 512,
        width: Positive | None = None,
    ) -> None:
        super().__init__()
        if hidden is not None and hidden % heads:
            raise ValueError(f"heads: {heads} do not divide hidden: {hidden}; choose a multiple of {heads}")
        self.depth = layers
        self.heads = heads
        self.hidden = hidden
        self.inner = feed_forward
        self.rate = dropout
        self.positions = positions
        self.norm = norm
        self.activation: Activation = activation
        self.sees_past_alone = causal
        self.max_length = max_length
        if width is not None:
            self.build(width)

    @property
    def causal(self) -> bool:
        return self.sees_past_alone

    @property
    def longest(self) -> int | None:
        return self.max_length if self.positions == "learned" else None

    def allocate(self, width: int) -> int:
        dim = self.hidden or width
        if dim % self.heads:
            raise WiringError(
                f"transformer: {self.heads} heads do not divide inputs of width {width}; "
                f"set hidden to a multiple of {self.heads}"
            )
        self.project = nn.Identity() if dim == width else nn.Linear(width, dim)
        self.place = added_positions(self.positions, dim, self.max_length)
        self.dropout = Drop(self.rate)
        rotary = Rotary(dim // self.heads) if self.positions == "rotary" else None
        inner = self.inner or 4 * dim
        self.layers = nn.ModuleList(
            TransformerLayer(dim, self.heads, inner, self.rate, self.norm, self.activation, rotary)
            for _ in range(self.depth)
        )
        self.last = nn.LayerNorm(dim) if self.norm == "pre" else nn.Identity()
        return dim

    def forward(self, source: Sequences) -> Sequences:
        rows, mask = open_batch(source, self.device, self.dtype)  # (B, T, D)
        rows = self.dropout(self.place(self.project(rows)))  # (B, T, hidden)
        hide = None if self.causal or full(source, mask) else mask  # causal: padding comes later than every token
        for layer in self.layers:
            rows = layer(rows, hide, self.causal)
        return close_batch(self.last(rows), mask, source)

    def start(self, batch: int) -> KeyValueCache:
        if not self.causal:
            raise WiringError("a transformer that sees the words to come cannot read word by word; set causal: true")
        like = torch.empty(0, device=self.device, dtype=self.dtype)
        return KeyValueCache(self.depth, self.heads, self.out_width // self.heads, like, batch)

    def step(self, x: Tensor, state: KeyValueCache) -> tuple[Tensor, KeyValueCache]:
        state = state.extend(len(x), x.shape[1])
        rows = self.dropout(self.place(self.project(x), state.length - x.shape[1])).flatten(0, 1)  # (N T, hidden)
        for index, layer in enumerate(self.stack()):
            rows, _ = layer.step(rows, state, index)
        return self.last(rows).view(*x.shape[:2], -1), state  # (N, T, hidden)

    def stack(self) -> list[TransformerLayer]:
        """Its layers, the first to read first."""
        return [layer for layer in self.layers if isinstance(layer, TransformerLayer)]
