"""Entities are scored on the data's words and on texts that the pipeline splits; none is left out of the gold ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nlpipe
from nlpipe.datasets.load import load_dataset
from nlpipe.errors import DataError
from nlpipe.metrics.jackknife import score_intervals
from nlpipe.metrics.tag_metrics import tagging_metrics
from nlpipe.predictions import Predictions
from nlpipe.runs.result import Result
from nlpipe.runs.score import metrics_of, read_scoring
from nlpipe.tag_schemes import to_spans
from nlpipe.tasks.tagging import Tagging
from nlpipe.tasks.task import Ledger, Row
from nlpipe.wire import Tags, Tokens

pytestmark = pytest.mark.usefixtures("unmeasured")

PIPELINE: dict[str, Any] = {"tokenizer": {"name": "regex", "lowercase": False}, "head": "dictionary"}


def conll(path: Path, sentences: list[list[tuple[str, str]]]) -> str:
    path.write_text("\n\n".join("\n".join(f"{w}\t{t}" for w, t in s) for s in sentences) + "\n", encoding="utf-8")
    return str(path)


def jsonl(path: Path, rows: list[tuple[str, list[list[Any]]]]) -> str:
    lines = [json.dumps({"text": text, "entities": entities}) for text, entities in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def run(data: dict[str, Any], tmp_path: Path) -> Result:
    return nlpipe.run({**PIPELINE, "name": "raw", "data": {"task": "tagging", **data}}, out=tmp_path / "runs")


def spans_data(tmp_path: Path, **more: Any) -> dict[str, Any]:
    train = jsonl(
        tmp_path / "train.jsonl", [("Anna met Bo", [[0, 4, "PER"], [9, 11, "PER"]]), ("take 5mg", [[5, 6, "DOSE"]])]
    )
    test = jsonl(tmp_path / "test.jsonl", [("Anna's house", [[0, 4, "PER"]]), ("Bo left", [[0, 2, "PER"]])])
    columns = {"text": "text", "entities": "entities"}
    return {"train": train, "dev": test, "test": test, "format": "jsonl", "columns": columns, **more}


def test_a_text_that_is_split_otherwise_is_scored_as_it_is_answered(tmp_path: Path) -> None:
    sentences = [[("U.S.", "B-LOC"), ("met", "O")], [("Bonn", "B-LOC"), ("met", "O"), ("U.S.", "B-LOC")]]
    train = conll(tmp_path / "train.conll", sentences * 3)
    test = conll(tmp_path / "test.conll", sentences)
    result = run({"train": train, "dev": test, "test": test, "format": "conll"}, tmp_path)
    assert result.pipeline().predict(["U.S. met"]).entities == [[]]
    assert result.scores["f1"] == 1.0 and result.scores["precision_raw"] == 1.0
    assert result.scores["recall_raw"] == pytest.approx(1 / 3) and result.scores["f1_raw"] == pytest.approx(0.5)
    assert [line for line in result.ledger["warnings"] if "0.500 (f1_raw)" in line]
    metric = next(each for each in metrics_of(read_scoring(result.folder)) if "f1_raw" in each.definitions)
    gold, predictions = result.predictions()
    low, high = score_intervals(metric, metric.statistics(gold, predictions))["f1_raw"]
    assert 0 <= low < 0.5 < high <= 1


def test_words_that_are_split_as_in_the_data_give_no_warning(tmp_path: Path) -> None:
    file = conll(tmp_path / "all.conll", [[("Bonn", "B-LOC"), ("met", "O")], [("he", "O"), ("met", "O")]] * 2)
    result = run({"train": file, "dev": file, "test": file, "format": "conll"}, tmp_path)
    assert result.scores["f1_raw"] == result.scores["f1"] == 1.0
    assert not [line for line in result.ledger["warnings"] if "f1_raw" in line]


def test_a_gold_entity_inside_a_word_is_missed(tmp_path: Path) -> None:
    result = run(spans_data(tmp_path), tmp_path)
    for name in ("recall", "recall_raw", "recall[PER]", "recall_spans", "recall_overlap", "recall_conlleval"):
        assert result.scores[name] == 0.5, name
    assert result.scores["precision"] == 1.0 and result.scores["f1"] == pytest.approx(2 / 3)
    assert result.ledger["test"]["counts"]["entities_not_at_words"] == 1


def test_training_words_alone_are_split_at_entities(tmp_path: Path) -> None:
    plain, split = (
        load_dataset({"task": "tagging", **spans_data(tmp_path, **more)}) for more in ({}, {"split_at_entities": True})
    )
    assert isinstance(split.train.inputs, Tokens) and isinstance(split.test.inputs, Tokens)
    assert split.train.inputs.words == [["Anna", "met", "Bo"], ["take", "5", "mg"]]
    assert split.train.targets.values[1] == ["O", "B-DOSE", "O"]  # type: ignore[attr-defined]
    assert [split.train.inputs.texts[1][start:end] for start, end in split.train.inputs.spans(1)] == ["take", "5", "mg"]
    assert split.test.inputs.words == [["Anna's", "house"], ["Bo", "left"]]
    assert plain.digest != split.digest and "DOSE" not in str(plain.labels) and "B-DOSE" in split.labels
    result = run(spans_data(tmp_path, split_at_entities=True), tmp_path)
    assert result.pipeline().predict(["take 5 mg"]).entities == [[(5, 6, "DOSE")]]
    with pytest.raises(DataError, match="has no entities to split at"):
        load_dataset({"task": "classification", "train": "x.csv", "split_at_entities": True})


def test_a_split_within_one_file_is_split_at_entities_in_training_alone(tmp_path: Path) -> None:
    rows = [(f"n{i} A{i}'s", [[len(f"n{i} "), len(f"n{i} A{i}"), "PER"]]) for i in range(40)]
    data = {**spans_data(tmp_path, split_at_entities=True), "train": jsonl(tmp_path / "all.jsonl", rows)}
    del data["dev"], data["test"]
    dataset = load_dataset({"task": "tagging", **data})
    words = {name: getattr(dataset, name).inputs.words for name in ("train", "test")}
    assert all(len(sentence) == 3 for sentence in words["train"])  # n1 A1 's
    assert all(len(sentence) == 2 for sentence in words["test"])
    assert isinstance(dataset.task, Tagging) and dataset.task.seen is not None
    assert not {name for name in dataset.task.seen if name[0] in {s[1].lower()[:-2] for s in words["test"]}}


def test_a_type_named_like_a_group_has_a_score_of_its_own() -> None:
    words = Tokens.from_words([["a", "b", "c", "d"]])
    for kind in ("overlap", "seen", "unseen", "conlleval", "spans", "raw", ""):
        kinds = [kind or "x", "PER"]
        gold = Tags([[f"B-{kinds[0]}", "O", "B-PER", "I-PER"]], words)
        predicted = Tags([[f"B-{kinds[0]}", "O", "B-PER", "O"]], words)
        labels = sorted({tag for tags in gold.values for tag in tags})
        metric, *_ = tagging_metrics(labels, "IOB2", frozenset({("a",)}))
        scores = metric(gold, Predictions(predicted))
        assert scores[f"f1[{kinds[0]}]"] == 1.0 and scores["f1[PER]"] == 0.0
        assert scores["f1_overlap"] == 1.0 and scores["f1"] == scores["f1_spans"] == scores["f1_conlleval"] == 0.5
        assert scores["f1_seen"] == 1.0 and scores["f1_unseen"] == 0.0


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    inside = text[start:end]
    return start + len(inside) - len(inside.lstrip()), end - len(inside) + len(inside.rstrip())


LETTERS = st.text(alphabet="ab'-. é\u0301\u200d5", min_size=1, max_size=14)


@given(data=st.data(), texts=st.lists(LETTERS, min_size=1, max_size=4))
def test_every_entity_is_expressed_in_training_or_missed(data: st.DataObject, texts: list[str]) -> None:
    """Of any spans all but those that overlap a longer one are gold ones, in tags or counted as missed."""
    rows = []
    for number, text in enumerate(texts):
        ends = st.integers(0, len(text))
        spans = data.draw(st.lists(st.tuples(ends, ends), max_size=3))
        entities = [[start, end, "X"] for start, end in sorted(set(spans)) if text[start:end].strip()]
        rows.append(Row({"text": text, "entities": entities}, "f", number + 1))
    task, ledger = Tagging(split_at_entities=True), Ledger()
    split = task.split(rows, note=ledger.add)
    targets = split.targets
    assert isinstance(targets, Tags) and targets.entities is not None and targets.tokens is not None
    expressed = sum(len(to_spans(tags)) for tags in targets.values)
    total = sum(map(len, targets.entities))
    distinct = sum(len({_trimmed(row.fields["text"], *each[:2]) for each in row.fields["entities"]}) for row in rows)
    assert expressed <= total <= expressed + ledger.counts.get("entities_not_at_words", 0)
    assert distinct - ledger.counts.get("entities_overlapping", 0) <= total <= distinct
    metric = tagging_metrics(["B-X", "I-X", "O"], "IOB2")[0]
    right = metric(targets, Predictions(Tags(targets.values, targets.tokens)))
    assert right["recall"] == pytest.approx(expressed / total if total else 0)
    raw = tagging_metrics(["B-X", "O"], "IOB2")[-1]
    assert raw(targets, Predictions(Tags(targets.values, targets.tokens, targets.entities)))["f1_raw"] == (total > 0)
    trained = task.training(split)
    assert isinstance(trained.inputs, Tokens)
    for i, entities in enumerate(targets.entities):
        spans = trained.inputs.spans(i)
        units = to_spans(trained.targets.values[i])  # type: ignore[attr-defined]
        assert {(spans[a][0], spans[b - 1][1]) for a, b, _ in units} <= {entity[:2] for entity in entities}
    assert np.array_equal(trained.inputs.lengths, trained.targets.lengths)
