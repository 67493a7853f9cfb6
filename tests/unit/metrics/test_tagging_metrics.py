"""Entity scores against seqeval and by hand."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.scheme import IOB2

from nlpipe.metrics.jackknife import score_intervals
from nlpipe.metrics.tag_metrics import overlapping, strict_spans, tagging_metrics
from nlpipe.predictions import Predictions
from nlpipe.wire import Tags, Tokens

TAGS = ["O", "B-X", "I-X", "B-Y", "I-Y"]
sentences = st.lists(
    st.lists(st.tuples(st.sampled_from(TAGS), st.sampled_from(TAGS)), min_size=1, max_size=9), min_size=1, max_size=5
)


def score(gold, said, seen=None, labels=TAGS, scheme="IOB2"):
    found = {}
    words = [[f"w{t}" for t in range(len(tags))] for tags in gold]
    for metric in tagging_metrics(labels, scheme, seen):
        found |= metric(Tags(gold, Tokens.from_words(words)), Predictions(Tags(said)))
    return found


@settings(max_examples=300)
@given(sentences)
def test_equal_to_seqeval(pairs):
    gold, said = [[a for a, _ in pair] for pair in pairs], [[b for _, b in pair] for pair in pairs]
    found = score(gold, said)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, theirs in (("f1", f1_score), ("precision", precision_score), ("recall", recall_score)):
            strict = theirs(gold, said, mode="strict", scheme=IOB2, zero_division=0)
            assert found[name] == pytest.approx(float(strict))
            assert found[f"{name}_conlleval"] == pytest.approx(float(theirs(gold, said, zero_division=0)))


@settings(max_examples=300)
@given(sentences)
def test_overlaps_are_paired_as_well_as_can_be(pairs):
    for pair in pairs:
        true, said = (set(strict_spans([tags[side] for tags in pair])) for side in (0, 1))
        share = [[a[2] == b[2] and a[0] < b[1] and b[0] < a[1] for b in said] for a in true]
        best = maximum_bipartite_matching(csr_matrix(share)) if true and said else np.zeros(0)
        assert overlapping(true, said) == (best >= 0).sum()


def test_overlap_forgives_borders_but_not_types():
    found = score([["B-X", "I-X", "O", "B-Y"]], [["O", "B-X", "O", "B-X"]])
    assert found["f1"] == 0
    assert found["f1_overlap"] == pytest.approx(0.5)


def test_each_reading_by_hand():
    gold = [["B-X", "I-X", "O", "B-Y"]]
    said = [["I-X", "I-X", "O", "B-X"]]
    found = score(gold, said)
    assert found["f1"] == 0  # the first is not begun, the second has the wrong type
    assert found["f1_conlleval"] == pytest.approx(0.5)
    assert found["precision_spans"] == 1 and found["recall_spans"] == 0.5
    assert found["accuracy"] == 0.5
    assert found["recall[Y]"] == 0 and found["precision[X]"] == 0


def test_seen_and_unseen():
    gold = [["B-X", "O", "B-X"], ["B-X", "I-X"]]
    said = [["B-X", "O", "O"], ["B-X", "I-X"]]
    found = score(gold, said, frozenset({("w0",), ("w2",)}))
    assert found["recall_seen"] == 0.5 and found["recall_unseen"] == 1
    assert found["precision_seen"] == 1 and found["f1_unseen"] == 1


def test_a_type_that_training_never_had_counts():
    found = score([["B-Z"]], [["O"]])
    assert found["recall"] == 0 and found["f1"] == 0
    assert score([["B-Z"]], [["B-Z"]])["f1"] == 1


def test_tags_that_mark_no_entities():
    found = score([["NOUN", "VERB"], ["NOUN"]], [["NOUN", "NOUN"], ["NOUN"]], labels=["NOUN", "VERB"], scheme="none")
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["f1[NOUN]"] == pytest.approx(0.8) and found["f1[VERB]"] == 0


def test_statistics_add_up_and_every_score_says_what_it_is():
    gold, said = [["B-X", "O"], ["B-Y"]], [["B-X", "O"], ["O"]]
    for metric in tagging_metrics(TAGS, "IOB2", frozenset()):
        words = Tokens.from_words([["a", "b"], ["c"]])
        true, found = Tags(gold, words, [[(0, 1, "X")], [(0, 1, "Y")]]), Tags(said, words, [[(0, 1, "X")], []])
        each = metric.statistics(true, Predictions(found))
        assert each.shape[0] == 2
        names = set(metric.scores(np.asarray(each.sum(axis=0)).reshape(-1)))
        assert names == set(metric.definitions)
        assert all(score.full_name.startswith(f"{name}: ") for name, score in metric.definitions.items())
        assert all(metric.higher_is_better.values()) and {score.unit for score in metric.definitions.values()} == {
            "share"
        }


def test_intervals_are_by_the_luck_of_sentences():
    gold = Tags([["B-X"]] * 50)
    said = Predictions(Tags([["B-X"]] * 25 + [["O"]] * 25))
    metric = tagging_metrics(TAGS, "IOB2")[0]
    low, high = score_intervals(metric, metric.statistics(gold, said))["recall"]
    assert 0.3 < low < 0.5 < high < 0.7
