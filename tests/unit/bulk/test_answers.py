"""What ``nlpipe predict`` writes: several translations of each text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nlpipe.cli.app import app
from nlpipe.decoders import GRU
from nlpipe.encoders import Mean, Transformer
from nlpipe.errors import NlpipeError
from nlpipe.heads import Classifier, LogisticRegression, Seq2Seq
from nlpipe.pipeline import Pipeline
from nlpipe.representations import Embedding, TfIdf
from nlpipe.tokenizers import Regex
from tests.commands import nlpipe

pytestmark = pytest.mark.filterwarnings("ignore:.* answers were cut")  # a model of one epoch finds no end

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
    with pytest.raises(
        NlpipeError, match="n_best: invalid value 4: expected an integer from 1 to the beam, 3; raise the option beam"
    ):
        translator.n_best(TEXTS, 4)
    (tmp_path / "in.txt").write_text("two dogs\n")
    saved = translator.save(tmp_path / "model")
    done = command(saved, "--n-best", 4, "--file", tmp_path / "in.txt", "--jobs", 2, "--output", tmp_path / "out.jsonl")
    assert str(done.exception).startswith("n_best: invalid value 4")  # no line of the file is at fault
    classifier = Pipeline([Regex(), TfIdf(), LogisticRegression()]).fit(["a b", "c d"] * 5, ["x", "y"] * 5)
    with pytest.raises(NlpipeError, match="logistic_regression gives one answer to each text"):
        classifier.n_best(["a"], 1)


def test_options_of_the_search_are_changed_on_a_trained_model(translator: Pipeline, tmp_path: Path) -> None:
    saved = translator.save(tmp_path / "model")
    done = command(saved, "--set", "beam=5", "--set", "head.max_length=1", "--n-best", 5, "two dogs", "a cat")
    records = [json.loads(line)["n_best"] for line in done.stdout.splitlines()]
    assert [len(found) for found in records] == [5, 5]
    assert all(len(each["text"].split()) <= 1 for found in records for each in found)
    assert Pipeline.load(saved).head.options["beam"] == 3


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("beam", "--set beam: expected an option and its value, such as beam=10"),
        ("beam=0", "--set beam=0: beam: "),
        ("baem=2", "did you mean 'beam'"),
        ("dim=16", "dim: not an option of Seq2Seq that can be changed after fitting; known: beam, "),
        ("beam=[", "--set beam=[: "),
    ],
)
def test_what_cannot_be_changed(translator: Pipeline, tmp_path: Path, typed: str, said: str) -> None:
    done = command(translator.save(tmp_path / "model"), "--set", typed, "two dogs")
    assert isinstance(done.exception, NlpipeError) and said in str(done.exception)


def test_a_warning_is_a_line_without_where_it_was_raised(tmp_path: Path) -> None:
    stages = [Regex(), Embedding(dim=8), Transformer(heads=2, positions="learned", max_length=6), Mean(), Classifier()]
    trainer = {"epochs": 1, "patience": None}
    texts = ["two dogs", "a cat", "two cats", "a dog"] * 5
    saved = Pipeline(stages, trainer=trainer).fit(texts, ["x", "y"] * 10).save(tmp_path / "model")
    done = nlpipe("predict", saved, "a dog", "dog " * 9, "dog " * 8)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 3
    said = "a text of 9 tokens is longer than the 6 learned positions; the tokens behind them share the last position"
    assert done.stderr.decode() == f"warning: {said}\n"
