"""``nlpipe data audit``: what it prints, its JSON, and its faults."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nlpipe.cli.app import app
from nlpipe.errors import NlpipeError

CARD = "task: classification\ntrain: train.csv\ndev: dev.csv\ntest: test.csv\n"


@pytest.fixture
def card(tmp_path: Path) -> Path:
    def write(name: str, rows: list[str]) -> None:
        (tmp_path / f"{name}.csv").write_text("text,label\n" + "".join(f"{row}\n" for row in rows))

    write("train", ["a first sentence of some length,good", "another one [bold] of its own,bad"])
    write("dev", ["nothing of the kind stands here,good"])
    write("test", ["A first  sentence of some length,bad", "only this line is new,good"])
    path = tmp_path / "card.yaml"
    path.write_text(CARD)
    return path


def output(*words: str) -> str:
    done = CliRunner().invoke(app, ["data", "audit", *words], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_the_report_names_what_was_found(card: Path) -> None:
    said = output(str(card), "--no-label-errors")
    assert "classification, train 2, dev 1, test 2" in said
    assert re.search(r"test in train\W+0\W+1\W+0", said)
    assert "1 of 2 test examples (50.0%) stand in training too" in said
    assert "test.csv:2 is like train" in said.replace(f"{card.parent}/", "")
    assert "pairs with different labels: 1 of 1" in said
    assert "equal inputs with different labels: 1" in said
    assert "likely label errors: not looked for" in said


def test_the_data_of_a_pipeline_or_a_comparison(card: Path) -> None:
    stages = "tokenizer: regex\nrepresentation: tfidf\nhead: naive_bayes\n"
    (card.parent / "pipeline.yaml").write_text(f"data: {card.name}\n{stages}")
    (card.parent / "compare.yaml").write_text(
        f"data: {{{CARD.strip().replace(chr(10), ', ')}}}\npipelines: [bare.yaml]\n"
    )
    (card.parent / "bare.yaml").write_text(stages)
    for name in ("pipeline.yaml", "compare.yaml"):
        said = output(str(card.parent / name), "--no-label-errors")
        assert "1 of 2 test examples (50.0%) stand in training too" in said
    with pytest.raises(NlpipeError, match="it names no data"):
        output(str(card.parent / "bare.yaml"))


def test_json_is_one_object_with_everything(card: Path) -> None:
    found = json.loads(output(str(card), "--json"))
    assert found["sizes"] == {"train": 2, "dev": 1, "test": 2}
    (duplicate,) = found["duplicates"]
    assert duplicate["kind"] == "normalised" and duplicate["item"]["index"] == 0
    assert found["counts"]["test in train"]["normalised"] == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("no_such_card",), "no_such_card"),
        (("sample_reviews", "--threshold", "0"), r"threshold: invalid value 0\.0: expected a similarity"),
        (("sample_reviews", "--threshold", "many"), "threshold"),
    ],
)
def test_faults(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(NlpipeError, match=message):
        CliRunner().invoke(app, ["data", "audit", *words], catch_exceptions=False)
