"""A decoder with its table as one step function, in the precision that is fastest: what a search goes through."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from nlpipe.nn.precision import bf16_pays
from nlpipe.search import Tree
from nlpipe.stage import Decoder
from nlpipe.wire import Sequences

WIDE = 150_000
"""Numbers in a decoder's largest matrix from which the decoder itself pays in bf16: a product of few rows with a small
matrix takes three times as long as in float32 (one row, 128 x 384, one Zen 4 core: 21 against 6 microseconds)."""

LEAST = 1e-6
"""Attention that a word without any counts with, so that its logarithm is a number."""


class DecoderStep(nn.Module):
    """Decoder and output layer as a search steps through them.

    Args:
        decoder: built.
        table: (V, D) vectors of the target's tokens, in and out.
        project: from the decoder's features to D.
        scale: what the vectors are multiplied by on their way in.
        output: the table as it gives the scores, if in another precision.
    """

    def __init__(
        self,
        decoder: Decoder[Sequences, Sequences],
        table: Tensor,
        project: nn.Module,
        scale: float,
        output: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.decoder = decoder
        self.table = table
        self.output = table if output is None else output
        self.project = project
        self.scale = scale

    def bf16_is_faster(self) -> bool:
        """Whether ``bf16_copy`` is the faster one where it is."""
        return bf16_pays(self, self.table.device.type)

    def bf16_copy(self) -> DecoderStep:
        """A copy with the scores in bfloat16; a wide decoder, too."""
        output = self.table.detach().to(torch.bfloat16)
        module = self.decoder.module
        assert module is not None
        if max((p.numel() for p in module.parameters()), default=0) < WIDE:
            return DecoderStep(self.decoder, self.table.detach(), self.project, self.scale, output)
        decoder = copy.deepcopy(self.decoder)
        assert decoder.module is not None
        project = copy.deepcopy(self.project).to(torch.bfloat16).eval()
        decoder.module.to(torch.bfloat16).eval()
        return DecoderStep(decoder, output, project, self.scale)

    def step(self, tokens: Tensor, state: Tree, memory: Tree) -> tuple[Tensor, Tree]:
        """One more token (N,) of each hypothesis: log-probabilities (N, V) of the next, float32, and the new state."""
        x = self.table.index_select(0, tokens)[:, None] * self.scale  # (N, 1, D)
        y, state = self.decoder.step(x, state, memory)
        rows = self.project(y[:, 0]).to(self.output.dtype)  # (N, D)
        scores = (rows @ self.output.T).float()  # (N, V)
        return scores.log_softmax(-1), state

    def coverage(self, state: Tree, memory: Tree) -> Tensor:
        """(N,) coverage of the source, Wu et al. 2016, eq. 14: the sum over its words of log(min(attention, 1))."""
        return self.decoder.coverage(state).clamp(LEAST, 1.0).log().sum(-1)
