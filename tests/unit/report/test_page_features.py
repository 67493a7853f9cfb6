"""The features that a page shows are those that move the margins, by the pipeline's own answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import nlpipe
from nlpipe.report.page_features import features_of

TEXTS = ["good film", "good plot", "bad film", "bad plot", "odd film", "odd plot"] * 6


@pytest.mark.parametrize("head", ["logistic_regression", "linear_svm", "naive_bayes", "nbsvm"])
@pytest.mark.parametrize("count", [2, 3])
def test_the_word_of_a_label_comes_first(head: str, count: int) -> None:
    labels = {"good": "pos", "bad": "neg", "odd": "pos" if count == 2 else "other"}
    spec: dict[str, Any] = {"representation": "bow", "head": head}
    pipeline = nlpipe.load(spec).fit(TEXTS, [labels[text.split()[0]] for text in TEXTS])
    found = features_of(pipeline)
    assert set(found) == set(labels.values())
    for label, words in found.items():
        first = words[0][0]
        assert labels[first] == label and pipeline.predict([first]).labels == [label]
        assert [weight for _, weight in words] == sorted((weight for _, weight in words), reverse=True)


def test_pipelines_without_words_show_none() -> None:
    hashed = nlpipe.load({"representation": "hashing", "head": "logistic_regression"})
    assert features_of(hashed.fit(TEXTS, ["a" if "good" in text else "b" for text in TEXTS])) == {}


def test_a_page_names_the_words_and_says_why_hashing_has_none(tmp_path: Path) -> None:
    rows = [{"text": text + f" {i}", "label": "p" if "good" in text else "n"} for i, text in enumerate(TEXTS)]
    for name, part in (("train", rows[:20]), ("dev", rows[20:26]), ("test", rows[26:])):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part), encoding="utf-8")
    data = {"task": "classification", **{name: str(tmp_path / f"{name}.jsonl") for name in ("train", "dev", "test")}}
    pipelines = [{"name": name, "representation": name, "head": "logistic_regression"} for name in ("tfidf", "hashing")]
    found = nlpipe.compare({"compare": "x", "data": data, "pipelines": pipelines}, out=tmp_path / "runs")
    page = (found.folder / "report.html").read_text(encoding="utf-8")
    assert "Words of tfidf" in page and "<span>good <small>" in page and "Words of hashing" not in page
    assert "hashing: hashing keeps no words, so that its columns have no names." in page
