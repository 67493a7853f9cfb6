"""The joint intervals of slices on simulated cross-validations, in which the truth is known; no pipeline is run.

Three pipelines answer the items of 12 slices in 5 folds, as in `verdict_simulation`: an item is answered rightly where
a normal number is below a threshold. The truth of a pipeline in a slice is its expected score over items and training
sets. A training set moves the score in each slice by a normal number: half of its variance is common to all folds,
whose training sets overlap, half is that of the fold. This luck is not in the intervals
(docs/how-the-verdict-works.md, 9). "Missed" is how often any of the 36 intervals of a comparison does not hold its
truth; intervals made one by one, for 95 % each, stand beside it and must fail.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from benchmarks.verdict_simulation import ITEM, PIPELINE, SEED
from nlpipe.metrics.estimates import Values, difference_of, score_of
from nlpipe.metrics.jackknife import LEVEL

FOLDS = 5
SMALL = (12, 15, 20, 30, 40, 150) * 2
LARGE = (120, 150, 200, 300, 400, 1500) * 2
TRUTHS = ((0.8, 0.9, 0.6, 0.8, 0.7, 0.8) * 2, (0.8, 0.8, 0.7, 0.75, 0.7, 0.78) * 2, (0.7, 0.9, 0.5, 0.8, 0.8, 0.8) * 2)
"""Expected score of each pipeline in each slice; the first is the one that the others are compared with."""


def answered(size: int, truths: list[float], repeats: int, luck: float, random: np.random.Generator) -> list[Values]:
    """What pipelines answered in one slice: 0 or 1 of each of ``size`` items, in every repeat of the folds.

    Args:
        luck: standard deviation of the score from training set to training set.
    """
    item = random.standard_normal(size) * np.sqrt(ITEM)
    found: list[Values] = []
    for truth in truths:
        own = item + random.standard_normal(size) * np.sqrt(PIPELINE)
        common = random.standard_normal()
        values = np.empty((repeats, size))
        for repeat in range(repeats):
            fold = random.integers(FOLDS, size=size)
            moved = truth + luck * np.sqrt(0.5) * (common + random.standard_normal(FOLDS))  # (FOLDS,)
            threshold = stats.norm.ppf(np.clip(moved, 0.001, 0.999))[fold]
            values[repeat] = own + random.standard_normal(size) * np.sqrt(SEED) < threshold
        found.append((values.mean(axis=1), values))
    return found


def missed(
    sizes: tuple[int, ...], repeats: int, luck: float, count: int, random: np.random.Generator
) -> tuple[float, float]:
    """How often any interval of a comparison misses its truth: of those made together, and of those made one by one."""
    level = 1 - (1 - LEVEL) / (len(sizes) * len(TRUTHS))
    together = singly = 0
    for _ in range(count):
        wrong = np.zeros(2, dtype=bool)
        for s, size in enumerate(sizes):
            truths = [each[s] for each in TRUTHS]
            first, *others = answered(size, truths, repeats, luck, random)
            estimates = [score_of(first), *(difference_of(other, first) for other in others)]
            expected = [truths[0], *(truth - truths[0] for truth in truths[1:])]
            for estimate, true in zip(estimates, expected, strict=True):
                for place, each in enumerate((level, LEVEL)):
                    low, high = estimate.interval(each)
                    wrong[place] |= not low <= true <= high
        together += wrong[0]
        singly += wrong[1]
    return together / count, singly / count


def measure() -> dict[str, Any]:
    """How often an interval misses, by the size of the slices, the repeats and the luck of the training sets."""
    random, count = np.random.default_rng(4), 400
    table = [["slices", "repeats", "sd from training set to training set", "missed, at most 5 %", "one by one"]]
    for name, sizes in (("12 to 150 items", SMALL), ("120 to 1,500 items", LARGE)):
        for repeats in (1, 3):
            for luck in (0.0, 0.005, 0.01, 0.02):
                together, singly = missed(sizes, repeats, luck, count, random)
                table.append([name, str(repeats), f"{luck:g}", f"{together:.1%}", f"{singly:.1%}"])
                print("  ".join(table[-1]), flush=True)
    error = 2 * float(np.sqrt(0.05 * 0.95 / count))
    return {"table": table, "notes": f"Two Monte Carlo errors of 5 % in {count} comparisons are {error:.1%}."}
