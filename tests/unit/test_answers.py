"""What ``nlpipe predict`` writes: several translations of each text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nlpipe.cli import app
from nlpipe.decoders import GRU
from nlpipe.errors import NlpipeError
from nlpipe.heads import LogisticRegression, Seq2Seq
from nlpipe.pipeline import Pipeline
from nlpipe.representations import Embedding, TfIdf
from nlpipe.tokenizers import Regex

TEXTS = ["two dogs", "", "a cat", "dogs \u2028 a two"]


@pytest.fixture(scope="module")
def translator() -> Pipeline:
    stages = [Regex(), Embedding(dim=8), Seq2Seq(GRU(hidden=8), dim=8, beam=3)]
    trainer = {"epochs": 1, "precision": "fp32", "patience": None}
    texts = ["two dogs", "a cat", "two cats", "a dog"] * 5
    return Pipeline(stages, task="translation", trainer=trainer).fit(texts, [text.upper() for text in texts])


def test_the_first_of_the_n_best_is_the_answer(translator: Pipeline) -> None:
    found = translator.n_best(TEXTS, 3)
    assert [best[0].text for best in found] == translator.predict(TEXTS).values.strings
    assert [len(best) for best in found] == [3, 1, 3, 3]  # of nothing there is nothing else to say
    for best in found:
        assert [each.score for each in best] == sorted((each.score for each in best), reverse=True)


def command(*arguments: Any, given: str | None = None) -> Any:
    return CliRunner().invoke(app, ["predict", *map(str, arguments)], input=given)


def test_the_command_writes_a_line_for_each_text(translator: Pipeline, tmp_path: Path) -> None:
    saved = translator.save(tmp_path / "model")
    done = command(saved, "--n-best", 2, given="\n".join(TEXTS))
    records = [json.loads(line) for line in done.stdout.removesuffix("\n").split("\n")]
    assert [record["text"] for record in records] == TEXTS
    assert list(records[0]["n_best"][1]) == ["text", "log_probability", "score"]


def test_more_than_there_are_is_refused(translator: Pipeline, tmp_path: Path) -> None:
    with pytest.raises(NlpipeError, match=r"n_best: 4 will not do: from 1 to the beam, which is 3; head\.beam"):
        translator.n_best(TEXTS, 4)
    classifier = Pipeline([Regex(), TfIdf(), LogisticRegression()]).fit(["a b", "c d"] * 5, ["x", "y"] * 5)
    with pytest.raises(NlpipeError, match="logistic_regression gives one answer to each text"):
        classifier.n_best(["a"], 1)
