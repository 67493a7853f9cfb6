"""What a comparison shows of its rows: bounds, dashes, columns that fit, the verdict under the table."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from nlpipe.compare.question import Candidate
from nlpipe.compare.results import Comparison
from nlpipe.compare.rows import Facts, Row
from nlpipe.compare.statistics import Sample, compare_samples
from nlpipe.compare.verdict import decide

COSTS = {"fit_seconds": 1.0, "latency_p50_seconds": 0.001, "texts_per_second": 1000.0, "peak_memory_bytes": 1e8}
FACTS = Facts("Two", "sample", "accuracy", 400)


def comparison(answers: dict[str, np.ndarray], failed: tuple[str, ...] = (), facts: Facts = FACTS) -> Comparison:
    """A comparison of pipelines that are right where ``answers`` (N,) is 1."""
    samples = [Sample(np.array([values.mean()]), values[None, :], False) for values in answers.values()]
    evidence = compare_samples(samples, shares=facts.unit == "share")
    rows = [
        Row(
            name, None, (), score=float(values.mean()), low=evidence.intervals[i, 0], high=evidence.intervals[i, 1],
            may_lose=evidence.bounds[i], scores={"f1_macro": 0.5}, costs=COSTS,
        )
        for i, (name, values) in enumerate(answers.items())
    ]  # fmt: skip
    rows += [Row(name, None, (), (f"{name}: no",)) for name in failed]
    verdict = decide(facts.question, [Candidate(name, COSTS) for name in answers], evidence)
    return Comparison(facts, tuple(rows), Path("runs"), {None: verdict})


@pytest.fixture
def answers() -> np.ndarray:
    return (np.random.default_rng(0).random(400) < 0.8).astype(float)


def test_bounds_and_the_verdict_stand_in_the_table(answers: np.ndarray) -> None:
    """Two that miss the same items differ for certain by the few that one of them misses more."""
    worse = answers.copy()
    worse[np.flatnonzero(answers)[:20]] = 0
    found = comparison({"better": answers, "worse": worse}, ("failed",))
    cells = [dict(zip(found.columns(), line.cells, strict=True)) for line in found.as_table().lines]
    spread = np.sqrt(0.05 * 0.95 / 399)  # of a share of 0.05, as each item differs by 0 or 1
    assert cells[0]["may lose"] == "0.0000"
    assert float(cells[1]["may lose"]) == pytest.approx(0.05 + 1.65 * spread, abs=0.006)
    assert found.rows[1].high > found.rows[0].low  # type: ignore[operator] # which intervals of their own do not show
    assert [line.best for line in found.as_table().lines] == [True, False, False]
    assert found.chosen is found.rows[0] and found.best is found.rows[0]
    assert found.verdict is not None and all(f"- {sentence}" in found.table() for sentence in found.verdict.sentences)
    assert "failed: failed: no" in found.table()
    assert repr(found) == "Comparison('Two', 3 rows, best better, accuracy 0.752, verdict better)"


def test_points_have_one_digit_and_their_bounds_two(answers: np.ndarray) -> None:
    facts = replace(FACTS, primary="bleu", unit="points")
    found = comparison({"one": 100 * answers, "two": 100 * np.roll(answers, 1)}, facts=facts)
    cells = dict(zip(found.columns(), found.as_table().lines[0].cells, strict=True))
    assert cells["bleu"] == f"{100 * answers.mean():.1f}" and len(cells["may lose"].partition(".")[2]) == 2


def test_what_was_not_measured_is_a_dash(answers: np.ndarray) -> None:
    found = comparison({"measured": answers, "unmeasured": np.roll(answers, 1)})
    unmeasured = replace(found.rows[1], costs={"fit_seconds": 1.0}, scores={}, low=None, may_lose=None)
    table = replace(found, rows=(found.rows[0], unmeasured)).as_table()
    cells = {line.cells[0]: dict(zip(table.headings, line.cells, strict=True)) for line in table.lines}
    for heading, cell in {"latency ms": "1.0", "memory MB": "100", "texts/s": "1,000", "f1 macro": "0.500"}.items():
        assert (cells["measured"][heading], cells["unmeasured"][heading]) == (cell, "–")
    assert cells["unmeasured"]["fit s"] == "1.0"
    assert cells["unmeasured"]["95 % interval"] == cells["unmeasured"]["may lose"] == "–"


def test_all_failed_is_no_verdict() -> None:
    found = Comparison(FACTS, (Row("failed", None, (), ("x: no",)),), Path("runs"), {})
    assert found.verdict is None and found.chosen is None and "x: no" in found.table()
    assert repr(found) == "Comparison('Two', 1 rows, no run succeeded)"


@pytest.mark.parametrize("width", [80, 110, 240])
def test_the_table_shows_as_many_columns_as_fit_whole(answers: np.ndarray, width: int) -> None:
    found = comparison({"best": answers, "near": np.roll(answers, 1)})
    console = Console(width=width, record=True, file=io.StringIO())
    table = found.as_table().terminal(console)
    shown = [str(column.header) for column in table.columns]
    assert shown == [name for name in found.columns() if name in shown]
    assert {"pipeline", "accuracy", "95 % interval", "may lose", "latency ms"} <= set(shown)
    assert ("memory MB" in shown) == (width >= 110)
    assert (shown == list(found.columns())) == (width == 240)
    console.print(table)
    drawn = console.export_text()
    assert all(heading in drawn for heading in shown)


def test_prices_follow_from_seconds_of_the_processor() -> None:
    """36 ms a text at 0.05 an hour: 1,000 texts are a hundredth of an hour. A price that was given stays."""
    facts = replace(FACTS, price_per_cpu_hour=0.05)
    assert facts.priced({"cpu_seconds_per_text": 0.036})["price_per_1000"] == pytest.approx(0.0005)
    assert facts.priced({"cpu_seconds_per_text": 0.036, "price_per_1000": 2.0})["price_per_1000"] == 2.0
    assert facts.priced({"fit_seconds": 1.0}) == {"fit_seconds": 1.0}
    assert FACTS.priced({"cpu_seconds_per_text": 0.036}) == {"cpu_seconds_per_text": 0.036}


def test_costs_that_nothing_has_get_no_column(answers: np.ndarray) -> None:
    found = comparison({"one": answers, "other": answers})
    assert not {"CPU ms/text", "J/1,000", "price/1,000", "fit CPU s"} & set(found.columns())
    costs = {**COSTS, "cpu_seconds_per_text": 0.0012, "joules_per_text": 0.02, "price_per_1000": 0.00042}
    priced = replace(found, rows=(replace(found.rows[0], costs=costs), *found.rows[1:]))
    cells = dict(zip(priced.columns(), priced.as_table().lines[0].cells, strict=True))
    assert (cells["CPU ms/text"], cells["J/1,000"], cells["price/1,000"]) == ("1.200", "20.0", "0.00042")
    assert priced.as_table().lines[1].cells[list(priced.columns()).index("price/1,000")] == "–"
