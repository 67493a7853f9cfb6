"""What a run left: its folder, read when asked."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlpipe.files import read_json
from nlpipe.pipeline import Pipeline
from nlpipe.stage import Predictions
from nlpipe.tasks import task_named
from nlpipe.wire import Wire

FILES = ("pipeline.yaml", "metrics.json", "predictions.jsonl", "costs.json", "ledger.json", "environment.json")
"""What a run's folder holds, beside ``model/``."""


@dataclass(frozen=True)
class Result:
    """A run's folder, read when asked."""

    folder: Path

    @functools.cached_property
    def metrics(self) -> dict[str, Any]:
        """``split``, ``primary`` (a score), ``scores`` (name to number), ``signatures`` (to full name), ``dev``."""
        found: dict[str, Any] = read_json(self.folder / "metrics.json")
        return found

    @property
    def score(self) -> float:
        """The primary score."""
        return float(self.metrics["scores"][self.metrics["primary"]])

    @functools.cached_property
    def costs(self) -> dict[str, Any]:
        """Seconds, bytes and counts, by name."""
        found: dict[str, Any] = read_json(self.folder / "costs.json")
        return found

    @functools.cached_property
    def ledger(self) -> dict[str, Any]:
        """What was lost on the way, by split."""
        found: dict[str, Any] = read_json(self.folder / "ledger.json")
        return found

    @functools.cached_property
    def environment(self) -> dict[str, Any]:
        """Versions, machine, threads, data and seed."""
        found: dict[str, Any] = read_json(self.folder / "environment.json")
        return found

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return str(self.environment["name"])

    def records(self) -> Iterator[dict[str, Any]]:
        """The lines of ``predictions.jsonl``, one for each test example."""
        with (self.folder / "predictions.jsonl").open(encoding="utf-8") as file:
            yield from map(json.loads, file)

    def predictions(self) -> tuple[Wire, Predictions[Any]]:
        """Gold and predicted of the test split."""
        return task_named(self.environment["task"]).restore(list(self.records()))

    def pipeline(self) -> Pipeline:
        """The fitted pipeline."""
        return Pipeline.load(self.folder / "model")
