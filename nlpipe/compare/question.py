"""What is asked of a comparison: which score decides, what loss of it is tolerated, and which costs count."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from nlpipe.metrics.metric import Unit, shown_score

TOLERANCES: dict[str, float] = {"points": 1.0}
"""What a difference may be by default for it not to matter, by the unit of the score; 0.02 in the others."""
DEFAULT_TOLERANCE = 0.02


@dataclass(frozen=True)
class Cost:
    """A cost that pipelines are chosen by.

    Args:
        record: its name in ``costs.json``.
        scale: what that is multiplied by for a reader.
        words: what it is, for sentences.
        unit: written behind the number.
    """

    record: str
    scale: float
    words: str
    unit: str

    def of(self, costs: dict[str, float]) -> float | None:
        """The cost in its unit; None where it was not measured."""
        value = costs.get(self.record)
        return None if value is None else value * self.scale

    def text(self, value: float) -> str:
        """The cost as a reader sees it: ``0.31 ms``."""
        return f"{significant(value)} {self.unit}".rstrip()


COSTS = {
    "latency_ms": Cost("latency_p50_seconds", 1e3, "latency", "ms"),
    "latency_mean_ms": Cost("latency_mean_seconds", 1e3, "mean latency", "ms"),
    "memory_mb": Cost("peak_memory_bytes", 1e-6, "memory", "MB"),
    "model_mb": Cost("model_bytes", 1e-6, "model size", "MB"),
    "fit_s": Cost("fit_seconds", 1.0, "time to fit", "s"),
    "price_per_1000": Cost("price_per_1000", 1.0, "price of 1,000 texts", ""),
}
"""What ``cost:`` and ``budget:`` of a comparison can name."""


@dataclass(frozen=True)
class Candidate:
    """A pipeline of a comparison, apart from its score.

    Args:
        costs: as ``costs.json`` has them; what was not measured is absent.
        neural: whether it was trained by gradients; None if that is not known, as of answers from elsewhere.
        added: whether nlpipe added it as the baseline.
        failed: a sentence if some of its seeds failed.
    """

    name: str
    costs: dict[str, float]
    neural: bool | None = False
    added: bool = False
    failed: str = ""


@dataclass(frozen=True)
class Question:
    """What is asked of a comparison.

    Args:
        metric: name of the score that decides.
        tolerance: the loss of it that does not matter, in its own unit.
        cost: name of the cost by which the cheapest is chosen.
        budget: name of a cost to what it may be at most.
    """

    metric: str
    tolerance: float
    unit: Unit | str = "share"
    cost: str = "latency_ms"
    budget: dict[str, float] = field(default_factory=dict)
    higher_is_better: bool = True

    def amount(self, value: float) -> str:
        """A difference of scores as a reader sees it: four decimals, or two of points."""
        return f"{value:.2f}" if self.unit == "points" else shown_score(value)

    def reported(self, score: float) -> float:
        """A score of the evidence, where a higher one is always better, as it is reported."""
        return float(score if self.higher_is_better else -score)

    @property
    def tolerance_text(self) -> str:
        """The tolerance with its metric: ``0.02 accuracy``."""
        return f"{self.tolerance:g} {self.metric.replace('_', ' ')}"


def known_costs(costs: dict[str, float]) -> dict[str, float]:
    """The costs that were measured, by the names that ``cost:`` and ``budget:`` use and in their units."""
    values = {name: cost.of(costs) for name, cost in COSTS.items()}
    return {name: value for name, value in values.items() if value is not None}


def default_tolerance(unit: str) -> float:
    """The tolerance of a comparison that names none."""
    return TOLERANCES.get(unit, DEFAULT_TOLERANCE)


def significant(value: float) -> str:
    """A number with two significant digits, or all digits before the point: ``0.31``, ``8.4``, ``1,234``."""
    if value == 0 or abs(value) >= 10:
        return f"{value:,.0f}"
    return f"{value:.{1 - int(np.floor(np.log10(abs(value))))}f}"
