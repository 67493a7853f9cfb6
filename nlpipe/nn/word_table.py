"""A table of word vectors of which training changes some rows and leaves the others as they are."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


class Table(nn.Module):
    """Rows (V, D) by id; the first ``learned`` are parameters, the rest stays, so that no optimiser decays it.

    Row 0 is padding and gets no gradient.
    """

    def __init__(self, vectors: Tensor, learned: int) -> None:
        super().__init__()
        self.learned = nn.Embedding(learned, vectors.shape[1], padding_idx=0, _weight=vectors[:learned].clone())
        self.fixed: Tensor
        self.register_buffer("fixed", vectors[learned:], persistent=False)

    def forward(self, ids: np.ndarray) -> Tensor:
        """The rows (N, D) of ``ids`` (N,)."""
        places = torch.as_tensor(ids, device=self.learned.weight.device)  # (N,)
        count = self.learned.num_embeddings
        if not (ids >= count).any():
            learned: Tensor = self.learned(places)  # (N, D)
            return learned
        learned = self.learned(places.clamp(max=count - 1))  # (N, D)
        return torch.where((places >= count)[:, None], self.fixed[(places - count).clamp(min=0)], learned)  # (N, D)

    def rows(self) -> np.ndarray:
        """All rows (V, D), on the CPU."""
        return torch.cat([self.learned.weight.detach(), self.fixed]).float().cpu().numpy()  # (V, D)
