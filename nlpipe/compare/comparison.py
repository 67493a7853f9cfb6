"""A comparison: every run is carried out, and their results are brought together in a folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from nlpipe.compare.execute import Outcome, execute
from nlpipe.compare.plan import Job, hash_of, jobs_of
from nlpipe.compare.results import Comparison, Row, size_of
from nlpipe.datasets.load import load_dataset
from nlpipe.errors import NlpipeError
from nlpipe.files import whole_folder, write_json
from nlpipe.metrics.bootstrap import resampled_sums
from nlpipe.runs.result import Result
from nlpipe.spec import ComparisonSpec
from nlpipe.user_code import stop_if_registering


def compare(
    spec: ComparisonSpec,
    out: Path = Path("runs"),
    jobs: int = 1,
    report: Callable[[Job, str], None] = lambda job, text: None,
    ended: Callable[[Outcome], None] = lambda outcome: None,
) -> Comparison:
    """Run every pipeline of ``spec`` with every seed and training size, and bring the results together.

    Args:
        out: the folder that run folders and the comparison's own folder are written into.
        jobs: runs at a time, each in a process of its own.
        report: called with each job and what it is doing.
        ended: called with the outcome of each job that has ended.

    Raises:
        NlpipeError: the file or the data has faults. A run that fails is a row of the result.
    """
    stop_if_registering()
    runs = jobs_of(spec)
    if spec.data is None:
        raise NlpipeError(f"{spec.path}: no data: say 'data: CARD' in the file, or data=CARD on the command line")
    dataset = load_dataset(spec.data)  # faults of the data are reported once, before any worker starts
    outcomes = []
    for outcome in execute(runs, out, jobs, report):
        outcomes.append(outcome)
        ended(outcome)
    groups = dict.fromkeys((job.spec.name, job.train_size) for job in runs)
    rows = [
        _row(name, size, [o for o in outcomes if (o.job.spec.name, o.job.train_size) == (name, size)])
        for name, size in groups
    ]
    metric, primary = dataset.task.deciding(dataset.labels, dataset.ordinal)
    higher_is_better = metric.higher_is_better[primary]
    sign = -1.0 if higher_is_better else 1.0
    rows.sort(key=lambda row: (size_of(row), row.score is None, sign * (row.score or 0.0)))
    comparison = Comparison(
        spec.title,
        dataset.name,
        primary,
        len(dataset.test),
        tuple(rows),
        out / f"comparison-{_slug(spec.title)}-{hash_of(runs, dataset.digest)}",
        asdict(spec.budget),
        spec.tolerance,
        higher_is_better,
        tuple(metric.name for metric in dataset.task.user_metrics()),
        dataset.task.reason,
    )
    with whole_folder(comparison.folder) as partial:
        write_json(partial / "comparison.json", comparison.record())
        (partial / "table.md").write_text(comparison.table() + "\n", encoding="utf-8")
    return comparison


def _slug(title: str) -> str:
    """A title as a folder's name."""
    return "-".join(re.findall(r"\w+", title.lower()))[:60] or "untitled"


def _row(name: str, size: int | None, outcomes: Sequence[Outcome]) -> Row:
    results = tuple(outcome.result for outcome in outcomes if outcome.result is not None)
    errors = tuple(f"{outcome.job}: {outcome.error}" for outcome in outcomes if outcome.result is None)
    if not results:
        return Row(name, size, results, errors)
    scores = np.array([result.score for result in results])
    samples = np.mean([_resampled(result) for result in results], axis=0)  # (R,)
    low, high = np.percentile(samples, [2.5, 97.5])
    return Row(
        name, size, results, errors,
        score=float(scores.mean()), low=float(low), high=float(high),
        deviation=float(scores.std(ddof=1)) if len(scores) > 1 else None,
        scores=mean_of([result.scores for result in results]),
        costs=mean_of([result.costs for result in results]),
        samples=samples,
    )  # fmt: skip


def _resampled(result: Result) -> np.ndarray:
    """(R,) the primary score on resampled test items, the same resamples for every result of a data set."""
    metric, statistics = result.primary_items()
    return metric.scores(resampled_sums(statistics))[result.metrics["primary"]]


def mean_of(records: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The mean of every number over the records that have it; what none has is absent."""
    values: dict[str, list[float]] = {}
    for record in records:
        for name, value in record.items():
            if isinstance(value, int | float):
                values.setdefault(name, []).append(value)
    return {name: float(np.mean(numbers)) for name, numbers in values.items()}
