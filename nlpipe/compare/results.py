"""The result of a comparison: one row a pipeline and training size, the verdict, and its table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpipe.compare.frame import frame_of
from nlpipe.compare.question import COSTS as COST_NAMES
from nlpipe.compare.question import known_costs
from nlpipe.compare.rows import MISSING, Facts, Row, size_of
from nlpipe.compare.table import Line, Table
from nlpipe.compare.verdict import Verdict
from nlpipe.datasets.dataset import Dataset
from nlpipe.errors import NlpipeError
from nlpipe.files import read_json
from nlpipe.report.page_contents import Contents, CostAxis
from nlpipe.report.page_contents import Line as PageLine
from nlpipe.report.page_slices import Slices
from nlpipe.runs.item_texts import data_as_it_is

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
    "perplexity_per_word",
    "bits_per_character",
)
"""Scores shown beside the primary one, where a task has them."""

ESSENTIAL = frozenset({
    "pipeline", "train", "95 % interval", "clean items", "interval on clean", "may lose", "latency ms",
})  # fmt: skip
"""Columns that every table shows, beside the primary score; of the others as many as the terminal has room for."""

COSTS = {
    "tune s": ("tune_seconds", 1, ",.1f"),
    "fit s": ("fit_seconds", 1, ",.1f"),
    "latency ms": ("latency_p50_seconds", 1000, ",.1f"),
    "texts/s": ("texts_per_second", 1, ",.0f"),
    "memory MB": ("peak_memory_bytes", 1e-6, ",.0f"),
    "model MB": ("model_bytes", 1e-6, ",.1f"),
    "price/1,000": ("price_per_1000", 1, ",.2g"),
    "fit CPU s": ("fit_cpu_seconds", 1, ",.1f"),
    "CPU ms/text": ("cpu_seconds_per_text", 1000, ",.3f"),
    "J/1,000": ("joules_per_text", 1000, ",.1f"),
    "mean ms": ("latency_mean_seconds", 1000, ",.1f"),
}
"""Heading to the cost it shows, what that is multiplied by for the reader, and its format; narrow tables end early."""


WHERE_KNOWN = ("tune_seconds", "fit_cpu_seconds", "cpu_seconds_per_text", "joules_per_text", "price_per_1000")
"""Costs whose column is there only where a pipeline has them."""


def why_it_decides(primary: str, reason: str) -> str:
    """A sentence that says why nlpipe chose the score ``primary``, and how to choose another."""
    return f"{primary} decides, as {reason}; 'primary:' of the data chooses another score"


@dataclass(frozen=True)
class Comparison:
    """The result of a comparison.

    Args:
        facts: what is compared, and what is asked.
        rows: by training size, and in each the best score first and those that failed last.
        folder: its own folder.
        verdicts: of each training size at which a run succeeded.
    """

    facts: Facts
    rows: tuple[Row, ...]
    folder: Path
    verdicts: Mapping[int | None, Verdict]

    @property
    def title(self) -> str:
        """The comparison's title."""
        return self.facts.title

    @property
    def primary(self) -> str:
        """The score that decides."""
        return self.facts.primary

    @property
    def best(self) -> Row | None:
        """The row with the best primary score among those with the most training data; None where all failed."""
        done = [row for row in self.rows if row.score is not None]
        return self.best_on(max(done, key=size_of).train_size) if done else None

    def best_on(self, train_size: int | None) -> Row | None:
        """The row with the best primary score among those with ``train_size`` examples; None where all failed."""
        rows = (row for row in self.rows if row.score is not None and row.train_size == train_size)
        sign = 1 if self.facts.higher_is_better else -1
        return max(rows, key=lambda row: sign * (row.score or 0.0), default=None)

    @property
    def verdict(self) -> Verdict | None:
        """The verdict on the pipelines with the most training data; None where all failed."""
        return None if self.best is None else self.verdicts[self.best.train_size]

    @property
    def chosen(self) -> Row | None:
        """The row that the verdict names; None where there is none."""
        verdict = self.verdict
        if verdict is None or self.best is None or verdict.chosen is None:
            return None
        size = self.best.train_size
        return next(row for row in self.rows if row.name == verdict.chosen and row.train_size == size)

    @property
    def failures(self) -> list[str]:
        """A line for each run that failed: pipeline, seed, training size and reason."""
        return [error for row in self.rows for error in row.errors]

    def columns(self) -> dict[str, Callable[[Row], str]]:
        """Heading of each column to the function that gives its cell for a row with a score."""
        best, digits = self.best, 1 if self.facts.unit == "points" else 3
        amount = self.facts.question.amount

        def number(value: float | None) -> str:
            return MISSING if value is None else f"{value:.{digits}f}"

        columns: dict[str, Callable[[Row], str]] = {"pipeline": lambda row: row.label}
        if any(row.train_size is not None for row in self.rows):
            columns["train"] = lambda row: row.size
        on_dev = self.facts.choose == "dev"
        columns[f"dev {self.primary}" if on_dev else self.primary] = lambda row: number(row.score)
        if self.facts.leaked:
            columns["clean items"] = lambda row: number(row.clean)
        interval = "interval on clean" if self.facts.leaked else "95 % interval"
        columns[interval] = lambda row: MISSING if row.low is None else f"{number(row.low)} – {number(row.high)}"
        if best is not None and len(self.rows) > 1:
            columns["may lose"] = lambda row: MISSING if row.may_lose is None else amount(row.may_lose)
        if any(row.deviation is not None for row in self.rows):
            columns["± folds" if self.facts.folds else "± seeds"] = lambda row: (
                "" if row.deviation is None else number(row.deviation)
            )
        if any(row.dev is not None for row in self.rows):
            columns["dev"] = lambda row: number(row.dev)
        for name in (*SECONDARY, *self.facts.user_metrics):
            if name != self.primary and best is not None and name in (best.scores or {}):
                columns[name.replace("_", " ")] = _score_column(name)
        for heading, (name, scale, form) in COSTS.items():
            if name in WHERE_KNOWN and not any(name in (row.costs or {}) for row in self.rows):
                continue
            columns[heading] = _cost_column(name, scale, form)
        return columns

    def as_table(self) -> Table:
        """The table, to be drawn."""
        columns = self.columns()
        lines = []
        for row in self.rows:
            if row.score is None:
                cells = {"pipeline": row.label, "train": row.size}
                lines.append(Line(tuple(cells.get(heading, MISSING) for heading in columns), failed=True))
            else:
                lines.append(Line(tuple(cell(row) for cell in columns.values()), best=row is self.chosen))
        what = f"items in {self.facts.items}" if self.facts.folds else self.facts.items
        caption = (
            f"{self.facts.data}, {self.facts.test_size:,} {what}; may lose: at most this much to the best pipeline "
            "(95 % for all rows together); latency of one text (median), memory and texts/s of a fresh process"
        )
        notes = list(self.verdict.sentences) if self.verdict is not None else []
        if self.facts.primary_reason:
            notes.append(why_it_decides(self.primary, self.facts.primary_reason))
        notes += [self.facts.searched] if self.facts.searched else []
        notes += [f"failed: {line}" for line in self.failures]
        return Table(
            self.title,
            tuple(columns),
            tuple(lines),
            caption,
            tuple(notes),
            ESSENTIAL | {self.primary, f"dev {self.primary}"},
        )

    def table(self) -> str:
        """The table in Markdown, with the verdict below it."""
        return self.as_table().markdown()

    def _repr_html_(self) -> str:
        return self.as_table().html()

    def __repr__(self) -> str:
        if self.best is None:
            return f"Comparison({self.title!r}, {len(self.rows)} rows, no run succeeded)"
        verdict = f"verdict {self.chosen.title}" if self.chosen is not None else "no verdict"
        on = "dev " if self.facts.choose == "dev" else ""
        best = f"best {self.best.title}, {on}{self.primary} {self.best.score:.3f}"
        return f"Comparison({self.title!r}, {len(self.rows)} rows, {best}, {verdict})"

    def report(self, path: str | Path) -> Path:
        """Write one HTML file that shows the comparison in a browser and needs nothing else; its path.

        Raises:
            MissingExtra: Jinja2 is not installed.
            NlpipeError: the file cannot be written.
        """
        from nlpipe.report.comparison_page import write_page

        return write_page(self._contents(), Path(path))

    def _contents(self) -> Contents:
        """What the page shows."""
        table, verdict, question, best = self.as_table(), self.verdict, self.facts.question, self.best
        sentences = verdict.sentences if verdict is not None else ()
        names = [question.cost, *(name for name in COST_NAMES if name != question.cost)]
        return Contents(
            self.title, self.facts.data, self.primary, 1 if self.facts.unit == "points" else 3,
            self.facts.higher_is_better, self.facts.test_size, question.tolerance, sentences, f"{table.caption}.",
            table.headings, table.essential,
            tuple(
                PageLine(
                    row.name, row.title, row.train_size, row.results, line.cells, row.score, row.low, row.high,
                    known_costs(row.costs or {}), row is self.chosen,
                    best is not None and row.train_size == best.train_size,
                )
                for row, line in zip(self.rows, table.lines, strict=True)
            ),
            tuple(
                CostAxis(name, COST_NAMES[name].words, COST_NAMES[name].unit, question.budget.get(name))
                for name in names
            ),
            verdict.curve if verdict is not None else (), tuple(self.failures),
            tuple(note for note in table.notes if note not in sentences and not note.startswith("failed: ")),
            self.folder.name, f"items in {self.facts.items}" if self.facts.folds else self.facts.items,
            self.facts.choose == "dev", self.facts.folds,
            tuple((each["sentence"], tuple(each["examples"])) for each in self.audit), self.slices, *self._data,
        )  # fmt: skip

    @property
    def audit(self) -> list[dict[str, Any]]:
        """What is worth knowing of the data: ``sentence`` and ``examples`` of each kind of finding."""
        path = self.folder / "audit.json"
        found: list[dict[str, Any]] = read_json(path) if path.exists() else []
        return found

    @cached_property
    def slices(self) -> Slices:
        """Scores of the pipelines with the most training data in slices of what was answered, such as long texts.

        Never an error: where there are none, ``problem`` says why.
        """
        from nlpipe.compare.slice_scores import slice_scores

        dataset, problem = self._data
        rows = [row for row in self.rows if row.results and self.best and row.train_size == self.best.train_size]
        if dataset is None or self.best is None:
            return Slices(self.primary, problem=problem)
        evidence = self.verdict.evidence if self.verdict is not None else None
        unknown = evidence is not None and bool(evidence.unknown.any())
        try:
            return slice_scores(rows, self.facts, dataset, (self.chosen or self.best).name, unknown)
        except NlpipeError as error:
            return Slices(self.primary, problem=str(error))
        except Exception as error:  # hours of runs must not be lost to a further look at them
            return Slices(self.primary, problem=f"{type(error).__name__}: {error}")

    @cached_property
    def _data(self) -> tuple[Dataset | None, str]:
        """The data as it is now, which answers from elsewhere do not name; or None, and why."""
        for row in self.rows:
            if row.results and (row.results[0].folder / "pipeline.yaml").exists():
                try:
                    return data_as_it_is(row.results[0].folder), ""
                except NlpipeError as error:
                    return None, f"the data cannot be read: {error}"
        return None, ""

    def to_frame(self) -> pandas.DataFrame:
        """The rows as a pandas table: ``name``, ``score``, ``scores.f1_macro``, ``costs.fit_seconds`` …

        Raises:
            MissingExtra: pandas is not installed.
        """
        return frame_of(self.records())

    def records(self) -> list[dict[str, Any]]:
        """The rows as plain data."""
        return [
            {
                "name": row.name, "train_size": row.train_size, "score": row.score, "low": row.low, "high": row.high,
                "may_lose": row.may_lose, "deviation": row.deviation, "dev": row.dev, "clean": row.clean,
                "scores": row.scores, "costs": row.costs, "errors": list(row.errors), "added": row.added,
                "runs": [result.folder.name for result in row.results],
            }
            for row in self.rows
        ]  # fmt: skip


def _score_column(name: str) -> Callable[[Row], str]:
    return lambda row: MISSING if row.scores is None or name not in row.scores else f"{row.scores[name]:.3f}"


def _cost_column(name: str, scale: float, form: str) -> Callable[[Row], str]:
    return lambda row: row.cost(name, scale, form)
