"""Rows to examples, what equal texts are, and predictions to records and back."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nlpipe.errors import DataError, NlpipeError
from nlpipe.predictions import Predictions
from nlpipe.tasks import TASKS, task_named
from nlpipe.tasks.task import Row
from nlpipe.wire import Labels, Text

CLASSIFICATION = task_named("classification")


def row(text, label, line=7):
    return Row({"text": text, "label": label}, "reviews.csv", line, {"text": 0, "label": "label"})


def test_every_task_has_its_name():
    assert [task_named(name).name for name in TASKS] == list(TASKS)


def test_unknown_task():
    with pytest.raises(NlpipeError, match="there is no task 'clasification'; did you mean 'classification'"):
        task_named("clasification")


def test_values_become_strings():
    split = CLASSIFICATION.split([row("a", "x "), row("", 1), row(5, True), row("d", 2.5)])
    assert split.inputs.strings == ["a", "", "5", "d"]
    assert split.targets.values == ["x", "1", "true", "2.5"]


KEEP = "; keep one of them, or write task: multilabel"


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (row("a", ""), "reviews.csv:7: column 'label': the label is missing"),
        (row("a", "  "), "reviews.csv:7: column 'label': the label is missing"),
        (row("a", None), "reviews.csv:7: column 'label': the label is missing"),
        (row("a", ["x", "y"]), "reviews.csv:7: column 'label': ['x', 'y']: 2 labels, and a text has one here" + KEEP),
        (row("a", []), "reviews.csv:7: column 'label': the label is missing"),
        (row("a", [{}]), "reviews.csv:7: column 'label': {} is not a label"),
        (row(None, "x"), "reviews.csv:7: column 0: null is not a text"),
        (row({}, "x"), "reviews.csv:7: column 0: {} is not a text"),
    ],
)
def test_rows_that_cannot_be_examples(bad, message):
    with pytest.raises(DataError) as caught:
        CLASSIFICATION.split([row("fine", "x"), bad])
    assert str(caught.value) == message


def test_a_label_outside_the_set():
    labels = {"negative": "negative", "positive": "positive"}
    with pytest.raises(DataError) as caught:
        CLASSIFICATION.split([row("a", "positve", 812)], labels)
    assert str(caught.value) == (
        "reviews.csv:812: column 'label': 'positve' is not one of 'negative', 'positive'; did you mean 'positive'?"
    )
    assert CLASSIFICATION.split([row("a", "1")], {"0": "no", "1": "yes"}).targets.values == ["yes"]


@pytest.mark.parametrize(
    ("one", "other"),
    [("Good  film", " good\tFILM\n"), ("caf\u00e9", "CAFE\u0301"), ("stra\u00dfe", "STRASSE")],
)
def test_equal_texts(one, other):
    texts = Text([one, other, one + "!"])
    assert CLASSIFICATION.key(texts, 0) == CLASSIFICATION.key(texts, 1) != CLASSIFICATION.key(texts, 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_records_there_and_back(dtype):
    rows = np.array([[0.25, 0.75], [1 - 3e-9, 3e-9]], dtype=dtype)
    gold = Labels(["b", "a"])
    before = Predictions(Labels(["b", "a"]), rows.max(axis=1), rows, ("a", "b"))
    written = [json.dumps(CLASSIFICATION.record(gold, before, i)) for i in range(2)]
    assert json.loads(written[0]) == {
        "gold": "b", "predicted": "b", "score": 0.75, "probabilities": {"a": 0.25, "b": 0.75}
    }  # fmt: skip
    again, after = CLASSIFICATION.restore([json.loads(line) for line in written])
    assert again.values == gold.values
    assert after.values.values == before.values.values
    assert after.classes == ("a", "b")
    assert after.probabilities == pytest.approx(rows, rel=1e-5)
    assert after.scores == pytest.approx(rows.max(axis=1), rel=1e-5)


def test_records_of_a_head_without_probabilities():
    predictions = Predictions(Labels(["a"]))
    assert CLASSIFICATION.record(None, predictions, 0) == {"predicted": "a"}
    _, after = CLASSIFICATION.restore([CLASSIFICATION.record(Labels(["b"]), predictions, 0)])
    assert after.probabilities is None
    assert after.scores is None
    with pytest.raises(DataError, match="record 1: there is no 'gold' label"):
        CLASSIFICATION.restore([{"predicted": "a"}])
