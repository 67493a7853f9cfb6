"""The statistics of a comparison beside scipy, statsmodels, sacreBLEU and sums done by hand."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.weightstats import ttost_paired

from nlpipe.compare.evidence import Evidence, share_bound
from nlpipe.compare.statistics import Sample, compare_folds, compare_samples
from nlpipe.metrics.jackknife import item_values
from nlpipe.metrics.label_metrics import accuracy, counts_by_class
from nlpipe.metrics.text_metrics import bleu
from nlpipe.predictions import Predictions
from nlpipe.wire import Labels, Text

RANDOM = np.random.default_rng(3)
N = 400
TRUTH = RANDOM.choice(["a", "b", "c"], N, p=[0.6, 0.3, 0.1])


def answered(share: float, seed: int) -> np.ndarray:
    """Labels of which ``share`` are right; those of two seeds are right on much the same items."""
    random = np.random.default_rng(seed)
    hard = np.random.default_rng(9).random(N) * 0.7 + random.random(N) * 0.3
    return np.where(hard < np.quantile(hard, share), TRUTH, random.choice(["a", "b", "c"], N))


def one(values: np.ndarray, uses_seed: bool = False) -> Sample:
    return Sample(np.array([values.mean()]), values[None, :].astype(float), uses_seed)


def right(share: float, seed: int) -> np.ndarray:
    return np.asarray(answered(share, seed) == TRUTH, dtype=float)


def test_items_of_accuracy_are_right_or_wrong() -> None:
    predicted = answered(0.8, 1)
    metric = accuracy()
    statistics = metric.statistics(Labels(list(TRUTH)), Predictions(Labels(list(predicted))))
    score, values = item_values(lambda sums: metric.scores(sums)["accuracy"], statistics)
    assert score == pytest.approx((predicted == TRUTH).mean())
    assert values == pytest.approx((predicted == TRUTH).astype(float))


def test_items_of_f1_are_what_leaving_each_out_changes() -> None:
    predicted = answered(0.7, 2)
    metric = counts_by_class(["a", "b", "c"])
    statistics = metric.statistics(Labels(list(TRUTH)), Predictions(Labels(list(predicted))))
    score, values = item_values(lambda sums: metric.scores(sums)["f1_macro"], statistics)
    for i in (0, 7, 399):
        kept = np.arange(N) != i
        without = metric(Labels(list(TRUTH[kept])), Predictions(Labels(list(predicted[kept]))))["f1_macro"]
        assert values[i] == pytest.approx(N * score - (N - 1) * without)


def test_items_of_a_group_count_as_one() -> None:
    statistics = np.stack([RANDOM.random(12), np.ones(12)], axis=1)
    groups = np.array([0, 0, 0, 1, 2, 2, 3, 3, 3, 3, 1, 1])
    summed = np.stack([statistics[groups == g].sum(axis=0) for g in range(4)])
    for given_as in (statistics, sp.csr_matrix(statistics)):
        score, values = item_values(lambda sums: sums[..., 0] / sums[..., 1], given_as, groups)
        assert score == pytest.approx(statistics[:, 0].mean()) and len(values) == 4
        assert values == pytest.approx(item_values(lambda sums: sums[..., 0] / sums[..., 1], summed)[1])


def test_the_error_of_f1_is_that_of_the_bootstrap_of_scipy() -> None:
    predicted = answered(0.7, 2)
    metric = counts_by_class(["a", "b", "c"])
    statistics = metric.statistics(Labels(list(TRUTH)), Predictions(Labels(list(predicted)))).toarray()
    _, values = item_values(lambda sums: metric.scores(sums)["f1_macro"], statistics)
    jackknife = values.std(ddof=1) / np.sqrt(N)

    def score(index: np.ndarray, axis: int = -1) -> np.ndarray:
        return metric.scores(statistics[index].sum(axis=axis - 1))["f1_macro"]

    bootstrap = stats.bootstrap((np.arange(N),), score, n_resamples=2000, method="percentile", rng=1, batch=200)
    assert jackknife == pytest.approx(bootstrap.standard_error, rel=0.08)


def test_the_interval_of_two_is_that_of_the_paired_t_test() -> None:
    first, second = right(0.8, 1), right(0.75, 2)
    evidence = compare_samples([one(first), one(second)])
    expected = stats.ttest_rel(first, second).confidence_interval(0.95)
    assert evidence.interval(0, 1) == pytest.approx((expected.low, expected.high))
    alone = stats.t.interval(0.95, N - 1, first.mean(), first.std(ddof=1) / np.sqrt(N))
    assert evidence.intervals[0] == pytest.approx(alone)


def test_two_are_not_worse_where_statsmodels_finds_so() -> None:
    """The bound of the worse of two deterministic pipelines is that of a one-sided test of non-inferiority."""
    first, second = right(0.8, 1), right(0.75, 2)
    bound = compare_samples([one(first), one(second)]).bounds[1]
    for tolerance, fits in ((bound - 0.002, False), (bound + 0.002, True)):
        _, (_, p, _), _ = ttost_paired(second, first, -tolerance, 1.0)
        assert (p <= 0.05) == fits


def test_the_variance_of_bleu_is_that_of_the_paired_bootstrap_of_sacrebleu() -> None:
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.significance import PairedTest

    random = np.random.default_rng(4)
    words = [f"w{i}" for i in range(40)]
    gold = [" ".join(random.choice(words, random.integers(5, 15))) for _ in range(300)]

    def damaged(share: float) -> list[str]:
        return [" ".join(w if random.random() > share else "x" for w in line.split()) for line in gold]

    systems = {"one": damaged(0.2), "two": damaged(0.25)}
    metric = bleu()
    samples = []
    for texts in systems.values():
        statistics = metric.statistics(Text(gold), Predictions(Text(texts)))
        score, values = item_values(lambda sums: metric.scores(sums)["bleu"], statistics)
        samples.append(Sample(np.array([score]), values[None, :], uses_seed=False))
    evidence = compare_samples(samples)
    test = PairedTest(list(systems.items()), {"BLEU": BLEU(references=[gold])}, [gold], test_type="bs", n_samples=1000)
    baseline, other = test()[1]["BLEU"]
    assert [baseline.score, other.score] == pytest.approx(list(evidence.scores))
    reach = evidence.intervals[:, 1] - evidence.scores
    assert [baseline.ci, other.ci] == pytest.approx(list(reach), rel=0.12)


def test_two_kinds_of_luck_add_up() -> None:
    values = np.stack([right(0.8, seed) for seed in (1, 2, 3)])
    scores = values.mean(axis=1) + np.array([0.03, -0.02, 0.01])  # seeds that differ by more than their items
    other = right(0.75, 7)
    evidence = compare_samples([Sample(scores, values), one(other)])
    flips = values.var(axis=0, ddof=1).mean() / N
    per_seed = scores.var(ddof=1) - flips
    of_items = (values.mean(axis=0) - other).var(ddof=1) / N
    assert evidence.seed_variance[0] == pytest.approx(per_seed) and evidence.seed_variance[1] == 0
    assert evidence.variance[0, 1] == pytest.approx(of_items + per_seed / 3)
    freedom = evidence.variance[0, 1] ** 2 / (of_items**2 / (N - 1) + (scores.var(ddof=1) / 3) ** 2 / 2)
    assert evidence.pair_freedom[0, 1] == pytest.approx(freedom)


def test_seeds_common_to_all_are_paired() -> None:
    """What a seed does to both alike is no luck of their difference."""
    shift = np.array([0.05, -0.03, 0.0, -0.04])
    first = np.stack([right(0.8, seed) for seed in (1, 2, 3, 4)])
    second = np.stack([right(0.75, seed) for seed in (5, 6, 7, 8)])
    samples = [Sample(first.mean(axis=1) + shift, first), Sample(second.mean(axis=1) + shift, second)]
    paired, apart = compare_samples(samples, same_seeds=True), compare_samples(samples)
    assert paired.variance[0, 1] < apart.variance[0, 1] / 2
    spread = (first.mean(axis=1) - second.mean(axis=1)).var(ddof=1)
    flips = (first - second).var(axis=0, ddof=1).mean() / N
    assert paired.variance[0, 1] == pytest.approx(paired.of_items[0, 1] + max(0, spread - flips) / 4)


def test_one_seed_leaves_its_luck_unknown_and_equal_seeds_have_none() -> None:
    same = np.stack([right(0.8, 1)] * 2)
    evidence = compare_samples(
        [one(right(0.8, 1), uses_seed=True), Sample(same.mean(axis=1), same), one(right(0.7, 3))]
    )
    assert list(evidence.unknown) == [True, False, False]
    assert list(evidence.seed_variance) == [0, 0, 0]
    tipping = evidence.tipping_deviation(0, 0.1)
    assert tipping is not None and evidence.losses(tipping**2)[2, 0] <= 0.1 + 1e-9
    assert max(evidence.losses(tipping**2)[:, 0]) == pytest.approx(0.1)
    assert compare_samples([one(right(0.8, 1)), one(right(0.7, 3))]).tipping_deviation(0, 0.1) is None


def test_equal_answers_are_not_certain_to_be_equally_good() -> None:
    values = right(0.8, 1)
    evidence = compare_samples([one(values), one(values)], shares=True)
    c = evidence.bound_quantile[0, 1]
    assert evidence.bounds == pytest.approx([c**2 / N / (1 + c**2 / N)] * 2)
    assert not evidence.different.any() and not evidence.not_best.any()
    low, high = compare_samples([one(np.ones(50)), one(np.ones(50))], shares=True).intervals[0]
    assert high == pytest.approx(1) and low == pytest.approx(50 / (50 + stats.norm.ppf(0.975) ** 2))  # Wilson's


@given(
    difference=st.floats(-0.2, 0.5), quantile=st.floats(1.6, 3), n=st.integers(50, 10_000),
)  # fmt: skip
def test_the_bound_of_shares_solves_its_equation(difference: float, quantile: float, n: int) -> None:
    bound = share_bound(np.array(difference), np.array(quantile), n)
    if np.isfinite(bound):
        assert (bound - difference) ** 2 == pytest.approx(quantile**2 * bound * (1 - bound) / n, abs=1e-9)
    else:
        assert difference < 0


def test_the_order_of_pipelines_changes_nothing_but_the_draws() -> None:
    samples = [one(right(share, i)) for i, share in enumerate((0.8, 0.78, 0.7, 0.75))]
    ahead, back = compare_samples(samples, shares=True), compare_samples(samples[::-1], shares=True)
    assert back.bounds[::-1] == pytest.approx(ahead.bounds, abs=0.002)
    assert list(back.not_best[::-1]) == list(ahead.not_best)


def test_more_pipelines_widen_the_bounds() -> None:
    few = compare_samples([one(right(0.8, i)) for i in range(2)])
    many = compare_samples([one(right(0.8, i)) for i in range(12)])
    assert many.bound_quantile[0, 1] > few.bound_quantile[0, 1] + 0.4
    assert few.bound_quantile[0, 1] == pytest.approx(stats.norm.ppf(0.95), abs=0.04)  # that of one test
    assert many.bias > few.bias > 0


def needed(evidence: Evidence, i: int) -> float:
    return evidence.items_needed(i, 0.02)


def test_what_would_settle_it() -> None:
    samples = [one(right(0.8, 1)), one(right(0.79, 2))]
    evidence = compare_samples(samples, shares=True)
    j = evidence.rival(1)
    expected = evidence.of_items[j, 1] * N / (0.02 / (evidence.bound_quantile[j, 1] + stats.norm.ppf(0.8))) ** 2
    assert needed(evidence, 1) == np.ceil(expected)
    noisy = np.stack([right(share, i) for i, share in enumerate((0.9, 0.6, 0.75))])
    evidence = compare_samples([samples[0], Sample(noisy.mean(axis=1), noisy)], shares=True)
    assert needed(evidence, 1) == np.inf
    factor = ((evidence.bound_quantile[0, 1] + stats.norm.ppf(0.8)) / 0.02) ** 2
    assert evidence.seeds_needed(1, 0.02) == np.ceil(evidence.seed_variance[1] * factor)


def test_folds_have_the_corrected_variance() -> None:
    scores = np.array([[0.8, 0.82, 0.78, 0.81, 0.8], [0.75, 0.79, 0.74, 0.78, 0.73]])
    evidence = compare_folds(scores, 5)
    difference = scores[0] - scores[1]
    assert evidence.variance[0, 1] == pytest.approx(difference.var(ddof=1) * (1 / 5 + 1 / 4))
    twice = compare_folds(np.concatenate([scores, scores], axis=1), 5)
    spread = np.concatenate([difference, difference]).var(ddof=1)
    assert twice.variance[0, 1] == pytest.approx(spread * (1 / 10 + 1 / 4))
    assert evidence.bound_quantile[0, 1] == pytest.approx(stats.t.ppf(0.95, 4), rel=0.05)
