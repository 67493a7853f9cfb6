"""What a fitted pipeline costs in use: the least seconds of each text, whatever else the machine does."""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from nlpipe.pipeline import Pipeline
from nlpipe.runs import costs, energy

PAUSE = 0.02
"""Seconds that something else takes up the machine."""


class Interrupted:
    """A pipeline that answers at once, but is held up the first times that it answers a text alone or in a batch."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.calls: Counter[tuple[str, ...]] = Counter()

    def predict(self, texts: list[str]) -> None:
        self.calls[tuple(texts)] += 1
        if self.calls[tuple(texts)] <= self.times:
            time.sleep(PAUSE)


@pytest.fixture(autouse=True)
def collecting() -> Iterator[None]:
    """Garbage is collected again afterwards."""
    yield
    gc.unfreeze()
    gc.enable()


def timed(monkeypatch: pytest.MonkeyPatch, pipeline: Interrupted) -> costs.Use:
    monkeypatch.setattr(Pipeline, "load", lambda folder: pipeline)
    monkeypatch.setattr(costs, "WARM_UP_SECONDS", 0.0)
    return costs._time("a folder", ["one", "two", "three", "four"])


def test_what_holds_up_a_few_rounds_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = Interrupted(times=3)
    use = timed(monkeypatch, pipeline)
    assert use["latency_p50_seconds"] <= use["latency_p95_seconds"] < PAUSE / 2
    assert use["texts_per_second"] > 4 / PAUSE
    assert pipeline.calls["two",] == pipeline.calls["one", "two", "three", "four"] == costs.ROUNDS


class Busy(Interrupted):
    """Uses the processor for some milliseconds, besides."""

    def predict(self, texts: list[str]) -> None:
        super().predict(texts)
        end = time.process_time() + 0.004
        while time.process_time() < end:
            pass


def test_waiting_costs_no_seconds_of_the_processor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Energy is there where the machine has a counter that can be read."""
    monkeypatch.setattr(energy, "POWERCAP", tmp_path)
    monkeypatch.setattr(costs, "ROUNDS", 2)
    use = timed(monkeypatch, Busy(times=1000))
    assert 0.001 <= use["cpu_seconds_per_text"] < PAUSE / 4  # 4 ms for the batch of four texts, and it waits 20 ms
    assert "joules_per_text" not in use
    meter = iter(range(0, 100, 5))
    monkeypatch.setattr(energy, "_packages", lambda root: [tmp_path])
    monkeypatch.setattr(energy, "_microjoules", lambda path: 1_000_000 * next(meter))
    assert timed(monkeypatch, Busy(times=0))["joules_per_text"] > 0


def test_a_slow_pipeline_has_one_round_of_a_few_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = Interrupted(times=1000)
    monkeypatch.setattr(costs, "LATENCY_SECONDS", 1.5 * PAUSE)
    monkeypatch.setattr(costs, "ROUNDS_SECONDS", PAUSE)
    use = timed(monkeypatch, pipeline)
    assert PAUSE <= use["latency_p50_seconds"] < 10 * PAUSE
    assert pipeline.calls == {("one",): 2, ("two",): 1, ("one", "two", "three", "four"): 1}  # the first to warm up
