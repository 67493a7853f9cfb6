"""Comparisons: twelve pipelines that share stages beside the same runs apart, and two runs at a time beside one.

Rotten Tomatoes. Four tokenizers and representations, each under three heads, with three seeds where a seed changes
them: the summed time of fitting and scoring the runs apart, and with fitted stages and their outputs shared; all
predictions must be equal. Target: at most 0.5 times. Then eight pipelines with word vectors of different widths, two
seeds each, with `--jobs 1`, `--jobs 2` and `--jobs 1` again, which tells what the machine can tell: the time until all
is fitted and scored, and the median latencies, which are measured afterwards one by one. Target: 1.6 times as fast on
two cores that nothing else uses, latencies within 10 %.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nlpipe.compare.comparison import compare
from nlpipe.compare.plan import jobs_of
from nlpipe.datasets.load import load_dataset
from nlpipe.pipeline.stage_store import StageStore
from nlpipe.runs.result import Result
from nlpipe.runs.run import run
from nlpipe.spec import ComparisonSpec, read_comparison

DATA = "rotten_tomatoes"
WORDS: dict[str, Any] = {"name": "word2vec", "dim": 50, "epochs": 5}
FRONTS: dict[str, dict[str, Any]] = {
    "word2vec": {"representation": WORDS, "encoder": "mean"},
    "word2vec_wide": {"representation": {**WORDS, "dim": 100, "window": 3}, "encoder": "mean"},
    "unigram": {"tokenizer": {"name": "unigram", "vocabulary_size": 8000}, "representation": "tfidf"},
    "bpe": {"tokenizer": {"name": "bpe", "vocabulary_size": 8000}, "representation": "tfidf"},
}
HEADS: dict[str, Any] = {
    "lr": "logistic_regression", "lr_strong": {"name": "logistic_regression", "C": 0.1}, "svm": "linear_svm",
}  # fmt: skip


def sharing(folder: Path) -> list[list[str]]:
    """Seconds of all runs, apart and shared."""
    pipelines = [
        {"name": f"{front}_{head}", **FRONTS[front], "head": HEADS[head]} for front in FRONTS for head in HEADS
    ]
    jobs = jobs_of(read_comparison({"data": DATA, "seeds": 3, "pipelines": pipelines}))
    dataset = load_dataset(DATA)
    run(jobs[0].spec, dataset, folder / "first", jobs[0].seed, measuring=False)  # imports are nobody's
    seconds, answers = {}, {}
    for name, store in (("apart", None), ("shared", StageStore(folder / "stages"))):
        started = time.perf_counter()
        results = [run(job.spec, dataset, folder / name, job.seed, store=store, measuring=False) for job in jobs]
        seconds[name] = time.perf_counter() - started
        answers[name] = [list(result.records()) for result in results]
    equal = "equal" if answers["apart"] == answers["shared"] else "DIFFERENT"
    share = f"{seconds['shared'] / seconds['apart']:.2f} ×, predictions {equal}"
    return [
        [f"{len(pipelines)} pipelines, {len(jobs)} runs, apart", f"{seconds['apart']:.0f} s", ""],
        ["the same, stages and outputs shared", f"{seconds['shared']:.0f} s", share],
    ]


def at_a_time(folder: Path) -> list[list[str]]:
    """Seconds until all is fitted and scored, with one run and with two at a time, and how far latencies differ."""
    pipelines = [
        {"name": f"w{dim}", "representation": {**WORDS, "dim": dim}, "encoder": "mean", "head": "logistic_regression"}
        for dim in (50, 60, 70, 80, 90, 100, 110, 120)
    ]
    spec = read_comparison({"data": DATA, "seeds": [1, 2], "pipelines": pipelines})
    names = [str(each["name"]) for each in pipelines]
    one, two, again = (timed(spec, folder / f"jobs{i}", workers, names) for i, workers in enumerate((1, 2, 1)))
    beside = (one.latencies + again.latencies) / 2
    return [
        [
            f"{len(names)} pipelines, two seeds, --jobs {workers}", f"{each.seconds:.0f} s",
            f"latencies {each.latencies.mean() * 1e3:.3f} ms{more}",
        ]
        for workers, each, more in (
            (1, one, ""),
            (1, again, f", each {spread(again.latencies / one.latencies)} × the first time"),
            (
                2, two,
                f", each {spread(two.latencies / beside)} × the mean of --jobs 1; "
                f"{(one.seconds + again.seconds) / 2 / two.seconds:.2f} × as fast",
            ),
        )
    ]  # fmt: skip


@dataclass(frozen=True)
class Timed:
    """Seconds until the last run of a comparison had ended, and the median latency of each pipeline."""

    seconds: float
    latencies: np.ndarray


def timed(spec: ComparisonSpec, folder: Path, workers: int, names: list[str]) -> Timed:
    """Carry out a comparison."""
    started, ended = time.perf_counter(), list[float]()
    found = compare(spec, folder, workers, ended=lambda outcome: ended.append(time.perf_counter()))
    rows: dict[str, Result] = {row.name: row.results[0] for row in found.rows}
    return Timed(max(ended) - started, np.array([rows[name].costs["latency_p50_seconds"] for name in names]))


def spread(ratios: np.ndarray) -> str:
    """The smallest and the largest."""
    return f"{ratios.min():.2f} to {ratios.max():.2f}"


def measure() -> dict[str, Any]:
    """Both tables in one."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [*sharing(Path(folder)), *at_a_time(Path(folder))]
    for row in rows:
        print("  ".join(row), flush=True)
    return {"table": [["what", "seconds", "beside"], *rows], "notes": ""}
