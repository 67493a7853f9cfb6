"""Recurrent decoders: the simple RNN, the LSTM and the GRU, with attention over the source.

    h_t = cell(x_t, h_{t-1})        a_t = softmax over the source of score(h_t, s)
    c_t = sum of a_t s              out_t = tanh(W [h_t; c_t])               (Luong et al. 2015, eq. 5)

Without input feeding nothing of step t - 1 but h reaches step t, so that in training each layer is one call of the
library's fused kernel over all tokens and the attention of all tokens is one product. With it, x_t is joined with
out_{t-1}, which says what was attended to before, and training goes token by token.

The first h is made of the mean of the source's vectors, as in Sennrich et al. 2017, "Nematus", section 2.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from nlpipe.nn.dropout import Drop
from nlpipe.nn.neural import Neural
from nlpipe.nn.recurrent_attention import KINDS, Alignment
from nlpipe.options import Dropout, Positive
from nlpipe.stage import Decoder
from nlpipe.wire import Sequences

Attention = Literal["bahdanau", "dot", "general", "none"]

Memory = tuple[Tensor, ...]
"""The source in short (B, 2 x features of the first state), keys (B, S, hidden), vectors (B, S, features), mask (B, S);
the first alone where there is no attention."""

State = tuple[tuple[tuple[Tensor, ...], ...], tuple[Tensor, ...], tuple[Tensor, ...]]
"""Each layer's features (N, hidden) and, in an LSTM, cell; the last output (N, hidden) if it is fed; attention (N, S)
that the source got, if watched."""


class RecurrentDecoder(Neural[Sequences, Sequences], Decoder[Sequences, Sequences]):
    """What the recurrent decoders share; the kind of cell is the subclass's."""

    cell: ClassVar[type[nn.RNN] | type[nn.LSTM] | type[nn.GRU]]
    memories: ClassVar[int] = 1
    """Tensors that a layer hands on from token to token."""
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
        self.bridge = nn.Linear(memory, self.depth * self.memories * self.hidden)
        self.alignment: Alignment | None = None
        if self.kind != "none":
            self.alignment = KINDS[self.kind](self.hidden, memory)
            self.combine = nn.Linear(self.hidden + memory, self.hidden)
        return self.hidden

    def remember(self, rows: Tensor, mask: Tensor) -> Memory:
        count = mask.sum(1, keepdim=True).clamp(min=1)  # (B, 1)
        short = torch.tanh(self.bridge(rows.sum(1) / count.to(rows.dtype)))  # padding is zero
        return (short,) if self.alignment is None else (short, self.alignment.keys(rows), rows, mask)

    def start(self, memory: Memory, watch: bool = False) -> State:
        parts = iter(memory[0].chunk(self.depth * self.memories, 1))  # (B, hidden) each
        layers = tuple(tuple(next(parts) for _ in range(self.memories)) for _ in range(self.depth))
        fed = (torch.zeros_like(layers[0][0]),) if self.input_feeding else ()
        seen = (1.0 - memory[3].float() if len(memory) > 1 else memory[0].new_ones(len(memory[0]), 1),) if watch else ()
        return layers, fed, seen

    def read(self, x: Tensor, memory: Memory) -> Tensor:
        return self._read(x, memory)[0]

    def look(self, x: Tensor, memory: Memory) -> Tensor:
        weights = self._read(x, memory)[1]  # (B, T, S)
        return x.new_zeros(*x.shape[:2], 0) if weights is None else weights

    def _read(self, x: Tensor, memory: Memory) -> tuple[Tensor, Tensor | None]:
        state = self.start(memory)
        if not self.input_feeding:
            rows, _ = self._advance(x, state[0])  # (B, T, hidden)
            return self._attend(rows, memory)
        outputs, weights = [], []
        for t in range(x.shape[1]):
            output, weight, state = self._step(x[:, t : t + 1], state, memory)
            outputs.append(output)
            weights.append(weight)
        looked = [weight for weight in weights if weight is not None]
        return torch.cat(outputs, 1), torch.cat(looked, 1) if looked else None

    def step(self, x: Tensor, state: State, memory: Memory) -> tuple[Tensor, State]:
        output, _, state = self._step(x, state, memory)
        return output, state

    def watched(self, state: State) -> Tensor:
        return state[2][0]

    def _step(self, x: Tensor, state: State, memory: Memory) -> tuple[Tensor, Tensor | None, State]:
        """One token (N, 1, D): output (N, 1, hidden), weights (N, 1, S) if any, the new state."""
        layers, fed, seen = state
        if fed:
            x = torch.cat([x, fed[0][:, None].to(x.dtype)], -1)  # (N, 1, D + hidden)
        rows, layers = self._advance(x, layers)  # (N, 1, hidden)
        output, weights = self._attend(rows, memory)
        if seen and weights is not None:
            seen = (seen[0] + weights[:, 0],)
        return output, weights, (layers, (output[:, 0],) if fed else (), seen)

    def _advance(
        self, x: Tensor, layers: tuple[tuple[Tensor, ...], ...]
    ) -> tuple[Tensor, tuple[tuple[Tensor, ...], ...]]:
        """``x`` (N, T, D) through all layers: (N, T, hidden), and what each hands on."""
        after = []
        for cell, before in zip(self.cells, layers, strict=True):
            given = tuple(tensor[None].contiguous() for tensor in before)  # (1, N, hidden) each, as torch has it
            x, kept = cell(self.dropout(x), given if self.memories > 1 else given[0])  # (N, T, hidden)
            after.append(tuple(tensor[0] for tensor in (kept if self.memories > 1 else (kept,))))
        return x, tuple(after)

    def _attend(self, rows: Tensor, memory: Memory) -> tuple[Tensor, Tensor | None]:
        """States (N, T, hidden) with what they attend to: outputs (N, T, hidden) and weights (N, T, S), if any."""
        if self.alignment is None:
            return self.dropout(rows), None
        _, keys, vectors, mask = memory
        asked = rows.reshape(len(keys), -1, self.hidden)  # (B, N / B T, hidden): one memory for all hypotheses
        weights = self.alignment(asked, keys, mask)  # (B, N / B T, S)
        context = weights.to(vectors.dtype) @ vectors  # (B, N / B T, features)
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
    memories = 2


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
