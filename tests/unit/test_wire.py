"""Laws of the wires: what is taken and joined is what was there."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from nlpipe.wire import Labels, Sequences, Tags, Text, Tokens, Vectors, Wire, locate_in_order

WORDS = st.lists(st.lists(st.text(alphabet="ab c\u00e9", max_size=4), max_size=5), min_size=1, max_size=6)
LENGTHS = st.lists(st.integers(0, 4), min_size=1, max_size=6)


def rows(lengths: list[int], form: str) -> Sequences:
    """Vectors that name their place: row i of the batch is (i + 1, -(i + 1))."""
    flat = np.arange(1, sum(lengths) + 1, dtype=np.float32)[:, None] * np.array([[1, -1]], dtype=np.float32)
    if form == "csr":
        return Sequences(sp.csr_matrix(flat), lengths)
    ragged = Sequences(flat, lengths)
    if form == "padded":
        padded, mask = ragged.padded()
        return Sequences(padded, lengths, mask=mask)
    return ragged


def examples(sequences: Sequences) -> list[list[float]]:
    """The first number of every vector, example by example."""
    flat = sequences.flat().dense()[:, 0].tolist()
    ends = np.cumsum(sequences.lengths)
    return [flat[end - n : end] for end, n in zip(ends, sequences.lengths, strict=True)]


@given(words=WORDS)
def test_words_that_come_split_are_found_again(words: list[list[str]]) -> None:
    tokens = Tokens.from_words(words)
    for b, sentence in enumerate(words):
        found = [tokens.texts[b][start:end] for start, end in tokens.spans(b)]
        assert found == [word.replace(" ", "\u00a0") for word in sentence]


def test_words_of_another_text_are_refused() -> None:
    with pytest.raises(ValueError, match="2 words for a text of 3 parts"):
        Tokens(["ab"], ["a b c"], Tokens.from_words([["x"]]).locate).spans(0)  # type: ignore[list-item]
    with pytest.raises(ValueError, match="substring not found"):
        locate_in_order("b a", ["a", "b"])
    assert locate_in_order("a a b", ["a", "a", "b"]) == [(0, 1), (2, 3), (4, 5)]


@given(words=WORDS, data=st.data())
def test_take_and_concat_of_lists(words: list[list[str]], data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.integers(0, len(words) - 1), max_size=8))
    texts = [" ".join(sentence) for sentence in words]
    assert Text(texts).take(chosen).strings == [texts[i] for i in chosen]
    assert Labels(texts).take(chosen).values == [texts[i] for i in chosen]
    assert Tags(words).take(chosen).values == [words[i] for i in chosen]
    tokens = Tokens.from_words(words)
    assert tokens.take(chosen).words == [words[i] for i in chosen]
    cut = data.draw(st.integers(0, len(words)))
    parts = [tokens.take(range(cut)), tokens.take(range(cut, len(words)))]
    joined = Tokens.concat(parts)
    assert (joined.words, joined.texts) == (tokens.words, tokens.texts)
    assert [joined.spans(b) for b in range(len(joined))] == [tokens.spans(b) for b in range(len(tokens))]


@pytest.mark.parametrize("form", ["numpy", "csr", "padded"])
@given(lengths=LENGTHS, data=st.data())
def test_sequences_taken_and_joined(form: str, lengths: list[int], data: st.DataObject) -> None:
    whole = rows(lengths, form)
    expected = examples(rows(lengths, "numpy"))
    assert examples(whole) == expected
    chosen = data.draw(st.lists(st.integers(0, len(lengths) - 1), max_size=8))
    taken = whole.take(chosen)
    assert len(taken) == len(chosen)
    assert examples(taken) == [expected[i] for i in chosen]
    cut = data.draw(st.integers(0, len(lengths)))
    joined = Sequences.concat([whole.take(range(cut)), whole.take(range(cut, len(lengths)))])
    assert examples(joined) == expected


@pytest.mark.parametrize("form", ["numpy", "csr", "padded"])
@given(lengths=LENGTHS)
def test_padding_holds_zeros_and_nothing_else(form: str, lengths: list[int]) -> None:
    padded, mask = rows(lengths, form).padded()
    assert tuple(padded.shape) == (len(lengths), max(lengths), 2)
    assert mask.sum(dim=1).tolist() == lengths
    assert not padded[~mask].any()
    for b, n in enumerate(lengths):
        assert mask[b, :n].all()  # padding stands at the end
        assert padded[b, :n, 0].tolist() == examples(rows(lengths, "numpy"))[b]


@pytest.mark.parametrize("form", ["csr", "numpy", "torch"])
def test_vectors_in_every_form(form: str) -> None:
    import torch

    dense = np.array([[0.0, 1.0], [2.0, 0.0], [0.0, 0.0]])
    made = Vectors({"csr": sp.csr_matrix, "numpy": np.asarray, "torch": torch.from_numpy}[form](dense))
    assert (len(made), made.width) == (3, 2)
    np.testing.assert_array_equal(made.dense(), dense)
    np.testing.assert_array_equal(made.sparse().toarray(), dense)
    np.testing.assert_array_equal(made.tensor().numpy(), dense)
    np.testing.assert_array_equal(made.take([2, 0]).dense(), dense[[2, 0]])
    np.testing.assert_array_equal(Vectors.concat([made.take([0]), made.take([1, 2])]).dense(), dense)
    assert len(made.take([])) == 0
    assert sp.issparse(made.matrix()) == (form == "csr")


def test_integers_become_floats_in_tensors() -> None:
    import torch

    assert Vectors(np.array([[1, 2]])).tensor().dtype == torch.float32


def test_words_and_texts_must_be_as_many() -> None:
    with pytest.raises(AssertionError, match="1 lists of words for 2 texts"):
        Tokens([["a"]], ["a", "b"])


def test_a_wire_without_its_methods_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="does not say its length"):
        len(Wire())


def test_a_short_text_shows_what_a_wire_holds() -> None:
    import torch

    tokens = Tokens.from_words([["a", "b"], [], ["c"]])
    rows = np.zeros((3, 4))
    assert repr(Text(["a"])) == "Text(1 text)"
    assert repr(Text(["a"] * 1200)) == "Text(1,200 texts)"
    assert repr(tokens) == "Tokens(3 texts, 3 words)"
    assert repr(Vectors(sp.csr_matrix(rows))) == "Vectors(3 x 4, sparse)"
    assert repr(Vectors(rows)) == "Vectors(3 x 4, ndarray)"
    assert repr(Vectors(torch.zeros(3, 4))) == "Vectors(3 x 4, Tensor)"
    ragged = Sequences(rows, tokens.lengths, tokens)
    assert repr(ragged) == "Sequences(3 texts, 3 tokens x 4, ragged)"
    padded, mask = ragged.padded()
    assert repr(Sequences(padded, tokens.lengths, tokens, mask)) == "Sequences(3 texts, 3 tokens x 4, padded)"
    assert repr(Labels(["x", "y"])) == "Labels(2 labels)"
    assert repr(Tags([["O"], ["O", "O"]])) == "Tags(2 texts, 3 tags)"
