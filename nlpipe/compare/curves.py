"""Learning curves: between which numbers of training examples one pipeline overtakes another.

Two are compared at each size alone. One is ahead at a size if the difference is beyond a t quantile that is corrected
for all pairs and all sizes (Bonferroni), so that with 95 % no overtaking is reported that there is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nlpipe.compare.verdict import Verdict
from nlpipe.metrics.jackknife import LEVEL, student


@dataclass(frozen=True)
class Overtaking:
    """That ``later`` is behind ``earlier`` with few examples, and ahead of it with many.

    Args:
        last: the largest size at which ``earlier`` is shown to be ahead.
        first: the smallest size beyond it at which ``later`` is; None for the whole training split.
    """

    earlier: str
    later: str
    last: int
    first: int | None

    def __str__(self) -> str:
        first = "all" if self.first is None else f"{self.first:,}"
        return (
            f"{self.later} overtakes {self.earlier} between {self.last:,} and {first} training examples: the last size "
            "at which the one is shown to be ahead, and the first at which the other is."
        )


def overtakings(verdicts: Mapping[int | None, Verdict]) -> list[Overtaking]:
    """Every pair of which one is shown to be ahead with few examples, and the other with many."""
    sizes = sorted(verdicts, key=lambda size: np.inf if size is None else size)
    ahead = [_ahead(verdicts[size], len(sizes)) for size in sizes]
    found = []
    for pair in sorted({pair for pairs in ahead for pair in pairs}):
        earlier, later = pair
        before = [i for i, pairs in enumerate(ahead) if pair in pairs]
        after = [i for i, pairs in enumerate(ahead) if (later, earlier) in pairs and i > max(before)]
        last = sizes[max(before)]
        if after and last is not None:
            found.append(Overtaking(earlier, later, last, sizes[min(after)]))
    return found


def _ahead(verdict: Verdict, sizes: int) -> set[tuple[str, str]]:
    """Pairs of which the first is shown to be better than the second."""
    evidence = verdict.evidence
    if evidence is None:
        return set()
    k = len(verdict.candidates)
    tests = max(1, sizes * k * (k - 1) // 2)
    quantile = student(1 - (1 - LEVEL) / 2 / tests, evidence.pair_freedom)
    shown = evidence.difference > quantile * np.sqrt(evidence.variance)
    names = [candidate.name for candidate in verdict.candidates]
    return {(names[j], names[i]) for j, i in zip(*np.nonzero(shown), strict=True) if j != i}
