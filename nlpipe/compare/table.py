"""The table of a comparison, for a terminal and as Markdown: one list of columns serves both."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from nlpipe.compare.comparison import Comparison, Row

SECONDARY = (
    "chrf",
    "exact_match",
    "f1_macro",
    "log_loss",
    "calibration_error",
    "mean_absolute_error",
    "quadratic_kappa",
)
"""Scores shown beside the primary one, where a task has them."""


def cost(name: str, scale: float, form: str) -> Callable[[Row], str]:
    """A column for the cost ``name``, multiplied by ``scale`` for the reader."""
    return lambda row: format((row.costs or {}).get(name, 0.0) * scale, form)


def columns(comparison: Comparison) -> dict[str, Callable[[Row], str]]:
    """Heading to what stands under it for a row that came through."""
    best = comparison.best
    found: dict[str, Callable[[Row], str]] = {"pipeline": lambda row: row.name}
    if any(row.train_size is not None for row in comparison.rows):
        found["train"] = lambda row: "all" if row.train_size is None else f"{row.train_size:,}"
    found[comparison.primary] = lambda row: f"{row.score:.3f}"
    found["95 % interval"] = lambda row: f"{row.low:.3f} – {row.high:.3f}"
    if any(row.deviation is not None for row in comparison.rows):
        found["± seeds"] = lambda row: "" if row.deviation is None else f"{row.deviation:.3f}"
    for name in SECONDARY:
        if name != comparison.primary and best is not None and name in (best.scores or {}):
            found[name.replace("_", " ")] = lambda row, name=name: f"{(row.scores or {}).get(name, float('nan')):.3f}"  # type: ignore[misc]
    found["fit s"] = cost("fit_seconds", 1, ",.1f")
    found["latency ms"] = cost("latency_p50_seconds", 1000, ",.1f")
    found["texts/s"] = cost("texts_per_second", 1, ",.0f")
    found["memory MB"] = cost("peak_memory_bytes", 1e-6, ",.0f")
    found["model MB"] = cost("model_bytes", 1e-6, ",.1f")
    return found


NARROW = 140
"""Columns of a terminal below which the table shows the essential ones alone."""
ESSENTIAL = ("pipeline", "train", "95 % interval", "fit s", "latency ms", "memory MB")
"""What a narrow table shows, beside the primary score."""


def caption(comparison: Comparison) -> str:
    """What the numbers are, in a sentence."""
    return (
        f"{comparison.data}, {comparison.test_size:,} test items; intervals by bootstrap over test items; latency of "
        "one text (median), memory and texts/s of a fresh process"
    )


def terminal(comparison: Comparison, width: int) -> Table:
    """The table for ``rich``, for a terminal of ``width`` columns; the best row is bold."""
    from rich.table import Table

    table = Table(title=comparison.title, caption=caption(comparison), title_justify="left", caption_justify="left")
    shown = columns(comparison)
    if width < NARROW:
        shown = {name: cell for name, cell in shown.items() if name in (*ESSENTIAL, comparison.primary)}
    for i, heading in enumerate(shown):
        last = i > 2 and width < NARROW
        table.add_column(heading, justify="left" if i == 0 else "right", no_wrap=not last, overflow="fold")
    for row in comparison.rows:
        if row.score is None:
            table.add_row(*failed_cells(row, shown), style="red")
        else:
            table.add_row(*[cell(row) for cell in shown.values()], style="bold" if row is comparison.best else None)
    return table


def failed_cells(row: Row, shown: Iterable[str]) -> list[str]:
    """What a row shows of which no run came through."""
    size = "all" if row.train_size is None else f"{row.train_size:,}"
    return [{"pipeline": row.name, "train": size}.get(heading, "–") for heading in shown]


def failures(comparison: Comparison) -> list[str]:
    """A line for each run that failed: pipeline, seed, training size and reason."""
    return [error for row in comparison.rows for error in row.errors]


def markdown(comparison: Comparison) -> str:
    """The same table as Markdown."""
    shown = columns(comparison)
    lines = [f"# {comparison.title}", "", "| " + " | ".join(shown) + " |"]
    lines.append("|" + "|".join("---" if i == 0 else "---:" for i in range(len(shown))) + "|")
    for row in comparison.rows:
        cells = failed_cells(row, shown)
        if row.score is not None:
            cells = [cell(row) for cell in shown.values()]
            if row is comparison.best:
                cells[0] = f"**{cells[0]}**"
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", caption(comparison) + "."]
    lines += [f"- failed: {line}" for line in failures(comparison)]
    return "\n".join(lines)
