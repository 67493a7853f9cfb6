"""Parts of what was answered: differences as those of a comparison, and intervals that hold together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nlpipe
from nlpipe.compare.statistics import Sample, compare_samples
from nlpipe.metrics.jackknife import LEVEL, difference


def test_a_difference_is_that_of_a_comparison() -> None:
    random = np.random.default_rng(1)
    for seeds in (1, 3):
        samples = []
        for level in (0.7, 0.8):
            values = (random.random((seeds, 200)) < level + 0.05 * random.standard_normal((seeds, 1))).astype(float)
            samples.append(Sample(values.mean(axis=1), values, uses_seed=seeds > 1))
        evidence = compare_samples(samples)
        found = difference((samples[0].scores, samples[0].values), (samples[1].scores, samples[1].values))
        assert found.value == pytest.approx(evidence.difference[0, 1])
        assert found.interval() == pytest.approx(evidence.interval(0, 1))


def test_the_intervals_of_many_parts_hold_together() -> None:
    """Of equal pipelines none is said to differ in any of 12 parts, in 95 % of comparisons; single intervals fail."""
    random, parts, missed, missed_singly = np.random.default_rng(2), 12, 0, 0
    for _ in range(400):
        found = []
        for _ in range(parts):
            hard = random.random(80)
            one, other = ((hard + 0.3 * random.standard_normal((3, 80)) < 0.7).astype(float) for _ in range(2))
            found.append(difference((one.mean(axis=1), one), (other.mean(axis=1), other)))
        joint = [each.interval(1 - (1 - LEVEL) / parts) for each in found]
        missed += any(low > 0 or high < 0 for low, high in joint)
        missed_singly += any(low > 0 or high < 0 for low, high in (each.interval() for each in found))
    assert missed / 400 <= 0.05 + 2 * (0.05 * 0.95 / 400) ** 0.5
    assert missed_singly / 400 > 0.1  # the control: intervals of one part each do not hold together


def rows(count: int, shift: int) -> list[dict[str, Any]]:
    words = ("fine", "warm", "dull", "poor")
    return [
        {
            "text": f"film {shift + i} {words[i % 4]} " + "and so on " * (i % 7), "label": "ab"[i % 4 > 1],
            "site": "xy"[i % 3 > 0],
        }
        for i in range(count)
    ]  # fmt: skip


@pytest.mark.parametrize("how", [{"folds": 3}, {"choose": "dev"}, {}], ids=["folds", "dev", "test"])
def test_the_parts_of_a_users_column_are_shown_whatever_was_answered(tmp_path: Path, how: dict[str, Any]) -> None:
    import json

    for number, (name, count) in enumerate((("train", 80), ("dev", 40), ("test", 60))):
        lines = [json.dumps(row) + "\n" for row in rows(count, 1000 * number)]
        (tmp_path / f"{name}.jsonl").write_text("".join(lines))
    files = {name: str(tmp_path / f"{name}.jsonl") for name in ("train", "dev", "test")}
    found = nlpipe.compare(
        {
            "compare": "parts", "data": {"task": "classification", **files, "slices": ["site"]}, **how,
            "pipelines": [
                {"name": "words", "representation": "bow", "head": "naive_bayes"},
                {"name": "no_words", "representation": "bow", "head": "majority"},
            ],
        },
        out=tmp_path / "runs",
    )  # fmt: skip
    page = (found.folder / "report.html").read_text(encoding="utf-8")
    assert '<th scope="row">site: y</th>' in page and '<th scope="row">label: b</th>' in page
    assert ("unknown words" in page) is (
        "folds" not in how
    )  # those depend on the training split, of which folds have many
    assert "In label: b, " not in page or "no words is better" not in page
