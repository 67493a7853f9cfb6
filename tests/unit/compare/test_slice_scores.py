"""Slices: their scores are those of their items, whatever was answered, and groups count as one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import nlpipe
from nlpipe.compare.gather import reopen
from nlpipe.compare.results import Comparison
from nlpipe.compare.rows import Facts, Row
from nlpipe.compare.slice_scores import slice_scores
from nlpipe.datasets.dataset import Dataset
from nlpipe.errors import NlpipeError
from nlpipe.metrics.tag_metrics import entities
from nlpipe.predictions import Predictions
from nlpipe.tasks.task import Split
from nlpipe.wire import Tags, Tokens

pytestmark = pytest.mark.usefixtures("unmeasured")

PIPELINES = [
    {"name": "words", "representation": "bow", "head": "naive_bayes"},
    {"name": "no_words", "representation": "bow", "head": "majority"},
]


def compared(root: Path, how: dict[str, Any], card: dict[str, Any]) -> Comparison:
    words = ("fine", "warm", "dull", "poor")
    for number, (name, count) in enumerate((("train", 80), ("dev", 40), ("test", 60))):
        rows = [
            {
                "text": f"film {1000 * number + i} {words[(i + (i % 5 == 0)) % 4]} " + "and so on " * (i % 7),
                "label": "ab"[i % 4 > 1], "site": "xy"[i % 3 > 0], "document": f"{number}.{i // 3}",
            }
            for i in range(count)
        ]  # fmt: skip
        (root / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    files = {name: str(root / f"{name}.jsonl") for name in ("train", "dev", "test")}
    data = {"task": "classification", **files, "slices": ["site"], **card}
    return nlpipe.compare({"compare": "parts", "data": data, **how, "pipelines": PIPELINES}, out=root / "runs")


HOWS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "folds": ({"folds": 2, "repeats": 2}, {"primary": "accuracy"}),
    "dev": ({"choose": "dev"}, {"primary": "f1_macro"}),
    "test": ({}, {"primary": "accuracy", "group": "document"}),
}


@pytest.fixture(scope="module")
def comparisons(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Comparison]:
    return {name: compared(tmp_path_factory.mktemp(name), *how) for name, how in HOWS.items()}


@pytest.mark.parametrize("how", list(HOWS))
def test_the_score_of_a_slice_is_that_of_its_items(comparisons: dict[str, Comparison], how: str) -> None:
    found = comparisons[how]
    rows = {row.name: row for row in found.slices.rows}
    assert not found.slices.problem and {"site: x", "site: y", "label: a", "label: b"} <= set(rows)
    assert any(name.startswith("unknown words") for name in rows) is (how != "folds")  # of those there are several
    one = rows["label: b"]
    assert one.measure == ("recall" if how == "dev" else "")  # F1 of two labels says little where one alone is gold
    for title, cell in zip(found.slices.titles, one.cells, strict=True):
        (row,) = (row for row in found.rows if row.title == title)
        records = [record for result in row.results for record in result.records(dev=how == "dev")]
        of_b = [record["predicted"] == "b" for record in records if record["gold"] == "b"]
        assert cell.score == pytest.approx(np.mean(of_b))
        assert one.count == len(of_b) / (2 if how == "folds" else 1)
        assert cell.low is not None and cell.high is not None
    page = (found.folder / "report.html").read_text(encoding="utf-8")
    assert '<th scope="row">site: y</th>' in page and all(each in page for each in found.slices.sentences())
    stored = json.loads((found.folder / "slices.json").read_text(encoding="utf-8"))
    assert stored == found.slices.records() == reopen(found.folder).slices.records()


def test_items_of_a_group_count_as_one(comparisons: dict[str, Comparison]) -> None:
    found = comparisons["test"]
    dataset, _ = found._data
    assert dataset is not None
    alone = replace(dataset, test=replace(dataset.test, groups=None))
    by_items = slice_scores(found.rows, found.facts, alone, "words")
    one, other = (next(row for row in each.rows if row.name == "site: y") for each in (by_items, found.slices))
    assert one.count == other.count  # what is shown is items
    first, second = one.cells[by_items.reference], other.cells[found.slices.reference]
    assert first.score == second.score and (first.low, first.high) != (second.low, second.high)


def test_changed_data_and_a_failure_are_said_and_are_no_failure_of_the_comparison(
    comparisons: dict[str, Comparison], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = comparisons["folds"]
    dataset, _ = found._data
    assert dataset is not None
    other = replace(dataset, train=dataset.train.take(range(len(dataset.train) - 1)))
    with pytest.raises(NlpipeError, match="the data has changed since the runs"):
        slice_scores(found.rows, found.facts, other, "words")

    def fails(*given: object) -> None:
        raise ValueError("no")

    monkeypatch.setattr("nlpipe.compare.slice_scores.slice_scores", fails)
    again = reopen(found.folder)
    assert again.slices.problem == "ValueError: no" and again.slices.sentences() == again.slices.records() == []
    page = again.report(tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Scores in slices are not shown: ValueError: no" in page


def test_sentences_without_entities_are_no_slice_where_f1_decides() -> None:
    """F1 of entities is 0 there, whatever was answered, so that every pipeline would be called weak in them."""
    words = [["Ann", "ran"], ["it", "ran"]] * 15
    gold = Tags([["B-PER", "O"], ["O", "O"]] * 15)
    answers = Predictions(Tags([["B-PER", "O"], ["B-PER", "O"]] * 15))
    split = Split(Tokens(words, [" ".join(each) for each in words]), gold)
    task: Any = None
    dataset = Dataset("x", task, split, split, split, digest="d")
    metric = entities(("PER",))
    found = (metric, metric.statistics(gold, answers))
    result: Any = SimpleNamespace(environment={"data_digest": "d"}, primary_items=lambda: found)
    rows = [Row("tagger", None, (result,))]
    made = slice_scores(rows, Facts("t", "x", "f1", 30, digest="d"), dataset, "tagger")
    assert not made.problem and "entity: none" not in [row.name for row in made.rows]
