"""Choosing the options of `pipelines/ner/window.yaml`: strict F1 on the dev splits of three data sets.

No test split is touched. A point is a set of overrides of the file as it then was; the first row is the file as it is,
the second the same with IOB2 inside instead of IOBES. The best mean decides.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import nlpipe
from benchmarks.processes import ROOT, tagged
from nlpipe.datasets.load import load_dataset
from nlpipe.heads import per_token

FILE = ROOT / "pipelines" / "ner" / "window.yaml"
SETS = ("wnut17", "ncbi_disease", "weibo_ner")
GRID: list[list[str]] = [
    [],
    ["representation.min_count=1"],
    ["representation.min_count=2"],
    ["head.C=3"],
    ["head.C=30"],
    ["representation.window=1"],
    ["representation.window=3"],
    ["representation.affixes=3"],
    ["representation.affixes=5"],
    ["head=perceptron"],
]


def measure() -> dict[str, Any]:
    """Every point on every set."""
    data = {name: load_dataset(tagged(name), ROOT) for name in SETS}
    table = [["options", *SETS, "mean"]]

    def add(name: str, overrides: list[str]) -> None:
        found = [_f1(data[name], overrides) for name in SETS]
        table.append([name, *(f"{f1:.3f}" for f1 in found), f"{np.mean(found):.3f}"])
        print("  ".join(table[-1]), flush=True)

    for overrides in GRID:
        add(", ".join(overrides) or "the file", overrides)
        if not overrides:
            inside, per_token.INSIDE = per_token.INSIDE, "IOB2"
            add("IOB2 inside", overrides)
            per_token.INSIDE = inside
    return {"table": table}


def _f1(data: Any, overrides: list[str]) -> float:
    pipeline = nlpipe.load(FILE, overrides).fit_split(data.train, data.dev, progress=False)
    score: float = data.task.metrics(data.labels)[0](data.dev.targets, pipeline.predict(data.dev.inputs))["f1"]
    return score
