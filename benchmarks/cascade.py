"""A cascade of NB-SVM and a fine-tuned MiniLM on Rotten Tomatoes, beside its members.

`pipelines/sentiment/cascade.yaml`: NB-SVM answers, and what it is not sure of goes on to MiniLM; the threshold is
fitted on dev to lose at most 0.005 of MiniLM's accuracy. The score is that of test. Costs are measured in fresh
processes, in turn, in two rounds, of which the lower figures count: mean and median seconds of single texts, texts a
second in batches of 256, and seconds of the processor for a text. The interval of the difference is 1.96 standard
errors of the paired differences of items. Target: within 0.005 of MiniLM's accuracy at no more than half of its mean
cost.

NLPIPE_CASCADE_RUNS names a folder of runs, where members that are finished are taken from; else all are fitted anew.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import nlpipe
from benchmarks.environments import THREADS
from benchmarks.processes import ROOT
from nlpipe.runs.answer import data_of
from nlpipe.runs.costs import Use, measure_model
from nlpipe.runs.result import Result

FILES = "nbsvm", "bert_finetuned", "cascade"
ROUNDS = 2


def measure() -> dict[str, Any]:
    """Fit what is not fitted, then measure all in turn."""
    with tempfile.TemporaryDirectory() as name:
        out = Path(os.environ.get("NLPIPE_CASCADE_RUNS", name))
        runs = {file: nlpipe.run(ROOT / "pipelines" / "sentiment" / f"{file}.yaml", out=out) for file in FILES}
        texts = data_of(runs["cascade"].folder).test.inputs
        uses: dict[str, list[Use]] = {file: [] for file in FILES}
        for _ in range(ROUNDS):
            for file, result in runs.items():
                uses[file].append(measure_model(result.folder / "model", texts, THREADS))
        right = {file: _right(result) for file, result in runs.items()}
    table = [["", "accuracy", "mean, ms", "median, ms", "texts/s in batches", "CPU, ms a text"]]
    for file in FILES:
        each = uses[file]
        table.append([
            file, f"{right[file].mean():.4f}",
            *(f"{1000 * _least(each, name):.2f}" for name in ("latency_mean_seconds", "latency_p50_seconds")),
            f"{max(use['texts_per_second'] for use in each):,.0f}",
            f"{1000 * _least(each, 'cpu_seconds_per_text'):.2f}",
        ])  # fmt: skip
    difference = right["cascade"] - right["bert_finetuned"]
    error = 1.96 * difference.std(ddof=1) / np.sqrt(len(difference))
    share = _least(uses["cascade"], "latency_mean_seconds") / _least(uses["bert_finetuned"], "latency_mean_seconds")
    notes = (
        f"{THREADS} threads. The cascade scores {difference.mean():+.4f} ({difference.mean() - error:+.4f} to "
        f"{difference.mean() + error:+.4f}) beside MiniLM on {len(difference):,} test texts, at {share:.2f} of its "
        "mean time for a text."
    )
    return {"table": table, "notes": notes, "uses": uses}


def _right(result: Result) -> np.ndarray:
    """(N,) 1 for each test text that is answered rightly, else 0."""
    return np.array([record["predicted"] == record["gold"] for record in result.records()], dtype=float)


def _least(uses: list[Use], name: str) -> float:
    return min(float(use[name]) for use in uses)  # type: ignore[literal-required]
