"""Choosing the options of `pipelines/ner/window.yaml`: strict F1 on the dev splits of three data sets.

No test split is used. A point is a set of overrides of the file, as the file was at that time. The first row is the
file without overrides, the second the same with IOB2 instead of IOBES as the learned scheme. The best mean was chosen.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import nlpipe
from benchmarks.processes import ROOT, tagged
from nlpipe.datasets.load import load_dataset
from nlpipe.pipeline import tag_words

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
    """Score each point on each data set."""
    data = {name: load_dataset(tagged(name), ROOT) for name in SETS}
    table = [["options", *SETS, "mean"]]

    def add(name: str, overrides: list[str]) -> None:
        scores = [_f1(data[name], overrides) for name in SETS]
        table.append([name, *(f"{f1:.3f}" for f1 in scores), f"{np.mean(scores):.3f}"])
        print("  ".join(table[-1]), flush=True)

    for overrides in GRID:
        add(", ".join(overrides) or "the file", overrides)
        if not overrides:
            scheme, tag_words.INSIDE = tag_words.INSIDE, "IOB2"
            add("IOB2 learned", overrides)
            tag_words.INSIDE = scheme
    return {"table": table}


def _f1(data: Any, overrides: list[str]) -> float:
    pipeline = nlpipe.load(FILE, overrides).fit_split(data.train, data.dev, progress=False)
    score: float = data.task.metrics(data.labels)[0](data.dev.targets, pipeline.predict(data.dev.inputs))["f1"]
    return score
