"""The transformer encoder: layers of self-attention over a text, from scratch.

Vaswani et al. 2017, "Attention Is All You Need"; the layer itself is in ``nlpipe.nn.transformer_layer``.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from nlpipe.capabilities import Exports, Steps
from nlpipe.errors import ModelError, WiringError
from nlpipe.nn.dropout import Drop
from nlpipe.nn.key_value_cache import KeyValueCache
from nlpipe.nn.linear_layer import LinearLayer
from nlpipe.nn.neural import Neural
from nlpipe.nn.onnx_files import write_network
from nlpipe.nn.onnx_network import OnnxNetwork
from nlpipe.nn.padding import close_batch, full, open_batch
from nlpipe.nn.positions import Positions, Rotary, added_positions, warn_beyond
from nlpipe.nn.transformer_layer import Activation, Norm, TransformerLayer
from nlpipe.options import Dropout, Positive
from nlpipe.stage import Encoder, State
from nlpipe.wire import Sequences


class Transformer(Neural[Sequences, Sequences], Encoder[Sequences, Sequences], Steps[KeyValueCache], Exports):
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
        self._onnx: OnnxNetwork | None = None
        self._told = False
        if width is not None:
            self.build(width)

    @property
    def causal(self) -> bool:
        return self.sees_past_alone

    @property
    def longest(self) -> int | None:
        return self.max_length if self.positions == "learned" else None

    @property
    def trainable(self) -> bool:
        return self._onnx is None

    def allocate(self, width: int) -> int:
        dim = self.hidden or width
        if dim % self.heads:
            raise WiringError(
                f"transformer: {self.heads} heads do not divide inputs of width {width}; "
                f"set hidden to a multiple of {self.heads}"
            )
        self.project = nn.Identity() if dim == width else LinearLayer(width, dim)
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
        if self._onnx is not None:
            return close_batch(self._compute(rows, mask), mask, source)
        hide = None if self.causal or full(source, mask) else mask  # causal: padding comes later than every token
        return close_batch(self.encode(rows, hide), mask, source)

    def encode(self, rows: Tensor, mask: Tensor | None) -> Tensor:
        """The network alone: rows (B, T, D), of which ``mask`` (B, T) says where a token is, as (B, T, hidden)."""
        rows = self.dropout(self.place(self.project(rows)))  # (B, T, hidden)
        for layer in self.layers:
            rows = layer(rows, mask, self.causal)
        encoded: Tensor = self.last(rows)
        return encoded

    def _compute(self, rows: Tensor, mask: Tensor) -> Tensor:
        """``encode`` by ONNX Runtime."""
        assert self._onnx is not None
        longest = self.longest
        if longest is not None and rows.shape[1] > longest and not self._told:
            self._told = warn_beyond(rows.shape[1], longest)
        return self._onnx(rows.contiguous(), mask)

    def to_onnx(self) -> bytes:
        if self._onnx is not None:
            raise ModelError("its network is an ONNX file already; export the run that it was exported from")
        self.build(self.width or 0)
        rows = torch.zeros(2, 3, self.width or 0)  # (B, T, D)
        sizes = {0: "texts", 1: "time"}
        inputs = {"rows": (rows, sizes), "mask": (torch.ones(2, 3, dtype=torch.bool), sizes)}
        return write_network(_Network(self), inputs)

    def use_onnx(self, content: bytes) -> None:
        self._onnx = OnnxNetwork(content)
        for part in [name for name, _ in self.named_children()]:
            delattr(self, part)
        self.weights_moved()

    def state(self) -> State:
        state = super().state()
        if self._onnx is None:
            return state
        return State({}, {**state.data, "out_width": self.out_width}, {"onnx": self._onnx.content})

    def load_state(self, state: State, version: int) -> None:
        if "onnx" not in state.files:
            super().load_state(state, version)
            return
        self.width, self.out_width = state.data["width"], state.data["out_width"]
        self.use_onnx(state.files["onnx"])

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


class _Network(nn.Module):
    """``Transformer.encode`` as a network of tensors alone, to be written to a file."""

    def __init__(self, encoder: Transformer) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, rows: Tensor, mask: Tensor) -> Tensor:
        """Rows (B, T, D) with their mask (B, T) as (B, T, hidden)."""
        return self.encoder.encode(rows, mask)
