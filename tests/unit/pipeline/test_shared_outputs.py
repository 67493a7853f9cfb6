"""Outputs of frozen stages kept in memory: computed once, counted each time, never taken for those of another stage."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

import nlpipe
from nlpipe import Pipeline
from nlpipe.heads import NaiveBayes
from nlpipe.pipeline.shared_outputs import SharedOutputs
from nlpipe.pipeline.stage_store import StageStore
from nlpipe.registry import slot
from nlpipe.representations import BagOfWords, Window
from nlpipe.stage import Representation, Stage, State
from nlpipe.tasks.task import Split
from nlpipe.tokenizers import Regex, Whitespace
from nlpipe.wire import Labels, Text, Tokens, Vectors
from tests.contract.examples import NASTY

TEXTS = ["a fine film", "a dull film", "fine, fine acting", "dull"]
LABELS = ["good", "bad", "good", "bad"]


class Slow(Representation[Tokens, Vectors]):
    """The number of words times what it learnt; computing it takes a while."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.factor = 1.0
        self.calls = 0

    def fit(self, data) -> None:
        self.factor = float(sum(len(source) for source, _ in data))

    def forward(self, source: Tokens) -> Vectors:
        self.calls += 1
        time.sleep(self.seconds)
        return Vectors(self.factor * source.lengths[:, None].astype(np.float32))

    def state(self) -> State:
        return State(data={"factor": self.factor})


class Forgetful(Slow):
    """Learns, and does not say what."""

    def state(self) -> State:
        return State()


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registers the stages of this file, for its tests alone."""
    monkeypatch.setattr(slot("representation"), "_registered", {})
    nlpipe.register.representation("slow")(Slow)
    nlpipe.register.representation("forgetful")(Forgetful)


def frozen(outputs: SharedOutputs, *stages: Stage) -> list[Stage]:
    for stage in stages:
        outputs.freeze(stage)
    return list(stages)


def fitted(stage: Slow, examples: int) -> Slow:
    stage.fit([(Tokens.from_words([["a"]] * examples), None)])
    return stage


def test_a_batch_is_computed_once_by_stages_that_are_the_same() -> None:
    outputs = SharedOutputs()
    one, same, other = fitted(Slow(), 2), fitted(Slow(), 2), fitted(Slow(), 3)
    first = outputs.through(frozen(outputs, Regex(), one), Text(TEXTS))
    second = outputs.through(frozen(outputs, Regex(), same), Text(TEXTS))
    assert second is first and (one.calls, same.calls) == (1, 0)
    third = outputs.through(frozen(outputs, Regex(), other), Text(TEXTS))
    assert other.calls == 1 and np.array_equal(2 * third.dense(), 3 * first.dense())
    assert outputs.through([Whitespace(), same], Text(TEXTS)) is not first  # a tokenizer that is not frozen
    outputs.through(frozen(outputs, Regex(), same), Text(TEXTS[:2]))
    assert same.calls == 2


def test_a_stage_that_has_learnt_something_else_gives_something_else() -> None:
    outputs = SharedOutputs()
    stage = fitted(Slow(), 2)
    before = outputs.through(frozen(outputs, Regex(), stage), Text(TEXTS)).dense()
    fitted(stage, 4)
    assert np.array_equal(outputs.through(frozen(outputs, Regex(), stage), Text(TEXTS)).dense(), 2 * before)
    forgetful = [fitted(Forgetful(), examples) for examples in (1, 2)]
    rows = [outputs.through(frozen(outputs, Regex(), each), Text(TEXTS)).dense() for each in forgetful]
    assert np.array_equal(2 * rows[0], rows[1])


def test_the_clock_counts_what_was_not_computed_again() -> None:
    outputs = SharedOutputs()
    stages = frozen(outputs, Regex(), fitted(Slow(seconds=0.05), 2))
    taken = []
    for _ in range(3):
        started, really = outputs.clock(), time.perf_counter()
        outputs.through(stages, Text(TEXTS))
        taken.append((outputs.clock() - started, time.perf_counter() - really))
    assert all(counted >= 0.05 for counted, _ in taken)
    assert taken[0][1] >= 0.05 and all(real < 0.05 for _, real in taken[1:])


def test_the_seconds_of_a_fit_are_those_of_one_that_shares_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split_texts, calls = Regex.forward, []

    def slowly(self: Regex, source: Text) -> Tokens:
        calls.append(len(source))
        time.sleep(0.05)
        return split_texts(self, source)

    monkeypatch.setattr(Regex, "forward", slowly)
    store, split = StageStore(tmp_path), Split(Text(TEXTS), Labels(LABELS))
    for min_count in (1, 2):
        pipeline = Pipeline([Regex(), BagOfWords(min_count=min_count), NaiveBayes()])
        pipeline.fit_split(split, store=store)
        assert pipeline.fit_seconds["bow"] >= 0.05
        pipeline.predict(TEXTS)
        assert len(calls) == 2  # once in the order of the split, once by length; the second pipeline splits nothing


def test_the_outputs_used_longest_ago_are_dropped() -> None:
    size = 4 * len(TEXTS)  # of the vectors, in bytes
    outputs = SharedOutputs(budget=2 * size)
    stages = [fitted(Slow(), examples) for examples in (1, 2, 3)]
    words = Regex().forward(Text(TEXTS))
    for i, calls in ((0, 1), (1, 1), (0, 1), (2, 1), (0, 1), (1, 2)):  # the third takes the place of the second
        outputs.through(frozen(outputs, stages[i]), words)
        assert stages[i].calls == calls
    assert outputs.size <= outputs.budget


@pytest.mark.parametrize("representation", [BagOfWords(min_count=1), Window(min_count=1)], ids=["vectors", "sequences"])
def test_what_comes_from_memory_is_what_the_stages_give(representation: Representation) -> None:
    texts = Text([*NASTY.values(), *TEXTS])
    words = Regex().forward(texts)
    representation.fit([(words, Labels(["x"] * len(words)))])
    outputs = SharedOutputs()
    stages = frozen(outputs, Regex(), representation)
    first, second = outputs.through(stages, texts), outputs.through(stages, texts)
    expected = representation.forward(words)
    assert second is first
    assert np.array_equal(first.lengths, expected.lengths)
    assert (first.rows != expected.rows).nnz == 0
