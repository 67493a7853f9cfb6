"""Accuracy of the shipped neural pipelines on SST-2, and the seconds their training takes.

Trained on the 6,920 training sentences with the options of the files, which were chosen on dev (choose_neural.py). The
dev split stops the training early, and only this script uses the test split. The interval is a 95 % bootstrap interval
over test items.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import nlpipe
from benchmarks.classical_accuracy import interval
from benchmarks.processes import ROOT, sst2

FILES = ["word2vec_logreg", "cnn", "bilstm", "gru", "transformer", "bert_frozen", "bert_finetuned"]


def measure() -> dict[str, Any]:
    """Run each file with its own seed."""
    rows = []
    with tempfile.TemporaryDirectory() as out:
        for name in FILES:
            file = ROOT / "pipelines" / "sentiment" / f"{name}.yaml"
            result = nlpipe.run(file, [f"data={json.dumps(sst2())}"], out=Path(out))
            low, high = interval(result)
            cells = [name, f"{result.score:.3f}", f"{low:.3f} – {high:.3f}", f"{result.costs['fit_seconds']:.0f}"]
            rows.append(cells)
            print("  ".join(cells), flush=True)
    header = ["pipeline", "SST-2 test accuracy", "95 % interval", "fit s"]
    return {"table": [header, *rows]}
