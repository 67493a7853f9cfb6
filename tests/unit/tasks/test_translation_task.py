"""Pairs of texts: rows to examples, equal sources, records there and back, one line for each."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nlpipe.errors import DataError
from nlpipe.predictions import Predictions
from nlpipe.tasks import task_named
from nlpipe.tasks.task import Row
from nlpipe.wire import Text

TASK = task_named("translation")


def row(source, target):
    return Row({"source": source, "target": target}, "pairs.tsv", 7, {"source": 0, "target": "de"})


def test_rows_become_pairs():
    split = TASK.split([row("a", "b"), row(1, 2.5), row("", "")])
    assert split.inputs.strings == ["a", "1", ""]
    assert split.targets.strings == ["b", "2.5", ""]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (row(None, "x"), "pairs.tsv:7: column 0: null is not a text"),
        (row("x", None), "pairs.tsv:7: column 'de': null is not a text"),
        (row("x", True), "pairs.tsv:7: column 'de': True is not a text"),
        (row("x", ["y"]), "pairs.tsv:7: column 'de': ['y'] is not a text"),
    ],
)
def test_rows_that_cannot_be_pairs(bad, message):
    with pytest.raises(DataError) as caught:
        TASK.split([row("a", "b"), bad])
    assert str(caught.value) == message


def test_equal_sources():
    texts = Text(["Caf\u00e9  au lait", " cafe\u0301 AU lait\n", "cafe au lait"])
    assert TASK.key(texts, 0) == TASK.key(texts, 1) != TASK.key(texts, 2)


@pytest.mark.parametrize("scores", [None, np.array([-1.25, -30.0])])
def test_records_there_and_back(scores):
    gold = Text(["ja\nnein", ""])
    before = Predictions(Text(["ja", "\u2028"]), scores)
    written = [json.dumps(TASK.record(gold, before, i)) for i in range(2)]
    again, after = TASK.restore([json.loads(line) for line in written])
    assert again.strings == gold.strings
    assert after.values.strings == before.values.strings
    assert (after.scores is None) == (scores is None)
    if scores is not None:
        np.testing.assert_array_equal(after.scores, scores)
    assert "gold" not in TASK.record(None, before, 0)


def test_records_that_lack_something():
    with pytest.raises(DataError, match="record 2: there is no 'predicted' text"):
        TASK.restore([{"gold": "a", "predicted": "b"}, {"gold": "a"}])


@pytest.mark.parametrize("said", ["one line", "two\nlines", "two\r\nlines", "", "\n", "sep\u2028arated", "a\x0bb"])
def test_a_line_is_one_line(said):
    line = TASK.line({"predicted": said, "score": -1.0})
    assert len((line + "\n").splitlines()) == 1
    assert line.split() == said.split()
