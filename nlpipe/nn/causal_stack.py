"""Causal stages with their output layer as one step function: what generation goes through, token by token.

A recurrent state goes on without end. That of a transformer grows; when it holds ``context`` tokens, the last half of
them is read again into a new one, so that no token costs more than the context, and positions are never further than
in training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nlpipe.capabilities import NextTokens, SharesTable, Steps
from nlpipe.nn.linear_layer import linear, packed
from nlpipe.search.tree import Tree, take


@dataclass(frozen=True)
class StackState:
    """What N texts have read.

    Args:
        states: of each encoder.
        tokens: (N, t) the last tokens, which the states are of; none where all states are recurrent.
    """

    states: tuple[Tree, ...]
    tokens: Tensor

    def take(self, rows: Tensor) -> StackState:
        """The texts ``rows`` (M,), in that order; the search may be on another device than the states."""
        rows = rows.to(self.tokens.device)
        return StackState(take(self.states, rows), self.tokens.index_select(0, rows))


class CausalStack(NextTokens):
    """A table of words, causal encoders and the output layer.

    Args:
        shared: the table, going in.
        encoders: in order.
        project: from the features of the last to those of ``table``.
        table: (V, D) going out.
        context: tokens that an encoder with a growing state reads at most.
    """

    def __init__(
        self, shared: SharesTable, encoders: Sequence[Steps[Any]], project: nn.Module, table: Tensor, context: int
    ) -> None:
        self.shared = shared
        self.encoders = list(encoders)
        self.project = project
        self.table = table
        self.scoring = packed(table)
        self.context = None if all(encoder.recurrent for encoder in encoders) else context

    @torch.no_grad()
    def start(self, batch: int) -> StackState:
        none = torch.zeros(batch, 0, dtype=torch.int64, device=self.table.device)
        return StackState(tuple(encoder.start(batch) for encoder in self.encoders), none)

    @torch.no_grad()
    def step(self, tokens: Tensor, state: StackState, memory: Tree = ()) -> tuple[Tensor, StackState]:
        asked = tokens.device
        tokens = tokens.to(self.table.device)
        read = tokens[:, None]  # (N, 1)
        seen = state.tokens
        if self.context is not None:
            if seen.shape[1] >= self.context:
                seen = seen[:, seen.shape[1] - self.context // 2 :]  # (N, context / 2)
                state, read = self.start(len(tokens)), torch.cat([seen, read], 1)  # (N, context / 2 + 1)
            seen = torch.cat([seen, tokens[:, None]], 1)  # (N, t + 1)
        rows: Tensor = self.shared.table(read) * self.shared.scale  # (N, T, D)
        states = []
        for encoder, before in zip(self.encoders, state.states, strict=True):
            rows, after = encoder.step(rows, before)
            states.append(after)
        scores = linear(self.project(rows[:, -1]), self.scoring).float()  # (N, V)
        return scores.log_softmax(-1).to(asked), StackState(tuple(states), seen)
