"""Statistics that add up, resampled as the benchmarks do: against a plain loop, and a known error."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import bootstrap
from benchmarks.bootstrap import draws, interval, resampled_sums
from nlpipe.metrics.label_metrics import accuracy, counts_by_class, log_loss
from nlpipe.predictions import Predictions
from nlpipe.wire import Labels


def test_equal_to_scoring_each_resample_again():
    random = np.random.default_rng(5)
    labels = ["a", "b", "c"]
    gold, predicted = Labels(random.choice(labels, 40)), Labels(random.choice(labels, 40))
    metric = counts_by_class(labels)
    found = interval(metric, gold, Predictions(predicted), level=0.9, resamples=60, seed=3)
    scores = []
    for weights in np.concatenate(list(draws(40, 60, 3))).astype(int):
        chosen = np.repeat(np.arange(40), weights)
        scores.append(metric(gold.take(chosen), Predictions(predicted.take(chosen))))
    for name, ends in found.items():
        assert ends == pytest.approx(tuple(np.quantile([score[name] for score in scores], [0.05, 0.95])))


def test_dense_and_sparse_statistics_are_resampled_alike():
    metric = counts_by_class(["a", "b"])
    statistics = metric.statistics(Labels(list("aabba")), Predictions(Labels(list("ababb"))))
    assert resampled_sums(statistics, 20, 1) == pytest.approx(resampled_sums(statistics.toarray(), 20, 1))


def test_every_resample_draws_n_and_chunks_do_not_matter(monkeypatch):
    whole = np.concatenate(list(draws(30, 50, 7)))
    assert whole.shape == (50, 30)
    assert (whole.sum(axis=1) == 30).all()
    monkeypatch.setattr(bootstrap, "CHUNK", 90)
    assert (np.concatenate(list(draws(30, 50, 7))) == whole).all()


def test_width_is_that_of_the_binomial():
    gold = Labels(["a"] * 1000)
    predicted = Labels(["a"] * 800 + ["b"] * 200)
    low, high = interval(accuracy(), gold, Predictions(predicted), resamples=4000)["accuracy"]
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.8 * 0.2 / 1000), rel=0.08)
    assert low < 0.8 < high


def test_what_does_not_apply_has_no_interval():
    gold = Labels(["a", "b"])
    assert interval(log_loss(), gold, Predictions(gold)) == {}
    assert interval(accuracy(), Labels([]), Predictions(Labels([]))) == {}
