"""The textbook loop beside `bilstm`: plain PyTorch, random batches padded to the longest text, fp32.

Arguments: the folder with words.json and vectors.npy, the seed, the number of epochs, and `padded` or `packed`.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.utils.data import DataLoader

THREADS = 2


class BiLSTM(nn.Module):
    """Embedding, bidirectional LSTM, maximum over the tokens, linear layer."""

    def __init__(self, vectors: Tensor, hidden: int, dropout: float, packed: bool) -> None:
        super().__init__()
        self.packed = packed
        self.embedding = nn.Embedding.from_pretrained(vectors, freeze=False, padding_idx=0)
        self.lstm = nn.LSTM(vectors.shape[1], hidden, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(2 * hidden, 2)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        rows = self.dropout(self.embedding(ids))  # (B, T, D)
        if self.packed:
            wrapped = pack_padded_sequence(rows, lengths, batch_first=True, enforce_sorted=False)
            features, _ = pad_packed_sequence(self.lstm(wrapped)[0], batch_first=True)  # (B, T, 2 hidden)
        else:
            features, _ = self.lstm(rows)  # (B, T, 2 hidden)
        features = features.masked_fill((ids == 0)[..., None], float("-inf"))
        logits: Tensor = self.linear(self.dropout(features.amax(1)))  # (B, 2)
        return logits


def collate(examples: list[tuple[Tensor, int]]) -> tuple[Tensor, Tensor, Tensor]:
    """Ids (B, T), lengths (B,), labels (B,)."""
    ids, labels = zip(*examples, strict=True)
    return pad_sequence(list(ids), batch_first=True), torch.tensor([len(row) for row in ids]), torch.tensor(labels)


def main() -> None:
    """Train; print examples per second of all epochs but the first, and the best accuracy on dev."""
    folder, seed, epochs, variant = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    torch.set_num_threads(THREADS)
    torch.manual_seed(seed)
    settings: dict[str, Any] = json.loads((folder / "words.json").read_text(encoding="utf-8"))
    ids_by_word = {word: i for i, word in enumerate(settings["words"], start=2)}
    vectors = torch.from_numpy(np.load(folder / "vectors.npy"))
    splits = {
        name: [
            (torch.tensor([ids_by_word.get(word, 1) for word in words] or [1]), int(label))
            for words, label in zip(settings[name]["words"], settings[name]["labels"], strict=True)
        ]
        for name in ("train", "dev")
    }
    train = DataLoader(splits["train"], batch_size=settings["batch_size"], shuffle=True, collate_fn=collate)  # type: ignore[arg-type]
    dev = DataLoader(splits["dev"], batch_size=256, collate_fn=collate)  # type: ignore[arg-type]
    model = BiLSTM(vectors, settings["hidden"], settings["dropout"], variant == "packed")
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings["lr"])
    seconds, scores = [], []
    for _ in range(epochs):
        model.train()
        started = time.perf_counter()
        for ids, lengths, labels in train:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(ids, lengths), labels)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        seconds.append(time.perf_counter() - started)
        model.eval()
        with torch.no_grad():
            correct = sum(int((model(ids, lengths).argmax(-1) == labels).sum()) for ids, lengths, labels in dev)
        scores.append(correct / len(splits["dev"]))
    rate = len(splits["train"]) * (epochs - 1) / sum(seconds[1:])
    print(json.dumps({"rate": rate, "accuracy": max(scores)}))


if __name__ == "__main__":
    main()
