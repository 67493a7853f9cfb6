"""The score of every pipeline in slices of what was answered, and where it differs from that of the chosen one.

All intervals hold together with 95 % (Bonferroni), so that the reader may look for the worst slice: the luck of looking
at many is in their width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import scipy.sparse as sp

from nlpipe.audit.slices import SEEN, slices, slices_of
from nlpipe.compare.rows import Facts, Row
from nlpipe.datasets.dataset import Dataset
from nlpipe.datasets.folds import fold_numbers, fold_of, pool_of
from nlpipe.errors import NlpipeError
from nlpipe.metrics.estimates import Values, difference_of, score_of
from nlpipe.metrics.jackknife import LEVEL, item_values
from nlpipe.metrics.metric import Metric, Statistics
from nlpipe.report.page_slices import Cell, SliceRow, Slices
from nlpipe.runs.result import Result
from nlpipe.tasks.task import Split

MOST_EXAMPLES = 300_000
"""Training and test examples up to which slices are looked at; with more, unknown words would take long to find."""
RANGES = {"share": 1.0, "points": 100.0}
"""The largest score, by unit, of those that are at least 0; others have no bounds that an interval could respect."""
FEWEST = 10
"""Items, or groups of items, of a slice from which it has intervals."""


@dataclass(frozen=True)
class _Answered:
    """What one run, or the folds of one repeat together, answered: the items are in the order of the split."""

    metric: Metric
    items: Statistics


def slice_scores(
    rows: Sequence[Row], facts: Facts, dataset: Dataset, reference: str, seeds_unknown: bool = False
) -> Slices:
    """The primary score of every pipeline in each slice of what the runs answered.

    Args:
        rows: of one training size.
        dataset: what the runs were fitted on.
        reference: name of the pipeline that the others are compared with.
        seeds_unknown: whether a pipeline that a seed changes was run with one seed.

    Raises:
        NlpipeError: a file of a run is missing or damaged, or the data is no longer that of the runs.
    """
    if len(dataset.train) + len(dataset.test) > MOST_EXAMPLES:
        return Slices(facts.primary, problem=f"of more than {MOST_EXAMPLES:,} examples no slices are made")
    _check_same(rows, facts, dataset)
    split = pool_of(dataset) if facts.folds else dataset.dev if facts.choose == "dev" else dataset.test
    answered = {row.title: _answers(row, facts, dataset, split) for row in rows}
    shown = [row for row in rows if answered[row.title]]
    if reference not in [row.name for row in shown]:
        return Slices(facts.primary, problem=f"{reference} has not answered all folds")
    masks = _masks(facts, dataset, split)
    if answered[shown[0].title][0].metric.name in ("entities", "raw_entities"):
        masks.pop("entity: none", None)  # F1 is 0 there whatever was answered
    groups = None if split.groups is None else np.unique(np.array(split.groups), return_inverse=True)[1]
    place = [row.name for row in shown].index(reference)
    units = {name: int(mask.sum()) if groups is None else len(np.unique(groups[mask])) for name, mask in masks.items()}
    compared = sum(len(shown) for count in units.values() if count >= FEWEST)
    level, largest = 1 - (1 - LEVEL) / max(1, compared), RANGES.get(facts.unit, np.inf)
    items = [answered[row.title] for row in shown]
    found = tuple(  # one after another: the values of all slices together would take a gigabyte
        _slice(name, np.flatnonzero(mask), items, facts, groups, place).row(place, level, largest)
        for name, mask in masks.items()
    )
    return Slices(
        facts.primary, 1 if facts.unit == "points" else 3, facts.higher_is_better,
        tuple(row.title for row in shown), place, found,
        bool(facts.leaked), facts.folds, seeds_unknown,
    )  # fmt: skip


def _check_same(rows: Sequence[Row], facts: Facts, dataset: Dataset) -> None:
    """Check that the data is that of the runs; of folds one is made again, whose digest is of all examples."""
    result, digest = rows[0].results[0], dataset.digest
    if facts.folds:
        digest = fold_of(dataset, facts.folds, rows[0].folds[0]).digest
    if result.environment["data_digest"] != digest:
        raise NlpipeError(f"{dataset.name}: the data has changed since the runs")


def _masks(facts: Facts, dataset: Dataset, split: Split) -> dict[str, np.ndarray]:
    """The slices. With folds those that depend on a training split are left out, as there are several."""
    if facts.folds:
        return slices_of(split)
    seen = None
    if facts.choose == "test":
        seen = np.zeros(len(split), dtype=bool)
        seen[list(facts.leaked)] = True
    found = slices(replace(dataset, test=split), seen=seen)
    if seen is None:
        return found
    clean = {name: mask if name == SEEN else mask & ~seen for name, mask in found.items()}
    return {name: mask for name, mask in clean.items() if mask.any()}


def _answers(row: Row, facts: Facts, dataset: Dataset, split: Split) -> list[_Answered]:
    """Of each seed, or of each repeat of a cross-validation of which all folds are there."""
    if not facts.folds:
        return [_checked(*_items(result, facts), split) for result in row.results]
    runs = dict(zip(row.folds, row.results, strict=True))
    found = []
    for repeat in range(facts.repeats):
        numbers = range(repeat * facts.folds, (repeat + 1) * facts.folds)
        if all(number in runs for number in numbers):
            parts = [_items(runs[number], facts) for number in numbers]
            order = np.argsort(fold_numbers(dataset, facts.folds, repeat), kind="stable")  # of the pool, as answered
            stacked = _stacked([items for _, items in parts])
            found.append(_checked(parts[0][0], stacked[np.argsort(order)], split))
    return found


def _items(result: Result, facts: Facts) -> tuple[Metric, Statistics]:
    return result.dev_items() if facts.choose == "dev" else result.primary_items()


def _checked(metric: Metric, items: Statistics, split: Split) -> _Answered:
    if items.shape[0] != len(split):
        raise NlpipeError(f"{items.shape[0]:,} answers to {len(split):,} items; run it again with --again")
    return _Answered(metric, items)


def _stacked(parts: Sequence[Statistics]) -> Statistics:
    if all(isinstance(part, np.ndarray) for part in parts):
        return np.concatenate(parts)
    return sp.csr_matrix(sp.vstack([sp.csr_matrix(part) for part in parts]))


@dataclass(frozen=True)
class _Slice:
    """A slice, with what each pipeline scored in it."""

    name: str
    count: int
    values: Sequence[Values]
    overall: float
    measure: str

    @property
    def units(self) -> int:
        """Items, or groups of items, that luck counts."""
        return int(self.values[0][1].shape[1])

    def row(self, reference: int, level: float, largest: float) -> SliceRow:
        """With intervals of this level, of a score from 0 to ``largest``."""
        cells = tuple(self._cell(place, reference, level, largest) for place in range(len(self.values)))
        return SliceRow(self.name, self.count, cells, self.overall, self.measure)

    def _cell(self, place: int, reference: int, level: float, largest: float) -> Cell:
        own = self.values[place]
        score = float(own[0].mean())
        if not np.isfinite(score):
            return Cell(None)
        if self.units < FEWEST:
            return Cell(score)
        if place == reference:
            least = -np.inf if np.isinf(largest) else 0.0
            return Cell(score, None, *_within(least, largest, score_of(own).interval(level)))
        found = difference_of(own, self.values[reference])
        return Cell(score, found.value, *_within(-largest, largest, found.interval(level)))


def _slice(
    name: str, places: np.ndarray, answered: Sequence[Sequence[_Answered]], facts: Facts, groups: np.ndarray | None,
    reference: int,
) -> _Slice:  # fmt: skip
    """The slice of the items at ``places``."""
    metric = answered[reference][0].metric
    # F1 of all labels says little where one label alone is gold: the recall of that label is shown
    of_one_label = name.startswith("label: ") and "balanced_accuracy" in metric.definitions
    primary = "balanced_accuracy" if of_one_label else facts.primary
    score = partial(_score, metric, primary)
    own = None if groups is None else np.unique(groups[places], return_inverse=True)[1]
    values: list[Values] = []
    for seeds in answered:
        found = [item_values(score, each.items[places], own) for each in seeds]
        values.append((np.array([value for value, _ in found]), np.stack([items for _, items in found])))
    kept = np.setdiff1d(np.arange(answered[reference][0].items.shape[0]), facts.leaked)
    overall = np.mean([score(np.asarray(each.items[kept].sum(axis=0)).reshape(-1)) for each in answered[reference]])
    return _Slice(name, len(places), values, float(overall), "recall" if of_one_label else "")


def _within(least: float, most: float, interval: tuple[float, float]) -> tuple[float, float]:
    return max(least, interval[0]), min(most, interval[1])


def _score(metric: Metric, name: str, sums: np.ndarray) -> np.ndarray:
    return metric.scores(sums)[name]
