"""Which test examples are in which slice, worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlpipe.audit import slices
from nlpipe.datasets.load import load_dataset
from nlpipe.errors import DataError, NlpipeError


def load(tmp_path: Path, rows: dict[str, list[dict[str, Any]]], **card: Any) -> Any:
    for name, records in rows.items():
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return load_dataset({"task": "classification", **{name: str(tmp_path / f"{name}.jsonl") for name in rows}, **card})


def members(found: dict[str, np.ndarray], name: str) -> list[int]:
    return np.flatnonzero(found[name]).tolist()


TRAIN = [
    {"text": "the film is good and very long", "label": "pos", "year": 1999, "site": "a"},
    {"text": "the film is bad", "label": "neg", "year": 2001, "site": "a"},
]
TEST = [
    {"text": "the film is good and very long", "label": "pos", "year": 1999, "site": None},
    {"text": "The FILM", "label": "neg", "year": 2001, "site": "b"},
    {"text": "strange thing is good", "label": "neg", "year": 1999, "site": "b"},
    {"text": "", "label": "pos", "year": 1999, "site": "b"},
]


def test_texts(tmp_path: Path) -> None:
    found = slices(load(tmp_path, {"train": TRAIN, "dev": TRAIN, "test": TEST}, slices=["year", "site"]))
    assert {name: members(found, name) for name in found} == {
        "length: 0 to 0 characters": [3],
        "length: 8 to 8 characters": [1],
        "length: 21 to 21 characters": [2],
        "length: 30 to 30 characters": [0],
        "unknown words: none": [0, 1, 3],
        "unknown words: more than 25%": [2],
        "label: pos": [0, 3],
        "label: neg": [1, 2],
        "input: seen in training": [0],
        "input: not seen in training": [1, 2, 3],
        "year: 1999": [0, 2, 3],
        "year: 2001": [1],
        "site: ": [0],
        "site: b": [1, 2, 3],
    }
    assert all(mask.shape == (4,) and mask.dtype == bool for mask in found.values())


def test_shares_of_unknown_words(tmp_path: Path) -> None:
    known = " ".join(f"k{i}" for i in range(20))
    train = [{"text": known, "label": "a"}, {"text": "k0", "label": "b"}]
    words = known.split()
    test = [{"text": " ".join(["new"] * n + words[n:]), "label": "a"} for n in (0, 1, 2, 3, 5, 6)]
    found = slices(load(tmp_path, {"train": train, "dev": train, "test": test}))
    shares = {name: members(found, name) for name in found if name.startswith("unknown")}
    assert shares == {
        "unknown words: none": [0],
        "unknown words: up to 10%": [1, 2],
        "unknown words: up to 25%": [3, 4],
        "unknown words: more than 25%": [5],
    }


def test_entities(tmp_path: Path) -> None:
    def sentences(*given: str) -> str:
        return "".join("".join(f"{pair.replace('/', ' ')}\n" for pair in one.split()) + "\n" for one in given)

    (tmp_path / "train").write_text(sentences("Ada/B-PER Byron/I-PER met/O Rome/B-LOC", "no/O one/O"))
    (tmp_path / "test").write_text(
        sentences("ada/B-PER byron/I-PER left/O", "Rome/B-LOC and/O Oslo/B-LOC", "nothing/O", "Rome/B-PER")
    )
    files = {"train": str(tmp_path / "train"), "dev": str(tmp_path / "train"), "test": str(tmp_path / "test")}
    found = slices(load_dataset({"task": "tagging", "format": "conll", **files}))
    assert members(found, "entity: PER") == [0, 3]
    assert members(found, "entity: LOC") == [1]
    assert members(found, "entity: none") == [2]
    assert members(found, "entities: all seen in training") == [0, 3]
    assert members(found, "entities: some not seen in training") == [1]
    assert members(found, "length: 1 to 1 words") == [2, 3]


def test_translation_has_no_classes(tmp_path: Path) -> None:
    for name in ("train", "dev", "test"):
        (tmp_path / f"{name}.tsv").write_text("a source\ta target\nanother one\tand its own\n")
    card = {"task": "translation", "columns": {"source": 0, "target": 1}, "header": False}
    dataset = load_dataset({**card, **{name: str(tmp_path / f"{name}.tsv") for name in ("train", "dev", "test")}})
    assert {name.partition(":")[0] for name in slices(dataset)} == {"length"}


def test_one_example_has_no_slices(tmp_path: Path) -> None:
    assert slices(load(tmp_path, {"train": TRAIN, "dev": TRAIN, "test": TEST[:1]})) == {}


def test_columns_stay_with_examples_where_splits_are_made(tmp_path: Path) -> None:
    rows = [{"text": f"text {i}", "label": "ab"[i % 2], "site": f"s{i % 7}"} for i in range(70)]
    dataset = load(tmp_path, {"train": rows}, slices=["site"])
    for split in (dataset.train, dataset.dev, dataset.test):
        expected = [f"s{int(text.split()[1]) % 7}" for text in split.inputs.strings]
        assert list(split.columns["site"]) == expected


def test_the_column_of_a_sentence_in_conll(tmp_path: Path) -> None:
    (tmp_path / "train").write_text("A news B-PER\nb news O\n\nC web O\nD web B-PER\n\n")
    files = dict.fromkeys(("train", "dev", "test"), str(tmp_path / "train"))
    card = {"task": "tagging", "format": "conll", "slices": ["1"], **files}
    assert list(load_dataset(card).test.columns["1"]) == ["news", "web"]
    (tmp_path / "train").write_text("A news B-PER\nb web O\n\n")
    with pytest.raises(DataError, match=r"train:1: column 1: news, web: an example has one value of it"):
        load_dataset(card)


def test_faults(tmp_path: Path) -> None:
    many = [{"text": f"text {i}", "label": "ab"[i % 2], "site": i} for i in range(60)]
    with pytest.raises(DataError, match=r"slices: column 'site' has 60 different values, and 50"):
        load(tmp_path, {"train": many}, slices=["site"])
    with pytest.raises(DataError, match=r"there is no 'sight'; did you mean 'site'\? There are: text, label, site$"):
        load(tmp_path, {"train": many}, slices=["sight"])
    with pytest.raises(NlpipeError, match="threshold"):
        slices(load(tmp_path, {"train": TRAIN, "dev": TRAIN, "test": TEST}), threshold=2)
