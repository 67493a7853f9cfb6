"""Tokenizers whose words are slices of the text: spans, normalisation, joining, and what scikit-learn gives."""

from __future__ import annotations

import re
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer

from nlpipe.errors import MissingExtra, NlpipeError
from nlpipe.stage import Tokenizer
from nlpipe.tokenizers import Characters, Regex, SpaCy, Whitespace
from nlpipe.tokenizers.regex import default_pattern
from nlpipe.tokenizers.span_tokenizer import join_words, lower_in_place
from nlpipe.wire import Text

ODD = st.text(
    alphabet=st.sampled_from("aAbB İıΣσς'’.-  \n\u0301\u0308\u200d\ufe0f👍🏽🇩🇪中文かなไทยहिन्दीﬁ½¨\u1100\u1161\u11a8각")
)


def words(tokenizer: Tokenizer, text: str) -> list[str]:
    return tokenizer.forward(Text([text])).words[0]


@pytest.mark.parametrize("form", [None, "NFC", "NFKC"])
@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("kind", [Regex, Whitespace, Characters])
@given(text=st.one_of(ODD, st.text()))
def test_a_word_is_what_its_span_covers(kind: Any, lowercase: bool, form: Any, text: str) -> None:
    tokenizer = kind(lowercase=lowercase, form=form)
    tokens = tokenizer.forward(Text([text]))
    assert [tokenizer.normalise(text[start:end]) for start, end in tokens.spans(0)] == tokens.words[0]


def test_lower_in_place_keeps_the_index_of_every_character() -> None:
    characters = [chr(i) for i in range(sys.maxunicode + 1)]
    assert [c for c in characters if len(lower_in_place(c)) != 1] == []
    assert [c for c in characters if len(c.lower()) != 1] == ["İ"]
    assert lower_in_place("ΑΣ İ") == "ασ i"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I don't like 'it'.", ["i", "don't", "like", "'", "it", "'", "."]),
        ("Well-made, 3.5 stars!!", ["well", "-", "made", ",", "3", ".", "5", "stars", "!", "!"]),
        ("naïve nai\u0308ve CAFÉ", ["naïve", "naïve", "café"]),
        ("यह फ़िल्म", ["यह", "फ़िल्म"]),
        ("我喜欢 BERT模型。", ["我", "喜", "欢", "bert", "模", "型", "。"]),
        ("これは", ["こ", "れ", "は"]),
        ("ที่นี่", ["ที่", "นี่"]),
        ("👨‍👩‍👧 👍🏽🇩🇪🇫🇷", ["👨‍👩‍👧", "👍🏽", "🇩🇪", "🇫🇷"]),
        ("العَرَبِيَّة שָׁלוֹם", ["العَرَبِيَّة", "שָׁלוֹם"]),
        ("ΟΔΥΣΣΕΥΣ ΑΣ'Α", ["οδυσσευς", "ασ'α"]),
        ("a\0b", ["a", "b"]),
    ],
)
def test_the_default_pattern(text: str, expected: list[str]) -> None:
    assert words(Regex(), text) == expected


def test_it_gives_what_scikit_learn_gives_for_the_same_pattern() -> None:
    for pattern in (default_pattern(), r"(?u)\b\w\w+\b", r"\b(\w)\w*"):
        texts = ["It's a Joy, from START to finish!", "naïve CAFÉ 我喜欢", "", "x"]
        analyze = CountVectorizer(token_pattern=pattern).build_analyzer()
        assert Regex(pattern).forward(Text(texts)).words == [list(analyze(text)) for text in texts]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", "'(' is not a regular expression: missing ), unterminated subpattern"),
        (r"\w*", "matches the empty string; write + in place of *"),
        (r"(a)(b)", "has 2 groups; write (?:...) for every group that is not the word"),
        (r"\b", "matches the empty string"),
    ],
)
def test_invalid_patterns_are_refused(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Regex(pattern)


def test_unicode_forms() -> None:
    assert words(Regex(form="NFC"), "nai\u0308ve") == ["naïve"]
    assert words(Whitespace(form="NFKC"), "ﬁne ㎏ a¨b Ａ") == ["fine", "kg", "a\u0308b", "a"]
    assert words(Whitespace(lowercase=False), " Ab\u2028C\u3000d ") == ["Ab", "C", "d"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("e\u0301a", ["é", "a"]),
        ("👨‍👩‍👧‍👦👍🏽", ["👨‍👩‍👧‍👦", "👍🏽"]),
        ("🇩🇪🇫🇷🇮", ["🇩🇪", "🇫🇷", "🇮"]),
        ("각\u1100\u1161\u11a8", ["각", "각"]),
        ("हिन्दी", ["हि", "न्", "दी"]),
        ("a\r\nb", ["a", "\r\n", "b"]),
    ],
)
def test_characters_as_a_reader_counts_them(text: str, expected: list[str]) -> None:
    assert words(Characters(), text) == expected


@given(text=ODD)
def test_characters_give_the_text_back(text: str) -> None:
    tokenizer = Characters(form=None)
    assert tokenizer.join(words(tokenizer, text)) == text
    assert tokenizer.join(words(Characters(), text)) == unicodedata.normalize("NFC", text) or "\u0301" in text


def test_characters_without_spaces() -> None:
    assert words(Characters(spaces=False), " 我 们\n") == ["我", "们"]


@pytest.mark.parametrize(
    "text",
    [
        'He said: "fine", and (then) left.',
        "A well-made film, isn't it?",
        "我喜欢这部电影，演员很好。",
        "¿Qué? ¡No!",
        "It costs $5.",
    ],
)
def test_joined_words_are_the_text(text: str) -> None:
    assert join_words(words(Regex(lowercase=False), text)) == text


def test_spacy_knows_clitics() -> None:
    assert words(SpaCy(), "I don't like the U.S. film.") == ["i", "do", "n't", "like", "the", "u.s.", "film", "."]
    assert words(SpaCy("de", lowercase=False), "z.B. Film") == ["z.B.", "Film"]
    assert words(SpaCy("zh"), "我喜欢") == ["我", "喜", "欢"]


def test_only_the_tokenizer_of_a_spacy_model_is_used(tmp_path: Path) -> None:
    import spacy

    model = spacy.blank("de")
    model.add_pipe("sentencizer")
    model.to_disk(tmp_path / "model")
    tokenizer = SpaCy(model=str(tmp_path / "model"))
    assert words(tokenizer, "Das ist z.B. gut.") == ["das", "ist", "z.b.", "gut", "."]
    assert tokenizer._language.pipe_names == []


def test_unknown_languages_and_models_of_spacy_are_reported(tmp_path: Path) -> None:
    with pytest.raises(NlpipeError, match="no language 'zz'; use its code"):
        words(SpaCy("zz"), "a")
    with pytest.raises(NlpipeError, match="no model 'no_such_model'; install it"):
        words(SpaCy(model="no_such_model"), "a")
    for content in (None, '{"lang": "en", "pipeline": []}'):  # it is there, so that to install it is no way out
        if content is not None:
            (tmp_path / "meta.json").write_text(content)
        with pytest.raises(NlpipeError, match=r"cannot be loaded: .*meta\.json") as caught:
            words(SpaCy(model=str(tmp_path)), "a")
        assert "install" not in str(caught.value)


def test_spacy_names_the_packages_a_language_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("sudachipy", "sudachidict_core"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=r"'ja' needs more packages: .*SudachiPy"):
        words(SpaCy("ja"), "a")
