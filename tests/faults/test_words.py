"""Words over the whole of Unicode: what belongs to one, what ends one, what is none, and one answer for each form."""

from __future__ import annotations

import sys
import unicodedata
import warnings
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nlpipe
from nlpipe.errors import NlpipeWarning
from nlpipe.tokenizers import Characters, Regex, SpaCy, Whitespace
from nlpipe.wire import Text

EVERY = [chr(point) for point in range(sys.maxunicode + 1) if not 0xD800 <= point < 0xE000]
CATEGORY = {sign: unicodedata.category(sign) for sign in EVERY}
MARKS = [sign for sign, category in CATEGORY.items() if category.startswith("M")]
FORMATS = [sign for sign, category in CATEGORY.items() if category == "Cf" and sign != "\u200b"]
VISIBLE_FORMATS = {sign for sign in FORMATS if unicodedata.bidirectional(sign) in ("AN", "AL", "L")} - set(
    "\u061c\u200e"
)
KINDS: list[Any] = [Regex, Whitespace, SpaCy]


def words(text: str, tokenizer: Any = None) -> list[str]:
    return (tokenizer or Regex()).forward(Text([text])).words[0]


def test_no_mark_cuts_a_word() -> None:
    assert len(MARKS) > 2400
    assert [mark for mark in MARKS if len(words(f"ab{mark}ba é")) != 2] == []
    assert words("ދިވެހިރާއްޖެ") == ["ދިވެހިރާއްޖެ"]
    assert words("ᎠᎹ ߒߞߏ߫ ꦧꦱꦗꦮ") == ["ᎠᎹ".lower(), "ߒߞߏ߫", "ꦧꦱꦗꦮ"]


def test_no_format_character_cuts_a_word_and_none_that_is_unseen_is_one() -> None:
    assert [sign for sign in FORMATS if len(words(f"ab{sign}ba")) != 1] == []
    unseen = [sign for sign in FORMATS if sign not in VISIBLE_FORMATS]
    controls = [sign for sign, category in CATEGORY.items() if category == "Cc"]
    for kind in KINDS:
        tokenizer = kind()
        text = " é ".join([*unseen, *controls, *"\u200b\ufe0f\u3164\u180b\u034f\U000e0101"])
        assert set(words(f"{text} x", tokenizer)) <= {"é", "x"}, kind


def test_soft_hyphens_and_marks_of_direction_are_not_part_of_the_spelling_and_joiners_are() -> None:
    for kind in KINDS:
        given = words("co\u00adoperate\u200f \u2066naïve\u2069 می\u200cخواهم අවන්\u200dය", kind())
        assert given == ["cooperate", "naïve", "می\u200cخواهم", "අවන්\u200dය"], kind
    assert words("അവന\u0d4d\u200d പറഞ്ഞു") == ["അവന\u0d4d\u200d", "പറഞ്ഞു"]  # a final joiner after a virama
    assert words("র\u200d\u09cd\u09afাব") == ["র\u200d\u09cd\u09afাব"]  # a joiner before one
    assert words("co\u00adop", Regex(form=None)) == ["co\u00adop"]


def test_signs_between_letters() -> None:
    text = "col·lecció צה״ל Ինչո՞ւ O‘zbek l’Oréal ('quoted') a·"
    given = words(text, Regex(lowercase=False))
    assert given[:5] == ["col·lecció", "צה״ל", "Ինչո՞ւ", "O‘zbek", "l’Oréal"]
    assert given[5:] == ["(", "'", "quoted", "'", ")", "a", "·"]


def test_flags_keycaps_and_emoji_are_whole() -> None:
    letters = [chr(0x1F1E6 + i) for i in range(26)]
    flags = ["".join(pair) for pair in product(letters, letters)]
    england = "\U0001f3f4" + "".join(chr(0xE0000 + ord(c)) for c in "gbeng") + "\U000e007f"
    keycaps = [f"{sign}{selector}\u20e3" for sign in "0123456789#*" for selector in ("", "\ufe0f")]
    people = [f"{person}{tone}" for person in "👍👩🧑🤦" for tone in ("", *"🏻🏼🏽🏾🏿")]
    joined = [f"{person}\u200d{sign}" for person in people for sign in ("⚕️", "💻", "❤️\u200d👨", "➡️", "🤝\u200d🧑🏿")]
    joined += ["👨\u200d👩\u200d👧\u200d👦", "🏳️\u200d🌈", "🏴\u200d☠️", "🙂\u200d↔️", "🐻\u200d❄️", "⛓️\u200d💥"]
    every = [*flags, england, *keycaps, *people, *joined]
    assert words("".join(every)) == every
    assert words(" ".join(every)) == every
    assert words("".join([*flags, england, *people, *joined]), Characters(form=None)) == [
        *flags,
        england,
        *people,
        *joined,
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_decomposed_text_has_the_words_of_the_composed_one(kind: Any) -> None:
    tokenizer = kind()
    changed = [sign for sign in EVERY if unicodedata.normalize("NFD", sign) != sign and not "가" < sign < "힣"]
    assert len(changed) > 2000
    for sign in changed[:: 10 if kind is SpaCy else 1]:
        text = f"x {sign}, ab{sign}ba y"
        decomposed = unicodedata.normalize("NFD", text)
        assert words(decomposed, tokenizer) == words(unicodedata.normalize("NFC", text), tokenizer), (sign, ascii(sign))


@given(text=st.text(max_size=30), pattern=st.sampled_from([None, r"\w+", r"\w+|\S"]))
def test_spans_are_those_of_the_text_as_given(text: str, pattern: str | None) -> None:
    tokenizer = Regex(pattern, lowercase=False)
    decomposed = unicodedata.normalize("NFD", text)
    tokens = tokenizer.forward(Text([decomposed]))
    slices = [decomposed[start:end] for start, end in tokens.spans(0)]
    assert [tokenizer.normalise(part) for part in slices] == tokens.words[0]
    if pattern is None:
        assert tokens.words[0] == words(unicodedata.normalize("NFC", text), tokenizer)


def test_prediction_does_not_depend_on_the_form() -> None:
    texts = ["café é bom", "não é bom", "ação má", "visão má"] * 5
    labels = ["a", "a", "b", "b"] * 5
    for tokenizer in (Regex(), Whitespace(), Regex(r"\w+")):
        pipeline = nlpipe.Pipeline([tokenizer, nlpipe.representations.TfIdf(), nlpipe.heads.NaiveBayes()])
        pipeline.fit(texts, labels)
        decomposed = [unicodedata.normalize("NFD", text) for text in texts]
        given, expected = (pipeline.predict(each).probabilities for each in (decomposed, texts))
        assert given is not None and (given == expected).all()


def test_a_stop_word_that_cannot_occur_is_warned_of() -> None:
    from nlpipe.representations import TfIdf
    from nlpipe.wire import Labels

    def fit(stop_words: list[str], lowercase: bool = True) -> list[str]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            tokens = Regex(lowercase=lowercase).forward(Text(["The film, the café", "I don't"]))
            TfIdf(stop_words=stop_words).fit([(tokens, Labels(["a", "b"]))])
        return [str(one.message) for one in caught if issubclass(one.category, NlpipeWarning)]

    assert "'The'" in fit(["The", "film"])[0] and "'the'" in fit(["The"])[0]
    assert "'cafe\u0301'" in fit(["cafe\u0301"])[0]
    assert fit(["the", "Zebra", "film"]) == [] and fit(["The"], lowercase=False) == []
