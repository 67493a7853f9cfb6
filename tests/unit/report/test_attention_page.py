"""Attention pages: well-formed, alone on their own, and telling the weights."""

from __future__ import annotations

import re
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pytest

from nlpipe.errors import NlpipeError
from nlpipe.heads import Lexical, TranslationMemory
from nlpipe.pipeline import Pipeline
from nlpipe.report.attention_page import MAX_WORDS, attention_of, heat_map, page
from nlpipe.representations import TfIdf
from nlpipe.tokenizers import Regex

SVG = "{http://www.w3.org/2000/svg}"


def test_a_cell_for_every_pair():
    weights = np.array([[1.0, 0.0, 0.25], [0.5, np.nan, 7.0]])
    root = ElementTree.fromstring(heat_map(["a", "<b>", "c&d"], ["x", '"y"'], weights))
    cells = root.findall(f"{SVG}rect")
    assert len(cells) == 6
    assert [cell.get("fill-opacity") for cell in cells] == ["1.000", "0.040", "0.280", "0.520", "0.040", "1.000"]
    assert cells[2].find(f"{SVG}title").text == "x ← c&d: 0.250"
    assert [text.text for text in root.findall(f"{SVG}text")] == ["a", "<b>", "c&d", "x", '"y"']


@pytest.mark.parametrize("word", ["\0", "\x1b[31m", "\ud800", "<script>", "w" * 500, "\u202eרטל"])
def test_any_word_can_be_drawn(word):
    drawn = page([(word, word, ([word], [word], np.ones((1, 1))))], word)
    drawn.encode("utf-8")
    assert "<script" not in drawn
    for svg in re.findall("<svg.*?</svg>", drawn, re.DOTALL):
        ElementTree.fromstring(svg)


def test_long_and_empty_texts():
    many = ["w"] * (MAX_WORDS + 5)
    drawn = heat_map(many, many, np.zeros((len(many), len(many))))
    assert drawn.count("<rect") == MAX_WORDS**2
    assert f"first {MAX_WORDS} words" in drawn
    assert heat_map([], ["a"], np.zeros((1, 0))) == "<p>(no words)</p>"


def test_a_page_needs_nothing_else():
    drawn = page([("a", "b", (["a"], ["b"], np.ones((1, 1))))], "one")
    assert not re.search(r"(src|href)=|url\(|<script", drawn)


def test_a_head_without_attention():
    pipeline = Pipeline([Regex(), TfIdf(), TranslationMemory()], "translation").fit(["a b", "c"], ["A B", "C"])
    with pytest.raises(NlpipeError, match="TranslationMemory has no attention"):
        attention_of(pipeline, ["a"])


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lexical") / "model"
    texts = ["open the file", "close the door", "the file"], ["öffne die Datei", "schließe die Tür", "die\nDatei"]
    return Pipeline([Regex(), Lexical(Regex(lowercase=False))], "translation").fit(*texts).save(folder)


def nlpipe(*arguments, given=b""):
    return subprocess.run([sys.executable, "-m", "nlpipe", *map(str, arguments)], input=given, capture_output=True,
                          check=False)  # fmt: skip


LINES = [
    "open the file",
    "",
    "  ",
    "sep\u2028arated",
    "tab\tand \x0b",
    "the door",
    "nul\0",
    "🙂",
    "the " * 2000,
    "last",
]


def test_one_line_out_for_each_line_in(saved, tmp_path):
    drawn = tmp_path / "a.html"
    done = nlpipe("predict", saved, "--attention", drawn, given="\n".join(LINES).encode())
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(b"\n") == len(LINES)
    assert len(done.stdout.decode().splitlines()) == len(LINES)
    plain = nlpipe("predict", saved, given="\n".join(LINES).encode())
    assert plain.stdout == done.stdout
    assert drawn.read_text(encoding="utf-8").count("<h2>") == len(LINES)


def test_a_place_that_cannot_be_written(saved, tmp_path):
    done = nlpipe("predict", saved, "the file", "--attention", tmp_path / "none" / "a.html")
    assert done.returncode == 2
    assert b"a.html" in done.stderr
    assert b"Traceback" not in done.stderr
