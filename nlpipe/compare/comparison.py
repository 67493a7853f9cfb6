"""A comparison from its file to its folder: every run carried out, then brought together."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from nlpipe.compare.execute import Outcome, execute
from nlpipe.compare.plan import Job, hash_of, jobs_of, sizes_of
from nlpipe.compare.results import Comparison, Row
from nlpipe.datasets.load import load_dataset
from nlpipe.errors import NlpipeError
from nlpipe.files import whole_folder, write_json
from nlpipe.metrics.bootstrap import resampled_scores
from nlpipe.runs.result import Result
from nlpipe.spec import ComparisonSpec
from nlpipe.tasks import task_named


def compare(
    spec: ComparisonSpec,
    out: Path = Path("runs"),
    workers: int = 1,
    report: Callable[[Job, str], None] = lambda job, text: None,
    ended: Callable[[Outcome], None] = lambda outcome: None,
) -> Comparison:
    """Run every pipeline of ``spec`` with every seed and training size, and bring the results together.

    Args:
        out: the folder that run folders and the comparison's own folder are written into.
        workers: runs at a time, each in a process of its own.
        report: called with each job and what it is doing.
        ended: called with the outcome of each job that has ended.

    Raises:
        NlpipeError: the file or the data has faults. A run that fails is a row of the result.
    """
    jobs = jobs_of(spec)
    if spec.data is None:
        raise NlpipeError(f"{spec.path}: no data: say 'data: CARD' in the file, or data=CARD on the command line")
    base = Path(spec.path).parent
    dataset = load_dataset(spec.data, base)  # faults of the data are reported once, before any worker starts
    outcomes = []
    for outcome in execute(jobs, spec.data, base, out, workers, report):
        outcomes.append(outcome)
        ended(outcome)
    rows = [
        _row(pipeline.name, size, [o for o in outcomes if o.job.spec is pipeline and o.job.train_size == size])
        for size in sizes_of(spec)
        for pipeline in spec.pipelines
    ]
    rows.sort(key=lambda row: (row.score is None, -(row.score or 0.0)))
    comparison = Comparison(
        spec.title,
        dataset.name,
        dataset.task.primary_of(dataset.labels),
        len(dataset.test),
        tuple(rows),
        out / f"comparison-{_slug(spec.title)}-{hash_of(jobs, dataset.digest)}",
        asdict(spec.budget),
        spec.tolerance,
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
        scores=_mean([result.metrics["scores"] for result in results]),
        costs=_mean([result.costs for result in results]),
        samples=samples,
    )  # fmt: skip


def _resampled(result: Result) -> np.ndarray:
    """(R,) the primary score on resampled test items, the same resamples for every result of a data set."""
    task = task_named(result.environment["task"])
    gold, predictions = result.predictions()
    labels = result.environment["labels"]
    metric = task.metrics(labels, result.environment["ordinal"])[0]
    return resampled_scores(metric, gold, predictions)[task.primary_of(labels)]


def _mean(records: Sequence[dict[str, Any]]) -> dict[str, float]:
    names = [name for name, value in records[0].items() if isinstance(value, int | float)]
    return {name: float(np.mean([record[name] for record in records if name in record])) for name in names}
