"""Selective prediction: the exact bound, the thresholds that are tried, the risk-coverage curve."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from nlpipe.metrics.selective import (
    SHARES,
    area,
    candidates,
    items_needed,
    kept,
    lower_bound,
    risk_coverage,
    widest,
)


@pytest.mark.parametrize(("right", "count", "error"), [(58, 60, 0.05), (1, 9, 0.1), (9, 9, 0.0025)])
def test_the_bound_is_where_so_many_right_answers_become_unlikely(right: int, count: int, error: float) -> None:
    bound = lower_bound(right, count, error)
    assert binom.sf(right - 1, count, bound) == pytest.approx(error)


def test_the_bound_of_no_right_answer_is_0() -> None:
    assert lower_bound(0, 5, 0.05) == lower_bound(0, 0, 0.05) == 0


def test_a_threshold_keeps_the_answers_that_are_not_below_it() -> None:
    found = kept(np.array([0.9, 0.5, 0.4]), np.array([True, False, True]), 0.5, 0.95)
    assert (found.count, found.total, found.right, found.coverage, found.accuracy) == (2, 3, 1, 2 / 3, 0.5)
    assert np.isnan(kept(np.array([0.4]), np.array([True]), 0.5, 0.95).accuracy)


def test_candidates_keep_the_surest_shares_and_all() -> None:
    confidence = np.random.default_rng(0).permutation(np.arange(1, 201) / 201)
    tried = candidates(confidence, confidence > 0.5, 0.95)
    assert [each.count for each in tried] == [round(200 * share) for share in SHARES]
    assert tried[-1].threshold == 0 and tried[-1].right == 100
    assert tried[0].bound == pytest.approx(0.0025 ** (1 / 10))  # 10 of 10: p ** 10 is the error


def test_answers_of_one_confidence_are_kept_or_left_together() -> None:
    confidence = np.array([0.9] * 5 + [0.7] * 10 + [0.2] * 5)
    counts = {each.count for each in candidates(confidence, np.ones(20, dtype=bool), 0.95)}
    assert counts == {0, 5, 15, 20}


def test_all_bounds_hold_together_where_surer_answers_are_worse() -> None:
    """In 1,000 data sets a bound is above the true accuracy in 5 % at most; accuracy falls with confidence here."""
    random = np.random.default_rng(13)
    broken = 0
    for _ in range(1000):
        confidence = random.random(300)
        right = random.random(300) < 1 - confidence / 2
        for each in candidates(confidence, right, 0.95):
            true = 1 - (1 + each.threshold) / 4  # the mean of 1 - c / 2 over c from the threshold to 1
            if each.bound > true:
                broken += 1
                break
    assert broken <= 50 + 3 * np.sqrt(1000 * 0.05 * 0.95)


def test_the_widest_is_the_one_that_keeps_most_of_those_that_reach_the_accuracy() -> None:
    confidence = np.arange(1, 2001) / 2001
    tried = candidates(confidence, confidence > 0.3, 0.95)
    chosen = widest(tried, 0.9)
    assert chosen is not None and chosen.bound >= 0.9
    assert all(each.bound < 0.9 for each in tried if each.count > chosen.count)
    assert widest(tried, 0.9999) is None


def test_items_needed_are_enough_and_not_many_more() -> None:
    right = np.arange(100) % 20 != 0
    tried = candidates(np.ones(100), right, 0.95)
    needed = items_needed(tried, 0.9, 0.95)
    assert needed is not None
    for count, reaches in ((needed, True), (int(needed * 0.97), False)):
        assert (lower_bound(round(0.95 * count), count, 0.05 / len(SHARES)) >= 0.9) is reaches
    assert items_needed(tried, 0.96, 0.95) is None


def test_the_curve_is_the_mean_loss_of_the_surest() -> None:
    confidence, loss = np.array([0.2, 0.9, 0.5]), np.array([1.0, 0.0, 1.0])
    coverage, risk = risk_coverage(confidence, loss)
    assert coverage.tolist() == pytest.approx([1 / 3, 2 / 3, 1]) and risk.tolist() == pytest.approx([0, 0.5, 2 / 3])
    assert area(confidence, loss) == pytest.approx((0 + 0.5 + 2 / 3) / 3)


def test_the_order_of_equal_confidences_does_not_matter() -> None:
    loss = np.array([1.0, 0.0, 0.0, 1.0])
    assert area(np.full(4, 0.5), loss) == area(np.full(4, 0.5), loss[::-1]) == 0.5
    assert np.isnan(area(np.zeros(0), np.zeros(0)))
