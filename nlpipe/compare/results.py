"""The result of a comparison: one row a pipeline and training size, the differences between them, and its table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nlpipe.compare.frame import frame_of
from nlpipe.compare.table import Line, Table
from nlpipe.runs.result import Result

if TYPE_CHECKING:
    import pandas

SECONDARY = (
    "f1_raw",
    "chrf",
    "exact_match",
    "f1_macro",
    "log_loss",
    "calibration_error",
    "mean_absolute_error",
    "quadratic_kappa",
)
"""Scores shown beside the primary one, where a task has them."""

ESSENTIAL = frozenset({"pipeline", "train", "95 % interval", "fit s", "latency ms", "memory MB"})
"""Columns that every table shows, beside the primary score; of the others as many as the terminal has room for."""

COSTS = {
    "fit s": ("fit_seconds", 1, ",.1f"),
    "latency ms": ("latency_p50_seconds", 1000, ",.1f"),
    "texts/s": ("texts_per_second", 1, ",.0f"),
    "memory MB": ("peak_memory_bytes", 1e-6, ",.0f"),
    "model MB": ("model_bytes", 1e-6, ",.1f"),
}
"""Heading to the cost it shows, what that is multiplied by for the reader, and its format."""

MISSING = "–"


@dataclass(frozen=True)
class Row:
    """One pipeline at one training size, over its seeds.

    Args:
        score: mean of the primary score over seeds; None where every run failed.
        low: 2.5th percentile of the score over resampled test items, averaged over seeds in each resample.
        high: 97.5th percentile, likewise.
        deviation: standard deviation over seeds; None with one seed.
        scores: mean of every score over seeds.
        costs: mean of every cost over seeds; a cost that was not measured is absent.
        samples: (R,) the score on each resample of the test items, which are the same for every row; None where every
            run failed.
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

    @property
    def title(self) -> str:
        """The pipeline's name, with the training size where it is not the whole split."""
        return self.name if self.train_size is None else f"{self.name} on {self.train_size:,}"

    @property
    def size(self) -> str:
        """The training size as a reader sees it."""
        return "all" if self.train_size is None else f"{self.train_size:,}"

    def cost(self, name: str, scale: float, form: str) -> str:
        """A cost as a reader sees it; a dash where it was not measured."""
        value = (self.costs or {}).get(name)
        return MISSING if value is None else format(value * scale, form)


@dataclass(frozen=True)
class Difference:
    """How much worse a row is than the best one, with the 2.5th and 97.5th percentile over resampled items."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} ({self.low:.3f} – {self.high:.3f})"


def why_it_decides(primary: str, reason: str) -> str:
    """A sentence that says why nlpipe chose the score ``primary``, and how to choose another."""
    return f"{primary} decides, as {reason}; 'primary:' of the data chooses another score"


def size_of(row: Row) -> float:
    """The number of training examples of a row; infinite for all of them."""
    return float("inf") if row.train_size is None else row.train_size


@dataclass(frozen=True)
class Comparison:
    """The result of a comparison.

    Args:
        rows: the best score first, those that failed last.
        higher_is_better: whether a larger primary score is a better one.
        user_metrics: names of the metrics of the user's own, which the table shows too.
        primary_reason: why nlpipe chose the primary score; empty where the card did, or it is the task's usual one.
    """

    title: str
    data: str
    primary: str
    test_size: int
    rows: tuple[Row, ...]
    folder: Path
    budget: dict[str, float | None]
    tolerance: float
    higher_is_better: bool = True
    user_metrics: tuple[str, ...] = ()
    primary_reason: str = ""

    @property
    def best(self) -> Row | None:
        """The row with the best primary score among those with the most training data; None where all failed."""
        done = [row for row in self.rows if row.score is not None]
        return self.best_on(max(done, key=size_of).train_size) if done else None

    def best_on(self, train_size: int | None) -> Row | None:
        """The row with the best primary score among those with ``train_size`` examples; None where all failed."""
        rows = (row for row in self.rows if row.score is not None and row.train_size == train_size)
        return max(rows, key=lambda row: (1 if self.higher_is_better else -1) * (row.score or 0.0), default=None)

    def behind(self, row: Row) -> Difference | None:
        """How far ``row`` lies behind the best with as many training examples, by the paired bootstrap: both are scored
        on the same resamples.

        None for the best itself, and where every run failed. Not corrected for the number of rows.

        Koehn 2004, "Statistical significance tests for machine translation evaluation".
        """
        best = self.best_on(row.train_size)
        if best is None or row is best or row.samples is None or best.samples is None:
            return None
        sign = 1.0 if self.higher_is_better else -1.0
        low, high = np.percentile(sign * (best.samples - row.samples), [2.5, 97.5])
        return Difference(sign * ((best.score or 0.0) - (row.score or 0.0)), float(low), float(high))

    @property
    def not_shown_worse(self) -> str:
        """A sentence that names the rows which the test items do not show to be worse than the best.

        Only rows with as many training examples as the best are compared with it.

        Empty where there is one such row.
        """
        best = self.best
        if best is None:
            return ""
        same = [row for row in self.rows if row.train_size == best.train_size]
        differences = [(row, difference) for row in same if (difference := self.behind(row)) is not None]
        if not differences:
            return ""
        names = [row.title for row, difference in differences if difference.low <= 0]
        if not names:
            return f"{best.title} is ahead of every other: the 95 % interval of each difference lies above 0"
        listed = ", ".join(names)
        return (
            f"not shown to be worse than {best.title} by these items: {listed} "
            "(the 95 % interval of the difference reaches 0)"
        )

    @property
    def failures(self) -> list[str]:
        """A line for each run that failed: pipeline, seed, training size and reason."""
        return [error for row in self.rows for error in row.errors]

    def columns(self) -> dict[str, Callable[[Row], str]]:
        """Heading of each column to the function that gives its cell for a row with a score."""
        best = self.best
        columns: dict[str, Callable[[Row], str]] = {"pipeline": lambda row: row.name}
        if any(row.train_size is not None for row in self.rows):
            columns["train"] = lambda row: row.size
        columns[self.primary] = lambda row: f"{row.score:.3f}"
        columns["95 % interval"] = lambda row: f"{row.low:.3f} – {row.high:.3f}"
        if best is not None and len(self.rows) > 1:
            columns["behind the best"] = lambda row: str(self.behind(row) or "")
        if any(row.deviation is not None for row in self.rows):
            columns["± seeds"] = lambda row: "" if row.deviation is None else f"{row.deviation:.3f}"
        for name in (*SECONDARY, *self.user_metrics):
            if name != self.primary and best is not None and name in (best.scores or {}):
                columns[name.replace("_", " ")] = _score_column(name)
        for heading, (name, scale, form) in COSTS.items():
            columns[heading] = _cost_column(name, scale, form)
        return columns

    def as_table(self) -> Table:
        """The table, to be drawn."""
        columns = self.columns()
        lines = []
        for row in self.rows:
            if row.score is None:
                cells = {"pipeline": row.name, "train": row.size}
                lines.append(Line(tuple(cells.get(heading, MISSING) for heading in columns), failed=True))
            else:
                lines.append(
                    Line(tuple(cell(row) for cell in columns.values()), best=row is self.best_on(row.train_size))
                )
        caption = (
            f"{self.data}, {self.test_size:,} test items; intervals by bootstrap over test items, of "
            "differences paired; latency of one text (median), memory and texts/s of a fresh process"
        )
        notes = [self.not_shown_worse] if self.not_shown_worse else []
        if self.primary_reason:
            notes.append(why_it_decides(self.primary, self.primary_reason))
        notes += [f"failed: {line}" for line in self.failures]
        return Table(self.title, tuple(columns), tuple(lines), caption, tuple(notes), ESSENTIAL | {self.primary})

    def table(self) -> str:
        """The table in Markdown."""
        return self.as_table().markdown()

    def _repr_html_(self) -> str:
        return self.as_table().html()

    def __repr__(self) -> str:
        best = (
            "no run succeeded" if self.best is None else f"best {self.best.title}, {self.primary} {self.best.score:.3f}"
        )
        return f"Comparison({self.title!r}, {len(self.rows)} rows, {best})"

    def to_frame(self) -> pandas.DataFrame:
        """The rows of ``record`` as a pandas table: ``name``, ``score``, ``scores.f1_macro``, ``costs.fit_seconds`` …

        Raises:
            MissingExtra: pandas is not installed.
        """
        return frame_of(self.record()["rows"])

    def record(self) -> dict[str, Any]:
        """The content of ``comparison.json``."""
        differences = [self.behind(row) for row in self.rows]
        return {
            "title": self.title, "data": self.data, "primary": self.primary, "test_examples": self.test_size,
            "budget": self.budget, "tolerance": self.tolerance,
            "rows": [
                {
                    "name": row.name, "train_size": row.train_size, "score": row.score, "low": row.low,
                    "high": row.high, "behind_best": None if difference is None else asdict(difference),
                    "deviation": row.deviation, "scores": row.scores, "costs": row.costs, "errors": list(row.errors),
                    "runs": [result.folder.name for result in row.results],
                }
                for row, difference in zip(self.rows, differences, strict=True)
            ],
        }  # fmt: skip


def _score_column(name: str) -> Callable[[Row], str]:
    return lambda row: MISSING if row.scores is None or name not in row.scores else f"{row.scores[name]:.3f}"


def _cost_column(name: str, scale: float, form: str) -> Callable[[Row], str]:
    return lambda row: row.cost(name, scale, form)
