"""The table of a comparison, for a terminal and as Markdown: one list of columns serves both."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
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
    if best is not None and len(comparison.rows) > 1:
        found["behind the best"] = lambda row: _behind(comparison, row)
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


def _behind(comparison: Comparison, row: Row) -> str:
    found = comparison.behind(row)
    return "" if found is None else f"{found.mean:.3f} ({found.low:.3f} – {found.high:.3f})"


ESSENTIAL = ("pipeline", "train", "95 % interval", "fit s", "latency ms", "memory MB")
"""What every table shows, beside the primary score; of the others as many as the terminal has room for."""


def caption(comparison: Comparison) -> str:
    """What the numbers are, in a sentence."""
    return (
        f"{comparison.data}, {comparison.test_size:,} test items; intervals by bootstrap over test items, of "
        "differences paired; latency of one text (median), memory and texts/s of a fresh process"
    )


def alike(comparison: Comparison) -> str:
    """Which rows the test items do not show to be worse than the best, in a sentence; empty where there is one row."""
    best = comparison.best
    others = [(row, comparison.behind(row)) for row in comparison.rows if best is not None and row is not best]
    named = [_named(row) for row, behind in others if behind is not None and behind.low <= 0]
    if best is None or not any(behind is not None for _, behind in others):
        return ""
    if not named:
        return f"{_named(best)} is ahead of every other: the 95 % interval of each difference lies above 0"
    said = f"not shown to be worse than {_named(best)} by these items: {', '.join(named)}"
    return f"{said} (the 95 % interval of the difference reaches 0)"


def _named(row: Row) -> str:
    return row.name if row.train_size is None else f"{row.name} on {row.train_size:,}"


def terminal(comparison: Comparison, console: Console) -> Table:
    """The table for ``console``, with as many columns as it has room for; the best row is bold."""
    every = columns(comparison)
    shown = {name for name in every if name in (*ESSENTIAL, comparison.primary)}
    table = _drawn(comparison, shown)
    for name in every:
        more = _drawn(comparison, shown | {name})
        if console.measure(more, options=console.options.update(width=WIDEST)).maximum <= console.width:
            table, shown = more, shown | {name}
    return table


WIDEST = 1000
"""Columns of a console on which no table is cut."""


def _drawn(comparison: Comparison, names: Set[str]) -> Table:
    from rich.table import Table

    shown = {name: cell for name, cell in columns(comparison).items() if name in names}

    table = Table(title=comparison.title, caption=caption(comparison), title_justify="left", caption_justify="left")
    for i, heading in enumerate(shown):
        table.add_column(heading, justify="left" if i == 0 else "right", no_wrap=i <= 2, overflow="fold")
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
    lines += [f"- {line}" for line in [alike(comparison)] if line]
    lines += [f"- failed: {line}" for line in failures(comparison)]
    return "\n".join(lines)
