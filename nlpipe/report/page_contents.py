"""What the page of a comparison shows, as it is handed over by the comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nlpipe.datasets.dataset import Dataset
from nlpipe.report.page_slices import Slices
from nlpipe.runs.result import Result


@dataclass(frozen=True)
class Line:
    """One row of the leaderboard.

    Args:
        title: the pipeline's name, with the training size where it is not the whole split.
        train_size: None for the whole training split.
        results: its runs, one a seed; empty where all failed.
        cells: as a reader sees them, in the order of the columns.
        low: lower end of the interval of the score.
        high: its upper end.
        costs: by the names that ``cost:`` and ``budget:`` use, in their units; what was not measured is absent.
        chosen: whether the verdict names it.
        last: whether it is of the largest training size, which the verdict is about.
    """

    name: str
    title: str
    train_size: int | None
    results: tuple[Result, ...]
    cells: tuple[str, ...]
    score: float | None
    low: float | None
    high: float | None
    costs: Mapping[str, float]
    chosen: bool
    last: bool


@dataclass(frozen=True)
class CostAxis:
    """A cost by which pipelines can be drawn.

    Args:
        name: as ``budget:`` has it.
        budget: what it may be at most; None where nothing is said.
    """

    name: str
    words: str
    unit: str
    budget: float | None


@dataclass(frozen=True)
class Contents:
    """All that the page of a comparison is made from.

    Args:
        sentences: of the verdict, the answer first; empty where there is none.
        notes: of the leaderboard.
        caption: of the leaderboard.
        headings: of the leaderboard.
        essential: those that are shown at first.
        costs: the one that decides first.
        curve: from which tolerance on which pipeline is the cheapest that qualifies.
        failures: a line for each run that failed.
        folder: of the comparison, as it is named to the reader.
        items: what is answered, for sentences: ``test items``, ``dev items``, ``items in 5 folds``.
        dev: whether the answers that count are those to dev, so that those to test must not be shown.
        folds: runs of a pipeline that together answer every item once; 0 without cross-validation.
        audit: what is worth knowing of the data: sentences, each with examples.
        slices: scores in slices of what was answered.
        dataset: the data as it is now; None where it cannot be read.
        data_problem: why it cannot be read; empty where it can.
    """

    title: str
    data: str
    primary: str
    digits: int
    higher_is_better: bool
    item_count: int
    tolerance: float
    sentences: tuple[str, ...]
    caption: str
    headings: tuple[str, ...]
    essential: frozenset[str]
    lines: tuple[Line, ...]
    costs: tuple[CostAxis, ...]
    curve: tuple[tuple[float, str], ...]
    failures: tuple[str, ...]
    notes: tuple[str, ...]
    folder: str
    items: str = "test items"
    dev: bool = False
    folds: int = 0
    audit: tuple[tuple[str, tuple[str, ...]], ...] = ()
    slices: Slices | None = None
    dataset: Dataset | None = None
    data_problem: str = ""
