"""Tagging end to end without torch: raw text in, entities with characters out; long texts; the command."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

import nlpipe
from nlpipe import tag_schemes
from nlpipe.cli.app import app
from nlpipe.errors import WiringError
from nlpipe.heads import Classifier, Dictionary, LogisticRegression, Tagger
from nlpipe.representations import TfIdf, Window
from nlpipe.tokenizers import Regex

WORDS = [["Anna", "is", "in", "Oslo", "."], ["Lake", "Como", "is", "big"], ["nothing", "here"]]
TAGS = [["B-PER", "O", "O", "B-LOC", "O"], ["B-LOC", "I-LOC", "O", "O"], ["O", "O"]]


def fitted(*stages):
    return nlpipe.Pipeline([Regex(lowercase=False), *stages], task="tagging").fit(WORDS, TAGS)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return str(fitted(Dictionary()).save(tmp_path_factory.mktemp("run") / "model"))


def command(*arguments, **options):
    done = CliRunner().invoke(app, ["predict", *arguments], catch_exceptions=False, **options)
    assert done.exit_code == 0
    return done.stdout


def test_entities_have_their_characters(run):
    text = "  Zoë 🙂 met Anna at  Lake Como!"
    record = json.loads(command(run, "--format", "jsonl", text))
    assert [text[unit["start"] : unit["end"]] for unit in record["entities"]] == ["Anna", "Lake Como"]
    assert [unit["type"] for unit in record["entities"]] == ["PER", "LOC"]


def test_one_line_out_for_each_line_in(run):
    lines = ["Anna met Anna", "", "nobody", "in Oslo"]
    out = command(run, "--file", "-", input="\n".join(lines) + "\n").split("\n")
    assert out == ["Anna/PER 0-4\tAnna/PER 9-13", "", "", "Oslo/LOC 3-7", ""]


def test_marks_for_a_browser(run):
    pytest.importorskip("spacy")
    page = command(run, "--format", "html", "<b>Anna</b> & Oslo")
    assert page.count("<mark") == 2 and "&lt;" in page and "<b>" not in page


@pytest.mark.parametrize(("text", "side"), [("سافر Anna إلى القاهرة", "rtl"), ("Anna went", "ltr"), ("", "ltr")])
def test_the_page_is_written_as_its_texts_are(run, text, side):
    pytest.importorskip("spacy")
    assert f"direction: {side}" in command(run, "--format", "html", text)


def test_every_word_of_a_long_text_is_answered():
    pipeline = fitted(Window(), LogisticRegression(C=100))
    text = "Anna is in Oslo . " * 1500
    found = pipeline.predict([text, "Anna"])
    assert [len(tags) for tags in found.values.values] == [7500, 1]
    assert [len(scores) for scores in found.scores] == [7500, 1]
    record = pipeline.task.record(None, found, 0)
    assert len(record["entities"]) == 3000
    last = record["entities"][-1]
    assert text[last["start"] : last["end"]] == "Oslo" and last["start"] == len(text) - 7
    assert tag_schemes.faults(found.values.values[0], "IOB2") == []


def test_words_that_come_split_stay_split():
    found = fitted(Dictionary()).predict([["Lake", "Como", "x-y"], []])
    assert found.values.values == [["B-LOC", "I-LOC", "O"], []]


def test_a_saved_tagger_answers_the_same(tmp_path):
    pipeline = fitted(Window(), LogisticRegression(C=100))
    again = nlpipe.Pipeline.load(pipeline.save(tmp_path / "m"))
    assert again.predict(["Anna is in Oslo"]).values.values == pipeline.predict(["Anna is in Oslo"]).values.values


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([Window(), Classifier()], "head 'classifier' takes Vectors, but representation 'window' gives Sequences"),
        ([TfIdf(), LogisticRegression()], "gives Labels, but the task asks for Tags"),
        ([TfIdf(), Tagger()], "head 'tagger' takes Sequences, but representation 'tfidf' gives Vectors"),
    ],
)
def test_wiring(stages, message):
    with pytest.raises(WiringError, match=message):
        nlpipe.Pipeline([Regex(), *stages], task="tagging")
