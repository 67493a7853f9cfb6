"""Estimates on items: those of a comparison, and intervals of many that hold together, also of few items."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from benchmarks.slice_simulation import LARGE, SMALL, missed
from nlpipe.compare.statistics import Sample, compare_samples
from nlpipe.metrics.estimates import difference_of, score_of
from nlpipe.metrics.jackknife import LEVEL


def test_a_difference_is_that_of_a_comparison() -> None:
    random = np.random.default_rng(1)
    for seeds in (1, 3):
        samples = []
        for level in (0.7, 0.8):
            values = level + random.standard_normal((seeds, 200)) + 0.05 * random.standard_normal((seeds, 1))
            samples.append(Sample(values.mean(axis=1), values, uses_seed=seeds > 1))
        evidence = compare_samples(samples)
        found = difference_of((samples[0].scores, samples[0].values), (samples[1].scores, samples[1].values))
        assert found.value == pytest.approx(evidence.difference[0, 1])
        assert found.interval() == pytest.approx(evidence.interval(0, 1))


def test_the_ends_of_a_share_are_wilsons() -> None:
    values = (np.array([1.0]), np.ones((1, 20)))  # no error of its own, so that nothing else is in the interval
    found = score_of(values)
    z = found.freedom  # Student's t of 19 degrees of freedom stands where Wilson has the normal quantile
    confidence = 0.95
    from scipy import stats

    c = float(stats.t.ppf(0.5 + confidence / 2, z))
    wilson = binomtest(20, 20).proportion_ci(2 * float(stats.norm.cdf(c)) - 1, method="wilson")
    assert found.interval(confidence) == pytest.approx((wilson.low, wilson.high))


@pytest.mark.parametrize(("difference", "a"), [(0.0, 0.1), (0.2, 0.05), (-0.7, 0.3), (1.0, 0.5), (-1.0, 0.2)])
def test_the_ends_of_a_difference_are_where_its_variance_says(difference: float, a: float) -> None:
    from nlpipe.metrics.estimates import _ends_of_difference

    d = np.linspace(-1, 1, 200_001)
    inside = d[(d - difference) ** 2 <= a * np.abs(d) * (1 - np.abs(d)) + 1e-12]
    assert _ends_of_difference(difference, a) == pytest.approx((inside.min(), inside.max()), abs=1e-4)


@pytest.mark.parametrize(("truth", "seeds"), [("equal", 3), ("different", 1)])
def test_the_intervals_of_many_parts_hold_together(truth: str, seeds: int) -> None:
    """Of 12 parts of 12 to 150 items none is missed in 95 % of comparisons; intervals of one part each fail."""
    random, missed, missed_singly, repeats = np.random.default_rng(2), 0, 0, 150
    sizes = [12, 15, 20, 30, 40, 150] * 2
    gaps = np.zeros(12) if truth == "equal" else np.array([0.8, 0.6, 0.1, 0.3, 0.05, 0.02] * 2)
    for _ in range(repeats):
        wrong = wrong_singly = False
        for size, gap in zip(sizes, gaps, strict=True):
            hard = random.random(size)  # equal items are right or wrong for both, up to noise
            one, other = (
                (hard + 0.15 * random.standard_normal((seeds, size)) < level).astype(float)
                for level in (0.9, 0.9 - gap)
            )
            found = difference_of((one.mean(axis=1), one), (other.mean(axis=1), other))
            low, high = found.interval(1 - (1 - LEVEL) / 12)
            true = _true(0.9) - _true(0.9 - gap)
            wrong |= not low <= true <= high
            low, high = found.value + np.array([-1.96, 1.96]) * found.error
            wrong_singly |= not low <= true <= high
        missed += wrong
        missed_singly += wrong_singly
    assert missed / repeats <= 0.05 + 2 * (0.05 * 0.95 / repeats) ** 0.5
    assert missed_singly / repeats > 0.2  # the control


@pytest.mark.parametrize(("sizes", "luck", "repeats", "count"), [(SMALL, 0.01, 1, 80), (LARGE, 0.0, 2, 60)])
def test_the_intervals_of_slices_hold_together_in_folds(
    sizes: tuple[int, ...], luck: float, repeats: int, count: int
) -> None:
    """As above, of 36 intervals in a cross-validation; ``python -m benchmarks slice_simulation`` draws more."""
    together, singly = missed(sizes, repeats, luck, count, np.random.default_rng(3))
    assert together <= 0.05 + 2 * (0.05 * 0.95 / count) ** 0.5
    assert singly > 0.2  # the control


def test_the_luck_of_training_sets_is_missed_in_large_slices() -> None:
    """What docs/how-the-verdict-works.md says of intervals in folds: they are too narrow by that luck."""
    assert missed(LARGE, 1, 0.02, 40, np.random.default_rng(3))[0] > 0.15


def _true(level: float) -> float:
    """The share of items that are right: a uniform plus a normal is below ``level``."""
    at = np.linspace(0, 1, 20_001)
    from scipy.stats import norm

    return float(norm.cdf((level - at) / 0.15).mean())
