"""Recurrent decoders: the simple RNN, the LSTM and the GRU, with attention over the source.

    h_t = cell(x_t, h_{t-1})        a_t = softmax over the source of score(h_t, s)
    c_t = sum of a_t s              out_t = tanh(W [h_t; c_t])               (Luong et al. 2015, eq. 5)

Without input feeding nothing of step t - 1 but h reaches step t, so that in training each layer is one call of the
library's fused kernel over all tokens and the attention of all tokens is one product. With it, x_t is joined with
out_{t-1}, which says what was attended to before, and training goes token by token.

The first h is made of the mean of the source's vectors, as in Sennrich et al. 2017, "Nematus", section 2.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from nlpipe.nn.dropout import Drop
from nlpipe.nn.linear_layer import LinearLayer
from nlpipe.nn.neural import Neural
from nlpipe.nn.recurrent_attention import KINDS, Alignment
from nlpipe.nn.recurrent_layer import LayerState, ready_layer, run_layers, states_of
from nlpipe.options import Dropout, Positive
from nlpipe.stage import Decoder
from nlpipe.wire import Sequences

Attention = Literal["bahdanau", "dot", "general", "none"]


@dataclass(frozen=True)
class RecurrentMemory:
    """What a recurrent decoder needs of B sources.

    Args:
        summary: (B, features of the first state), of which the first state is made.
        keys: (B, S, hidden), what states are compared with; None, as the other two, where there is no attention.
        vectors: (B, S, features), what is attended to.
        mask: (B, S), true where a token is.
    """

    summary: Tensor
    keys: Tensor | None = None
    vectors: Tensor | None = None
    mask: Tensor | None = None

    def take(self, rows: Tensor) -> RecurrentMemory:
        """The memory of the sources ``rows`` (M,), in that order."""
        summary = self.summary.index_select(0, rows)
        return RecurrentMemory(summary, _taken(self.keys, rows), _taken(self.vectors, rows), _taken(self.mask, rows))


@dataclass(frozen=True)
class RecurrentState:
    """What N hypotheses have read.

    Args:
        layers: what each layer hands on.
        output: (N, hidden) the last output, where it is fed to the next step.
        coverage: (N, S) attention that the source got in all, 1 for padding; None: not tracked.
    """

    layers: tuple[LayerState, ...]
    output: Tensor | None
    coverage: Tensor | None

    def take(self, rows: Tensor) -> RecurrentState:
        """The hypotheses ``rows`` (M,), in that order."""
        layers = tuple(tuple(part.index_select(0, rows) for part in layer) for layer in self.layers)
        return RecurrentState(layers, _taken(self.output, rows), _taken(self.coverage, rows))


def _taken(part: Tensor | None, rows: Tensor) -> Tensor | None:
    """The ``rows`` (M,) of ``part``, where there is one."""
    return None if part is None else part.index_select(0, rows)


class RecurrentDecoder(Neural[Sequences, Sequences], Decoder[Sequences, Sequences]):
    """What the recurrent decoders share; the kind of cell is the subclass's."""

    cell: ClassVar[type[nn.RNN] | type[nn.LSTM] | type[nn.GRU]]
    fitted = ("memory_width",)

    def __init__(
        self,
        hidden: Positive = 256,
        layers: Positive = 1,
        attention: Attention = "general",
        input_feeding: bool = False,
        dropout: Dropout = 0.2,
    ) -> None:
        super().__init__()
        self.hidden = hidden
        self.depth = layers
        self.kind = attention
        self.input_feeding = input_feeding
        self.dropout = Drop(dropout)

    @property
    def attends(self) -> bool:
        return self.kind != "none"

    def allocate(self, width: int) -> int:
        memory = self.memory_width or width
        widths = [width + self.hidden * self.input_feeding, *[self.hidden] * (self.depth - 1)]
        self.cells = nn.ModuleList(self.cell(w, self.hidden, batch_first=True) for w in widths)
        self.bridge = LinearLayer(memory, self.depth * states_of(self.cell) * self.hidden)
        self.alignment: Alignment | None = None
        if self.kind != "none":
            self.alignment = KINDS[self.kind](self.hidden, memory)
            self.combine = LinearLayer(self.hidden + memory, self.hidden)
        return self.hidden

    def remember(self, rows: Tensor, mask: Tensor) -> RecurrentMemory:
        count = mask.sum(1, keepdim=True).clamp(min=1)  # (B, 1)
        summary = torch.tanh(self.bridge(rows.sum(1) / count.to(rows.dtype)))  # padding is zero
        if self.alignment is None:
            return RecurrentMemory(summary)
        return RecurrentMemory(summary, self.alignment.keys(rows), rows, mask)

    def start(self, memory: RecurrentMemory, track_coverage: bool = False) -> RecurrentState:
        count = states_of(self.cell)
        parts = iter(memory.summary.chunk(self.depth * count, 1))  # (B, hidden) each
        layers = tuple(tuple(next(parts) for _ in range(count)) for _ in range(self.depth))
        output = torch.zeros_like(layers[0][0]) if self.input_feeding else None
        coverage = None
        if track_coverage:
            mask = memory.mask
            coverage = memory.summary.new_ones(len(memory.summary), 1) if mask is None else 1.0 - mask.float()
        return RecurrentState(layers, output, coverage)

    def read(self, x: Tensor, memory: RecurrentMemory) -> Tensor:
        return self._read(x, memory)[0]

    def attention(self, x: Tensor, memory: RecurrentMemory) -> Tensor:
        weights = self._read(x, memory)[1]  # (B, T, S)
        return x.new_zeros(*x.shape[:2], 0) if weights is None else weights

    def _read(self, x: Tensor, memory: RecurrentMemory) -> tuple[Tensor, Tensor | None]:
        """Outputs (B, T, hidden) of all tokens ``x``, and their weights (B, T, S), if there is attention."""
        state = self.start(memory)
        if not self.input_feeding:
            rows, _ = run_layers(self.cells, self.dropout, x, state.layers)  # (B, T, hidden)
            return self._attend(rows, memory)
        outputs, weights = [], []
        for t in range(x.shape[1]):
            output, weight, state = self._step(x[:, t : t + 1], state, memory)
            outputs.append(output)
            weights += [] if weight is None else [weight]
        return torch.cat(outputs, 1), torch.cat(weights, 1) if weights else None

    def step(self, x: Tensor, state: RecurrentState, memory: RecurrentMemory) -> tuple[Tensor, RecurrentState]:
        output, _, state = self._step(x, state, memory)
        return output, state

    def coverage(self, state: RecurrentState) -> Tensor:
        assert state.coverage is not None, "start was not asked to track coverage"
        return state.coverage

    def _step(
        self, x: Tensor, state: RecurrentState, memory: RecurrentMemory
    ) -> tuple[Tensor, Tensor | None, RecurrentState]:
        """One token (N, 1, D): output (N, 1, hidden), weights (N, 1, S) if there is attention, the new state."""
        if state.output is not None:
            x = torch.cat([x, state.output[:, None].to(x.dtype)], -1)  # (N, 1, D + hidden)
        rows, layers = run_layers(self._ready_cells(), self.dropout, x, state.layers)  # (N, 1, hidden)
        output, weights = self._attend(rows, memory)
        coverage = state.coverage
        if coverage is not None and weights is not None:
            coverage = coverage + weights[:, 0]  # (N, S)
        return output, weights, RecurrentState(layers, output[:, 0] if self.input_feeding else None, coverage)

    def _ready_cells(self) -> Iterable[nn.Module]:
        """The layers, ready to predict where nothing is trained; for the other kinds there is nothing to get ready."""
        if self.cell is not nn.LSTM or self.training or torch.is_grad_enabled():
            return self.cells
        return self.from_weights("cells", lambda: [ready_layer(cell, self.dtype) for cell in self.cells])

    def _attend(self, rows: Tensor, memory: RecurrentMemory) -> tuple[Tensor, Tensor | None]:
        """States (N, T, hidden) with what they attend to: outputs (N, T, hidden) and weights (N, T, S), if any."""
        if self.alignment is None or memory.keys is None or memory.vectors is None or memory.mask is None:
            return self.dropout(rows), None
        asked = rows.reshape(len(memory.keys), -1, self.hidden)  # (B, N T / B, hidden): hypotheses share a memory
        weights = self.alignment(asked, memory.keys, memory.mask)  # (B, N T / B, S)
        context = weights.to(memory.vectors.dtype) @ memory.vectors  # (B, N T / B, features)
        output = self.dropout(torch.tanh(self.combine(torch.cat([asked, context.to(asked.dtype)], -1))))
        return output.view(*rows.shape[:2], -1), weights.view(*rows.shape[:2], -1)


class RNN(RecurrentDecoder):
    """Simple recurrent decoder (Elman) with attention.

    Options:
        hidden: features of a state.
        layers: networks on top of each other.
        attention: how states are compared with the source: bahdanau, dot, general (both Luong's), or none.
        input_feeding: each step is also given the last step's output; a little better, and much slower to train.
        dropout: share of each layer's inputs and of the outputs dropped in training.
    """

    cell = nn.RNN


class LSTM(RecurrentDecoder):
    """Long short-term memory with attention: the decoder of Luong et al. 2015.

    Options:
        hidden: features of a state.
        layers: networks on top of each other.
        attention: how states are compared with the source: bahdanau, dot, general (both Luong's), or none.
        input_feeding: each step is also given the last step's output; a little better, and much slower to train.
        dropout: share of each layer's inputs and of the outputs dropped in training.
    """

    cell = nn.LSTM


class GRU(RecurrentDecoder):
    """Gated recurrent units with attention: the decoder of Bahdanau et al. 2015.

    Options:
        hidden: features of a state.
        layers: networks on top of each other.
        attention: how states are compared with the source: bahdanau, dot, general (both Luong's), or none.
        input_feeding: each step is also given the last step's output; a little better, and much slower to train.
        dropout: share of each layer's inputs and of the outputs dropped in training.
    """

    cell = nn.GRU
