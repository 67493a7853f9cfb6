"""Dictionary and perceptron, and linear heads applied to every word."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from nlpipe import tag_schemes
from nlpipe.errors import DataError
from nlpipe.heads import Dictionary, LogisticRegression, Perceptron
from nlpipe.pipeline.tag_words import WordTagger
from nlpipe.wire import Labels, Sequences, Tags, Tokens, Vectors

WORDS = [["New", "York", "is", "big"], ["he", "saw", "New", "York", "City"], ["May", "I"], ["may", "I"], ["In", "May"]]
GOLD = [["B-LOC", "I-LOC", "O", "O"], ["O", "O", "B-LOC", "I-LOC", "I-LOC"], ["O", "O"], ["O", "O"], ["O", "B-DATE"]]


def learned(**options):
    head = Dictionary(**options)
    head.fit([(Tokens.from_words(WORDS), Tags(GOLD))])
    return head


def tag(head, *words):
    return head.predict(Tokens.from_words([list(words)])).values.values[0]


def test_the_longest_name_is_taken():
    assert tag(learned(), "to", "new", "york", "city", "York") == ["O", "B-LOC", "I-LOC", "I-LOC", "O"]
    assert tag(learned(), "New", "York", "New", "York") == ["B-LOC", "I-LOC", "B-LOC", "I-LOC"]


def test_words_that_mostly_are_no_entity_are_none():
    assert tag(learned(), "may") == ["O"]
    assert tag(learned(share=0.3), "may") == ["B-DATE"]


def test_capitals_can_count():
    assert tag(learned(lowercase=False), "new", "york") == ["O", "O"]


def test_no_entities_and_no_entity_tags():
    head = Dictionary()
    head.fit([(Tokens.from_words([["a"]]), Tags([["O"]]))])
    assert tag(head, "a", "b") == ["O", "O"]
    with pytest.raises(DataError, match="the tags mark no entities"):
        Dictionary().fit([(Tokens.from_words([["a"]]), Tags([["NOUN"]]))])


def separable(seed=0, count=300):
    random = np.random.default_rng(seed)
    rows = random.normal(size=(count, 6))
    labels = [("a", "b", "c")[int(row[:3].argmax())] for row in rows]
    return Vectors(sp.csr_matrix(rows)), Labels(labels)


def test_the_perceptron_learns_what_can_be_separated():
    source, target = separable()
    head = Perceptron(epochs=50)
    head.fit([(source, target)])
    predicted = np.array(head.predict(source).values.values)
    assert np.mean(predicted == np.array(target.values)) > 0.97


def test_the_perceptron_answers_with_the_mean_of_its_weights():
    """Against the definition, with every intermediate weight kept."""
    source, target = separable(1, 40)
    head = Perceptron(epochs=3)
    head.seed = 5
    head.fit([(source, target)])
    rows, codes = source.dense(), [head.classes.index(label) for label in target.values]
    weights, history = np.zeros((7, 3)), []
    random = np.random.default_rng(5)
    for _ in range(3):
        mistakes = 0
        for i in random.permutation(40):
            x = np.append(rows[i], 1.0)
            predicted = int((x @ weights).argmax())
            if predicted != codes[i]:
                mistakes += 1
                weights[:, codes[i]] += x
                weights[:, predicted] -= x
            history.append(weights.copy())
        if not mistakes:
            break
    mean = np.mean(history, axis=0)
    np.testing.assert_allclose(np.vstack([head.weights, head.offsets]), mean, atol=1e-9)


def rows_of(words):
    kinds = sorted({word.lower() for sentence in WORDS for word in sentence})
    flat = [word for sentence in words for word in sentence]
    matrix = np.array([[float(word.lower() == kind) for kind in kinds] for word in flat], dtype=np.float32)
    return Sequences(sp.csr_matrix(matrix), [len(sentence) for sentence in words], Tokens.from_words(words))


@pytest.mark.parametrize("head", [LogisticRegression(C=100), Perceptron()])
def test_linear_heads_tag_every_word_within_the_scheme(head):
    data = [(rows_of(WORDS), Tags(GOLD))]
    WordTagger(head).fit(data)
    predictions = WordTagger(head).predict(rows_of([["York", "York"], [], *WORDS]))
    assert [len(tags) for tags in predictions.values.values] == [2, 0, *map(len, WORDS)]
    assert all(tag_schemes.faults(tags, "IOB2") == [] for tags in predictions.values.values)
    assert predictions.values.values[2] == GOLD[0]
    assert predictions.values.tokens is not None and predictions.values.tokens.words[0] == ["York", "York"]


def test_linear_heads_learn_where_entities_end_from_marks_of_last_and_single_words():
    head = LogisticRegression(C=100)
    WordTagger(head).fit([(rows_of(WORDS), Tags(GOLD))])
    assert {tag[0] for tag in head.classes} > {"S"}
    predicted = WordTagger(head).predict(rows_of(WORDS)).values.values
    assert {tag[0] for tags in predicted for tag in tags} <= {"B", "I", "O"}


def test_labels_that_mark_no_entities_are_learned_as_they_are():
    head = LogisticRegression(C=100)
    kinds = [["S-bar" if word.lower() < "m" else "low" for word in sentence] for sentence in WORDS]
    WordTagger(head).fit([(rows_of(WORDS), Tags(kinds))])
    assert set(head.classes) == {"S-bar", "low"}
    assert WordTagger(head).predict(rows_of(WORDS)).values.values == kinds
