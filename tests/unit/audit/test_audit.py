"""What is planted in a data set is found, with its file and line; what is not there is not."""

from __future__ import annotations

import json
import random
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlpipe.audit import audit, leaked
from nlpipe.audit.audit import Audit
from nlpipe.datasets.dataset import Dataset
from nlpipe.datasets.load import load_dataset
from nlpipe.errors import NlpipeError

SENTENCE = "the quick brown fox jumps over the lazy dog on a sunny afternoon in may"


def write_rows(path: Path, rows: list[tuple[str, str]]) -> str:
    path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))
    return str(path)


def classification(tmp_path: Path, **splits: list[tuple[str, str]]) -> Dataset:
    files = {name: write_rows(tmp_path / f"{name}.jsonl", rows) for name, rows in splits.items()}
    return load_dataset({"task": "classification", **files})


def planted(tmp_path: Path) -> Dataset:
    """One of each kind in test, a conflict, and the rest of the texts without a word in common."""
    draw = random.Random(7)
    unlike = ["".join(draw.choice("abcdefghijklmnop") for _ in range(40)) for _ in range(30)]
    train = [(SENTENCE, "a"), ("Caf\u00e9 au lait, s'il vous pla\u00eet", "b"), *((text, "a") for text in unlike[:10])]
    dev = [(text, "b") for text in unlike[10:15]]
    test = [
        (unlike[20], "a"),
        (SENTENCE, "b"),
        (unicodedata.normalize("NFD", "caf\u00e9 AU lait,  s'il vous pla\u00eet"), "b"),
        (SENTENCE.replace("sunny", "sunnny"), "a"),
        ("the quick brown fox is not the same text at all, as one sees", "a"),
    ]
    return classification(tmp_path, train=train, dev=dev, test=test)


def test_leaked_names_the_kind_and_the_partner(tmp_path: Path) -> None:
    dataset = planted(tmp_path)
    found = leaked(dataset)
    assert found.mask.tolist() == [False, True, True, True, False]
    assert found.reasons == ("", "exact", "normalised", "near", "")
    assert found.partners.tolist() == [-1, 0, 1, 0, -1]
    assert found.similarities[[1, 2]].tolist() == [1, 1]
    assert 0.8 <= found.similarities[3] < 1
    assert not leaked(dataset, threshold=1.0).mask[3]


def test_audit_names_file_and_line_of_both(tmp_path: Path) -> None:
    found = audit(planted(tmp_path))
    across = [(pair.item.place, pair.of.place, pair.kind) for pair in found.duplicates if pair.of.split == "train"]
    test, train = tmp_path / "test.jsonl", tmp_path / "train.jsonl"
    assert across == [
        (f"{test}:2", f"{train}:1", "exact"),
        (f"{test}:3", f"{train}:2", "normalised"),
        (f"{test}:4", f"{train}:1", "near"),
    ]
    within = [pair for pair in found.duplicates if pair.of.split == "test"]
    assert [(pair.item.index, pair.of.index, pair.kind, pair.same_target) for pair in within] == [(3, 1, "near", False)]
    assert found.counts()["test in train"] == {"exact": 1, "normalised": 1, "near": 1}
    assert found.counts()["dev in train"] == {"exact": 0, "normalised": 0, "near": 0}
    json.dumps(found.record())


def test_conflicts_are_equal_inputs_with_other_labels(tmp_path: Path) -> None:
    (conflict,) = audit(planted(tmp_path)).conflicts
    assert conflict.targets == ("a", "b")
    assert [item.place.rpartition("/")[2] for item in conflict.items] == ["train.jsonl:1", "test.jsonl:2"]


def test_lines_are_those_of_the_file_where_splits_are_made(tmp_path: Path) -> None:
    rows = [(f"text number {i} about {'cats' if i % 2 else 'dogs'} {i * i}", str(i % 2)) for i in range(60)]
    dataset = classification(tmp_path, train=rows)
    lines = (tmp_path / "train.jsonl").read_text().splitlines()
    for split in (dataset.train, dataset.dev, dataset.test):
        assert split.origins is not None
        for i in range(len(split)):
            line = int(split.origins.place(i).rpartition(":")[2])
            assert json.loads(lines[line - 1])["text"] == split.inputs.strings[i]


def noisy(tmp_path: Path) -> tuple[Dataset, set[int]]:
    """Two topics with words of their own; three lines of training have the label of the other."""
    draw = random.Random(3)
    words = {"sport": ["goal", "match", "team", "league", "coach"], "food": ["soup", "bread", "oven", "salt", "spoon"]}
    rows = []
    for i in range(120):
        topic = ("sport", "food")[i % 2]
        rows.append((" ".join([f"w{i}", *draw.choices(words[topic], k=8)]), topic))
    wrong = {4, 31, 77}
    train = [
        (text, {"sport": "food", "food": "sport"}[label] if i in wrong else label)
        for i, (text, label) in enumerate(rows[:90])
    ]
    return classification(tmp_path, train=train, dev=rows[90:105], test=rows[105:]), wrong


def test_planted_label_errors_come_first(tmp_path: Path) -> None:
    dataset, wrong = noisy(tmp_path)
    found = audit(dataset).label_errors
    assert found is not None
    first = found.suspects[: len(wrong)]
    assert {(suspect.item.split, suspect.item.index) for suspect in first} == {("train", i) for i in wrong}
    assert all(suspect.of_suggested > suspect.probability for suspect in first)
    assert found.accuracy == pytest.approx(1 - 3 / 120)


def test_imbalance_and_classes(tmp_path: Path) -> None:
    rows = [(f"unlike {i * 7919} text {i}", "rare" if i == 0 else "usual") for i in range(25)]
    found = audit(classification(tmp_path, train=rows, dev=rows[:1], test=rows[1:3]))
    assert found.classes["train"] == {"usual": 24, "rare": 1}
    assert found.classes["test"] == {"usual": 2}
    assert found.imbalance() == 24


def test_lengths_beyond_the_fences(tmp_path: Path) -> None:
    rows = [("x" * (20 + i), "ab"[i % 2]) for i in range(40)]
    test = [("y" * 25, "a"), ("z" * 5000, "b"), ("", "a")]
    found = audit(classification(tmp_path, train=rows, dev=rows[:2], test=test)).outliers
    assert [(outlier.item.split, outlier.item.index) for outlier in found] == [("test", 1), ("test", 2)]
    first, third = np.quantile(np.log1p(np.arange(20, 60)), [0.25, 0.75])
    assert found[0].high == pytest.approx(np.expm1(third + 3 * (third - first)))
    assert found[0].value == pytest.approx(5000)


def test_pairs_of_texts_are_compared_by_their_sources(tmp_path: Path) -> None:
    pairs = [(f"source sentence number {i} is {i * 7919}", f"Satz {i}") for i in range(30)]
    test = [(pairs[3][0], "anders"), ("nothing like the others", "nichts"), ("one more of them", "eins " * 40)]
    for name, rows in (("train", pairs), ("dev", pairs[:1]), ("test", test)):
        (tmp_path / f"{name}.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in rows))
    card: dict[str, Any] = {"task": "translation", "columns": {"source": 0, "target": 1}, "header": False}
    dataset = load_dataset({**card, **{name: str(tmp_path / f"{name}.tsv") for name in ("train", "dev", "test")}})
    assert leaked(dataset).reasons == ("exact", "", "")
    found = audit(dataset)
    assert [conflict.targets for conflict in found.conflicts] == [("Satz 3", "anders")]
    assert found.classes == {} and found.imbalance() is None and found.label_errors is None
    ratios = [outlier for outlier in found.outliers if outlier.measure == "target / source"]
    assert (ratios[0].item.split, ratios[0].item.index) == ("test", 2)
    assert ratios[0].value == pytest.approx((200 + 1) / (len(test[2][0]) + 1))


def test_sentences_are_compared_by_their_words(tmp_path: Path) -> None:
    def sentence(words: str, tag: str = "O") -> str:
        return "".join(f"{word} {tag}\n" for word in words.split()) + "\n"

    (tmp_path / "train").write_text(sentence(SENTENCE, "B-PER") + sentence("Other words stand here"))
    (tmp_path / "test").write_text(sentence("Nothing of the kind") + sentence(SENTENCE.upper()))
    (tmp_path / "dev").write_text(sentence("A dev sentence"))
    files = {name: str(tmp_path / name) for name in ("train", "dev", "test")}
    dataset = load_dataset({"task": "tagging", "format": "conll", **files})
    assert leaked(dataset).reasons == ("", "normalised")
    found = audit(dataset)
    assert found.duplicates[0].of.place == f"{tmp_path / 'train'}:1"
    assert found.classes["train"] == {"PER": len(SENTENCE.split())}
    assert len(found.conflicts) == 1


def both(rows: list[tuple[str, str]], tmp_path: Path, test: list[tuple[str, str]] | None = None) -> tuple[Audit, Any]:
    test = test or rows
    dataset = classification(tmp_path, train=rows, dev=rows[:1], test=test)
    return audit(dataset), leaked(dataset)


def test_texts_of_one_character_and_empty_ones(tmp_path: Path) -> None:
    found, leaks = both([("", "a"), ("x", "b"), ("y", "a")], tmp_path, [("z", "a"), ("", "b"), ("X", "b")])
    assert leaks.reasons == ("", "exact", "normalised")
    assert len(found.conflicts) == 1


def test_one_test_example(tmp_path: Path) -> None:
    _, leaks = both([("one text", "a"), ("two texts", "b")], tmp_path, [("three", "a")])
    assert leaks.mask.tolist() == [False]


def test_nothing_but_empty_texts(tmp_path: Path) -> None:
    found, leaks = both([("", "a"), (" ", "b"), ("\u200b", "a")], tmp_path)
    assert leaks.mask.all()
    assert found.label_errors is None


def test_all_texts_equal(tmp_path: Path) -> None:
    found, _ = both([("the same", "ab"[i % 2]) for i in range(30)], tmp_path)
    assert found.counts()["within train"] == {"exact": 29, "normalised": 0, "near": 0}
    assert [conflict.counts for conflict in found.conflicts] == [(31, 30)]


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.01, float("nan")])
def test_a_threshold_that_is_no_similarity(threshold: float, tmp_path: Path) -> None:
    with pytest.raises(NlpipeError, match=r"threshold: invalid value .* above 0, and at most 1"):
        leaked(planted(tmp_path), threshold)
