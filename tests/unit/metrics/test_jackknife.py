"""The interval of a score by the luck of its items: against scipy, and the same as in a comparison."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from nlpipe.compare.statistics import Sample, compare_samples
from nlpipe.metrics.jackknife import item_values, score_intervals
from nlpipe.metrics.label_metrics import accuracy
from nlpipe.metrics.text_metrics import bleu
from nlpipe.predictions import Predictions
from nlpipe.wire import Labels, Text


def test_the_interval_of_accuracy_is_that_of_scipy() -> None:
    random = np.random.default_rng(3)
    gold = Labels(random.choice(["a", "b"], 200).tolist())
    answers = [label if random.random() < 0.8 else "a" for label in gold.values]
    metric = accuracy()
    found = score_intervals(metric, metric.statistics(gold, Predictions(Labels(answers))))["accuracy"]
    right = np.array([label == answer for label, answer in zip(gold.values, answers, strict=True)], float)
    assert found == pytest.approx(stats.t.interval(0.95, 199, right.mean(), stats.sem(right)))


def test_it_is_the_interval_of_a_comparison() -> None:
    random = np.random.default_rng(4)
    words = [" ".join(random.choice(["a", "b", "c", "d"], 9)) for _ in range(60)]
    answers = [text if random.random() < 0.5 else text[::-1] for text in words]
    metric = bleu()
    statistics = metric.statistics(Text(words), Predictions(Text(answers)))
    score, values = item_values(lambda sums: metric.scores(sums)["bleu"], statistics)
    sample = Sample(np.array([score]), values[None], uses_seed=False)
    assert score_intervals(metric, statistics)["bleu"] == pytest.approx(compare_samples([sample]).intervals[0])


def test_items_of_a_group_count_as_one_and_one_item_tells_nothing() -> None:
    right = np.repeat([True, False, True, True, False], 20)  # the items of a group are all right or all wrong
    gold = Labels(["a" if each else "b" for each in right])
    metric, answers = accuracy(), Predictions(Labels(["a"] * 100))
    statistics = metric.statistics(gold, answers)
    alone = score_intervals(metric, statistics)["accuracy"]
    grouped = score_intervals(metric, statistics, np.arange(100) // 20)["accuracy"]
    assert alone == pytest.approx((0.503, 0.697), abs=0.002)
    expected = stats.t.interval(0.95, 4, 0.6, stats.sem([1, 0, 1, 1, 0]))
    assert grouped == pytest.approx(np.clip(expected, 0, 1))
    assert score_intervals(metric, statistics, np.zeros(100, dtype=int)) == {}


def test_items_that_are_all_right_do_not_show_that_all_are() -> None:
    metric = accuracy()
    statistics = metric.statistics(Labels(["a", "b"] * 10), Predictions(Labels(["a", "b"] * 10)))
    low, high = score_intervals(metric, statistics)["accuracy"]
    assert high == 1.0 and 0.8 < low < 0.9  # Wilson 1927, n = 20: 0.839
