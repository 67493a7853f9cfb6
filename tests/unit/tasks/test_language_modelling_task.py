"""Rows to documents and blocks, scores against a count by hand, and records there and back."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlpipe.datasets.load import load_dataset
from nlpipe.errors import DataError, NlpipeError
from nlpipe.predictions import Predictions
from nlpipe.tasks import task_named
from nlpipe.tasks.language_modelling import blocks_of
from nlpipe.wire import Text

TEXT = "one two\nthree\n\nfour\n"


def data(folder: Path, train: str | bytes = TEXT, **keys: Any) -> dict[str, Any]:
    for name in ("train", "dev", "test"):
        content = train if isinstance(train, bytes) else train.encode()
        (folder / f"{name}.txt").write_bytes(content)
    files = {name: str(folder / f"{name}.txt") for name in ("train", "dev", "test")}
    return {"task": "language_modelling", **files, **keys}


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        (None, ["one two\nthree\n\nfour"]),
        ("file", ["one two\nthree\n\nfour"]),
        ("paragraph", ["one two\nthree", "four"]),
        ("line", ["one two", "three", "four"]),
    ],
)
def test_lines_are_documents_as_the_card_says(tmp_path: Path, documents: str | None, expected: list[str]) -> None:
    found = load_dataset(data(tmp_path, **({} if documents is None else {"documents": documents})))
    assert found.train.inputs.strings == expected and found.train.targets is found.train.inputs
    assert found.train.continuous is (documents in (None, "file"))


def test_records_of_json_and_many_packed_files_are_documents(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"body": "one\ntwo"}) + "\n" + json.dumps({"body": " "}) + "\n")
    with gzip.open(tmp_path / "b.jsonl.gz", "wt") as file:
        file.write(json.dumps({"body": "three"}) + "\n")
    files = [str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl.gz")]
    card = {"task": "language_modelling", "columns": {"text": "body"}, "train": files, "dev": files, "test": files}
    assert load_dataset(card).train.inputs.strings == ["one\ntwo", "three"]


@given(st.lists(st.integers(1, 30), max_size=60), st.integers(1, 9))
def test_blocks_are_the_text_and_none_is_short(lengths: list[int], size: int) -> None:
    lines = ["w " * length for length in lengths]
    blocks = list(blocks_of(lines, size))
    assert "".join(blocks) == "\n".join(lines)
    assert list(blocks_of(lines, size, chunk=20)) == blocks
    counts = [len(block.split()) for block in blocks]
    assert len(counts) == 1 or min(counts) >= size


def test_a_gigantic_word_is_cut_too() -> None:
    blocks = list(blocks_of(["x" * 100_000], 100))
    assert "".join(blocks) == "x" * 100_000 and len(blocks) > 10


def test_few_documents_are_cut_into_blocks_and_it_is_said(tmp_path: Path) -> None:
    found = load_dataset(data(tmp_path, "word " * 20_000))
    assert [len(text.split()) for text in found.test.inputs.strings] == [4096, 4096, 4096, 7712]
    assert found.ledger["test"].counts["cut_into_blocks"] == 1


def test_scores_are_those_counted_by_hand() -> None:
    task = task_named("language_modelling")
    gold = Text(["a bé", "c"])
    metric = task.metrics(())[0]
    found = metric(gold, Predictions(gold, np.array([-6.0, -4.0])))
    words, characters, octets = 3 + 2, 5 + 2, 6 + 2  # with the end of each text
    assert found == pytest.approx(
        {
            "log_perplexity_per_word": 10 / words, "perplexity_per_word": math.exp(10 / words),
            "bits_per_character": 10 / characters / math.log(2), "bits_per_byte": 10 / octets / math.log(2),
        }
    )  # fmt: skip


@pytest.mark.parametrize("name", ["language_modelling", "masked_language_modelling"])
def test_records_there_and_back(name: str) -> None:
    task, gold = task_named(name), Text(["a b", "c\nd"])
    units = np.array([1.0, 2.0]) if name.startswith("masked") else None
    answers = Predictions(gold, np.array([-1.25, -3.5]), units=units)
    records = [json.loads(json.dumps(task.record(gold, answers, i))) for i in range(2)]
    again, predictions = task.restore(records)
    assert again.strings == gold.strings
    assert task.metrics(())[0](again, predictions) == task.metrics(())[0](gold, answers)
    assert task.line(records[1]) == "-3.5000\tc d"
    with pytest.raises(DataError, match="record 1"):
        task.restore([{"gold": "a"}])


@pytest.mark.parametrize(
    ("content", "keys", "message"),
    [
        (b"", {}, r"train.txt: the file is empty"),
        (b" \n\n", {}, r"train.txt: the file is empty"),
        (b"\x00\x01\x02", {}, r"train.txt:1: a null character; is this a file of text\?"),
        (b"\xff\xfe\xfa", {}, r"train.txt:1: byte 1 of the line \(0xff\) is not utf-8"),
        (b"a b\n", {"documents": "page"}, r"documents"),
        (b"a b\n", {"primary": "bleu"}, r"language_modelling has no score 'bleu'"),
    ],
)
def test_what_is_no_corpus_is_refused(tmp_path: Path, content: bytes, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(NlpipeError, match=message):
        load_dataset(data(tmp_path, content, **keys))


def test_only_language_models_have_documents(tmp_path: Path) -> None:
    with pytest.raises(NlpipeError, match="classification has no documents; only language_modelling has"):
        load_dataset({"task": "classification", "train": "a.csv", "documents": "line"})
