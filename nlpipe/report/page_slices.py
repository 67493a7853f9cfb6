"""The score of every pipeline in parts of the test split: long texts, unknown words, a label, what training has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nlpipe.audit.slices import slices
from nlpipe.datasets.dataset import Dataset
from nlpipe.report.page_contents import Line
from nlpipe.runs.result import Result

MOST_EXAMPLES = 300_000
"""Training and test examples up to which slices are made; with more, the search for similar texts would take long."""


@dataclass(frozen=True)
class SliceRow:
    """A part of the test split.

    Args:
        count: how many items it has.
        scores: of each pipeline, the mean over its seeds; None where the score is not defined in this part.
    """

    name: str
    count: int
    scores: tuple[float | None, ...]


def slice_rows(dataset: Dataset, lines: Sequence[Line], primary: str) -> list[SliceRow]:
    """The primary score in each slice of the test split, which must be the one that the runs answered.

    Raises:
        NlpipeError: a file of a run is missing or damaged.
    """
    if len(dataset.train) + len(dataset.test) > MOST_EXAMPLES:
        return []
    masks = slices(dataset)
    scores = [[_scores(result, list(masks.values()), primary) for result in line.results] for line in lines]
    return [
        SliceRow(name, int(mask.sum()), tuple(_mean([seed[i] for seed in seeds]) for seeds in scores))
        for i, (name, mask) in enumerate(masks.items())
    ]


def _scores(result: Result, masks: Sequence[np.ndarray], primary: str) -> list[float]:
    metric, items = result.primary_items()
    return [metric.of(items[np.flatnonzero(mask)])[primary] for mask in masks]


def _mean(values: Sequence[float]) -> float | None:
    mean = float(np.mean(values))
    return mean if np.isfinite(mean) else None
