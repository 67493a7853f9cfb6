"""Vocabularies: hand-worked cases and properties."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlpipe.vocabulary import END, MASK, SPECIAL, START, Vocabulary, escaped, unescaped

SENTENCES = [["b", "a", "c"], ["a", "b", "d"], ["a", "<s>"]]


def test_order_is_by_count_then_by_word() -> None:
    made = Vocabulary.count(SENTENCES, specials=(START, END))
    assert made.words() == ["<pad>", "<unk>", "<s>", "</s>", "a", "b", "c", "d"]
    assert made.counts.tolist() == [0, 0, 0, 0, 3, 2, 1, 1]
    assert made.specials == 4


def test_rare_words_and_words_too_many_are_left_out() -> None:
    assert Vocabulary.count(SENTENCES, min_count=2).words() == ["<pad>", "<unk>", "a", "b"]
    assert Vocabulary.count(SENTENCES, max_size=1, specials=(MASK,)).words() == ["<pad>", "<unk>", "<mask>", "a"]


def test_unknown_words_are_one() -> None:
    made = Vocabulary.count(SENTENCES)
    ids = made.ids(["a", "zebra", "b", "<pad>"])
    assert ids.dtype == np.int64
    assert ids.tolist() == [2, 1, 3, 0]
    assert made.ids([]).shape == (0,)
    assert made.out_of_vocabulary(["a", "zebra", "zebra", "b"]) == 2
    assert "a" in made
    assert "zebra" not in made
    assert made.id("zebra") == 1


@given(sentences=st.lists(st.lists(st.text(max_size=3))), min_count=st.integers(1, 3))
def test_ids_lead_back_and_json_keeps_all(sentences: list[list[str]], min_count: int) -> None:
    made = Vocabulary.count(sentences, min_count)
    counts = Counter(word for sentence in sentences for word in sentence)
    kept = {word for word, n in counts.items() if n >= min_count} - {"<pad>", "<unk>"}
    assert set(made.words()[2:]) == kept
    assert made.words(made.ids(sorted(kept))) == sorted(kept)
    again = Vocabulary.from_state(json.loads(json.dumps(made.state())))
    assert again.words() == made.words()
    assert again.counts.tolist() == made.counts.tolist()


def test_invalid_ids_and_words_are_refused() -> None:
    made = Vocabulary.count(SENTENCES)
    for wrong in (-1, len(made)):
        with pytest.raises(IndexError):
            made.words([wrong])
    with pytest.raises(AssertionError, match="must begin with"):
        Vocabulary(["a", "b"], [1, 1])
    with pytest.raises(AssertionError, match="different"):
        Vocabulary(["<pad>", "<unk>", "a", "a"], [0, 0, 1, 1])


@given(words=st.lists(st.text("\\<>s/", max_size=4) | st.sampled_from(sorted(SPECIAL)), unique=True))
def test_no_word_of_a_text_is_a_special_one(words: list[str]) -> None:
    made = escaped(words)
    assert not set(made) & SPECIAL and len(set(made)) == len(words)
    assert unescaped(made) == words and unescaped([START, *made, END]) == [START, *words, END]
    assert escaped(["the", "<b>", "\\"]) == ["the", "<b>", "\\"]
