"""The thresholds of a cascade: which answers of a cheap pipeline stand, and which texts go on to a dearer one.

Viola and Jones 2001, "Rapid Object Detection using a Boosted Cascade of Simple Features", ask cheap classifiers first;
Wang et al. 2022, "Wisdom of Committees", pass on what a model is not sure of. The thresholds are fitted on dev.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from nlpipe.errors import NlpipeError
from nlpipe.metrics.jackknife import item_values
from nlpipe.metrics.metric import Metric, Statistics

LEVELS = {1: 100, 2: 30, 3: 10, 4: 5}
"""Number of thresholds to the shares of answers, evenly spaced, that each is tried at."""
MOST = max(LEVELS) + 1
"""Members of a cascade at most."""


@dataclass(frozen=True)
class Aim:
    """What the thresholds are fitted for; one of these is given.

    Args:
        within: what the cascade may score less than its last member, in the score's own unit: the cheapest then counts.
        cost_ms: mean milliseconds for a text: the best score then counts.
        cost_share: the same as a share of the dearest member's.
    """

    within: float | None = None
    cost_ms: float | None = None
    cost_share: float | None = None

    def plain(self) -> dict[str, float]:
        """The one that is given, by its name."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def __str__(self) -> str:
        return ", ".join(f"{name} {value:g}" for name, value in self.plain().items())


@dataclass(frozen=True)
class Thresholds:
    """What was fitted on dev.

    Args:
        values: for each member but the last: the confidence from which its answer stands.
        reached: the share of the dev items that reached each member; 1 for the first.
        metric: the score that was looked at.
        score: of the cascade on dev.
        last: of its last member there.
        seconds: mean seconds for a text of each member; empty where they were not needed and not known.
    """

    values: tuple[float, ...]
    reached: tuple[float, ...] = ()
    metric: str = ""
    score: float = 0.0
    last: float = 0.0
    seconds: tuple[float, ...] = ()

    @property
    def expected_seconds(self) -> float | None:
        """Mean seconds for a text: those of each member times the share of texts that reaches it."""
        if not self.seconds or not self.reached:
            return None
        return sum(cost * share for cost, share in zip(self.seconds, self.reached, strict=True))

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_plain(cls, content: Mapping[str, Any]) -> Thresholds:
        """What ``plain`` gave."""
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in content.items()
        }
        return cls(**values)


def fit_thresholds(
    aim: Aim,
    names: Sequence[str],
    confidences: Sequence[np.ndarray],
    statistics: Sequence[Statistics],
    metric: Metric,
    score: str,
    seconds: Sequence[float] = (),
) -> Thresholds:
    """Try thresholds at evenly spaced shares of each member's dev answers, and take the best combination.

    With ``within``: ``cheapest_within``. With a cost: ``best_for_cost``, which relies on the last member as much as
    dev allows. A few hundred dev items move scores by a point or two: without the standard error the
    luckiest combination would be chosen (the rule is that of Breiman et al. 1984, "Classification and Regression
    Trees").

    Args:
        names: of the K members, for messages.
        confidences: K - 1 of (N,): of the answers to the same N dev items.
        statistics: K of (N, S): those of ``metric`` of each member's answers.
        score: the score of ``metric`` that counts.
        seconds: mean seconds for a text of each member; may be empty for two members and ``within``.

    Raises:
        NlpipeError: no combination reaches the aim.
    """
    tried = try_out(confidences, statistics, metric, score, seconds)
    sign = 1.0 if metric.definitions[score].higher_is_better else -1.0
    if aim.within is not None:
        best = cheapest_within(tried, aim.within)
        if best is None:
            raise NlpipeError(
                f"no threshold is shown to keep it within {aim.within:g} of {names[-1]} ({score} "
                f"{sign * tried.last:.4f}) on {tried.owners.shape[1]:,} dev items: allow more, use more dev items, or "
                f"use {names[-1]} alone"
            )
    else:
        limit = aim.cost_ms / 1000 if aim.cost_ms is not None else (aim.cost_share or 0.0) * max(seconds)
        best = best_for_cost(tried, limit)
        if best is None:
            raise NlpipeError(
                f"no threshold keeps the mean cost within {1000 * limit:.3g} ms a text: {names[0]}, which answers "
                f"first, takes {1000 * seconds[0]:.3g} ms alone; allow more"
            )
    shares = tuple(float(share) for share in tried.reached[best])
    own, last = float(sign * tried.scores[best]), sign * tried.last
    return Thresholds(tried.values[best], shares, score, own, last, tuple(map(float, seconds)))


@dataclass(frozen=True)
class Tried:
    """M combinations of thresholds and how they do on N dev items.

    Args:
        values: (M, K - 1) the thresholds.
        owners: (M, N) of each item the number of the member whose answer stands.
        reached: (M, K) the share of the items that reach each member.
        costs: (M,) mean seconds for a text; where those of members are not known, the share that reaches the last.
        scores: (M,); higher is better.
        last: the score of the last member alone.
        rows: (K N, S) the statistics of all members' answers, one member's after the other's.
        score_of: sums of statistics (..., S) to the score (...).
    """

    values: Sequence[tuple[float, ...]]
    owners: np.ndarray
    reached: np.ndarray
    costs: np.ndarray
    scores: np.ndarray
    last: float
    rows: Statistics
    score_of: Callable[[np.ndarray], np.ndarray]

    def error_between(self, one: np.ndarray, other: np.ndarray) -> float:
        """The standard error of the difference between two scores, by the luck of the items.

        Args:
            one: (N,) the numbers of the members whose answers stand.
            other: the same of the other score.
        """
        count = len(one)
        if count < 2 or (one == other).all():
            return 0.0
        values = [item_values(self.score_of, _standing(self.rows, each))[1] for each in (one, other)]
        return float(np.std(values[0] - values[1], ddof=1) / np.sqrt(count))


def try_out(
    confidences: Sequence[np.ndarray],
    statistics: Sequence[Statistics],
    metric: Metric,
    score: str,
    seconds: Sequence[float],
) -> Tried:
    """How all combinations of thresholds do; the arguments are those of ``fit_thresholds``."""
    sign = 1.0 if metric.definitions[score].higher_is_better else -1.0

    def score_of(sums: np.ndarray) -> np.ndarray:
        return sign * metric.scores(sums)[score]

    members = len(statistics)
    values = list(itertools.product(*(_levels(each, LEVELS[members - 1]) for each in confidences)))
    owners = np.stack([_owners(each, confidences) for each in values])  # (M, N)
    reached = np.stack([(owners >= k).mean(axis=1) for k in range(members)], axis=1)  # (M, K)
    costs = reached @ np.array(seconds) if len(seconds) else reached[:, -1]  # (M,)
    if all(isinstance(each, np.ndarray) for each in statistics):
        rows: Statistics = np.concatenate(statistics)  # (K N, S)
    else:
        rows = sp.vstack(statistics, format="csr")  # (K N, S), most of it 0: that of label sets
    scores = score_of(np.stack([_sums(_standing(rows, each)) for each in owners]))  # (M,)
    return Tried(values, owners, reached, costs, scores, float(score_of(_sums(statistics[-1]))), rows, score_of)


def cheapest_within(tried: Tried, most: float) -> int | None:
    """The cheapest combination whose loss to the last member, plus one standard error, is at most ``most``; or None."""
    alone = np.full(tried.owners.shape[1], tried.reached.shape[1] - 1)
    for i in np.lexsort((-tried.scores, tried.costs)).tolist():
        left = most + 1e-12 - (tried.last - tried.scores[i])  # for the standard error
        if tried.reached[i, -1] < 1 and left >= 0 and tried.error_between(tried.owners[i], alone) <= left:
            return int(i)
    return None


def best_for_cost(tried: Tried, most: float) -> int | None:
    """Of the combinations that cost at most ``most`` seconds and score within one standard error of the best of these,
    the one that costs most; None where all cost more.
    """
    affordable = np.flatnonzero(tried.costs <= most)
    if not len(affordable):
        return None
    best = max(affordable, key=lambda i: (tried.scores[i], -tried.costs[i]))
    for i in sorted(affordable, key=lambda i: (-tried.costs[i], -tried.scores[i])):
        error = tried.error_between(tried.owners[best], tried.owners[i])
        if tried.scores[best] - tried.scores[i] <= error:
            return int(i)
    return int(best)


def _standing(rows: Statistics, owners: np.ndarray) -> Statistics:
    """(N, S) the rows of the answers that stand, of ``Tried.rows``."""
    count = len(owners)
    return rows[owners.astype(np.int64) * count + np.arange(count)]


def _sums(statistics: Statistics) -> np.ndarray:
    """(S,) the sums over items of statistics (N, S)."""
    return np.asarray(statistics.sum(axis=0)).reshape(-1)


def _owners(values: Sequence[float], confidences: Sequence[np.ndarray]) -> np.ndarray:
    """(N,) number of the first member that is sure of each item, that of the last where none is; one byte each."""
    sure = np.array([confidence >= value for value, confidence in zip(values, confidences, strict=True)])
    return np.where(sure.any(axis=0), sure.argmax(axis=0), len(values)).astype(np.int8)


def _levels(confidence: np.ndarray, count: int) -> list[float]:
    """Thresholds from 1 down to 0 that keep about 0, 1 / count, … of the answers; between two confidences each."""
    falling = np.sort(confidence)[::-1]
    kept = {round(i * len(falling) / count) for i in range(1, count)} - {0, len(falling)}
    middles = [float((falling[k - 1] + falling[k]) / 2) for k in sorted(kept)]
    return list(dict.fromkeys([1.0, *middles, 0.0]))
