"""A tiny objective and its examples, for the trainer's tests and the processes that they start."""

from __future__ import annotations

import random

import numpy as np
import torch
from torch import nn

from nlpipe.training.loss import Objective


class Toy(Objective):
    """Classifies bags of word ids; its first table counts as pretrained."""

    def __init__(self, dropout: float = 0.0, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.table = nn.Embedding(50, 8, padding_idx=0)
        self.hidden = nn.Linear(8, 16)
        self.norm = nn.LayerNorm(16)
        self.output = nn.Linear(16, 3)
        self.dropout = nn.Dropout(dropout)
        self.frozen = nn.Linear(2, 2).requires_grad_(False)
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
        self.dtypes: set[torch.dtype] = set()

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        return {"pretrained": [self.table.weight]}

    def forward(self, batch: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        words, labels = batch  # (B, T), (B,)
        if self.training:
            self.seen += len(words)
        x = self.dropout(self.table(words).sum(1) / (words > 0).sum(1, keepdim=True).clamp(min=1))  # (B, 8)
        x = self.hidden(x)  # (B, 16)
        self.dtypes.add(x.dtype)
        logits = self.output(torch.tanh(self.norm(x)))  # (B, 3)
        units = (labels + 1).sum()  # uneven on purpose: an example of label 2 weighs three units
        loss = nn.functional.cross_entropy(logits.float(), labels, reduction="none") * (labels + 1)
        return loss.sum(), units


class ToyExamples:
    """Random word ids whose sum decides the label; ``noise`` uses every random state there is."""

    def __init__(self, count: int = 37, noise: bool = False, longest: int = 12) -> None:
        draw = np.random.default_rng(5)
        self.lengths = draw.integers(1, longest + 1, count)
        self.words = [draw.integers(1, 50, n) for n in self.lengths]
        self.labels = np.array([int(w.sum()) % 3 for w in self.words])
        self.noise = noise
        self.asked: list[list[int]] = []

    def batch(self, indices, generator):
        self.asked.append(list(indices))
        words = torch.zeros(len(indices), int(self.lengths[list(indices)].max()), dtype=torch.int64)
        for row, i in enumerate(indices):
            ids = self.words[i]
            if self.noise:
                shares = generator.random(), np.random.random(), random.random(), float(torch.rand(()))
                ids = np.where(generator.random(len(ids)) < sum(shares) / 8, 1, ids)
            words[row, : len(ids)] = torch.from_numpy(ids)
        return words, torch.from_numpy(self.labels[list(indices)])

    def loss(self, objective: Toy) -> float:
        """Loss per unit on all of them, computed one by one."""
        objective.eval()
        with torch.no_grad():
            parts = [objective(self.batch([i], np.random.default_rng(0))) for i in range(len(self.lengths))]
        return float(sum(loss for loss, _ in parts) / sum(units for _, units in parts))


def copies(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}
