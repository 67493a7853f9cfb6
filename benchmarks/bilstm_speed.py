"""BiLSTM training on SST-2: examples a second beside the textbook loop in plain PyTorch, and both accuracies.

Same GloVe vectors (trained further), sizes, dropout, pooling, optimizer, clipping, batch size and epochs; two threads;
whole processes in turn, one seed a round. The textbook loop draws random batches, pads them to the longest and computes
in fp32; it is shown as it is mostly written, over padded rows, and over packed ones. Seconds are of whole epochs after
the first. Accuracy is on the dev split, of the best epoch. Wanted: 2 times the examples a second, accuracy within 1
point as a mean of three seeds.
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
    """One round for each seed: ours, padded, packed."""
    rows: dict[str, list[dict[str, Any]]] = {"nlpipe": [], "padded": [], "packed": []}
    with tempfile.TemporaryDirectory() as folder:
        _prepare(Path(folder))
        peers = ROOT / "benchmarks" / "peers"
        for seed in SEEDS:
            told = {
                "file": str(FILE), "overrides": [], "seed": seed, "epochs": EPOCHS,
                "data": sst2(), "limit": None, "save": None,
            }  # fmt: skip
            rows["nlpipe"].append(run(python(str(peers / "nlpipe_training.py"), json.dumps(told))))
            for way in ("padded", "packed"):
                command = python(str(peers / "textbook_bilstm.py"), folder, str(seed), str(EPOCHS), way)
                rows[way].append(run(command))
    ours = rows["nlpipe"]
    table = [["", "examples/s", "nlpipe is faster by", "accuracy on dev", "peak memory, MB"]]
    for name, found in rows.items():
        table.append(
            [
                name if name == "nlpipe" else f"textbook loop, {name}",
                f"{middle(found, 'rate'):,.0f}",
                f"{ratio(ours, found, 'rate'):.2f}",
                f"{fmean(row['accuracy'] for row in found):.4f}",
                f"{middle(found, 'peak_mb'):.0f}",
            ]
        )
    return {
        "table": table,
        "said": f"Ratios are medians pair by pair; nlpipe computed in {ours[0]['precision']}.",
        "runs": rows,
    }


def _prepare(folder: Path) -> None:
    """words.json and vectors.npy of the textbook loop: the words that our tokenizer finds, their vectors, and options.

    Only words of these texts are in its table, so that its optimizer has as few rows to go through as ours.
    """
    data = load_dataset(sst2(), ROOT)
    pipeline = nlpipe.load(FILE)
    tokenizer, _, encoder, _, head = pipeline.stages
    told: dict[str, Any] = {
        "hidden": encoder.options["hidden"],
        "dropout": head.options["dropout"],
        "batch_size": pipeline.trainer["batch_size"],
        "lr": pipeline.trainer["lr"],
    }
    for name, split in (("train", data.train), ("dev", data.dev)):
        told[name] = {"words": tokenizer.forward(split.inputs).words, "labels": split.targets.values}
    seen = {word for name in ("train", "dev") for words in told[name]["words"] for word in words}
    words, vectors = read_vectors("glove_6b_50d", lambda word, place: word in seen)
    told["words"] = list(words)
    padding_unknown = np.stack([np.zeros(vectors.shape[1]), vectors.mean(0)])
    np.save(folder / "vectors.npy", np.concatenate([padding_unknown, vectors]).astype(np.float32))
    (folder / "words.json").write_text(json.dumps(told), encoding="utf-8")
