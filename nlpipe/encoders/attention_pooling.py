"""Pooling by learned attention: a text's vector is the mean of its tokens, weighted by how much each matters.

Yang et al. 2016, "Hierarchical Attention Networks for Document Classification", section 2.2 (word attention).
"""

from __future__ import annotations

import torch
from torch import Tensor

from nlpipe.nn.linear_layer import LinearLayer
from nlpipe.nn.neural import Neural
from nlpipe.nn.padding import open_batch
from nlpipe.options import Positive
from nlpipe.stage import Encoder
from nlpipe.wire import Sequences, Vectors


class AttentionPooling(Neural[Sequences, Vectors], Encoder[Sequences, Vectors]):
    """Mean of the token vectors weighted by learned attention; a text without tokens gives zeros.

    weight_t = softmax over t of (query · tanh(W vector_t + b))

    Options:
        hidden: features in which tokens are compared with the query; null: those of the inputs.
        width: D of the inputs, to use it alone in Python; in a pipeline it is known.
    """

    def __init__(self, hidden: Positive | None = None, width: Positive | None = None) -> None:
        super().__init__()
        self.hidden = hidden
        if width is not None:
            self.build(width)

    def allocate(self, width: int) -> int:
        self.compare = LinearLayer(width, self.hidden or width)
        self.query = LinearLayer(self.hidden or width, 1, bias=False)
        return width

    def weights(self, rows: Tensor, mask: Tensor) -> Tensor:
        """How much each token of ``rows`` (B, T, D) matters: (B, T), sums 1, or 0 for a text without tokens."""
        scores: Tensor = self.query(self.compare(rows).tanh()).squeeze(-1).float()  # (B, T)
        return scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1) * mask  # (B, T)

    def forward(self, source: Sequences) -> Vectors:
        rows, mask = open_batch(source, self.device, self.dtype)  # (B, T, D)
        weights = self.weights(rows, mask).to(rows.dtype)  # (B, T)
        return Vectors((weights[:, None] @ rows.masked_fill(~mask[..., None], 0.0)).squeeze(1))  # (B, D)
