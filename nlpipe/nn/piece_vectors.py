"""From word pieces to vectors: what an encoder of ``transformers`` gives for them, and what words get of it."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

FEW = 4096
"""Words times pieces of a batch that are pooled by one product of matrices: fewer operations than looking rows up."""

Layers = Literal["last", "mix"] | list[int]
"""The last layer, a learned mean of all, or some that are concatenated."""


def pool_pieces(vectors: Tensor, pairs: np.ndarray, count: int, how: Literal["mean", "first", "last"]) -> Tensor:
    """Return the vectors of ``count`` words, (count, D); the vector of a word without a piece is zero.

    Args:
        vectors: (P, D) the vectors of the pieces.
        pairs: (2, N) index of a piece and index of a word that it overlaps, sorted by word.
        count: number of words.
        how: whether to use the mean of a word's pieces, the first or the last.
    """
    piece, word = pairs
    if how != "mean":
        chosen = np.diff(word, prepend=-1) > 0 if how == "first" else np.diff(word, append=count) > 0
        piece, word = piece[chosen], word[chosen]
    share = 1.0 / np.bincount(word, minlength=count).clip(min=1)[word]
    if count * len(vectors) <= FEW:
        shares = np.zeros((count, len(vectors)), dtype=np.float32)
        shares[word, piece] = share
        return torch.from_numpy(shares).to(vectors) @ vectors  # (count, D)
    selected = vectors[torch.as_tensor(piece, device=vectors.device)]  # (N, D)
    if len(word) == count and (np.diff(word) == 1).all():
        return selected  # each word has one piece
    scaled = selected * torch.as_tensor(share, dtype=vectors.dtype, device=vectors.device)[:, None]
    rows = vectors.new_zeros(count, vectors.shape[1])
    return rows.index_add(0, torch.as_tensor(word, device=vectors.device), scaled)  # (count, D)


def read_pieces(
    model: Any,
    pieces: Tensor,
    mask: Tensor | None,
    layers: Layers,
    mixture: Tensor | None = None,
) -> Tensor:
    """Return the vectors of pieces (W, L) by the chosen layers of ``model``, (W, L, D).

    Args:
        model: an encoder of ``transformers``.
        pieces: (W, L) ids.
        mask: (W, L), 1 where a piece is, 0 where padding is; None: there is no padding.
        layers: as the option of ``Bert``.
        mixture: (number of layers + 1,) weights before softmax, where ``layers`` is mix.
    """
    output = model(input_ids=pieces, attention_mask=mask, output_hidden_states=layers != "last")
    if layers == "last":
        last: Tensor = output.last_hidden_state
        return last
    states = output.hidden_states
    if mixture is None:
        return torch.cat([states[number] for number in layers], -1)  # (W, L, D)
    weights = mixture.softmax(0)
    return torch.stack([w * state.float() for w, state in zip(weights, states, strict=True)]).sum(0)  # (W, L, D)


class PieceVectors(nn.Module):
    """``read_pieces`` as a network of tensors alone, to be written to a file."""

    def __init__(self, model: Any, layers: Layers, mixture: nn.Parameter | None) -> None:
        super().__init__()
        self.model = model
        self.layers = layers
        self.mixture = mixture

    def forward(self, pieces: Tensor, mask: Tensor) -> Tensor:
        """Vectors (W, L, D) of pieces (W, L) with their mask (W, L)."""
        return read_pieces(self.model, pieces, mask, self.layers, self.mixture)
