"""Choosing the options of `pipelines/ner/window.yaml`: strict F1 on the dev splits of three data sets.

No test split is used. Each option is varied alone, by a search of `nlpipe tune` that tries each of its values once. The
first row is the file with IOB2 instead of IOBES as the learned scheme. When they were chosen, the options in the file
had the best mean. With today's code C: 3 is 0.004 better, which is not clearly so, and the file keeps 10.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.choosing import OUT, Grid, grid_trials, score
from benchmarks.processes import ROOT, tagged
from nlpipe.datasets.load import load_dataset
from nlpipe.pipeline import tag_words
from nlpipe.tuning.search import Trial

FILE = ROOT / "pipelines" / "ner" / "window.yaml"
SETS = ("wnut17", "ncbi_disease", "weibo_ner")
GRIDS: list[Grid] = [
    {"representation.min_count": [3, 1, 2]},
    {"head.C": [3, 30]},
    {"representation.window": [1, 3]},
    {"representation.affixes": [3, 5]},
    {"head": ["perceptron", {"name": "perceptron", "epochs": 20}]},
]


def measure() -> dict[str, Any]:
    """Score each point on each data set."""
    data = [load_dataset(tagged(name), ROOT) for name in SETS]
    table = [["options", *SETS, "mean"]]

    def add(columns: list[dict[str, Trial]], note: str = "") -> None:
        for options in columns[0]:
            scores = [score(column[options]) for column in columns]
            table.append([f"{options}{note}", *(f"{f1:.3f}" for f1 in scores), f"{np.mean(scores):.3f}"])
            print("  ".join(table[-1]), flush=True)

    scheme, tag_words.INSIDE = tag_words.INSIDE, "IOB2"
    add([grid_trials(FILE, GRIDS[0], each, OUT / "iob2", trials=1) for each in data], ", IOB2 learned")
    tag_words.INSIDE = scheme
    for grid in GRIDS:
        add([grid_trials(FILE, grid, each) for each in data])
    return {"table": table}
