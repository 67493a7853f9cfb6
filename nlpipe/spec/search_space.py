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
    """

    axes: tuple[Axis, ...]
    trials: int = DEFAULT_TRIALS

    def __str__(self) -> str:
        return f"{self.trials} trials over {'; '.join(f'{axis.key} ({axis.domain})' for axis in self.axes)}"

    @property
    def size(self) -> int | None:
        """The number of different settings; None if an option has a range."""
        if any(isinstance(axis.domain, Range) for axis in self.axes):
            return None
        return math.prod(len(axis.domain.values) for axis in self.axes if isinstance(axis.domain, Choices))
