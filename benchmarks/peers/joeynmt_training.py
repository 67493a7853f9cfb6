"""Time JoeyNMT's training loop; run by the interpreter of its environment. Arguments: a file of ids, options as JSON.

Options: threads, shape (layers, heads, dim, feed_forward, dropout), tokens, lr, updates, seed. Ids are written as
words.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from joeynmt.training import TrainManager, train

FIRST = 4
"""Number of updates at the start that are not timed."""


def config(folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    """The configuration that `joeynmt train` reads."""
    shape = options["shape"]
    side = {
        "type": "transformer", "num_layers": shape["layers"], "num_heads": shape["heads"], "layer_norm": "pre",
        "hidden_size": shape["dim"], "ff_size": shape["feed_forward"], "dropout": shape["dropout"],
        "embeddings": {"embedding_dim": shape["dim"], "scale": True, "dropout": shape["dropout"]},
    }  # fmt: skip
    text = {"level": "word", "lowercase": False, "max_length": 1000, "voc_file": str(folder / "words.txt")}
    return {
        "name": "bench", "joeynmt_version": "2.3.0", "model_dir": str(folder / "model"), "use_cuda": False,
        "random_seed": options["seed"], "normalization": "tokens",
        "data": {
            "train": str(folder / "train"), "dev": str(folder / "train"), "dataset_type": "plain",
            "src": {"lang": "en", **text}, "trg": {"lang": "de", **text},
        },
        "testing": {"beam_size": 5, "beam_alpha": 1.0},
        "training": {
            "optimizer": "adamw", "learning_rate": options["lr"], "clip_grad_norm": 1.0, "loss": "crossentropy",
            "label_smoothing": 0.1, "batch_size": options["tokens"], "batch_type": "token", "epochs": 100,
            "updates": options["updates"], "validation_freq": 10**9, "logging_freq": 10**6, "overwrite": True,
            "early_stopping_metric": "loss", "scheduling": "noam",
        },
        "model": {"tied_embeddings": True, "tied_softmax": True, "encoder": side, "decoder": dict(side)},
    }  # fmt: skip


def write(folder: Path, data: dict[str, Any]) -> None:
    """Write texts of numbered words and their vocabulary; special tokens are JoeyNMT's own."""
    (folder / "model").mkdir()
    (folder / "words.txt").write_text("".join(f"w{i}\n" for i in range(4, data["words"])), encoding="utf-8")
    for language, rows in zip(("en", "de"), data["pairs"], strict=True):
        lines = (" ".join(f"w{i}" for i in row) + "\n" for row in rows)
        (folder / f"train.{language}").write_text("".join(lines), encoding="utf-8")


def main() -> None:
    """Train; print target tokens per second, end tokens included, after the first updates."""
    data, options = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), json.loads(sys.argv[2])
    torch.set_num_threads(options["threads"])
    moments: list[tuple[float, int]] = []
    original = TrainManager._train_step

    def timed(self: Any, batch: Any) -> Any:
        moments.append((time.perf_counter(), batch.ntokens))
        return original(self, batch)

    TrainManager._train_step = timed
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), data)
        train(0, 1, config(Path(name), options), skip_test=True)
    timed_updates = moments[FIRST:]
    tokens = sum(count for _, count in timed_updates[:-1])  # from the start of one step to that of the last
    print("\n" + json.dumps({"rate": tokens / (timed_updates[-1][0] - timed_updates[0][0])}))


if __name__ == "__main__":
    main()
