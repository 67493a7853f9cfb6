"""Choosing the options of the shipped neural pipelines: accuracy on the dev split of SST-2, one seed per point.

No test split is used. A point is a set of overrides of a shipped file, as the file was at that time. Each point is
written when it is done, and is not repeated as long as results/choose_neural.json contains it.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import nlpipe
from benchmarks.processes import ROOT, sst2
from nlpipe.datasets.load import load_dataset

GRIDS: dict[str, list[list[str]]] = {
    "word2vec_logreg": [
        ["representation.dim=100", "representation.epochs=10"],
        ["representation.dim=200", "representation.epochs=20"],
        ["representation.dim=300", "representation.epochs=40"],
    ],
    "bert_frozen": [[f"head.C={c}"] for c in (0.03, 0.1, 1, 10)],
    "bilstm": [
        ["trainer.lr=1e-3"],
        ["encoder[0].dropout=0.5", "head.dropout=0.5"],
        ["encoder[1]=attention"],
        ["representation.trainable=false", "trainer.lr=2e-3"],
    ],
    "cnn": [["trainer.lr=1e-3"], ["trainer.lr=5e-4"], ["representation.trainable=false"]],
    "gru": [["encoder[1]=attention"], ["encoder[1]=max"]],
    "transformer": [["trainer.lr=5e-4"], ["trainer.lr=1e-3"], ["trainer.lr=1e-3", "encoder[0].layers=1"]],
    "bert_finetuned": [["trainer.pretrained_lr=5e-5"], ["trainer.pretrained_lr=1e-4"]],
}
DONE = Path(__file__).parent / "results" / "choose_neural.json"


def measure() -> dict[str, Any]:
    """Score each point of each grid that results/choose_neural.json does not contain yet."""
    data = load_dataset(sst2(), ROOT)
    header = ["pipeline", "options", "SST-2 dev", "epochs", "seconds"]
    rows = json.loads(DONE.read_text(encoding="utf-8"))["table"][1:] if DONE.exists() else []
    for name, grid in GRIDS.items():
        for overrides in grid:
            if [name, ", ".join(overrides)] in [row[:2] for row in rows]:
                continue
            started = time.perf_counter()
            pipeline = nlpipe.load(ROOT / "pipelines" / "sentiment" / f"{name}.yaml", overrides)
            with tempfile.TemporaryDirectory() as folder:
                pipeline.fit_split(data.train, data.dev, Path(folder), progress=False)
            predicted = pipeline.predict(data.dev.inputs).values.values
            accuracy = float(np.mean(np.array(predicted) == np.array(data.dev.targets.values)))
            epochs = len(pipeline.history.epochs) if pipeline.history is not None else ""
            seconds = time.perf_counter() - started
            rows.append([name, ", ".join(overrides), f"{accuracy:.4f}", epochs, f"{seconds:.0f}"])
            DONE.write_text(json.dumps({"table": [header, *rows]}) + "\n", encoding="utf-8")
            sys.stderr.write("  ".join(map(str, rows[-1])) + "\n")
    return {"table": [header, *rows]}
