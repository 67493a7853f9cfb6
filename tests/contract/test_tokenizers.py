"""The laws of tokenizers, over every registered one and every nasty text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpipe.stage import Tokenizer
from nlpipe.wire import Text, Tokens

from .examples import LABELS, NASTY, TEXTS, cases, label, make, restore

Case = tuple[str, str, dict[str, Any]]
CASES = cases("tokenizer")
SLOW_AT_A_MEGABYTE = ("spacy",)
_fitted: dict[str, Tokenizer] = {}


def fitted(case: Case) -> Tokenizer:
    """One that has learned from the sample; made once a case."""
    key = label(case)
    if key not in _fitted:
        tokenizer: Tokenizer = make(case)
        tokenizer.fit([(Text(TEXTS[:10]), LABELS[:10]), (Text(TEXTS[10:]), LABELS[10:])])
        _fitted[key] = tokenizer
    return _fitted[key]


def check_spans(tokenizer: Tokenizer, text: str) -> None:
    tokens = tokenizer.forward(Text([text]))
    (words,) = tokens.words
    spans = tokens.spans(0)
    assert len(spans) == len(words)
    reached = 0
    for start, end in spans:
        assert reached <= start <= end <= len(text)
        reached = end
    assert all(isinstance(word, str) and word for word in words)


@pytest.mark.parametrize("nasty", NASTY)
@pytest.mark.parametrize("case", CASES, ids=label)
def test_spans_are_in_range_and_in_order(case: Case, nasty: str) -> None:
    text = NASTY[nasty]
    check_spans(fitted(case), text[:100_000] if case[1] in SLOW_AT_A_MEGABYTE else text)


@pytest.mark.parametrize("case", CASES, ids=label)
@settings(max_examples=40, deadline=None)
@given(text=st.text(max_size=60))
def test_spans_hold_for_any_text(case: Case, text: str) -> None:
    check_spans(fitted(case), text)


@pytest.mark.parametrize("case", CASES, ids=label)
def test_a_batch_equals_one_by_one(case: Case) -> None:
    tokenizer = fitted(case)
    texts = [*TEXTS, *(text for text in NASTY.values() if len(text) < 1000)]
    tokens = tokenizer.forward(Text(texts))
    assert len(tokens) == len(texts)
    assert tokens.texts == texts
    assert tokens.words == [tokenizer.forward(Text([text])).words[0] for text in texts]
    assert len(tokenizer.forward(Text([]))) == 0


@pytest.mark.parametrize("case", CASES, ids=label)
def test_its_input_is_not_changed(case: Case) -> None:
    source = Text([*TEXTS, *(text for text in NASTY.values() if len(text) < 1000)])
    before = list(source.strings)
    tokens = fitted(case).forward(source)
    tokens.spans(0)
    assert source.strings == before
    assert tokens.texts == before


@pytest.mark.parametrize("case", CASES, ids=label)
def test_white_space_alone_hides_no_words(case: Case) -> None:
    """Nothing to read: no words, unless spaces themselves are words (then they come back from ``join``)."""
    tokenizer = fitted(case)
    for text in ("", " ", " \n "):
        (words,) = tokenizer.forward(Text([text])).words
        assert tokenizer.join(words).strip() == ""
    assert tokenizer.forward(Text([""])).words == [[]]


@pytest.mark.parametrize("case", CASES, ids=label)
def test_nothing_that_can_be_read_is_lost(case: Case) -> None:
    """Every letter of an ordinary sentence lies under a span (but where the pattern itself leaves letters out)."""
    if "pattern" in case[2]:
        pytest.skip("a pattern of its own may leave letters out")
    for text in TEXTS:
        covered = {i for start, end in fitted(case).forward(Text([text])).spans(0) for i in range(start, end)}
        assert [text[i] for i in range(len(text)) if i not in covered and not text[i].isspace()] == []


@pytest.mark.parametrize("case", CASES, ids=label)
def test_its_state_is_restored_from_safetensors_and_json(case: Case) -> None:
    tokenizer = fitted(case)
    again = restore(tokenizer, case)
    texts = Text([*TEXTS, *(text for text in NASTY.values() if len(text) < 1000)])
    before, after = tokenizer.forward(texts), again.forward(texts)
    assert after.words == before.words
    assert [after.spans(b) for b in range(len(after))] == [before.spans(b) for b in range(len(before))]


@pytest.mark.parametrize("case", CASES, ids=label)
def test_join_gives_readable_text(case: Case) -> None:
    """The letters come back in order; and the spaces too, where no pattern has thrown words away."""
    if "pattern" in case[2]:
        pytest.skip("a pattern of its own may leave letters out")
    tokenizer = fitted(case)
    for text in TEXTS:
        joined = tokenizer.join(tokenizer.forward(Text([text])).words[0])
        assert "".join(joined.split()).lower() == "".join(text.split()).lower()
        if case[2].get("spaces", True) and case[1] != "spacy":  # spaCy cuts "do" from "n't"
            assert joined.lower() == text.lower()
    assert tokenizer.join([]) == ""


@pytest.mark.parametrize("case", CASES, ids=label)
def test_data_that_comes_split_stays_so(case: Case) -> None:
    tokenizer = fitted(case)
    words = [["New", "York-based", "don't", "İS", "a b"], [], ["EU"], ["..", "ΑΣ", "\u00a0", "㎏"]]
    kept = tokenizer.keep(Tokens.from_words(words))
    assert [len(sentence) for sentence in kept.words] == [5, 0, 1, 4]
    assert kept.words[0][0].lower() == "new"
    for b, sentence in enumerate(words):
        found = [kept.texts[b][start:end] for start, end in kept.spans(b)]
        assert found == [word.replace(" ", "\u00a0") for word in sentence]


@pytest.mark.parametrize("case", CASES, ids=label)
def test_fitting_again_gives_the_same(case: Case) -> None:
    tokenizer = make(case)
    tokenizer.fit([(Text(TEXTS), LABELS)])
    assert tokenizer.forward(Text(TEXTS)).words == fitted(case).forward(Text(TEXTS)).words
