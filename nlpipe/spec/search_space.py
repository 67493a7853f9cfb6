"""What ``tune:`` of a pipeline file says: which options are searched, and the values that each may take."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from nlpipe.spec.overrides import Part, spell

Scale = Literal["log", "linear"]
DEFAULT_TRIALS = 20
"""The number of trials where ``tune:`` gives none."""


@dataclass(frozen=True)
class Range:
    """All numbers from ``low`` to ``high``, both included.

    Args:
        scale: ``log`` if the logarithm is drawn evenly, ``linear`` if the number is.
        integers: whether only integers are meant.
    """

    low: float
    high: float
    scale: Scale
    integers: bool = False

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}, {self.scale}{', integers' if self.integers else ''}"

    def plain(self) -> list[Any]:
        """As a file spells it."""
        return [self.low, self.high, "int" if self.integers and self.scale == "linear" else self.scale]

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return self.low <= value <= self.high and (not self.integers or value == int(value))


@dataclass(frozen=True)
class Choices:
    """The values, plain data as a file spells them, each of which may be chosen; their order has no meaning."""

    values: tuple[Any, ...]

    def __str__(self) -> str:
        return f"{len(self.values)} values"

    def plain(self) -> list[Any]:
        """As a file spells it."""
        return list(self.values)

    def __contains__(self, value: object) -> bool:
        return value in self.values


@dataclass(frozen=True)
class Axis:
    """One option that is searched: its key path, such as ``head.C``, and its values."""

    path: tuple[Part, ...]
    domain: Range | Choices

    @property
    def key(self) -> str:
        """The key path as text."""
        return spell(self.path)


@dataclass(frozen=True)
class Tuning:
    """A checked ``tune:``.

    Args:
        trials: how many settings are tried.
        folds: of the training and dev splits, over which the score of a trial is the mean; None: it is that on dev.
    """

    axes: tuple[Axis, ...]
    trials: int = DEFAULT_TRIALS
    folds: int | None = None

    def __str__(self) -> str:
        where = "" if self.folds is None else f" in {self.folds} folds"
        return f"{self.trials} trials{where} over {'; '.join(f'{axis.key} ({axis.domain})' for axis in self.axes)}"

    def plain(self) -> dict[str, Any]:
        """As a file spells it: what ``tune:`` reads as this search."""
        folds = {} if self.folds is None else {"folds": self.folds}
        return {"trials": self.trials, **folds, **{axis.key: axis.domain.plain() for axis in self.axes}}

    @property
    def scored_on(self) -> str:
        """What trials are scored on, for sentences."""
        return "on dev" if self.folds is None else f"in {self.folds} folds"

    @property
    def fits(self) -> int:
        """How often the whole search fits a pipeline, at most."""
        return min(self.trials, self.size or self.trials) * (self.folds or 1)

    @property
    def size(self) -> int | None:
        """The number of different settings; None if an option has a range."""
        if any(isinstance(axis.domain, Range) for axis in self.axes):
            return None
        return math.prod(len(axis.domain.values) for axis in self.axes if isinstance(axis.domain, Choices))
