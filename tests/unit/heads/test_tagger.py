"""The tagger: constraints, its two inner schemes, and what it says of each word."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nlpipe import tag_schemes
from nlpipe.errors import DataError
from nlpipe.heads import Tagger
from nlpipe.wire import Sequences, Tags, Tokens

TAGS = [["B-X", "I-X", "I-X", "O"], ["B-Y"], [], ["O", "B-X", "B-Y", "I-Y"]]
LENGTHS = [len(tags) for tags in TAGS]


def source(seed=0, width=5):
    rows = np.random.default_rng(seed).normal(size=(sum(LENGTHS), width)).astype(np.float32)
    return Sequences(rows, LENGTHS, Tokens.from_words([["w"] * n for n in LENGTHS]))


def tagger(**options):
    torch.manual_seed(0)
    head = Tagger(**options)
    head.fit([(source(), Tags(TAGS))])
    head.build(5)
    return head.eval()


@pytest.mark.parametrize("scheme", ["IOB2", "IOBES"])
def test_answers_obey_the_scheme_and_argmax_need_not(scheme):
    free, bound = tagger(scheme=scheme, constrained=False), tagger(scheme=scheme)
    bound.load_state_dict(free.state_dict())
    broken = 0
    for seed in range(20):
        predicted = bound.predict(source(seed)).values
        assert [len(tags) for tags in predicted.values] == LENGTHS
        assert all(tag_schemes.faults(tags, "IOB2") == [] for tags in predicted.values)
        assert tag_schemes.marks_entities({tag for tags in predicted.values for tag in tags})
        if scheme == "IOB2":
            broken += any(tag_schemes.faults(tags, "IOB2") for tags in free.predict(source(seed)).values.values)
    assert scheme == "IOBES" or broken  # otherwise the constraint was never put to the test


def test_inside_iobes_there_are_ends_and_single_words():
    head = tagger(scheme="IOBES")
    assert head.classes == ("B-X", "B-Y", "E-X", "E-Y", "I-X", "O", "S-X", "S-Y")
    assert head.answers == ("O", "B-X", "I-X", "B-Y", "I-Y")


def test_the_loss_is_the_sum_of_what_score_gives():
    head = tagger()
    loss, units = head.loss(source(), Tags(TAGS))
    assert units.item() == sum(LENGTHS)
    assert loss.item() == pytest.approx(-head.score(source(), Tags(TAGS)).sum(), rel=1e-5)


def test_scores_are_probabilities_of_each_word():
    predicted = tagger().predict(source())
    assert [len(scores) for scores in predicted.scores] == LENGTHS
    assert all(((scores > 0) & (scores <= 1)).all() for scores in predicted.scores)


def test_tags_that_mark_no_entities_are_free():
    head = Tagger()
    head.fit([(source(), Tags([["NOUN"] * n for n in LENGTHS[:-1]] + [["VERB"] * LENGTHS[-1]]))])
    head.build(5)
    assert head.classes == head.answers == ("NOUN", "VERB")
    assert {tag for tags in head.predict(source()).values.values for tag in tags} <= {"NOUN", "VERB"}


def test_weights_of_tags_that_are_not_there():
    with pytest.raises(DataError, match="class_weight: the training split has no label 'B-Z'"):
        Tagger(scheme="IOB2", class_weight={"B-Z": 2.0}).fit([(source(), Tags(TAGS))])


def test_thousands_of_tags():
    kinds = [[f"B-t{i}"] for i in range(2000)]
    head = Tagger(scheme="IOBES")
    rows = Sequences(np.zeros((2000, 3), np.float32), [1] * 2000, Tokens.from_words([["w"]] * 2000))
    head.fit([(rows, Tags(kinds))])
    head.build(3)
    predicted = head.predict(rows.take(range(50)))
    assert [len(tags) for tags in predicted.values.values] == [1] * 50


def test_it_goes_on_after_it_was_saved():
    head = tagger()
    again = Tagger()
    again.load_state(head.state(), head.version)
    assert again.eval().predict(source()).values.values == head.predict(source()).values.values
