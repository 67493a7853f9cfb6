"""The score of every pipeline in parts of what was answered, and where it differs from that of one pipeline.

The intervals of the differences hold together with 95 % for all parts and pipelines (Bonferroni), so that the reader
may look for the worst part: the luck of looking at many is in their width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from nlpipe.audit.slices import slices, slices_of
from nlpipe.datasets.dataset import Dataset
from nlpipe.datasets.folds import fold_numbers, pool_of
from nlpipe.metrics.jackknife import LEVEL, difference, item_values
from nlpipe.metrics.metric import Metric, Statistics
from nlpipe.report.page_contents import Line
from nlpipe.runs.result import Result

MOST_EXAMPLES = 300_000
"""Training and test examples up to which slices are made; with more, the search for similar texts would take long."""
FEWEST = 10
"""Items of a part from which differences in it have an interval."""

Values = tuple[np.ndarray, np.ndarray]
"""Scores (s,) of the seeds of a pipeline in a part, and item values (s, n)."""


@dataclass(frozen=True)
class Cell:
    """A pipeline in a part.

    Args:
        score: mean over its seeds; None where it is not defined in this part.
        difference: to the pipeline that the others are compared with; None for itself, and in parts of few items.
        low: lower end of the joint interval of the difference.
        high: its upper end.
    """

    score: float | None
    difference: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def apart(self) -> bool:
        """Whether the pipeline is shown to differ."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


@dataclass(frozen=True)
class SliceRow:
    """A part of what was answered.

    Args:
        count: how many items it has.
        cells: one a pipeline.
    """

    name: str
    count: int
    cells: tuple[Cell, ...]


def slice_rows(
    dataset: Dataset, lines: Sequence[Line], primary: str, reference: int, dev: bool = False, folds: int = 0
) -> list[SliceRow]:
    """The primary score in each part of what the runs answered.

    Args:
        dataset: what the runs were fitted on.
        reference: which of ``lines`` the others are compared with.
        dev: whether the dev split was answered.
        folds: of the cross-validation whose folds were answered; its items, not its folds, are what luck counts here.

    Raises:
        NlpipeError: a file of a run is missing or damaged.
    """
    if len(dataset.train) + len(dataset.test) > MOST_EXAMPLES:
        return []
    masks = _masks(dataset, dev, folds)
    values = [[_values(line, np.flatnonzero(mask), primary, dev, folds) for mask in masks.values()] for line in lines]
    counts = [int(mask.sum()) for mask in masks.values()]
    compared = max(1, (len(lines) - 1) * sum(count >= FEWEST for count in counts))
    level = 1 - (1 - LEVEL) / compared
    return [
        SliceRow(
            name, counts[i],
            tuple(_cell(of_line[i], values[reference][i], level, p == reference) for p, of_line in enumerate(values)),
        )
        for i, name in enumerate(masks)
    ]  # fmt: skip


def _masks(dataset: Dataset, dev: bool, folds: int) -> dict[str, np.ndarray]:
    """The parts, in the order in which the runs answered; with folds without those that depend on a training split."""
    if not folds:
        return slices(replace(dataset, test=dataset.dev) if dev else dataset)
    pool, numbers = pool_of(dataset), fold_numbers(dataset, folds)
    order = np.argsort(numbers, kind="stable")
    return {name: mask[order] for name, mask in slices_of(pool).items()}


def _values(line: Line, places: np.ndarray, primary: str, dev: bool, folds: int) -> Values:
    """Scores and item values of a pipeline in a part; the runs of all folds together are one seed."""
    parts = [_items(result, dev) for result in line.results]
    if folds:
        metric = parts[0][0]
        parts = [
            (metric, _stacked([items for _, items in parts[start : start + folds]]))
            for start in range(0, len(parts) - folds + 1, folds)
        ]
    found = [item_values(partial(_score, metric, primary), items[places]) for metric, items in parts]
    return np.array([score for score, _ in found]), np.stack([values for _, values in found])


def _items(result: Result, dev: bool) -> tuple[Metric, Statistics]:
    return result.dev_items() if dev else result.primary_items()


def _stacked(parts: Sequence[Statistics]) -> Statistics:
    if all(isinstance(part, np.ndarray) for part in parts):
        return np.concatenate(parts)
    import scipy.sparse as sp

    return sp.vstack([sp.csr_matrix(part) for part in parts], format="csr")


def _score(metric: Metric, name: str, sums: np.ndarray) -> np.ndarray:
    return metric.scores(sums)[name]


def _cell(own: Values, other: Values, level: float, same: bool) -> Cell:
    mean = float(own[0].mean())
    score = mean if np.isfinite(mean) else None
    if same or own[1].shape[1] < FEWEST or score is None:
        return Cell(score)
    found = difference(own, other)
    return Cell(score, found.value, *found.interval(level))
