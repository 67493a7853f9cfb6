"""A decoder with its table as one step function, in float32: what a search goes through.

In bfloat16 two hypotheses with nearly the same score change places with the number of rows in a batch, so that a
translation would depend on the other lines of the file.
"""

from __future__ import annotations

from torch import Tensor, nn

from nlpipe.nn.linear_layer import linear, packed
from nlpipe.search import Tree
from nlpipe.stage import Decoder
from nlpipe.wire import Sequences

LEAST = 1e-6
"""Attention that a word without any counts with, so that its logarithm is a number."""


class DecoderStep(nn.Module):
    """Decoder and output layer as a search steps through them.

    Args:
        decoder: built.
        table: (V, D) vectors of the target's tokens, in and out.
        project: from the decoder's features to D.
        scale: what the vectors are multiplied by on their way in.
    """

    def __init__(
        self,
        decoder: Decoder[Sequences, Sequences],
        table: Tensor,
        project: nn.Module,
        scale: float,
    ) -> None:
        super().__init__()
        self.decoder = decoder
        self.table = table
        self.scoring = packed(table)
        self.project = project
        self.scale = scale

    def step(self, tokens: Tensor, state: Tree, memory: Tree) -> tuple[Tensor, Tree]:
        """One more token (N,) of each hypothesis: log-probabilities (N, V) of the next, float32, and the new state."""
        x = self.table.index_select(0, tokens)[:, None] * self.scale  # (N, 1, D)
        y, state = self.decoder.step(x, state, memory)
        scores = linear(self.project(y[:, 0]), self.scoring).float()  # (N, V)
        return scores.log_softmax(-1), state

    def coverage(self, state: Tree, memory: Tree) -> Tensor:
        """(N,) coverage of the source, Wu et al. 2016, eq. 14: the sum over its words of log(min(attention, 1))."""
        return self.decoder.coverage(state).clamp(LEAST, 1.0).log().sum(-1)
