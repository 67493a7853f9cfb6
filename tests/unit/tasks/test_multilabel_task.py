"""Multi-label data as it is read from every form, and what is said of bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, hamming_loss

import nlpipe
from nlpipe.classical.label_sets import choose_thresholds
from nlpipe.datasets import load_dataset
from nlpipe.datasets.stratification import stratify
from nlpipe.errors import DataError, NlpipeError, NlpipeWarning, WiringError
from nlpipe.heads import LogisticRegression, Majority, NaiveBayes, Perceptron
from nlpipe.metrics.label_set_metrics import label_set_metrics
from nlpipe.predictions import Predictions
from nlpipe.representations import BagOfWords
from nlpipe.runs.ledger import LOST
from nlpipe.tasks.multilabel import label_items
from nlpipe.tokenizers import Whitespace
from nlpipe.wire import LabelSets

WORDS = {"sport": ["goal", "team"], "money": ["bank", "cash"], "health": ["doctor", "virus"]}


def examples(count: int = 60) -> tuple[list[str], list[list[str]]]:
    random = np.random.default_rng(3)
    sets = [[label for label in WORDS if random.random() < 0.4] for _ in range(count)]
    return [" ".join([f"w{i}", *(WORDS[label][i % 2] for label in own)]) for i, own in enumerate(sets)], sets


def load(folder: Path, rows: list[Any], **card: Any) -> nlpipe.datasets.dataset.Dataset:  # type: ignore[name-defined]
    (folder / "d.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    return load_dataset({"task": "multilabel", "train": "d.jsonl", **card}, folder)


def test_the_three_forms_give_the_same_examples(tmp_path: Path) -> None:
    texts, sets = examples()
    listed = load(tmp_path, [{"text": text, "labels": own} for text, own in zip(texts, sets, strict=True)])
    lines = [f"{text},{'|'.join(own)}" for text, own in zip(texts, sets, strict=True)]
    (tmp_path / "joined.csv").write_text("\n".join(["text,tags", *lines]) + "\n", encoding="utf-8")
    card = {"task": "multilabel", "train": "joined.csv", "columns": {"labels": "tags"}, "separator": "|"}
    joined = load_dataset(card, tmp_path)
    lines = [f"{text},{','.join(str(int(k in own)) for k in WORDS)}" for text, own in zip(texts, sets, strict=True)]
    (tmp_path / "columns.csv").write_text("\n".join([f"text,{','.join(WORDS)}", *lines]) + "\n", encoding="utf-8")
    columns = load_dataset({"task": "multilabel", "train": "columns.csv", "columns": {"labels": list(WORDS)}}, tmp_path)
    assert listed.digest == joined.digest == columns.digest
    assert listed.labels == ("health", "money", "sport")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": "a", "labels": "x"}, "'x' is one text, and labels are a list"),
        ({"text": "a", "labels": {"x": "y"}}, "{'x': 'y'} is not a list of labels"),
        ({"text": "a", "labels": [["x"]]}, "item 1: ['x'] is not a label"),
        ({"text": "a", "labels": ["x", True]}, "item 2: True is not a label"),
        ({"text": "a", "labels": ["x", " "]}, "has an empty label"),
        ({"text": "a", "labels": [0, 1, 0]}, "looks like one 0 or 1 for each label"),
        ({"text": "a"}, "there is no 'labels'"),
    ],
)
def test_bad_labels_are_refused(tmp_path: Path, row: Any, message: str) -> None:
    with pytest.raises(DataError) as caught:
        load(tmp_path, [{"text": "b", "labels": ["x", "y"]}, row])
    assert "d.jsonl:2: " in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("cell", "labels"),
    [
        (r'["news\/sports"]', ["news/sports"]),
        (r'["\ud83d\ude00", "\u00e9"]', ["\N{GRINNING FACE}", "\N{LATIN SMALL LETTER E WITH ACUTE}"]),
        ('["1.0", 1.0, 1e0, 2]', ["1.0", "1.0", "1e0", "2"]),  # numbers as they are spelt
        ("['news', \"it's\"]", ["news", "it's"]),  # as Python writes it
    ],
)
def test_a_list_in_one_field_is_json_or_else_pythons(cell: str, labels: list[str]) -> None:
    assert label_items(cell, "", "d.csv:2") == labels


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ('["a", null]', "d.csv:2: item 2: null is not a label"),
        ("['a', None]", "d.csv:2: item 2: null is not a label"),
        ('["a", true]', "d.csv:2: item 2: True is not a label"),
        (r'["\ud83d"]', "d.csv:2: holds half of a surrogate pair"),
        (r"['a', '\ud83d']", r"d.csv:2: item 2: '\ud83d' holds half of a surrogate pair"),
        ("[NaN]", "d.csv:2: NaN is not a number in JSON"),
        pytest.param("[" * 100_000, "d.csv:2: nested too deep", id="deep"),
        ("[a, b]", "d.csv:2: '[a, b]' is one text"),
    ],
)
def test_a_list_in_one_field_that_holds_no_labels_is_refused(cell: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        label_items(cell, "", "d.csv:2")
    assert str(caught.value).startswith(message) and str(caught.value).encode()


def test_bad_columns_and_data_without_labels_are_refused(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("text,x,y\na,1,0\nb,2,1\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"c\.csv:3: column 'x': '2': expected 0 or 1"):
        load_dataset({"task": "multilabel", "train": "c.csv", "columns": {"labels": ["x", "y"]}}, tmp_path)
    with pytest.raises(DataError, match="there is no column 'z'"):
        load_dataset({"task": "multilabel", "train": "c.csv", "columns": {"labels": ["x", "z"]}}, tmp_path)
    with pytest.raises(NlpipeError, match="task: multilabel takes one column a label"):
        load_dataset({"task": "classification", "train": "c.csv", "columns": {"label": ["x", "y"]}}, tmp_path)
    with pytest.raises(DataError, match="none of the 3 training examples has a label"):
        load(tmp_path, [{"text": text, "labels": []} for text in "abc"])
    with pytest.raises(DataError, match=r"every training example \(3\) has the same labels \('x', 'y'\)"):
        load(tmp_path, [{"text": text, "labels": ["y", "x"]} for text in "abc"])


def test_labels_that_all_texts_have_or_none_has_are_told_of(tmp_path: Path) -> None:
    texts, sets = examples()
    columns = [*WORDS, "always", "never"]
    lines = [f"{text},{','.join(str(int(k in own)) for k in WORDS)},1,0" for text, own in zip(texts, sets, strict=True)]
    (tmp_path / "c.csv").write_text("\n".join([f"text,{','.join(columns)}", *lines]) + "\n", encoding="utf-8")
    data = load_dataset({"task": "multilabel", "train": "c.csv", "columns": {"labels": columns}}, tmp_path)
    assert data.labels == ("always", *sorted(WORDS))
    assert data.ledger["train"].examples["labels_of_all"] == ["'always'"]
    assert data.ledger["train"].examples["labels_without_examples"] == ["'never'"]
    rows = [{"text": f"x {text}", "labels": []} for text in texts[:5]]
    (tmp_path / "none.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    listed = [{"text": text, "labels": own} for text, own in zip(texts, sets, strict=True)]
    data = load(tmp_path, listed, test="none.jsonl")
    assert data.ledger["test"].counts["without_labels"] == 5
    assert data.ledger["test"].examples["without_labels"][0].endswith("none.jsonl:1")
    assert "without_labels" not in data.ledger["dev"].counts
    assert {"labels_of_all", "labels_without_examples", "without_labels"} <= LOST.keys()  # they become warnings of runs


def test_repeated_labels_count_once_and_a_separator_that_never_occurs_is_doubted(tmp_path: Path) -> None:
    rows: list[Any] = [{"text": f"t{i}", "labels": ["x", "x", "y"]} for i in range(20)]
    data = load(tmp_path, [*rows, {"text": "another", "labels": ["y"]}])
    assert data.train.targets.values[0] == ["x", "y"]
    assert data.ledger["train"].counts["labels_repeated"] == 20
    with pytest.warns(NlpipeWarning, match="';' never stands between two"):
        load(tmp_path, [{"text": f"t{i}", "labels": "xy"[i % 2]} for i in range(20)], separator=";")


def test_scores_equal_those_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    labels = ("a", "b", "c")
    has, given = random.random((50, 3)) < 0.4, random.random((50, 3)) < 0.4
    gold, answers = (LabelSets([[labels[c] for c in np.flatnonzero(row)] for row in rows]) for rows in (has, given))
    scores: dict[str, float] = {}
    for metric in label_set_metrics(labels):
        scores |= metric(gold, Predictions(answers))
    assert scores["f1_micro"] == pytest.approx(f1_score(has, given, average="micro"))
    assert scores["f1_macro"] == pytest.approx(f1_score(has, given, average="macro"))
    assert scores["f1[b]"] == pytest.approx(f1_score(has[:, 1], given[:, 1]))
    assert scores["subset_accuracy"] == pytest.approx(accuracy_score(has, given))
    assert scores["hamming_loss"] == pytest.approx(hamming_loss(has, given))


def test_thresholds_have_the_best_f1_and_rare_labels_share_one() -> None:
    random = np.random.default_rng(1)
    has = random.random((80, 3)) < (0.4, 0.3, 0.0)
    has[:2, 2] = True  # too few for a threshold of its own
    margins = random.normal(size=(80, 3)) + 1.5 * has
    chosen = choose_thresholds(margins, has)
    for code in (0, 1):
        best = max(f1_score(has[:, code], margins[:, code] >= threshold) for threshold in margins[:, code])
        assert f1_score(has[:, code], margins[:, code] >= chosen[code]) == pytest.approx(best)
    best = max(f1_score(has.reshape(-1), margins.reshape(-1) >= threshold) for threshold in margins.reshape(-1))
    assert f1_score(has.reshape(-1), margins.reshape(-1) >= chosen[2]) == pytest.approx(best)
    assert choose_thresholds(np.zeros((9, 1)), np.ones((9, 1), dtype=bool)).tolist() == [0.0]


def test_parts_keep_the_shares_of_labels() -> None:
    random = np.random.default_rng(2)
    shares = (0.5, 0.1, 0.02)
    sets = [[str(k) for k, share in enumerate(shares) if random.random() < share] for _ in range(1000)]
    parts = stratify(sets, [100, 100, 800], list(range(1000)))
    for part, size in enumerate((100, 100, 800)):
        inside = [own for own, where in zip(sets, parts, strict=True) if where == part]
        assert len(inside) == size
        for label in "012":
            expected = sum(label in own for own in sets) * size / 1000
            assert abs(sum(label in own for own in inside) - expected) <= 1.5


@pytest.mark.parametrize("head", [LogisticRegression, NaiveBayes, Perceptron], ids=lambda head: head.__name__)
def test_a_linear_head_learns_saves_and_loads(head: Any, tmp_path: Path) -> None:
    texts, sets = examples(80)
    sets = [[*own, "always"] for own in sets]
    pipeline = nlpipe.Pipeline([Whitespace(), BagOfWords(), head()], task="multilabel")
    pipeline.fit(texts[:60], sets[:60], dev=(texts[60:], sets[60:]))
    asked = ["goal cash", "doctor", "nothing"]
    answers = pipeline.predict(asked)
    assert answers.label_sets[:2] == [["always", "money", "sport"], ["always", "health"]]
    again = nlpipe.Pipeline.load(pipeline.save(tmp_path / "model")).predict(asked)
    assert again.label_sets == answers.label_sets
    if answers.probabilities is not None:
        assert answers.probabilities.shape == (3, 4)
        np.testing.assert_array_equal(again.probabilities, answers.probabilities)


def test_features_are_selected_by_the_label_that_depends_on_them_most() -> None:
    texts, sets = examples()
    kept = BagOfWords(select=6)
    nlpipe.Pipeline([Whitespace(), kept, NaiveBayes()], task="multilabel").fit(texts, sets)
    assert set(kept.counter.names()) == {word for words in WORDS.values() for word in words}


def test_the_baseline_and_what_python_refuses() -> None:
    texts, sets = examples()
    often = [["often"] if i % 3 else own for i, own in enumerate(sets)]
    baseline = nlpipe.Pipeline([Whitespace(), BagOfWords(), Majority()], task="multilabel").fit(texts, often)
    assert baseline.predict(["a"]).label_sets == [["often"]]
    with pytest.raises(DataError, match=r"labels\[0\]: 'x' \(str\) is not a list of labels"):
        baseline.fit(texts[:2], ["x", "y"])
    with pytest.raises(WiringError, match="asks for LabelSets; heads that give LabelSets: classifier, linear_svm"):
        nlpipe.Pipeline([Whitespace(), nlpipe.heads.Dictionary()], task="multilabel")
