"""The result of a comparison: one row a pipeline and training size, the verdict, and its table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpipe.compare.frame import frame_of
from nlpipe.compare.question import COSTS as COST_NAMES
from nlpipe.compare.question import Question, default_tolerance, known_costs
from nlpipe.compare.table import Line, Table
from nlpipe.compare.verdict import Verdict
from nlpipe.files import read_json
from nlpipe.report.page_contents import Contents, CostAxis
from nlpipe.report.page_contents import Line as PageLine
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

ESSENTIAL = frozenset({
    "pipeline", "train", "95 % interval", "clean items", "interval on clean", "may lose", "latency ms",
})  # fmt: skip
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
class Facts:
    """What a comparison is of, and what is asked of it.

    Args:
        data: name of the data set.
        primary: name of the score that decides.
        primary_reason: why nlpipe chose it; empty where the card did, or it is the task's usual one.
        test_size: items that are answered: of test, of dev where the verdict rests on it, or of all folds.
        unit: of that score.
        tolerance: None for the default of the unit.
        cost: name of the cost by which the cheapest is chosen.
        budget: name of a cost to what it may be at most.
        user_metrics: names of the user's own metrics.
        choose: the split that the verdict rests on, test or dev.
        folds: of a cross-validation; 0 for none.
        repeats: of the cross-validation.
        grouped: whether items belong to groups, which then count as one item each.
        digest: of the data; empty with folds, which have digests of their own.
        leaked: indices of the items that stand in the training split too, on which the verdict does not rest.
    """

    title: str
    data: str
    primary: str
    test_size: int
    unit: str = "share"
    higher_is_better: bool = True
    tolerance: float | None = None
    cost: str = "latency_ms"
    budget: Mapping[str, float] | None = None
    user_metrics: tuple[str, ...] = ()
    primary_reason: str = ""
    choose: str = "test"
    folds: int = 0
    repeats: int = 1
    grouped: bool = False
    leaked: tuple[int, ...] = ()
    digest: str = ""

    @property
    def items(self) -> str:
        """What is answered, for sentences."""
        return f"{self.folds} folds" if self.folds else f"{self.choose} items"

    @property
    def question(self) -> Question:
        """What the verdict answers."""
        tolerance = default_tolerance(self.unit) if self.tolerance is None else self.tolerance
        budget = dict(self.budget or {})
        return Question(self.primary, tolerance, self.unit, self.cost, budget, self.higher_is_better)


@dataclass(frozen=True)
class Row:
    """One pipeline at one training size, over its seeds.

    Args:
        score: mean of the primary score over seeds; None where every run failed.
        low: lower end of the 95 % interval of the score, by the luck of items and seeds.
        high: its upper end.
        may_lose: what the pipeline may lose at most to the best with as many training examples; None where the test
            items show nothing.
        deviation: standard deviation over seeds; None with one seed.
        scores: mean of every score over seeds.
        costs: mean of every cost over seeds; a cost that was not measured is absent.
        dev: mean of the primary score on dev; None where it was not scored there.
        clean: mean of the primary score on the items that do not stand in the training split; None where all do not.
        added: whether nlpipe added the pipeline as a baseline.
    """

    name: str
    train_size: int | None
    results: tuple[Result, ...]
    errors: tuple[str, ...] = ()
    score: float | None = None
    low: float | None = None
    high: float | None = None
    may_lose: float | None = None
    deviation: float | None = None
    scores: dict[str, float] | None = None
    costs: dict[str, float] | None = None
    dev: float | None = None
    clean: float | None = None
    added: bool = False

    @property
    def title(self) -> str:
        """The pipeline's name, with the training size where it is not the whole split."""
        return self.name if self.train_size is None else f"{self.name} on {self.train_size:,}"

    @property
    def label(self) -> str:
        """The pipeline's name, marked if it is the added baseline."""
        return f"{self.name} (added)" if self.added else self.name

    @property
    def size(self) -> str:
        """The training size as a reader sees it."""
        return "all" if self.train_size is None else f"{self.train_size:,}"

    def cost(self, name: str, scale: float, form: str) -> str:
        """A cost as a reader sees it; a dash where it was not measured."""
        value = (self.costs or {}).get(name)
        return MISSING if value is None else format(value * scale, form)


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
        best = f"best {self.best.title}, {self.primary} {self.best.score:.3f}"
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
            tuple((each["sentence"], tuple(each["examples"])) for each in self.audit),
        )  # fmt: skip

    @property
    def audit(self) -> list[dict[str, Any]]:
        """What is worth knowing of the data: ``sentence`` and ``examples`` of each kind of finding."""
        path = self.folder / "audit.json"
        found: list[dict[str, Any]] = read_json(path) if path.exists() else []
        return found

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
