"""A neural stage with a vocabulary and a trained table that has one vector for each entry of the vocabulary."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from nlpipe.nn.neural import Neural
from nlpipe.stage import In, Out, State
from nlpipe.vocabulary import PAD_ID, Vocabulary


class LearnedTable(Neural[In, Out]):
    """A stage whose ``fit`` sets ``vocabulary`` and whose ``allocate`` calls ``make_table``; both are saved."""

    vocabulary: Vocabulary
    table: nn.Embedding

    def make_table(self, dim: int, initialise: Callable[[Tensor], object]) -> None:
        """Create the table (V, dim).

        Args:
            dim: size of a vector.
            initialise: sets the weights (V, dim) in place; afterwards the vector of padding is set to zero.
        """
        self.table = nn.Embedding(len(self.vocabulary), dim, padding_idx=PAD_ID)
        initialise(self.table.weight)
        with torch.no_grad():
            self.table.weight[PAD_ID].zero_()

    def state(self) -> State:
        state = super().state()
        return State(state.arrays, {**state.data, "vocabulary": self.vocabulary.state()})

    def load_state(self, state: State, version: int) -> None:
        self.vocabulary = Vocabulary.from_state(state.data["vocabulary"])
        super().load_state(state, version)
