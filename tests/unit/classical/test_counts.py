"""bow, tfidf and hashing compared with scikit-learn's vectorizers on the same words."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import (
    ENGLISH_STOP_WORDS,
    CountVectorizer,
    HashingVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.feature_selection import SelectKBest, chi2

from nlpipe.errors import DataError, ModelError, WiringError
from nlpipe.representations import BagOfWords, Hashing, TfIdf
from nlpipe.wire import Labels, Tags, Tokens, Vectors

TEXTS = [
    "the plot is thin but the cast is good",
    "good good fun",
    "",
    "a thin thin plot",
    "no fun at all , and no plot",
    "the cast is the plot",
    "un naïf café 𝔘𝔫𝔦 日本 語",
    "fun",
]
TRAIN = [text.split() for text in TEXTS]
LABELS = ["bad", "good", "bad", "bad", "bad", "good", "good", "good"]
NEW = [
    text.split()
    for text in ["the plot is good good fun , surely", "", "unseen only", "plot is thin the cast", "café 語"]
]


def batches(sentences: list[list[str]], size: int = 3, labels: list[str] | None = None):
    labels = labels or ["x"] * len(sentences)
    for start in range(0, len(sentences), size):
        yield Tokens.from_words(sentences[start : start + size]), Labels(labels[start : start + size])


def fitted(stage, sentences=TRAIN, size=3, labels=None):
    """The stage, fitted from batches that can be gone through once, and its training matrix."""
    parts = list(stage.fit_forward(batches(sentences, size, labels)))
    return stage, Vectors.concat(parts).sparse()


def same(ours, theirs) -> None:
    assert ours.shape == theirs.shape
    assert ours.dtype == np.float64
    np.testing.assert_array_equal(ours.toarray(), theirs.toarray())


def words_of(ngrams, **options):
    """CountVectorizer's own n-grams of lists of words."""
    return {"tokenizer": lambda words: words, "preprocessor": lambda words: words, "token_pattern": None,
            "ngram_range": ngrams, **options}  # fmt: skip


@pytest.mark.parametrize("ngrams", [(1, 1), (1, 2), (2, 2), (1, 4), (2, 3), (3, 3)])
@pytest.mark.parametrize("binary", [False, True])
def test_bow_of_words_is_count_vectorizer(ngrams, binary):
    theirs = CountVectorizer(**words_of(ngrams), binary=binary)
    expected = theirs.fit_transform(TRAIN)
    stage, counts = fitted(BagOfWords(ngrams=ngrams, binary=binary))
    same(counts, expected)
    assert stage.names() == theirs.get_feature_names_out().tolist()
    same(stage.forward(Tokens.from_words(NEW)).sparse(), theirs.transform(NEW))


@pytest.mark.parametrize("ngrams", [(1, 1), (1, 3), (2, 5), (3, 3), (5, 6), (9, 10)])
@pytest.mark.parametrize(("unit", "analyzer"), [("character", "char"), ("character_in_word", "char_wb")])
def test_bow_of_characters_is_count_vectorizer(ngrams, unit, analyzer):
    theirs = CountVectorizer(analyzer=analyzer, ngram_range=ngrams, lowercase=False)
    expected = theirs.fit_transform([" ".join(words) for words in TRAIN])
    stage, counts = fitted(BagOfWords(ngrams=ngrams, unit=unit))
    same(counts, expected)
    assert stage.names() == theirs.get_feature_names_out().tolist()
    same(stage.forward(Tokens.from_words(NEW)).sparse(), theirs.transform([" ".join(words) for words in NEW]))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"min_count": 2}, {"min_df": 2}),
        ({"min_count": 0.2}, {"min_df": 0.2}),
        ({"max_count": 0.3}, {"max_df": 0.3}),
        ({"min_count": 2, "max_count": 0.4, "binary": True}, {"min_df": 2, "max_df": 0.4, "binary": True}),
        ({"stop_words": ["the", "no"]}, {"stop_words": ["the", "no"]}),
        ({"stop_words": "english"}, {"stop_words": list(ENGLISH_STOP_WORDS)}),
    ],
)
@pytest.mark.parametrize("ngrams", [(1, 1), (1, 2), (2, 3)])
@pytest.mark.filterwarnings("ignore:Your stop_words may be inconsistent")
def test_limits_are_those_of_count_vectorizer(ours, theirs, ngrams):
    sentences = TRAIN * 2 + [["once", "more"]]
    vectorizer = CountVectorizer(**words_of(ngrams), **theirs)
    expected = vectorizer.fit_transform(sentences)
    stage, counts = fitted(BagOfWords(ngrams=ngrams, **ours), sentences)
    same(counts, expected)
    assert stage.names() == vectorizer.get_feature_names_out().tolist()
    same(stage.forward(Tokens.from_words(NEW)).sparse(), vectorizer.transform(NEW))


@pytest.mark.parametrize("min_count", [2, 0.2])
def test_limits_hold_for_characters_in_words(min_count):
    theirs = CountVectorizer(analyzer="char_wb", ngram_range=(2, 4), lowercase=False, min_df=min_count)
    expected = theirs.fit_transform([" ".join(words) for words in TRAIN])
    stage, counts = fitted(BagOfWords(ngrams=(2, 4), unit="character_in_word", min_count=min_count))
    same(counts, expected)
    assert stage.names() == theirs.get_feature_names_out().tolist()


def test_max_features_keeps_the_most_frequent_and_of_equals_the_first():
    sentences = [list("aaab"), list("bbcc"), list("de")]  # a 3, b 3, c 2, d 1, e 1
    for max_features, expected in [
        (1, ["a"]),
        (2, ["a", "b"]),
        (3, ["a", "b", "c"]),
        (4, ["a", "b", "c", "d"]),
        (9, list("abcde")),
    ]:
        stage, counts = fitted(BagOfWords(max_features=max_features), sentences)
        assert stage.names() == expected
        assert counts.shape == (3, len(expected))


def test_select_is_the_chi_squared_test_of_scikit_learn():
    vectorizer = CountVectorizer(**words_of((1, 2)))
    counts = vectorizer.fit_transform(TRAIN)
    selector = SelectKBest(chi2, k=7).fit(counts, LABELS)
    stage, ours = fitted(BagOfWords(ngrams=(1, 2), select=7), labels=LABELS)
    assert stage.names() == vectorizer.get_feature_names_out()[selector.get_support()].tolist()
    same(ours, selector.transform(counts))
    same(stage.forward(Tokens.from_words(NEW)).sparse(), selector.transform(vectorizer.transform(NEW)))


def test_select_needs_labels():
    tokens = Tokens.from_words(TRAIN)
    with pytest.raises(WiringError, match="select=2 needs a label"):
        BagOfWords(select=2).fit([(tokens, Tags(TRAIN))])
    with pytest.raises(DataError, match="at least two labels"):
        BagOfWords(select=2).fit([(tokens, Labels(["x"] * len(TRAIN)))])


@pytest.mark.parametrize(
    ("sublinear", "smooth", "norm", "idf"), list(itertools.product([0, 1], [0, 1], ["l1", "l2", None], [0, 1]))
)
def test_tfidf_is_tfidf_vectorizer(sublinear, smooth, norm, idf):
    theirs = TfidfVectorizer(
        **words_of((1, 2)), sublinear_tf=bool(sublinear), smooth_idf=bool(smooth), norm=norm, use_idf=bool(idf)
    )
    expected = theirs.fit_transform(TRAIN)
    stage, ours = fitted(TfIdf(ngrams=(1, 2), sublinear=bool(sublinear), smooth=bool(smooth), norm=norm, idf=bool(idf)))
    np.testing.assert_allclose(ours.toarray(), expected.toarray(), rtol=1e-15, atol=0)
    new = stage.forward(Tokens.from_words(NEW)).sparse()
    np.testing.assert_allclose(new.toarray(), theirs.transform(NEW).toarray(), rtol=1e-15, atol=0)


def test_tfidf_selects_before_it_weighs():
    counts = CountVectorizer(**words_of((1, 2)), min_df=2).fit_transform(TRAIN)
    chosen = SelectKBest(chi2, k=3).fit_transform(counts, LABELS)
    _, ours = fitted(TfIdf(ngrams=(1, 2), min_count=2, select=3), labels=LABELS)
    np.testing.assert_allclose(ours.toarray(), TfidfTransformer().fit_transform(chosen).toarray(), rtol=1e-15)


@pytest.mark.parametrize(
    ("unit", "analyzer"), [("word", None), ("character", "char"), ("character_in_word", "char_wb")]
)
@pytest.mark.parametrize(("signed", "binary", "norm"), [(True, False, "l2"), (False, False, None), (False, True, "l1")])
@pytest.mark.parametrize("ngrams", [(1, 1), (1, 3), (4, 5)])
def test_hashing_is_hashing_vectorizer(unit, analyzer, signed, binary, norm, ngrams):
    shared = {"n_features": 2**12, "alternate_sign": signed, "binary": binary, "norm": norm}
    if analyzer is None:
        expected = HashingVectorizer(**words_of(ngrams), **shared).transform(TRAIN)
    else:
        theirs = HashingVectorizer(analyzer=analyzer, ngram_range=ngrams, lowercase=False, **shared)
        expected = theirs.transform([" ".join(words) for words in TRAIN])
    stage = Hashing(ngrams=ngrams, unit=unit, bits=12, signed=signed, binary=binary, norm=norm)
    same(stage.forward(Tokens.from_words(TRAIN)).sparse(), expected)
    assert stage.build(0) == 2**12


WORD = st.text(st.characters(min_codepoint=33, exclude_categories=["Z", "Cc"]), min_size=1, max_size=4)
SENTENCES = st.lists(st.lists(WORD | st.sampled_from("abc"), max_size=9), min_size=1, max_size=9)


@settings(deadline=None)
@given(SENTENCES, SENTENCES, st.tuples(st.integers(1, 3), st.integers(0, 2)), st.integers(1, 4), st.integers(1, 2))
def test_any_words_give_the_matrix_of_count_vectorizer(train, new, ngrams, size, min_count):
    low, high = ngrams[0], ngrams[0] + ngrams[1]
    theirs = CountVectorizer(**words_of((low, high)), min_df=min_count)
    try:
        expected = theirs.fit_transform(train)
    except ValueError:  # no features
        with pytest.raises(DataError, match="no features"):
            fitted(BagOfWords(ngrams=(low, high), min_count=min_count), train, size)
        return
    stage, counts = fitted(BagOfWords(ngrams=(low, high), min_count=min_count), train, size)
    same(counts, expected)
    same(stage.forward(Tokens.from_words(new)).sparse(), theirs.transform(new))


@settings(deadline=None)
@given(SENTENCES, st.sampled_from(["word", "character", "character_in_word"]), st.integers(1, 3), st.data())
def test_batches_change_nothing_and_state_restores(train, unit, low, data):
    options = {"ngrams": (low, low + 2), "unit": unit, "max_count": data.draw(st.sampled_from([0.6, 1.0]))}
    try:
        whole, expected = fitted(TfIdf(**options), train, len(train))
    except DataError:
        return
    stage, parts = fitted(TfIdf(**options), train, data.draw(st.integers(1, 3)))
    same(parts, expected)
    fresh = TfIdf(**options)
    fresh.load_state(stage.state(), TfIdf.version)
    assert fresh.names() == whole.names()
    tokens = Tokens.from_words(train)
    same(fresh.forward(tokens).sparse(), expected)
    for b in range(len(train)):
        same(fresh.forward(tokens.take([b])).sparse(), expected[[b]])


NASTY = [
    "",
    "word",
    "w " * 10_000,
    "👩‍👩‍👧 🇩🇪",
    "e\u0301 a\u0308",
    "a\u2028b",
    "שלום עולם",
    "   ",
    "a\0b",
    "\ud800 x",
    "\t\n",
]


@pytest.mark.parametrize("unit", ["word", "character", "character_in_word"])
@pytest.mark.parametrize("kind", [BagOfWords, TfIdf])
def test_nasty_texts(kind, unit):
    train = Tokens([text.split(" ") for text in NASTY], NASTY)
    stage = kind(ngrams=(1, 3), unit=unit)
    (expected,) = stage.fit_forward([(train, Labels(["x"] * len(NASTY)))])
    assert expected.sparse().min() == 0
    assert np.isfinite(expected.sparse().data).all()
    fresh = kind(ngrams=(1, 3), unit=unit)
    fresh.load_state(stage.state(), 1)
    same(fresh.forward(train).sparse(), expected.sparse())
    assert len(set(stage.names())) == expected.width or unit == "word"


def test_words_with_spaces_are_not_pairs_of_words():
    stage, counts = fitted(BagOfWords(ngrams=(1, 2)), [["new york"], ["new", "york"]])
    assert sorted(stage.names()) == ["new", "new york", "new york", "york"]
    assert (counts.toarray().sum(axis=1) == [1, 3]).all()


@pytest.mark.parametrize("kind", [BagOfWords, TfIdf, Hashing])
def test_no_texts_give_no_rows(kind):
    stage = kind()
    stage.fit(list(batches(TRAIN)))
    assert stage.forward(Tokens([], [])).rows.shape == (0, stage.forward(Tokens.from_words(NEW)).width)
    assert stage.forward(Tokens([[]], [""])).sparse().nnz == 0


@pytest.mark.parametrize("unit", ["word", "character", "character_in_word"])
def test_texts_without_words_are_reported(unit):
    for sentences in ([[], []], []):
        with pytest.raises(DataError, match=r"no features: all . texts are empty after tokenisation"):
            fitted(BagOfWords(unit=unit), sentences)
    with pytest.raises(DataError, match=r"lower min_count=0\.9 or raise max_count"):
        fitted(BagOfWords(unit=unit, min_count=0.9), TRAIN)


def test_options_are_checked():
    with pytest.raises(
        ValueError, match=r"^ngrams: invalid value \[2, 1\]: expected the smaller number first, \[1, 2\]$"
    ):
        BagOfWords(ngrams=(2, 1))
    with pytest.raises(
        ValueError, match=r"^ngrams: invalid value \[2, 1\]: expected the smaller number first, \[1, 2\]$"
    ):
        Hashing(ngrams=(2, 1))
    for wrong in (
        {"ngrams": (0, 1)},
        {"min_count": 0},
        {"min_count": 1.5},
        {"unit": "words"},
        {"stop_words": "klingon"},
    ):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            TfIdf(**wrong)
    assert BagOfWords(min_count=1).min_count == 1
    assert BagOfWords(min_count=0.5).options["min_count"] == 0.5


def test_another_format_is_refused():
    stage, _ = fitted(TfIdf())
    with pytest.raises(ModelError, match="format 7"):
        TfIdf().load_state(stage.state(), 7)
