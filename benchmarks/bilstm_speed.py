"""BiLSTM training on SST-2: examples per second and accuracy, beside the textbook loop in plain PyTorch.

Both use the same GloVe vectors (trained further), sizes, dropout, pooling, optimizer, clipping, batch size and epochs,
with two threads. Whole processes alternate, one seed per round. The textbook loop draws random batches, pads them to
the longest text and computes in fp32; it is measured over padded rows, as it is usually written, and over packed
sequences. The speed is that of all epochs but the first. Accuracy is on the dev split, of the best epoch. Target: 2
times the examples per second, and an accuracy within 1 point as the mean of three seeds.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

import nlpipe
from benchmarks.processes import ROOT, middle, python, ratio, run, sst2
from nlpipe.classical.vector_files import read_vectors
from nlpipe.datasets.load import load_dataset

FILE = ROOT / "pipelines" / "sentiment" / "bilstm.yaml"
SEEDS = (1, 2, 3)
EPOCHS = 5


def measure() -> dict[str, Any]:
    """One round per seed: nlpipe, the padded loop, the packed loop."""
    rows: dict[str, list[dict[str, Any]]] = {"nlpipe": [], "padded": [], "packed": []}
    with tempfile.TemporaryDirectory() as folder:
        _prepare(Path(folder))
        peers = ROOT / "benchmarks" / "peers"
        for seed in SEEDS:
            options = {
                "file": str(FILE), "overrides": [], "seed": seed, "epochs": EPOCHS,
                "data": sst2(), "limit": None, "save": None,
            }  # fmt: skip
            rows["nlpipe"].append(run(python(str(peers / "nlpipe_training.py"), json.dumps(options))))
            for variant in ("padded", "packed"):
                command = python(str(peers / "textbook_bilstm.py"), folder, str(seed), str(EPOCHS), variant)
                rows[variant].append(run(command))
    ours = rows["nlpipe"]
    table = [["", "examples/s", "nlpipe is faster by", "accuracy on dev", "peak memory, MB"]]
    for name, measured in rows.items():
        table.append(
            [
                name if name == "nlpipe" else f"textbook loop, {name}",
                f"{middle(measured, 'rate'):,.0f}",
                f"{ratio(ours, measured, 'rate'):.2f}",
                f"{fmean(row['accuracy'] for row in measured):.4f}",
                f"{middle(measured, 'peak_mb'):.0f}",
            ]
        )
    return {
        "table": table,
        "notes": f"Ratios are medians over pairs of runs. nlpipe computed in {ours[0]['precision']}.",
        "runs": rows,
    }


def _prepare(folder: Path) -> None:
    """Write words.json and vectors.npy for the textbook loop: the words of our tokenizer, their vectors, and options.

    Its table holds only words of these texts, so that its optimizer has as few rows to update as ours.
    """
    data = load_dataset(sst2(), ROOT)
    pipeline = nlpipe.load(FILE)
    tokenizer, _, encoder, _, head = pipeline.stages
    settings: dict[str, Any] = {
        "hidden": encoder.options["hidden"],
        "dropout": head.options["dropout"],
        "batch_size": pipeline.trainer["batch_size"],
        "lr": pipeline.trainer["lr"],
    }
    for name, split in (("train", data.train), ("dev", data.dev)):
        settings[name] = {"words": tokenizer.forward(split.inputs).words, "labels": split.targets.values}
    seen = {word for name in ("train", "dev") for words in settings[name]["words"] for word in words}
    words, vectors = read_vectors("glove_6b_50d", lambda word, place: word in seen)
    settings["words"] = list(words)
    padding_unknown = np.stack([np.zeros(vectors.shape[1]), vectors.mean(0)])
    np.save(folder / "vectors.npy", np.concatenate([padding_unknown, vectors]).astype(np.float32))
    (folder / "words.json").write_text(json.dumps(settings), encoding="utf-8")
