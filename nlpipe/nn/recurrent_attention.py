"""Attention with one head, as recurrent decoders have it: how well a state of the decoder fits a word of the source.

    bahdanau   v^T tanh(W h + U s)          Bahdanau, Cho and Bengio 2015, appendix A.1.2
    dot        h^T s                        Luong, Pham and Manning 2015, eq. 8
    general    h^T W s                      the same

h is the decoder's state, s the encoder's vector of a word. Throughout: T states, S words, H features of a state.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from nlpipe.errors import WiringError
from nlpipe.nn.linear_layer import LinearLayer

Kind = Literal["bahdanau", "dot", "general"]


class Alignment(nn.Module):
    """Scores of states against words, made weights.

    Args:
        hidden: H.
        memory: features of a word's vector.
    """

    def __init__(self, hidden: int, memory: int) -> None:
        super().__init__()

    @abstractmethod
    def keys(self, rows: Tensor) -> Tensor:
        """What the scores need of the words' vectors (B, S, features): (B, S, H), once for all steps."""

    @abstractmethod
    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        """Of states (B, T, H) against keys (B, S, H): (B, T, S)."""

    def forward(self, query: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
        """Weights (B, T, S) of states (B, T, H) over the words of ``mask`` (B, S); rows sum to 1."""
        scores = self.scores(query, keys)  # (B, T, S)
        visible = mask[:, None]  # (B, 1, S)
        return scores.masked_fill(~visible, torch.finfo(scores.dtype).min).softmax(-1) * visible


class Additive(Alignment):
    """Bahdanau's."""

    def __init__(self, hidden: int, memory: int) -> None:
        super().__init__(hidden, memory)
        self.query = LinearLayer(hidden, hidden)
        self.key = LinearLayer(memory, hidden, bias=False)
        self.score = LinearLayer(hidden, 1, bias=False)

    def keys(self, rows: Tensor) -> Tensor:
        keys: Tensor = self.key(rows)
        return keys

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        fit = torch.tanh(self.query(query)[:, :, None] + keys[:, None])  # (B, T, S, H)
        scores: Tensor = self.score(fit)[..., 0]
        return scores


class Dot(Alignment):
    """Luong's without a weight; the two vectors must be as wide as each other."""

    def __init__(self, hidden: int, memory: int) -> None:
        super().__init__(hidden, memory)
        if hidden != memory:
            raise WiringError(
                f"attention: dot multiplies the decoder's {hidden} features with the encoder's {memory}; "
                f"set hidden: {memory}, or take attention: general"
            )

    def keys(self, rows: Tensor) -> Tensor:
        return rows

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        return query @ keys.transpose(1, 2)


class General(Dot):
    """Luong's with a weight between them."""

    def __init__(self, hidden: int, memory: int) -> None:
        Alignment.__init__(self, hidden, memory)
        self.key = LinearLayer(memory, hidden, bias=False)

    def keys(self, rows: Tensor) -> Tensor:
        keys: Tensor = self.key(rows)
        return keys


KINDS: Mapping[Kind, type[Alignment]] = {"bahdanau": Additive, "dot": Dot, "general": General}
