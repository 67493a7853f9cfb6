"""The transformer encoder: layers of self-attention over a text, from scratch.

Vaswani et al. 2017, "Attention Is All You Need"; the layer itself is in ``nlpipe.nn.transformer_layer``.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from nlpipe.errors import WiringError
from nlpipe.nn.attention import Cache
from nlpipe.nn.dropout import Drop
from nlpipe.nn.neural import Neural
from nlpipe.nn.padding import close_batch, full, open_batch
from nlpipe.nn.positions import Learned, Rotary, Sinusoidal, Unplaced
from nlpipe.nn.transformer_layer import Activation, Norm, TransformerLayer
from nlpipe.options import Dropout, Positive
from nlpipe.stage import Encoder
from nlpipe.wire import Sequences


class Transformer(Neural[Sequences, Sequences], Encoder[Sequences, Sequences]):
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

    def __init__(
        self,
        layers: Positive = 2,
        heads: Positive = 4,
        hidden: Positive | None = None,
        feed_forward: Positive | None = None,
        dropout: Dropout = 0.1,
        positions: Literal["sinusoidal", "learned", "rotary", "none"] = "sinusoidal",
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
        self.causal = causal
        self.max_length = max_length
        if width is not None:
            self.build(width)

    def allocate(self, width: int) -> int:
        dim = self.hidden or width
        if dim % self.heads:
            raise WiringError(
                f"transformer: {self.heads} heads do not divide inputs of width {width}; "
                f"set hidden to a multiple of {self.heads}"
            )
        self.project = nn.Identity() if dim == width else nn.Linear(width, dim)
        self.place = self._place(dim)
        self.dropout = Drop(self.rate)
        rotary = Rotary(dim // self.heads) if self.positions == "rotary" else None
        inner = self.inner or 4 * dim
        self.layers = nn.ModuleList(
            TransformerLayer(dim, self.heads, inner, self.rate, self.norm, self.activation, rotary)
            for _ in range(self.depth)
        )
        self.last = nn.LayerNorm(dim) if self.norm == "pre" else nn.Identity()
        return dim

    def _place(self, dim: int) -> nn.Module:
        if self.positions == "sinusoidal":
            return Sinusoidal(dim)
        return Learned(dim, self.max_length) if self.positions == "learned" else Unplaced()

    def forward(self, source: Sequences) -> Sequences:
        rows, mask = open_batch(source, next(self.parameters()))  # (B, T, D)
        rows = self.dropout(self.place(self.project(rows)))  # (B, T, hidden)
        hide = None if self.causal or full(source, mask) else mask  # causal: padding comes later than every token
        for layer in self.layers:
            rows = layer(rows, hide, self.causal)
        return close_batch(self.last(rows), mask, source)

    def start(self, batch: int) -> tuple[Cache, ...]:
        """The caches of ``batch`` texts of which nothing has been read, one a layer.

        Raises:
            WiringError: it is not causal.
        """
        if not self.causal:
            raise WiringError("a transformer that sees the words to come cannot read word by word; set causal: true")
        return tuple(layer.start(batch) for layer in self._layers())

    def _layers(self) -> list[TransformerLayer]:
        return [layer for layer in self.layers if isinstance(layer, TransformerLayer)]

    def step(self, x: Tensor, state: tuple[Cache, ...]) -> tuple[Tensor, tuple[Cache, ...]]:
        """Read the next tokens ``x`` (N, T, D), T usually 1: their vectors (N, T, hidden), and the new caches."""
        x = self.dropout(self.place(self.project(x), state[0][0].shape[2]))  # (N, T, hidden)
        after = []
        for layer, cache in zip(self._layers(), state, strict=True):
            x, cache = layer.step(x, cache)
            after.append(cache)
        return self.last(x), tuple(after)
