"""What a comparison says of its rows: paired differences, the sentence under the table, columns that fit."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from nlpipe.compare.results import Comparison, Row
from nlpipe.metrics.bootstrap import draws

COSTS = {"fit_seconds": 1.0, "latency_p50_seconds": 0.001, "texts_per_second": 1000.0, "peak_memory_bytes": 1e8}


def row(name: str, right: np.ndarray, size: int | None = None) -> Row:
    """A row whose accuracy is that of ``right`` (N,), as the runner would make it."""
    samples = np.concatenate(list(draws(len(right), 1000, 0))) @ right / len(right)
    low, high = np.percentile(samples, [2.5, 97.5])
    return Row(
        name, size, (), score=float(right.mean()), low=low, high=high, scores={"f1_macro": 0.5}, costs=COSTS,
        samples=samples,
    )  # fmt: skip


def comparison(*rows: Row) -> Comparison:
    ordered = sorted(rows, key=lambda each: (each.score is None, -(each.score or 0)))
    return Comparison("Two", "sample", "accuracy", 400, tuple(ordered), Path("runs"), {}, 0.01)


@pytest.fixture
def answers() -> np.ndarray:
    return (np.random.default_rng(0).random(400) < 0.8).astype(float)


def test_a_difference_is_paired(answers: np.ndarray) -> None:
    """Two that miss the same items differ for certain by the few that one of them misses more."""
    worse = answers.copy()
    worse[np.flatnonzero(answers)[:12]] = 0
    found = comparison(row("better", answers), row("worse", worse))
    difference = found.behind(found.rows[1])
    assert difference is not None
    assert difference.mean == pytest.approx(12 / 400)
    spread = np.sqrt(0.03 * 0.97 / 400)  # of a share of 0.03, as each item differs by 0 or 1
    assert difference.low == pytest.approx(0.03 - 1.96 * spread, abs=0.004)
    assert difference.high == pytest.approx(0.03 + 1.96 * spread, abs=0.004)
    assert found.rows[1].high > found.rows[0].low  # which intervals of their own would not show
    assert found.behind(found.rows[0]) is None
    assert found.not_shown_worse == "better is ahead of every other: the 95 % interval of each difference lies above 0"


def test_a_smaller_score_is_better_where_the_metric_says_so(answers: np.ndarray) -> None:
    errors = 1 - answers
    more = errors.copy()
    more[np.flatnonzero(answers)[:12]] = 1
    rows = (row("fewer", errors), row("more", more))
    found = Comparison("Two", "sample", "error", 400, rows, Path("runs"), {}, 0.01, higher_is_better=False)
    difference = found.behind(found.rows[1])
    assert found.best is rows[0] and difference is not None
    assert difference.mean == pytest.approx(12 / 400) and difference.low > 0
    assert found.not_shown_worse.startswith("fewer is ahead of every other")


def test_what_is_not_shown_to_be_worse_is_named(answers: np.ndarray) -> None:
    other = np.roll(answers, 1)
    other[np.flatnonzero(other)[0]] = 0
    far = np.zeros_like(answers)
    found = comparison(row("best", answers), row("near", other), row("far", far), Row("failed", None, (), ("x: no",)))
    said = "not shown to be worse than best by these items: near (the 95 % interval of the difference reaches 0)"
    assert found.not_shown_worse == said
    assert found.not_shown_worse in found.table()
    few = comparison(row("best", far), row("near", other, size=1000))  # the best is one of those with all of the data
    assert few.best is not None and few.best.name == "best"
    assert few.not_shown_worse == ""  # a row with other training data is not compared with it


def test_what_was_not_measured_is_a_dash(answers: np.ndarray) -> None:
    measured, unmeasured = row("measured", answers), row("unmeasured", np.roll(answers, 1))
    unmeasured = replace(unmeasured, costs={"fit_seconds": 1.0}, scores={})
    table = comparison(measured, unmeasured).as_table()
    cells = {line.cells[0]: dict(zip(table.headings, line.cells, strict=True)) for line in table.lines}
    for heading, cell in {"latency ms": "1.0", "memory MB": "100", "texts/s": "1,000", "f1 macro": "0.500"}.items():
        assert (cells["measured"][heading], cells["unmeasured"][heading]) == (cell, "–")
    assert cells["unmeasured"]["fit s"] == "1.0"


def test_one_row_or_none_says_nothing(answers: np.ndarray) -> None:
    assert comparison(row("alone", answers)).not_shown_worse == ""
    assert comparison(Row("failed", None, (), ("x: no",))).not_shown_worse == ""
    assert comparison(row("alone", answers), Row("failed", None, (), ("x: no",))).not_shown_worse == ""


@pytest.mark.parametrize("width", [80, 110, 240])
def test_the_table_shows_as_many_columns_as_fit_whole(answers: np.ndarray, width: int) -> None:
    found = comparison(row("best", answers), row("near", np.roll(answers, 1)))
    console = Console(width=width, record=True, file=io.StringIO())
    table = found.as_table().terminal(console)
    shown = [str(column.header) for column in table.columns]
    assert shown == [name for name in found.columns() if name in shown]
    assert {"pipeline", "accuracy", "95 % interval", "fit s", "latency ms", "memory MB"} <= set(shown)
    assert ("behind the best" in shown) == (width >= 110)
    assert (shown == list(found.columns())) == (width == 240)
    console.print(table)
    drawn = console.export_text()
    assert all(heading in drawn for heading in shown)
