"""Scores in slices of what was answered, as the page and the terminal show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SHOWN = 3
"""Sentences of each kind."""


@dataclass(frozen=True)
class Cell:
    """A pipeline in a slice.

    Args:
        score: mean over its seeds; None where it is not defined in this slice.
        difference: to the reference; None for the reference itself, and in slices of few items.
        low: lower end of the joint interval of the difference; of the reference, of its score.
        high: its upper end.
    """

    score: float | None
    difference: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def apart(self) -> bool:
        """Whether the pipeline is shown to differ from the reference."""
        return self.difference is not None and self.low is not None and self.high is not None and not (
            self.low <= 0 <= self.high
        )  # fmt: skip


@dataclass(frozen=True)
class SliceRow:
    """A slice: a part of what was answered.

    Args:
        count: how many items it has.
        measure: the score that is shown, where it is not the one that decides.
        cells: one a pipeline.
        overall: the same score of the reference in all items that the verdict rests on.
    """

    name: str
    count: int
    cells: tuple[Cell, ...]
    overall: float
    measure: str = ""

    @property
    def title(self) -> str:
        """The slice's name, with the score that is shown in it."""
        return f"{self.name} ({self.measure})" if self.measure else self.name


@dataclass(frozen=True)
class Slices:
    """Scores of all pipelines in all slices, with intervals that hold together.

    Args:
        primary: the score that is shown.
        titles: of the pipelines.
        reference: the place of the one that the others are compared with.
        clean: whether items that stand in training too are left out, but of the slice that is made of them.
        folds: of the cross-validation whose items these are; 0 for none.
        seeds_unknown: whether a pipeline that a seed changes was run with one seed.
        problem: why there are no rows; empty where there is nothing to say.
    """

    primary: str
    digits: int = 3
    higher_is_better: bool = True
    titles: tuple[str, ...] = ()
    reference: int = 0
    rows: tuple[SliceRow, ...] = ()
    clean: bool = False
    folds: int = 0
    seeds_unknown: bool = False
    problem: str = ""

    @property
    def caption(self) -> str:
        """What the numbers are, and what they are not."""
        parts = [
            f"{self.primary}, mean over seeds, of {self.titles[self.reference]} with its interval; of the others with "
            "the difference to it. All intervals of this table hold together with 95 %. Slices overlap."
        ]
        if self.clean:
            parts.append("Items that stand in the training split too are left out of the other slices.")
        if self.folds:
            parts.append("The luck of the folds' training sets is not in the intervals, which are too narrow by that.")
        if self.seeds_unknown:
            parts.append("Where there is one seed, they are about the trained models, not about the recipes.")
        return " ".join(parts)

    def sentences(self) -> list[str]:
        """Where the reference is weakest, and where others are better than it, as far as that is shown."""
        if not self.rows:
            return []
        found = [*(self._weakest() or self._lowest()), *self._better()]
        if len(self.titles) > 1 and not self._better():
            found.append(f"In no slice is another pipeline shown to be better than {self.titles[self.reference]}.")
        return found

    def _lowest(self) -> list[str]:
        """The slice in which the reference is worst, where that may be luck."""
        sign = 1 if self.higher_is_better else -1
        known = [row for row in self.rows if row.cells[self.reference].low is not None]
        if not known:
            return []
        row = min(known, key=lambda row: sign * ((row.cells[self.reference].score or 0.0) - row.overall))
        own = row.cells[self.reference]
        return [
            f"{self.titles[self.reference]} is worst in {row.title}: {self._number(own.score)} ({self._range(own)}), "
            f"which is not shown to be worse than the {self._number(row.overall)} overall; {row.count:,} items."
        ]

    def _weakest(self) -> list[str]:
        """The slices in which the reference is shown to be worse than in all items, the worst first."""
        sign = 1 if self.higher_is_better else -1
        found = []
        for row in self.rows:
            own = row.cells[self.reference]
            nearest = own.high if self.higher_is_better else own.low
            if own.score is not None and nearest is not None and sign * nearest < sign * row.overall:
                found.append((sign * (own.score - row.overall), row, own))
        found.sort(key=lambda each: each[0])
        return [
            f"{self.titles[self.reference]} is weak in {row.title}: {self._number(own.score)} "
            f"({self._range(own)}), overall {self._number(row.overall)}; {row.count:,} items."
            for _, row, own in found[:SHOWN]
        ]

    def _better(self) -> list[str]:
        """The slices in which another pipeline is shown to be better, the largest differences first."""
        sign = 1 if self.higher_is_better else -1
        found = [
            (sign * (cell.difference or 0.0), row, title, cell)
            for row in self.rows for title, cell in zip(self.titles, row.cells, strict=True)
            if cell.apart and sign * (cell.difference or 0.0) > 0
        ]  # fmt: skip
        found.sort(key=lambda each: -each[0])
        return [
            f"In {row.title}, {title} is better than {self.titles[self.reference]}: {cell.difference:+.{self.digits}f} "
            f"({self._range(cell, '+')}); {row.count:,} items."
            for _, row, title, cell in found[:SHOWN]
        ]

    def _number(self, value: float | None, sign: str = "") -> str:
        return "–" if value is None else f"{value:{sign}.{self.digits}f}"

    def _range(self, cell: Cell, sign: str = "") -> str:
        return f"{self._number(cell.low, sign)} to {self._number(cell.high, sign)}"

    def records(self) -> list[dict[str, Any]]:
        """One record for each slice and pipeline, as plain data."""
        return [
            {
                "slice": row.name, "items": row.count, "measure": row.measure or self.primary, "pipeline": title,
                "score": cell.score, "difference": cell.difference, "low": cell.low, "high": cell.high,
            }
            for row in self.rows for title, cell in zip(self.titles, row.cells, strict=True)
        ]  # fmt: skip
