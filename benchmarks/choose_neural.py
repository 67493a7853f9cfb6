"""Choosing the options of the shipped neural pipelines: accuracy on the dev split of SST-2, one seed for each point.

No test split is used. Each grid is a search of `nlpipe tune` that tries every combination once, at most four for each
pipeline. Where two points answer a tenth of the 872 examples differently, luck alone makes their accuracies differ by
up to 0.021 in 95 % of cases (1.96 √(0.1 / 872)); the one seed adds to that. No other point is clearly better than
that of its file, and the files keep their options. The seconds were measured beside other work.
"""

from __future__ import annotations

from typing import Any

from benchmarks.choosing import Grid, grid_trials, score
from benchmarks.processes import ROOT, sst2
from nlpipe.datasets.load import load_dataset

GRIDS: dict[str, Grid] = {
    "word2vec_logreg": {"representation.dim": [100, 300], "representation.epochs": [10, 40]},
    "bert_frozen": {"head.C": [0.03, 0.1, 1, 10]},
    "bilstm": {"encoder[1]": ["max", "attention"], "encoder[0].dropout": [0.3, 0.5]},
    "cnn": {"trainer.lr": [0.0005, 0.001], "representation.trainable": [True, False]},
    "gru": {"encoder[1]": ["max", "attention"], "encoder[0].dropout": [0.3, 0.5]},
    "transformer": {"trainer.lr": [0.0005, 0.001], "encoder[0].layers": [1, 2]},
    "bert_finetuned": {"trainer.pretrained_lr": [0.00005, 0.0001]},
}


def measure() -> dict[str, Any]:
    """Score each point of each grid."""
    data = load_dataset(sst2(), ROOT)
    rows = []
    for name, grid in GRIDS.items():
        trials = grid_trials(ROOT / "pipelines" / "sentiment" / f"{name}.yaml", grid, data)
        for options, trial in sorted(trials.items()):
            rows.append([name, options, f"{score(trial):.4f}", trial.epochs or "", f"{trial.fit_seconds:.0f}"])
            print("  ".join(map(str, rows[-1])), flush=True)
    return {"table": [["pipeline", "options", "SST-2 dev", "epochs", "fit s"], *rows]}
