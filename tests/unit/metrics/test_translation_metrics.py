"""BLEU, chrF and exact match against sacreBLEU, on adversarial texts; sums add up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU, CHRF

from nlpipe.metrics.text_metrics import bleu, chrf, exact_match, translation_metrics, words_13a
from nlpipe.predictions import Predictions
from nlpipe.tasks import task_named
from nlpipe.wire import Text

PARTS = [
    "the", "a", "cat", "Cat", "1,000", "3.5", "-", "5-6", "u.s.", "&quot;hi&quot;", "&amp;lt;", ".", "..", ",", "x,y",
    "'s", "don't", "(a)", "<skipped>", "a-\nb", "Ünï", "İ", "漢字", "\u2028", "&", "/", "!", "\t", "  ", "٣.٤",
]  # fmt: skip
TEXTS = st.one_of(st.lists(st.sampled_from(PARTS), max_size=12).map(" ".join), st.text(max_size=30))
PAIRS = st.lists(st.one_of(st.tuples(TEXTS, TEXTS), TEXTS.map(lambda text: (text, text))), min_size=1, max_size=5)


def wires(pairs):
    return Text([gold for gold, _ in pairs]), Predictions(Text([said for _, said in pairs]))


@given(TEXTS)
@settings(max_examples=300, deadline=None)
def test_words_are_those_of_13a(text):
    assert words_13a(text) == BLEU().tokenizer(text.rstrip()).split()


@pytest.mark.parametrize(
    ("metric", "oracle"),
    [(bleu(), BLEU()), (bleu(lowercase=True), BLEU(lowercase=True)), (chrf(), CHRF())],
    ids=["bleu", "bleu_lowercase", "chrf"],
)
@given(PAIRS)
@settings(max_examples=200, deadline=None)
def test_scores_are_sacrebleus(metric, oracle, pairs):
    gold, predictions = wires(pairs)
    expected = oracle.corpus_score(predictions.values.strings, [gold.strings]).score
    assert list(metric(gold, predictions).values()) == [pytest.approx(expected, rel=1e-12, abs=1e-9)]


def test_signatures_hold_what_sacrebleu_prints():
    for metric, oracle in ((bleu(), BLEU()), (bleu(lowercase=True), BLEU(lowercase=True)), (chrf(), CHRF())):
        oracle.corpus_score(["a"], [["a"]])
        printed = str(oracle.get_signature()).partition("|version")[0]
        assert [printed in score.full_name for score in metric.definitions.values()] == [True]
        assert [score.unit for score in metric.definitions.values()] == ["points"]


@given(PAIRS)
@settings(max_examples=50, deadline=None)
def test_a_resample_scores_as_its_texts_would(pairs):
    gold, predictions = wires(pairs)
    weights = np.random.default_rng(3).integers(0, 3, size=(7, len(pairs)))  # how often each pair is drawn
    for metric in translation_metrics():
        for name, values in metric.scores(weights @ metric.statistics(gold, predictions)).items():
            for row, value in zip(weights, values, strict=True):
                drawn = np.repeat(np.arange(len(pairs)), row).tolist()
                again = metric(gold.take(drawn), Predictions(predictions.values.take(drawn)))
                assert again[name] == pytest.approx(value)


def test_exact_match():
    gold, predictions = wires([("a b", " a b\n"), ("a b", "a  b"), ("A", "a"), ("", "")])
    assert exact_match()(gold, predictions) == {"exact_match": 50.0}


def test_a_hand_worked_case():
    """Of 5 words said 4 are right, of 4 pairs 3, of 3 triples 2, of 2 quadruples 1; the reference has 6 words."""
    gold, predictions = wires([("the cat sat on the mat", "the cat sat on a")])
    expected = 100 * (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25 * np.exp(1 - 6 / 5)
    assert bleu()(gold, predictions)["bleu"] == pytest.approx(expected)


def test_the_first_gives_the_tasks_primary_score():
    task = task_named("translation")
    assert list(task.metrics(())[0].definitions) == [task.primary]
