"""Metrics of a user's own: registered for a task, computed beside the task's own metrics.

``@nlpipe.register.metric("length_error", task="translation", higher_is_better=False)`` stands above a function of
(gold, predictions) that gives one number for each of N examples; ``docs/adding-a-stage.md`` has a whole one.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from nlpipe.errors import NlpipeError, suggest
from nlpipe.fingerprint import fingerprint
from nlpipe.metrics.metric import Definition, Metric, Statistics, Unit
from nlpipe.names import Registration, Table, caller
from nlpipe.predictions import AnyPredictions
from nlpipe.wire import Wire

Function = Callable[[Any, AnyPredictions], Any]
"""(gold, predictions) of N examples to numbers (N,), or to statistics (N, S)."""


@dataclass(frozen=True)
class UserMetric:
    """What ``@nlpipe.register.metric`` was given; see there."""

    name: str
    task: str
    function: Function
    unit: Unit
    higher_is_better: bool
    score: Callable[[Any], Any] | None

    @property
    def fingerprint(self) -> str:
        """Of its code, which its scores depend on."""
        return fingerprint(self.function)

    def metric(self) -> Metric:
        """The same as a metric of the kind that tasks have."""

        def statistics(gold: Wire, predictions: AnyPredictions) -> Statistics:
            return self._checked(self.function(gold, predictions), len(gold))

        def scores(sums: np.ndarray) -> dict[str, np.ndarray]:
            if self.score is not None:
                return {self.name: np.asarray(self.score(sums), dtype=np.float64)}
            return {self.name: np.divide(sums[..., 0], np.maximum(sums[..., 1], 1))}

        full_name = (inspect.getdoc(self.function) or self.name).partition("\n")[0]
        definition = Definition(full_name, self.unit, self.higher_is_better)
        return Metric(self.name, statistics, scores, {self.name: definition})

    def _checked(self, values: Any, count: int) -> Statistics:
        """Statistics (N, S): those of the function, or for a mean the values beside ones.

        Raises:
            NlpipeError: the function gave something else.
        """
        if hasattr(values, "tocsr") and self.score is not None and values.shape[0] == count:
            sparse: Statistics = values.tocsr()
            return sparse
        numbers = np.asarray(values, dtype=np.float64)
        dimensions, expected = (1, "(N,)") if self.score is None else (2, "(N, S)")
        if numbers.ndim != dimensions or len(numbers) != count or not np.isfinite(numbers).all():
            shape = (
                f"an array of shape {numbers.shape}" if np.isfinite(numbers).all() else "numbers that are not finite"
            )
            raise NlpipeError(f"metric '{self.name}' gave {shape}: expected finite numbers {expected}, N = {count}")
        return numbers if self.score is not None else np.stack([numbers, np.ones(count)], axis=1)


class UserMetrics(Table[UserMetric]):
    """The metrics that are registered in this process."""

    def register_metric(
        self, name: str, task: str, unit: str, higher_is_better: bool, score: Callable[[Any], Any] | None
    ) -> Callable[[Function], Function]:
        """A decorator that makes a function a metric; see ``nlpipe.register.metric``.

        Raises:
            NlpipeError: the unit is unknown, the name is taken, or what is decorated is not a function.
        """
        known = typing.get_args(Unit)
        if unit not in known:
            raise NlpipeError(f"metric '{name}': there is no unit '{unit}'{suggest(unit, known)}")
        module, importable = caller()

        def add(function: Function) -> Function:
            if not inspect.isfunction(function):
                raise NlpipeError(f"metric '{name}' is {function!r}: expected a function of (gold, predictions)")
            metric = UserMetric(name, task, function, typing.cast(Unit, unit), higher_is_better, score)
            self._add(name, Registration(metric, module, importable))
            return function

        return add

    def _same(self, one: UserMetric, other: UserMetric) -> bool:
        return super()._same(one.function, other.function)  # type: ignore[arg-type]

    def of_tasks(self, tasks: Collection[str]) -> list[UserMetric]:
        """Those registered for any of these tasks, sorted by name."""
        return [entry.thing for _, entry in sorted(self.registered().items()) if entry.thing.task in tasks]


METRICS = UserMetrics("metric", "nlpipe.metrics", {})
