"""Window features: what they contain, and that a batch changes nothing."""

from __future__ import annotations

import numpy as np
import pytest

from nlpipe.errors import DataError
from nlpipe.representations import Window
from nlpipe.wire import Tags, Tokens

WORDS = [["Anna", "met", "Bo-12"], ["met"], [], ["in", "New", "York"]]


def fitted(**options):
    stage = Window(**options)
    tokens = Tokens.from_words(WORDS)
    stage.fit([(tokens.take([0, 1]), Tags([])), (tokens.take([2, 3]), Tags([]))])
    return stage


def own(stage, words, t):
    """Names of the features of word ``t`` itself."""
    row = stage.forward(Tokens.from_words([words])).form.rows.toarray()[t]
    names = list(stage.own)
    return {names[i] for i in np.flatnonzero(row[: len(names)])}


def neighbour(stage, words, t, k):
    row = stage.forward(Tokens.from_words([words])).form.rows.toarray()[t]
    part = [j for j in range(-stage.window, stage.window + 1) if j].index(k)
    start = len(stage.own) + part * len(stage.near)
    names = list(stage.near)
    return {names[i] for i in np.flatnonzero(row[start : start + len(names)])}


def test_features_of_a_word():
    assert own(fitted(affixes=2), WORDS[0], 2) == {
        "w=bo-12", "W=Bo-12", "s=Xx-dd", "S=Xx-d", "p=b", "p=bo", "e=2", "e=12", "digit", "hyphen",
    }  # fmt: skip
    assert own(fitted(affixes=0), ["ANNA"], 0) == {"w=anna", "S=X"} & set(fitted(affixes=0).own) | {"w=anna"}


def test_neighbours_and_borders():
    stage = fitted(window=2)
    assert "w=anna" in neighbour(stage, WORDS[0], 1, -1)
    assert neighbour(stage, WORDS[0], 0, -1) == {"border"}
    assert neighbour(stage, WORDS[0], 0, -2) == {"border"}
    assert "w=bo-12" in neighbour(stage, WORDS[0], 0, 2)


def test_pairs_are_those_of_the_training_split():
    stage = fitted(window=0, affixes=0)
    width = len(stage.own)
    known = stage.forward(Tokens.from_words([["anna", "met"], ["met", "anna"]])).form.rows.toarray()[:, width:]
    pairs = len(stage.pairs)
    assert known.shape[1] == 2 * pairs
    assert known[0].sum() == 2  # (border, anna) behind it, (anna, met) ahead
    assert known[3].sum() == 0  # (met, anna) and (anna, border) never stood there


def test_a_batch_equals_one_by_one():
    stage = fitted()
    words = [["Anna", "unknown"], [], ["York"], ["x"] * 5]
    together = stage.forward(Tokens.from_words(words))
    alone = [stage.forward(Tokens.from_words([sentence])).form.rows.toarray() for sentence in words]
    assert together.lengths.tolist() == [2, 0, 1, 5]
    np.testing.assert_array_equal(together.form.rows.toarray(), np.concatenate(alone))
    assert together.width == stage.build(0)


def test_rare_features_are_left_out():
    assert {name for name in fitted(min_count=2, affixes=0, pairs=False).own if name[0] == "w"} == {"w=met"}


def test_names_from_a_file(tmp_path):
    path = tmp_path / "places.txt"
    path.write_text("New York City\nnew york\n\nOslo\n", encoding="utf-8")
    stage = fitted(gazetteers=[str(path)])
    tokens = Tokens.from_words([["in", "New", "York", "Oslo"], ["new", "york", "city", "york"]])
    marks = stage.forward(tokens).form.rows.toarray()[:, -2:]
    assert marks.tolist() == [[0, 0], [1, 0], [0, 1], [1, 0], [1, 0], [0, 1], [0, 1], [0, 0]]
    path.unlink()
    again = Window(gazetteers=[str(path)])
    again.load_state(stage.state(), 1)
    np.testing.assert_array_equal(again.forward(tokens).form.rows.toarray()[:, -2:], marks)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["in", "St", ".", "Gallen"], [0, 1, 2, 2]),
        (["St.", "Gallen", "."], [1, 2, 0]),
        (["在", "北", "京"], [0, 1, 2]),
        (["北京", "U.S."], [1, 1]),
        (["it", "is", "a", "US", "film"], [0, 0, 0, 0, 0]),
        (["Isa", "St", ".", "Gallener"], [1, 0, 0, 0]),
        (["O'Isa", "Zoe\u0301"], [0, 1]),
        ([], []),
    ],
)
def test_names_are_found_however_words_are_split_and_never_in_parts_of_words(tmp_path, words, found):
    path = tmp_path / "names.txt"
    path.write_text("St. Gallen\n北京\nU.S.\nIsa\nZoe\u0301\n", encoding="utf-8")
    stage = fitted(gazetteers=[str(path)])
    marks = stage.forward(Tokens.from_words([words, ["x"]])).form.rows.toarray()[:, -2:]
    assert (marks @ [1, 2]).tolist() == [*found, 0]
    again = Window(gazetteers=[str(path)])
    again.load_state(stage.state(), 1)
    np.testing.assert_array_equal(again.forward(Tokens.from_words([words, ["x"]])).form.rows.toarray()[:, -2:], marks)


def test_only_line_feeds_end_a_name(tmp_path):
    path = tmp_path / "places.txt"
    path.write_bytes("\ufeffOslo\r\nNew\u2028York\r\n".encode())
    stage = fitted(gazetteers=[str(path)])
    marks = stage.forward(Tokens.from_words([["Oslo", "New", "York", "York"]])).form.rows.toarray()[:, -2:]
    assert marks.tolist() == [[1, 0], [1, 0], [0, 1], [0, 0]]


def test_a_list_of_names_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match=r"gazetteers: .*gone\.txt cannot be read"):
        fitted(gazetteers=[str(tmp_path / "gone.txt")])
    with pytest.raises(
        DataError, match=r"gone\.txt cannot be read: No such file or directory; the path is relative to"
    ):
        fitted(gazetteers=["gone.txt"])
    (tmp_path / "latin.txt").write_bytes(b"Oslo\ncaf\xe9\n")
    with pytest.raises(DataError, match=r"latin\.txt:2: the file is not encoded in UTF-8"):
        fitted(gazetteers=[str(tmp_path / "latin.txt")])
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(DataError, match="contains no names; write one name per line"):
        fitted(gazetteers=[str(tmp_path / "empty.txt")])
