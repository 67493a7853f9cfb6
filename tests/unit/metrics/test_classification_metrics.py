"""Scores against scikit-learn's own and against plain loops, on random cases and at the edges."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from nlpipe.metrics.label_metrics import BINS, SMALLEST, classification_metrics, counts_by_class
from nlpipe.predictions import Predictions
from nlpipe.wire import Labels


def scores(labels, gold, predicted, probabilities=None, ordinal=False):
    predictions = Predictions(
        Labels(predicted), None, probabilities, tuple(labels) if probabilities is not None else ()
    )
    found = {}
    for metric in classification_metrics(labels, ordinal):
        one = metric(Labels(gold), predictions)
        assert set(one) <= set(metric.definitions)
        found |= one
    assert all(np.isfinite(value) for value in found.values())
    return found


@given(st.integers(2, 6), st.integers(1, 60), st.integers(0, 10_000), st.booleans())
@settings(max_examples=80, deadline=None)
def test_equal_to_scikit_learn(classes, count, seed, unseen):
    random = np.random.default_rng(seed)
    labels = [f"l{c}" for c in range(classes)]
    gold = list(random.choice([*labels, "new"] if unseen else labels, count))
    predicted = list(random.choice(labels[: max(1, classes - 1)], count))  # the last one is never predicted
    found = scores(labels, gold, predicted)
    given_gold = sorted(set(gold))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of what is asked here
        expected = {
            "accuracy": oracle.accuracy_score(gold, predicted),
            "f1_macro": oracle.f1_score(gold, predicted, average="macro", zero_division=0),
            "f1_weighted": oracle.f1_score(gold, predicted, average="weighted", zero_division=0),
            "precision_macro": oracle.precision_score(gold, predicted, average="macro", zero_division=0),
            "recall_macro": oracle.recall_score(gold, predicted, average="macro", zero_division=0),
            "balanced_accuracy": oracle.recall_score(
                gold, predicted, labels=given_gold, average="macro", zero_division=0
            ),
            "matthews_correlation": oracle.matthews_corrcoef(gold, predicted),
        }
        each = oracle.precision_recall_fscore_support(gold, predicted, labels=labels, zero_division=0)
    for c, label in enumerate(labels):
        for name, values in zip(("precision", "recall", "f1"), each, strict=False):
            expected[f"{name}[{label}]"] = values[c]
    assert found == pytest.approx(expected, abs=1e-12)


@given(st.integers(2, 5), st.integers(2, 40), st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_probabilities(classes, count, seed):
    random = np.random.default_rng(seed)
    labels = [f"l{c}" for c in range(classes)]
    rows = random.dirichlet(np.ones(classes), count)  # (N, C)
    codes = rows.argmax(axis=1)
    gold = [labels[c] for c in random.integers(0, classes, count)]
    predicted = [labels[c] for c in codes]
    found = scores(labels, gold, predicted, rows)
    assert found["log_loss"] == pytest.approx(oracle.log_loss(gold, rows, labels=labels))
    error = 0.0
    for low in range(BINS):
        inside = [i for i in range(count) if low / BINS < rows[i].max() <= (low + 1) / BINS]
        if inside:
            sure = np.mean([rows[i].max() for i in inside])
            right = np.mean([gold[i] == predicted[i] for i in inside])
            error += len(inside) / count * abs(sure - right)
    assert found["calibration_error"] == pytest.approx(error)


@given(st.integers(2, 6), st.integers(1, 50), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_ordinal(classes, count, seed):
    random = np.random.default_rng(seed)
    labels = [f"{c} stars" for c in range(classes)]
    i, j = random.integers(0, classes, count), random.integers(0, classes, count)
    found = scores(labels, [labels[c] for c in i], [labels[c] for c in j], ordinal=True)
    assert found["mean_absolute_error"] == pytest.approx(oracle.mean_absolute_error(i, j))
    if len(set(i) | set(j)) > 1:
        expected = oracle.cohen_kappa_score(i, j, weights="quadratic", labels=range(classes))
        assert found["quadratic_kappa"] == pytest.approx(expected, abs=1e-9)
    else:
        assert found["quadratic_kappa"] == 0


def test_no_probabilities_no_such_scores():
    assert {"log_loss", "calibration_error"}.isdisjoint(scores(["a", "b"], ["a", "b"], ["a", "a"]))


def test_a_gold_label_never_seen_costs_the_most_a_probability_can():
    found = scores(["a", "b"], ["new"], ["a"], np.array([[0.9, 0.1]]))
    assert found["log_loss"] == pytest.approx(-np.log(SMALLEST))
    assert found["accuracy"] == 0


def test_no_examples_at_all():
    assert scores(["a", "b"], [], [])["accuracy"] == 0


def test_many_labels_give_summaries_only_and_stay_sparse():
    labels = [str(c) for c in range(1000)]
    metric = counts_by_class(labels)
    gold = Labels(labels * 3)
    statistics = metric.statistics(gold, Predictions(gold))
    assert statistics.nnz <= 3 * len(gold)
    assert metric(gold, Predictions(gold)) == pytest.approx(dict.fromkeys(metric.definitions, 1.0))
    assert not any("[" in name for name in metric.definitions)


def test_better_when_small_is_said():
    directions: dict[str, bool] = {}
    for metric in classification_metrics(["a", "b"], ordinal=True):
        directions |= metric.higher_is_better
    lower = {name for name, higher in directions.items() if not higher}
    assert lower == {"log_loss", "calibration_error", "mean_absolute_error"}
    assert directions.keys() > {"accuracy", "f1_macro", "f1[a]", "quadratic_kappa"}


def test_every_score_stays_in_the_range_of_its_unit():
    ranges = {"share": (0, 1), "correlation": (-1, 1), "nats": (0, 100), "ranks": (0, 2)}
    random = np.random.default_rng(1)
    labels = ["a", "b", "c"]
    for _ in range(30):
        gold, codes = Labels(list(random.choice(labels, 12))), random.integers(0, 3, 12)
        rows = np.where(np.arange(3) == codes[:, None], 0.6, 0.2)  # (N, C)
        predictions = Predictions(Labels([labels[c] for c in codes]), None, rows, tuple(labels))
        for metric in classification_metrics(labels, ordinal=True):
            for name, value in metric(gold, predictions).items():
                low, high = ranges[metric.definitions[name].unit]
                assert low <= value <= high, name
