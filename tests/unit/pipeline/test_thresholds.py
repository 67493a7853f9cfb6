"""The thresholds of a cascade: what is tried, what is chosen, and why."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from nlpipe.errors import NlpipeError
from nlpipe.metrics.label_metrics import classification_metrics
from nlpipe.metrics.metric import Metric
from nlpipe.pipeline.thresholds import Aim, Thresholds, fit_thresholds
from nlpipe.predictions import Predictions
from nlpipe.wire import Labels

GOLD = Labels(["a"] * 1000)
ACCURACY = next(metric for metric in classification_metrics(["a", "b"]) if "accuracy" in metric.definitions)


def statistics(right: np.ndarray, metric: Metric = ACCURACY) -> object:
    answers = Labels(["a" if good else "b" for good in right])
    return metric.statistics(GOLD, Predictions(answers))


def fitted(
    aim: Aim, confidences: list[np.ndarray], right: list[np.ndarray], seconds: tuple[float, ...] = ()
) -> Thresholds:
    names = [f"m{i}" for i in range(len(right))]
    rows = [statistics(each) for each in right]
    return fit_thresholds(aim, names, confidences, rows, ACCURACY, "accuracy", seconds)  # type: ignore[arg-type]


SURE = np.arange(1000) / 1000
"""The first member is surer of each item than of the one before it."""
CHEAP = SURE >= 0.4
"""It is right about the surest 600."""
ALL = np.ones(1000, dtype=bool)


def test_what_the_first_is_right_about_does_not_go_on() -> None:
    found = fitted(Aim(within=0.005), [SURE], [CHEAP, ALL])
    assert found.reached == (1.0, 0.4) and found.score == found.last == 1.0
    assert found.values[0] == pytest.approx(0.3995)  # between the answers 399 and 400


def test_a_loss_is_taken_where_it_is_allowed_with_its_error() -> None:
    """Of 1,000 items 50 may be lost, less the standard error of the difference."""
    found = fitted(Aim(within=0.05), [SURE], [CHEAP, ALL])
    lost = round(1000 * (found.last - found.score))
    assert lost == 40  # with 50, 0.05 and an error of 0.0069 would be more than 0.05; shares are tried by 10 items
    assert found.reached[1] == 0.36


def test_what_no_threshold_reaches_is_refused() -> None:
    """A first member that is never right has nothing to give."""
    with pytest.raises(NlpipeError, match=r"within 0\.005 of m1 \(accuracy 1\.0000\) on 1,000 dev items"):
        fitted(Aim(within=0.005), [SURE], [SURE < 0, ALL])


def test_a_cost_is_spent_where_dev_shows_nothing_against_it() -> None:
    found = fitted(Aim(cost_share=0.5), [SURE], [CHEAP, ALL], (0.001, 0.1))
    assert found.reached == (1.0, 0.49)  # 0.001 + 0.49 * 0.1 is just below 0.05
    assert found.expected_seconds == pytest.approx(0.001 + 0.049)
    same = fitted(Aim(cost_ms=50), [SURE], [CHEAP, ALL], (0.001, 0.1))
    assert same == found


def test_a_dearer_combination_that_is_shown_to_be_worse_is_not_taken() -> None:
    """The first member is right about the surest half, which the last gets wrong."""
    found = fitted(Aim(cost_share=0.9), [SURE], [SURE >= 0.5, SURE < 0.5], (0.001, 0.1))
    assert found.reached[1] == pytest.approx(0.5) and found.score == 1.0 and found.last == 0.5


def test_a_cost_below_the_first_member_is_refused() -> None:
    with pytest.raises(
        NlpipeError, match=r"mean cost within 0\.5 ms a text: m0, which answers first, takes 1 ms alone"
    ):
        fitted(Aim(cost_ms=0.5), [SURE], [CHEAP, ALL], (0.001, 0.1))


def test_three_members() -> None:
    """The first is right about the surest half of the items, the second about those and a quarter more."""
    second = np.where(SURE >= 0.25, 0.5 + SURE / 2, SURE)
    right = [SURE >= 0.5, SURE >= 0.25, ALL]
    found = fitted(Aim(within=0.001), [SURE, second], right, (0.001, 0.01, 0.1))
    assert found.score == 1.0
    assert found.reached[0] == 1 and found.reached[1] == pytest.approx(0.5, abs=0.04)
    assert found.reached[2] == pytest.approx(0.25, abs=0.04)


def test_a_score_of_which_less_is_better() -> None:
    """The log loss: the last member answers with certainty."""
    metric = next(each for each in classification_metrics(["a", "b"]) if "log_loss" in each.definitions)
    sure = np.clip(SURE, 0.01, 0.99)
    first = Predictions(
        GOLD, sure, np.stack([np.where(CHEAP, sure, 0.01), np.where(CHEAP, 1 - sure, 0.99)], 1), ("a", "b")
    )
    last = Predictions(GOLD, np.full(1000, 0.9), np.tile([0.9, 0.1], (1000, 1)), ("a", "b"))
    rows = [metric.statistics(GOLD, each) for each in (first, last)]
    found = fit_thresholds(Aim(within=0.0), ["m0", "m1"], [sure], rows, metric, "log_loss")
    assert found.score <= found.last and 0 < found.reached[1] < 0.9


@pytest.mark.parametrize("aim", [Aim(within=0.05), Aim(cost_share=0.5)], ids=str)
def test_sparse_statistics_are_summed_as_they_are(aim: Aim, monkeypatch: pytest.MonkeyPatch) -> None:
    dense = [np.asarray(statistics(right)) for right in (CHEAP, ALL)]
    expected = fit_thresholds(aim, ["m0", "m1"], [SURE], dense, ACCURACY, "accuracy", (0.001, 0.1))
    made: list[int] = []
    toarray = sp.csr_matrix.toarray
    monkeypatch.setattr(sp.csr_matrix, "toarray", lambda self: made.append(self.shape[0]) or toarray(self))
    monkeypatch.setattr("nlpipe.metrics.jackknife.CHUNK", 100 * dense[0].shape[1])
    sparse = [sp.csr_matrix(each) for each in dense]
    assert fit_thresholds(aim, ["m0", "m1"], [SURE], sparse, ACCURACY, "accuracy", (0.001, 0.1)) == expected
    assert set(made) <= {100}  # rows that are dense at a time


def test_plain_data_and_back() -> None:
    found = fitted(Aim(cost_ms=50), [SURE], [CHEAP, ALL], (0.001, 0.1))
    assert Thresholds.from_plain(found.plain()) == found
