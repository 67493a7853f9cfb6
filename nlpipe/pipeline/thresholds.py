"""The thresholds of a cascade: which answers of a cheap pipeline stand, and which texts go on to a dearer one.

Viola and Jones 2001, "Rapid Object Detection using a Boosted Cascade of Simple Features", ask cheap classifiers first;
Wang et al. 2022, "Wisdom of Committees", pass on what a model is not sure of. The thresholds are fitted on dev.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

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

    With ``within``: the cheapest whose loss on dev, and one standard error of it, is no more. With a cost: of those
    that cost no more and that are behind the best of them by no more than one standard error, the dearest, which
    trusts the last member most. A few hundred dev items move scores by a point or two: without the standard error the
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
    tried = list(itertools.product(*(_levels(each, LEVELS[len(names) - 1]) for each in confidences)))
    owners = np.array([_owners(values, confidences) for values in tried])  # (M, N) which member's answer stands
    reached = np.stack([(owners >= k).mean(axis=1) for k in range(len(names))], axis=1)  # (M, K)
    costs = reached @ np.array(seconds) if len(seconds) else reached[:, -1]  # (M,)
    stacked = np.stack([each if isinstance(each, np.ndarray) else each.toarray() for each in statistics])  # (K, N, S)
    sign = 1.0 if metric.definitions[score].higher_is_better else -1.0
    items = np.arange(stacked.shape[1])

    def score_of(sums: np.ndarray) -> np.ndarray:
        return sign * metric.scores(sums)[score]

    def error_between(one: np.ndarray, other: np.ndarray) -> float:
        """The standard error of the difference of two combinations' scores, by the luck of the items."""
        if len(items) < 2 or (one == other).all():
            return 0.0
        values = [item_values(score_of, stacked[each, items])[1] for each in (one, other)]
        return float(np.std(values[0] - values[1], ddof=1) / np.sqrt(len(items)))

    scores = score_of(np.stack([stacked[each, items].sum(axis=0) for each in owners]))  # (M,)
    last = float(score_of(stacked[-1].sum(axis=0)))
    if aim.within is not None:
        alone = np.full(len(items), len(names) - 1)
        cheapest = np.lexsort((-scores, costs))
        best = next(
            (
                i for i in cheapest
                if reached[i, -1] < 1 and last - scores[i] + error_between(owners[i], alone) <= aim.within + 1e-12
            ),
            None,
        )  # fmt: skip
        if best is None:
            raise NlpipeError(
                f"no threshold is shown to keep it within {aim.within:g} of {names[-1]} ({score} {sign * last:.4f}) on "
                f"{len(items):,} dev items: allow more, use more dev items, or use {names[-1]} alone"
            )
    else:
        limit = aim.cost_ms / 1000 if aim.cost_ms is not None else (aim.cost_share or 0.0) * max(seconds)
        fit = np.flatnonzero(costs <= limit)
        if not len(fit):
            raise NlpipeError(
                f"no threshold keeps it at {1000 * limit:.3g} ms a text: {names[0]}, which answers first, takes "
                f"{1000 * seconds[0]:.3g} ms alone; allow more"
            )
        top = max(fit, key=lambda i: (scores[i], -costs[i]))
        dearest = sorted(fit, key=lambda i: (-costs[i], -scores[i]))
        best = next(i for i in dearest if scores[top] - scores[i] <= error_between(owners[top], owners[i]))
    shares = tuple(float(share) for share in reached[best])
    return Thresholds(tried[best], shares, score, float(sign * scores[best]), sign * last, tuple(map(float, seconds)))


def _owners(values: Sequence[float], confidences: Sequence[np.ndarray]) -> np.ndarray:
    """(N,) index of the first member that is sure of each item; that of the last where none is."""
    sure = np.array([confidence >= value for value, confidence in zip(values, confidences, strict=True)])
    return np.where(sure.any(axis=0), sure.argmax(axis=0), len(values))


def _levels(confidence: np.ndarray, count: int) -> list[float]:
    """Thresholds from 1 down to 0 that keep about 0, 1 / count, … of the answers; between two confidences each."""
    falling = np.sort(confidence)[::-1]
    kept = {round(i * len(falling) / count) for i in range(1, count)} - {0, len(falling)}
    middles = [float((falling[k - 1] + falling[k]) / 2) for k in sorted(kept)]
    return list(dict.fromkeys([1.0, *middles, 0.0]))
