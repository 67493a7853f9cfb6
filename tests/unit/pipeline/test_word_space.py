"""Neighbours, analogies and correlations of word vectors are those of gensim's KeyedVectors on the same vectors."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
from gensim.models import KeyedVectors
from gensim.test.utils import datapath

from nlpipe.capabilities import WordTable
from nlpipe.errors import MissingExtra, NlpipeError
from nlpipe.pipeline import word_pairs
from nlpipe.pipeline.word_pairs import SETS, interval, read_pairs, word_similarity
from nlpipe.pipeline.word_space import WordSpace


def space_of(table: WordTable) -> WordSpace:
    return WordSpace("representation", "static", [], table, table.split or (lambda words: [[word] for word in words]))


@pytest.fixture(scope="module")
def judged() -> WordSpace:
    """Random vectors of the words of both sets, all but every tenth."""
    words = sorted({word for name in SETS for pair in read_pairs(name) for word in (pair.one, pair.other)})
    words = [word for i, word in enumerate(words) if i % 10]
    return space_of(WordTable(words, np.random.default_rng(5).normal(size=(len(words), 12)).astype(np.float32)))


@pytest.fixture(scope="module")
def oracle(judged: WordSpace) -> KeyedVectors:
    vectors = KeyedVectors(judged.vectors.shape[1])
    vectors.add_vectors(judged.words, judged.vectors)
    return vectors


@pytest.mark.parametrize(
    ("plus", "minus"),
    [(["king"], []), (["king", "woman"], ["man"]), (["money"], ["bank", "cash"])],
)
def test_neighbours_are_those_of_gensim(
    judged: WordSpace, oracle: KeyedVectors, plus: list[str], minus: list[str]
) -> None:
    found = judged.neighbours(plus, minus, top=20)
    expected = oracle.most_similar(positive=plus, negative=minus, topn=20)
    assert [word for word, _ in found.nearest] == [word for word, _ in expected]
    np.testing.assert_allclose([value for _, value in found.nearest], [value for _, value in expected], atol=1e-5)


@pytest.mark.parametrize("name", SETS)
def test_correlations_are_those_of_gensim(judged: WordSpace, oracle: KeyedVectors, name: str) -> None:
    found = word_similarity(judged, name)
    _, spearman, missing = oracle.evaluate_word_pairs(datapath(SETS[name]), restrict_vocab=None, case_insensitive=False)
    assert found.correlation == pytest.approx(spearman.statistic, abs=1e-9)
    assert found.low < found.correlation < found.high
    assert (found.pairs, found.composed) == ({"wordsim353": 353, "simlex999": 999}[name], 0)
    assert missing == pytest.approx(100 * (1 - found.covered / found.pairs))


def test_by_hand() -> None:
    """On a circle, king - man + woman is where queen lies; the zero vector is near to nothing."""
    angles = {"man": 0, "woman": 20, "king": 60, "queen": 80, "rug": 200}
    vectors = [[math.cos(math.radians(a)), math.sin(math.radians(a))] for a in angles.values()]
    space = space_of(WordTable([*angles, "nothing"], np.array([*vectors, [0, 0]], dtype=np.float32) * 7))
    nearest = space.neighbours("man", top=3).nearest
    assert [word for word, _ in nearest] == ["woman", "king", "queen"]
    assert [value for _, value in nearest] == pytest.approx([math.cos(math.radians(a)) for a in (20, 60, 80)])
    found = space.neighbours(["king", "woman"], "man", top=1)
    assert found.query == "king + woman - man" and found.nearest[0][0] == "queen"
    assert dict(space.neighbours("man").nearest)["nothing"] == 0
    assert len(space.neighbours("man", top=100).nearest) == 5
    for words, minus in (("nothing", ()), ("man", "man")):
        with pytest.raises(NlpipeError, match="add up to zero"):
            space.neighbours(words, minus)


def test_a_word_is_read_as_the_pipeline_reads_it() -> None:
    table = WordTable(["Film", "film", "un", "##seen", "oslo", "U.S.", "north"], np.eye(7, dtype=np.float32))

    def split(texts: list[str]) -> list[list[str]]:
        known = {"FILM": ["film"], "unseen": ["un", "##seen"], "U.S.": ["U", "S"], "half": ["un", "half"]}
        return [known.get(text, text.split()) for text in texts]

    plain = WordSpace("head", "x", [], table, split)  # type: ignore[arg-type]
    words = ["Film", "FILM", "unseen", "##seen", "U.S.", "Oslo", "half", "", "Oslo north"]
    found = [("Film",), ("film",), ("un", "##seen"), ("##seen",), ("U.S.",), None, None, None, None]
    assert plain.find(words) == found
    lower = WordSpace("head", "x", [], table._replace(lowercase=True), split)  # type: ignore[arg-type]
    assert lower.find(words) == [*found[:5], ("oslo",), None, None, ("oslo", "north")]
    np.testing.assert_allclose(plain.look_up([("un", "##seen")])[0], [0, 0, 0.5, 0.5, 0, 0, 0])


def test_unknown_words_come_with_near_spellings() -> None:
    words = ["film", "firm", "flimsy", "house", "Berlin"]
    space = space_of(WordTable(words, np.eye(5, dtype=np.float32)))
    for typed, meant in (("fillm", "did you mean 'film'"), ("berlin", "did you mean 'Berlin'")):
        with pytest.raises(NlpipeError, match=f"'{typed}' is not among the 5 words of 'static' .*{meant}"):
            space.neighbours(typed)
    with pytest.raises(NlpipeError, match=r"'zzz' is not among the 5 words of 'static' \(representation\)$"):
        space.neighbours("zzz")


def test_the_interval_is_that_of_bonett_and_wright() -> None:
    """By hand: atanh 0.5 = 0.5493, and 1.96 times the root of (1 + 0.125) / 100 is 0.2079."""
    assert interval(0.5, 103) == pytest.approx((math.tanh(0.5493 - 0.2079), math.tanh(0.5493 + 0.2079)), abs=1e-4)
    assert interval(1.0, 10)[1] == pytest.approx(1.0)


def test_a_file_with_headers_comments_and_carriage_returns(tmp_path: Path, judged: WordSpace) -> None:
    file = tmp_path / "pairs.tsv"
    file.write_bytes(b"\xef\xbb\xbf# mine\r\none\tother\tmean\r\n\r\nking\tqueen\t9\r\ncat\ttiger\t-1e1\r\n")
    assert [(pair.one, pair.other, pair.score) for pair in read_pairs(file)] == [
        ("king", "queen", 9.0), ("cat", "tiger", -10.0),
    ]  # fmt: skip
    with pytest.raises(NlpipeError, match="a correlation needs 4 or more"):
        word_similarity(judged, file)


def test_named_sets_need_gensim(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r'wordsim353.*pip install "nlpipe\[word2vec\]"'):
        word_pairs.read_pairs("wordsim353")
