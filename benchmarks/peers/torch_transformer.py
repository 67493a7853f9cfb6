"""Train a plain `torch.nn.Transformer` to translate, as tutorials do. Arguments: the file of ids, options as JSON.

Options: threads, shape (layers, heads, dim, feed_forward, dropout), tokens, lr, epochs, seed, precision (auto: bf16
autocast, or fp32). It uses tied tables, label smoothing, fused AdamW, and the same batches of similar length as nlpipe.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from nlpipe.nn.positions import sinusoids
from nlpipe.training.batching import plan_batches

PAD, START, END = 0, 2, 3


class Translator(nn.Module):
    """`nn.Transformer` with one embedding table for source, target and output."""

    def __init__(self, words: int, layers: int, heads: int, dim: int, feed_forward: int, dropout: float) -> None:
        super().__init__()
        self.table = nn.Embedding(words, dim, padding_idx=PAD)
        nn.init.normal_(self.table.weight, std=dim**-0.5)
        self.positions: Tensor
        self.register_buffer("positions", sinusoids(512, dim))
        self.dropout = nn.Dropout(dropout)
        self.transformer = nn.Transformer(
            dim, heads, layers, layers, feed_forward, dropout, batch_first=True, norm_first=True
        )

    def embed(self, ids: Tensor) -> Tensor:
        """Vectors (B, T, D) of ids (B, T)."""
        x: Tensor = self.dropout(self.table(ids) * self.table.embedding_dim**0.5 + self.positions[: ids.shape[1]])
        return x

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        padding = source == PAD  # (B, S)
        future = torch.ones(target.shape[1], target.shape[1], dtype=torch.bool).triu(1)  # (T, T)
        y = self.transformer(
            self.embed(source), self.embed(target), tgt_mask=future, tgt_is_causal=True,
            src_key_padding_mask=padding, memory_key_padding_mask=padding,
        )  # fmt: skip
        scores: Tensor = y @ self.table.weight.T  # (B, T, V)
        return scores


def main() -> None:
    """Train; print target tokens per second, end tokens included, of all epochs but the first."""
    data, options = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), json.loads(sys.argv[2])
    torch.set_num_threads(options["threads"])
    torch.manual_seed(options["seed"])
    sources, targets = ([torch.tensor(row) for row in rows] for rows in data["pairs"])
    lengths = np.array([max(len(a), len(b)) for a, b in zip(sources, targets, strict=True)])
    model = Translator(data["words"], **options["shape"]).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=options["lr"], fused=True)
    loss_of = nn.CrossEntropyLoss(ignore_index=PAD, label_smoothing=0.1)
    units = seconds = 0.0
    for epoch in range(options["epochs"]):
        started = time.perf_counter()
        batches = plan_batches(lengths, batch_size=32, tokens=options["tokens"], seed=options["seed"], epoch=epoch)
        for chosen in batches:
            source = pad_sequence([sources[i] for i in chosen], batch_first=True)  # (B, S)
            inputs = pad_sequence(
                [nn.functional.pad(targets[i], (1, 0), value=START) for i in chosen], batch_first=True
            )
            gold = pad_sequence([nn.functional.pad(targets[i], (0, 1), value=END) for i in chosen], batch_first=True)
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=options["precision"] != "fp32"):
                loss = loss_of(model(source, inputs).flatten(0, 1), gold.flatten())
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        if epoch:
            seconds += time.perf_counter() - started
            units += sum(len(row) + 1 for row in targets)
    print(json.dumps({"rate": units / seconds}))


if __name__ == "__main__":
    main()
