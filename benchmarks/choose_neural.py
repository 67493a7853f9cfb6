"""Choosing the options of the shipped neural pipelines: accuracy on the dev split of SST-2, one seed a point.

No test split is touched. A point is a shipped file with the overrides shown; the first of each pipeline is the file as
it was before.
"""

from __future__ import annotations

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
    "word2vec_logreg": [[], ["representation.dim=200", "representation.epochs=20"], ["representation.weights=sif"]],
    "bert_frozen": [[], ["head.C=0.1"], ["head.C=10"], ["representation.layers=[-2, -1]"]],
    "bert_finetuned": [[], ["trainer.pretrained_lr=1e-4"], ["trainer.pretrained_lr=1e-4", "trainer.epochs=4"]],
    "bilstm": [
        [],
        ["representation.trainable=false", "trainer.lr=2e-3"],
        ["encoder[0].dropout=0.5", "head.dropout=0.5"],
        ["encoder[1]=attention"],
        ["encoder[0].hidden=200", "encoder[0].dropout=0.5", "trainer.lr=5e-4", "trainer.epochs=15"],
    ],
    "cnn": [[], ["trainer.lr=5e-4"], ["representation.trainable=false"], ["encoder[0].filters=200"]],
    "gru": [[], ["encoder[1]=max"]],
    "transformer": [[], ["representation.min_count=1", "trainer.lr=1e-3"], ["encoder[0].layers=1", "trainer.lr=1e-3"]],
}


def measure() -> dict[str, Any]:
    """Every point of every grid."""
    data = load_dataset(sst2(), ROOT)
    rows = []
    for name, grid in GRIDS.items():
        for overrides in grid:
            started = time.perf_counter()
            pipeline = nlpipe.load(ROOT / "pipelines" / "sentiment" / f"{name}.yaml", overrides)
            with tempfile.TemporaryDirectory() as folder:
                pipeline.fit_split(data.train, data.dev, Path(folder), progress=False)
            found = pipeline.predict(data.dev.inputs).values.values
            accuracy = float(np.mean(np.array(found) == np.array(data.dev.targets.values)))
            epochs = len(pipeline.history.epochs) if pipeline.history is not None else ""
            rows.append(
                [
                    name,
                    ", ".join(overrides) or "as it is",
                    f"{accuracy:.4f}",
                    epochs,
                    f"{time.perf_counter() - started:.0f}",
                ]
            )
            sys.stderr.write("  ".join(map(str, rows[-1])) + "\n")
    return {"table": [["pipeline", "options", "SST-2 dev", "epochs", "seconds"], *rows]}
