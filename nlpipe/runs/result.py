"""The result of a run: the files of its folder, each read when it is first asked for."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from nlpipe.errors import NlpipeError
from nlpipe.metrics.metric import Metric, Statistics
from nlpipe.pipeline import Pipeline
from nlpipe.predictions import AnyPredictions
from nlpipe.runs.items import read_items
from nlpipe.runs.records import (
    CostsFile,
    EnvironmentFile,
    LedgerFile,
    MetricsFile,
    PredictionLine,
    read_metrics,
    read_record,
)
from nlpipe.runs.score import metrics_of, read_answers, read_predictions, read_scoring
from nlpipe.tasks import task_named
from nlpipe.wire import Wire


@dataclass(frozen=True)
class Result:
    """A run's folder, whose files are read when they are first asked for.

    Every property raises NlpipeError where its file is missing or damaged.
    """

    folder: Path

    @functools.cached_property
    def metrics(self) -> MetricsFile:
        """``split``, ``primary`` (a score), ``scores``, ``definitions`` (unit, direction and full name), ``dev``."""
        return read_metrics(self.folder / "metrics.json")

    @property
    def scores(self) -> dict[str, float]:
        """Every score of the split that was answered, by name."""
        return self.metrics["scores"]

    @property
    def score(self) -> float:
        """The primary score."""
        return self.scores[self.metrics["primary"]]

    @functools.cached_property
    def costs(self) -> CostsFile:
        """Seconds, bytes and counts, by name; what was not measured is absent."""
        return read_record(self.folder / "costs.json", CostsFile)

    @functools.cached_property
    def ledger(self) -> LedgerFile:
        """What was lost on the way, by split, and the warnings."""
        return read_record(self.folder / "ledger.json", LedgerFile)

    @functools.cached_property
    def environment(self) -> EnvironmentFile:
        """Versions, machine, threads, data and seed."""
        return read_record(self.folder / "environment.json", EnvironmentFile)

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return self.environment["name"]

    def records(self, dev: bool = False) -> Iterator[PredictionLine]:
        """The lines of ``predictions.jsonl``, one for each example that was answered; or of those of dev."""
        for record in read_predictions(self.folder / ("predictions_dev.jsonl" if dev else "predictions.jsonl")):
            yield cast(PredictionLine, record)

    def predictions(self) -> tuple[Wire, AnyPredictions]:
        """Gold and predicted of the split that was answered."""
        return read_answers(self.folder / "predictions.jsonl", task_named(self.environment["task"]))

    def primary_items(self) -> tuple[Metric, Statistics]:
        """The metric that gives the primary score, and its statistics (N, S) of each example, as they are stored."""
        metric = self._deciding()
        statistics = read_items(self.folder / "items.safetensors", metric.name)
        if statistics is None:
            raise NlpipeError(f"{self.folder / 'items.safetensors'}: no statistics of {metric.name}; score it again")
        return metric, statistics

    def dev_items(self) -> tuple[Metric, Statistics]:
        """As ``primary_items``, of the examples of dev, counted anew."""
        metric = self._deciding()
        scoring = read_scoring(self.folder)
        records = read_predictions(self.folder / "predictions_dev.jsonl")
        return metric, metric.statistics(*task_named(scoring["task"]).restore(records))

    def _deciding(self) -> Metric:
        primary = self.metrics["primary"]
        return next(each for each in metrics_of(read_scoring(self.folder)) if primary in each.definitions)

    def pipeline(self) -> Pipeline:
        """The fitted pipeline."""
        return Pipeline.load(self.folder / "model")

    def __repr__(self) -> str:
        try:
            return f"Result({self.metrics['primary']} {self.score:.4f} on {self.metrics['split']}, {self.folder})"
        except (NlpipeError, KeyError):
            return f"Result({self.folder})"
