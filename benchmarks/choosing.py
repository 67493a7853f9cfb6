"""What the three choices of options share: searches of `nlpipe tune` that try every combination of a grid once."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from benchmarks.processes import ROOT
from nlpipe.datasets.dataset import Dataset
from nlpipe.spec import read_pipeline
from nlpipe.tuning import tune
from nlpipe.tuning.search import Trial

Grid = dict[str, list[Any]]
"""Key path of each option to the values that are tried."""
OUT = ROOT / "runs" / "choosing"
"""Where the searches lie; a benchmark that was killed goes on from there."""


def grid_trials(file: Path, grid: Grid, data: Dataset, out: Path = OUT, trials: int | None = None) -> dict[str, Trial]:
    """The trial of each combination of ``grid``, scored on dev, by its options; that of the file itself is marked.

    Args:
        trials: stop after so many; the first is that of the file itself.
    """
    search = {"trials": trials or math.prod(len(values) for values in grid.values()), **grid}
    found = tune(read_pipeline(file, [f"tune={json.dumps(search)}"]), data, out)
    failed = [trial.error for trial in found.trials if trial.state == "failed"]
    assert not failed, failed
    return {_options(trial, found.own and trial.number == 1): trial for trial in found.trials}


def _options(trial: Trial, own: bool) -> str:
    text = ", ".join(f"{key}={json.dumps(value)}" for key, value in trial.settings.items())
    return f"{text} (the file)" if own else text


def score(trial: Trial) -> float:
    """Its score on dev."""
    assert trial.score is not None
    return trial.score
