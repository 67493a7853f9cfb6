"""A comparison: every run of it on disk, and what they say together."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nlpipe.compare.execute import Job, Outcome, execute
from nlpipe.datasets.load import load_dataset
from nlpipe.errors import NlpipeError
from nlpipe.files import whole_folder, write_json
from nlpipe.metrics.bootstrap import resampled_scores
from nlpipe.runner import Result
from nlpipe.spec import ComparisonSpec
from nlpipe.tasks import task_named


@dataclass(frozen=True)
class Row:
    """One pipeline at one training size, over its seeds.

    Args:
        score: mean of the primary score over seeds; None where no run came through.
        low: 2.5th percentile of the score over resampled test items, averaged over seeds in each resample.
        high: 97.5th percentile, likewise.
        deviation: standard deviation over seeds; None with one seed.
        scores: mean of every score over seeds.
        costs: mean of every cost over seeds.
        samples: (R,) the score on each resample of the test items, which are the same for every row; None as above.
    """

    name: str
    train_size: int | None
    results: tuple[Result, ...]
    errors: tuple[str, ...] = ()
    score: float | None = None
    low: float = 0.0
    high: float = 0.0
    deviation: float | None = None
    scores: dict[str, float] | None = None
    costs: dict[str, float] | None = None
    samples: np.ndarray | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Difference:
    """How far a row's score lies below the best one's, with the 2.5th and 97.5th percentile over resampled items."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """What ``compare`` found. ``rows`` are sorted, the best score first, those that failed last."""

    title: str
    data: str
    primary: str
    test_size: int
    rows: tuple[Row, ...]
    folder: Path
    budget: dict[str, float | None]
    tolerance: float

    @property
    def best(self) -> Row | None:
        """The row with the highest primary score among those with the most training data; None where all failed."""
        done = [row for row in self.rows if row.score is not None]
        sizes = [float("inf") if row.train_size is None else row.train_size for row in done]
        return next((row for row, size in zip(done, sizes, strict=True) if size == max(sizes)), None)

    def behind(self, row: Row) -> Difference | None:
        """How far ``row`` lies behind the best, by the paired bootstrap: both are scored on the same resamples.

        None for the best itself, and where nothing came through. Not corrected for the number of rows.

        Koehn 2004, "Statistical significance tests for machine translation evaluation".
        """
        best = self.best
        if best is None or row is best or row.samples is None or best.samples is None:
            return None
        low, high = np.percentile(best.samples - row.samples, [2.5, 97.5])
        return Difference((best.score or 0.0) - (row.score or 0.0), float(low), float(high))

    def table(self) -> str:
        """The table in Markdown."""
        from nlpipe.compare.table import markdown

        return markdown(self)


def compare(
    spec: ComparisonSpec,
    out: Path = Path("runs"),
    workers: int = 1,
    report: Callable[[Job, str], None] = lambda job, text: None,
    ended: Callable[[Outcome], None] = lambda outcome: None,
) -> Comparison:
    """Run every pipeline of ``spec`` with every seed and training size, and bring the results together.

    Args:
        report: told what each job is doing.
        ended: told of each job that is done.
    """
    sizes = [None if size == "all" else int(size) for size in spec.train_sizes]
    jobs = [Job(pipeline, seed, size) for size in sizes for seed in spec.seeds for pipeline in spec.pipelines]
    if spec.data is None:
        raise NlpipeError(f"{spec.path}: no data: say 'data: CARD' in the file, or data=CARD on the command line")
    base = Path(spec.path).parent
    dataset = load_dataset(spec.data, base)  # faults of the data are told once, before any worker starts
    outcomes = []
    for outcome in execute(jobs, spec.data, base, out, workers, report):
        outcomes.append(outcome)
        ended(outcome)
    rows = [
        _row(pipeline.name, size, [o for o in outcomes if o.job.spec is pipeline and o.job.train_size == size])
        for size in sizes
        for pipeline in spec.pipelines
    ]
    rows.sort(key=lambda row: (row.score is None, -(row.score or 0.0)))
    folder = out / f"comparison-{_slug(spec.title)}-{_hash(jobs, dataset.digest)}"
    comparison = Comparison(
        spec.title,
        dataset.name,
        dataset.task.primary_of(dataset.labels),
        len(dataset.test),
        tuple(rows),
        folder,
        asdict(spec.budget),
        spec.tolerance,
    )
    with whole_folder(folder) as partial:
        write_json(partial / "comparison.json", _record(comparison))
        (partial / "table.md").write_text(comparison.table() + "\n", encoding="utf-8")
    return comparison


def _hash(jobs: Sequence[Job], digest: str) -> str:
    """Eight hexadecimal digits that differ where other pipelines, data, seeds or sizes are compared."""
    told = [digest, *(f"{job.spec.resolved()} {job.seed} {job.train_size}" for job in jobs)]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:8]


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


def _record(comparison: Comparison) -> dict[str, Any]:
    """The content of ``comparison.json``."""
    behind = [comparison.behind(row) for row in comparison.rows]
    return {
        "title": comparison.title, "data": comparison.data, "primary": comparison.primary,
        "test_examples": comparison.test_size, "budget": comparison.budget, "tolerance": comparison.tolerance,
        "rows": [
            {
                "name": row.name, "train_size": row.train_size, "score": row.score, "low": row.low, "high": row.high,
                "behind_best": None if difference is None else asdict(difference),
                "deviation": row.deviation, "scores": row.scores, "costs": row.costs, "errors": list(row.errors),
                "runs": [result.folder.name for result in row.results],
            }
            for row, difference in zip(comparison.rows, behind, strict=True)
        ],
    }  # fmt: skip
