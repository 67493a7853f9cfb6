# ruff: noqa: E501 - messages stand whole
"""Wiring, asked of instances made in Python."""

from __future__ import annotations

import pytest

from nlpipe.pipeline.wiring import WiringFault, check_wiring
from nlpipe.wire import Labels, Tags, Text, Tokens
from tests.unit.spec import spec_stages as s


@pytest.fixture(autouse=True)
def _stages(monkeypatch):
    s.install(monkeypatch)


REGEX = ("tokenizer", "regex", s.Regex())
BOW = ("representation", "bow", s.Bow())
EMBEDDING = ("representation", "embedding", s.Embedding())
STATIC = ("representation", "static", s.Static("x"))
LSTM = ("encoder", "lstm", s.Lstm())
MEAN = ("encoder", "mean", s.Mean())
LINEAR = ("head", "logistic_regression", s.Linear())
CLASSIFIER = ("head", "classifier", s.Classifier())
TAGGER = ("head", "tagger", s.Tagger())
DICTIONARY = ("head", "dictionary", s.Dictionary(["a"]))


@pytest.mark.parametrize(
    ("stages", "target", "source"),
    [
        ([REGEX, BOW, LINEAR], Labels, Text),
        ([REGEX, EMBEDDING, LSTM, MEAN, CLASSIFIER], Labels, Text),
        ([REGEX, STATIC, MEAN, LINEAR], Labels, Text),
        ([REGEX, EMBEDDING, LSTM, TAGGER], Tags, Tokens),
        ([REGEX, STATIC, LINEAR], Tags, Tokens),
        ([REGEX, STATIC, LINEAR], None, Text),
        ([REGEX, DICTIONARY], Labels, Text),
        ([EMBEDDING, MEAN, CLASSIFIER], Labels, Tokens),
        ([REGEX, ("representation", "broken", None), LSTM, MEAN, CLASSIFIER], Labels, Text),
    ],
)
def test_what_fits(stages, target, source):
    assert check_wiring(stages, target, source) == []


@pytest.mark.parametrize(
    ("stages", "target", "faults"),
    [
        ([REGEX, BOW, LSTM, MEAN, CLASSIFIER], Labels, [
            (2, "encoder 'lstm' takes Sequences, but representation 'bow' gives Vectors; representations that give Sequences: embedding, join, static")]),
        ([REGEX, EMBEDDING, CLASSIFIER], Labels, [
            (2, "head 'classifier' takes Vectors, but representation 'embedding' gives Sequences; encoders to put between them, which give Vectors: mean")]),
        ([REGEX, LINEAR], Labels, [
            (1, "head 'logistic_regression' takes Vectors, but tokenizer 'regex' gives Tokens; representations that give Vectors: bow, tfidf")]),
        ([REGEX, EMBEDDING, MEAN, LINEAR], Labels, [
            (1, "'embedding' has weights to learn, and head 'logistic_regression' learns without gradients; heads that train it: classifier")]),
        ([REGEX, STATIC, TAGGER], Labels, [
            (2, "head 'tagger' gives Tags, but the task asks for Labels; heads that give Labels: classifier, dictionary, logistic_regression")]),
        ([REGEX, BOW, LINEAR], Tags, [
            (2, "head 'logistic_regression' gives Labels, but the task asks for Tags; heads that give Tags: tagger")]),
        ([BOW, LINEAR], Labels, [(0, "representation 'bow' takes Tokens, but the data gives Text")]),
        ([REGEX, STATIC, MEAN, MEAN, LINEAR], Labels, [
            (3, "encoder 'mean' takes Sequences, but encoder 'mean' gives Vectors; encoders that give Sequences: lstm")]),
    ],
)  # fmt: skip
def test_what_does_not_says_why_and_what_would(stages, target, faults):
    assert check_wiring(stages, target) == [WiringFault(index, message) for index, message in faults]


def test_a_stage_may_say_for_itself_what_it_gives():
    class Either(s.Join):
        """Vectors where its parts are."""

        def __init__(self) -> None:
            self.gives = self.parts_give = s.Vectors

    assert check_wiring([REGEX, ("representation", "either", Either()), LINEAR], Labels) == []
