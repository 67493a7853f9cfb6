"""What a comparison says of its data: sentences with counts, made from the audit, and within bounds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import nlpipe
from nlpipe.audit import findings as module
from nlpipe.audit.findings import findings
from nlpipe.compare import audited as comparing
from nlpipe.datasets.load import load_dataset

pytestmark = pytest.mark.usefixtures("unmeasured")


def data(folder: Path, train: list[tuple[str, str]], test: list[tuple[str, str]]) -> dict[str, Any]:
    for name, rows in (("train", train), ("dev", test), ("test", test)):
        lines = [json.dumps({"text": text, "label": label}) + "\n" for text, label in rows]
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    return {"task": "classification", **{n: str(folder / f"{n}.jsonl") for n in ("train", "dev", "test")}}


FILLER = [(f"a sentence about thing number {i} and nothing else at all", "a") for i in range(30)]


def test_each_fault_has_a_sentence_with_its_count(tmp_path: Path) -> None:
    train = [*FILLER, ("the same text in both", "a"), ("a text with two labels", "a"), ("a text with two labels", "b")]
    train += [("word " * 400, "a")]
    card = data(tmp_path, train, [("the same text in both", "a"), ("quite another one here", "b")])
    found = {each.sentence: each.examples for each in findings(load_dataset(card))}
    two = next(sentence for sentence in found if "in two splits" in sentence)
    assert "1 of test in train" in two and "the same text in both" in found[two][0]
    conflicts = next(sentence for sentence in found if sentence.startswith("Equal inputs with different labels: 1."))
    assert "a | b" in found[conflicts][0]
    assert any(sentence == "In training 'a' is 33 times as frequent as 'b'." for sentence in found)
    unusual = next(sentence for sentence in found if sentence.startswith("Examples of unusual length:"))
    assert any("word word word" in example and "characters" in example for example in found[unusual])
    assert not any("Labels to look at" in sentence for sentence in found)  # too few to judge any


def test_labels_are_judged_where_there_are_enough(tmp_path: Path) -> None:
    rows = [
        (f"{word} film {i}", label) for i in range(80) for word, label in (("good", "p"), ("bad", "n"), ("fine", "p"))
    ]
    card = data(tmp_path, [*rows, ("good film of last year", "n")], [("good film", "p"), ("bad film", "n")])
    found = next(each for each in findings(load_dataset(card)) if each.sentence.startswith("Labels to look at"))
    assert any("good film of last year" in example and "'n'" in example for example in found.examples)


def test_large_data_is_not_looked_through_and_a_failure_is_no_failure_of_the_comparison(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = load_dataset(data(tmp_path, [*FILLER, ("b", "b")], [("c", "a"), ("d", "b")]))
    monkeypatch.setattr(module, "MOST_EXAMPLES", 10)
    (found,) = findings(dataset)
    assert found.sentence.startswith("The data has 35 examples and was not looked through: nlpipe data audit")

    def fails(*_: object) -> None:
        raise ValueError("no")

    monkeypatch.setattr(comparing, "findings", fails)
    assert comparing.audited(dataset) == [
        {"sentence": "The data was not looked through: ValueError: no", "examples": []}
    ]


def test_a_comparison_says_and_shows_it(tmp_path: Path) -> None:
    card = data(tmp_path, [*FILLER, ("</li> both", "a"), ("b", "b")], [("</li> both", "a"), ("d e f", "b")])
    pipelines = [
        {"name": name, "representation": "bow", "head": head}
        for name, head in (("nb", "naive_bayes"), ("m", "majority"))
    ]
    found = nlpipe.compare({"compare": "x", "data": card, "pipelines": pipelines}, out=tmp_path / "runs")
    assert any("in two splits" in each["sentence"] for each in found.audit)
    page = (found.folder / "report.html").read_text(encoding="utf-8")
    assert 'id="h-audit"' in page and "&lt;/li&gt; both" in page
