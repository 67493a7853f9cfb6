"""docs/how-the-verdict-works.md: what its examples say is what the code gives, and its figures are the benchmark's."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nlpipe.compare.statistics import Sample, compare_folds, compare_samples
from nlpipe.metrics.estimates import score_of
from nlpipe.metrics.jackknife import item_values, student

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "how-the-verdict-works.md").read_text(encoding="utf-8")


def example(number: int) -> str:
    """The example of a step, on one line."""
    section = re.split(r"^## ", TEXT, flags=re.MULTILINE)[number]
    assert section.startswith(f"{number}. ")
    (found,) = re.findall(r"\*Example\.\* (.*?)(?:\n\n|\Z)", section, flags=re.DOTALL)
    return " ".join(found.split())


def sample(*seeds: list[float]) -> Sample:
    values = np.array(seeds)
    return Sample(values.mean(axis=1), values, uses_seed=len(seeds) > 1)


J = sample([1.0] * 800 + [1.0] * 60 + [0.0] * 40 + [0.0] * 100)
I = sample([1.0] * 800 + [0.0] * 60 + [1.0] * 40 + [0.0] * 100)  # noqa: E741 as the document calls it
PAIR = compare_samples([J, I], shares=True)


def test_1_item_values() -> None:
    score, items = item_values(lambda sums: sums[..., 0] / sums[..., 1], np.array([[1.0, 1], [1, 1], [1, 1], [0, 1]]))
    assert (score, list(items)) == (0.75, [1, 1, 1, 0])
    assert "θ = 0.75" in example(1) and "3 · 1 = 0" in example(1) and "3 · 2/3 = 1" in example(1)


def test_2_items_and_4_the_interval() -> None:
    assert f"V_items = {PAIR.of_items[0, 1]:.7f}" == "V_items = 0.0000997"  # with n - 1 = 999 in place of n
    assert PAIR.of_items[0, 1] * 999 / 1000 == pytest.approx(0.0000996) and "V_items = 0.0000996" in example(2)
    low, high = PAIR.interval(0, 1)
    assert example(4).endswith(f"= {low:.3f} to {high:.3f}.")


def test_3_seeds() -> None:
    alike, never = [1.0] * 780, [0.0] * 160
    seeds = [
        [*alike, *(float(start <= i < stop) for i in range(60)), *never]
        for start, stop in ((0, 10), (10, 30), (30, 60))
    ]
    lucky = sample(*seeds)
    assert list(1000 * lucky.scores) == pytest.approx([790, 800, 810])
    evidence = compare_samples([lucky, I])
    spread, flips = lucky.scores.var(ddof=1), lucky.values.var(axis=0, ddof=1).mean() / 1000
    assert f"S² = {spread:.4f}" in example(3) and f"R / n = {flips:.5f}" in example(3)
    luck = evidence.seed_variance[0] / 3
    assert f"= {luck:.7f}" in example(3) and f"standard error of {luck**0.5:.3f}" in example(3)


def test_5_bounds() -> None:
    better, worse = PAIR.bounds
    assert f"= {worse:.3f}, of the better" in example(5) and f"= {better:.0f}." in example(5)
    assert (PAIR.bounds <= 0.02).tolist() == [True, False] and (PAIR.bounds <= 0.04).all()
    same = compare_samples([J, J], shares=True)
    assert f"about c² / n = {same.bounds[0]:.3f} on others" in " ".join(TEXT.split())


@pytest.mark.parametrize(("place", "k"), [(0, 2), (1, 6), (2, 20)])
def test_5_the_quantile_grows_with_the_number_of_pipelines(place: int, k: int) -> None:
    """Of pipelines that are right independently of each other; c and q are drawn, to about 0.02."""
    random = np.random.default_rng(2)
    evidence = compare_samples([sample(list((random.random(4000) < 0.8).astype(float))) for _ in range(k)])
    (said,) = re.findall(r"about ([\d.]+) for two, ([\d.]+) for six, ([\d.]+) for twenty", TEXT)
    off_diagonal = ~np.eye(k, dtype=bool)
    assert evidence.bound_quantile[off_diagonal].mean() == pytest.approx(float(said[place]), abs=0.03)
    if k < 20:
        (q,) = re.findall(r"q is ([\d.]+) for two" if k == 2 else r"For six q is about ([\d.]+)", TEXT)
        assert evidence.difference_quantile[0, 1] == pytest.approx(float(q), abs=0.04)


def test_6_different_and_7_what_cannot_be_told() -> None:
    error = PAIR.variance[0, 1] ** 0.5
    least = PAIR.difference_quantile[0, 1] * error
    assert f"1.96 · {error:.5f} = {least:.4f}" in example(6) and PAIR.different[0, 1]
    assert f"must be more than {2.85 * error:.3f}" in example(6)
    needed = PAIR.items_needed(1, 0.02)
    assert needed == pytest.approx(1540, rel=0.01) and example(7).partition("≈ ")[2].startswith("1,540.")
    assert f"= {PAIR.detectable(0, 1):.3f}." in example(7)


def test_8_folds() -> None:
    differences = np.array([0.01, 0.02, 0.03, 0.02, 0.02])
    evidence = compare_folds(np.stack([0.8 + differences, np.full(5, 0.8)]), 5)
    low, high = evidence.interval(0, 1)
    assert f"{low:.3f} to {high:.3f}. As if" in example(8)
    assert f"it is {evidence.variance[0, 1]:.7f}, whose root is {evidence.variance[0, 1] ** 0.5:.4f}" in example(8)
    t = float(student(0.975, np.array(4.0)))
    reach = t * (differences.var(ddof=1) / 5) ** 0.5
    assert f"t is {t:.2f}" in example(8) and f"{0.02 - reach:.3f} to {0.02 + reach:.3f}." in example(8)


def test_9_slices() -> None:
    found = score_of((np.array([0.6]), np.array([[1.0] * 60 + [0.0] * 40])))
    level = 1 - 0.05 / 30
    low, high = found.interval(level)
    assert f"made for {level:.2%}".replace("%", " %") in example(9)
    assert f"t = {student(0.5 + level / 2, np.array(99.0)):.2f}" in example(9)
    assert f"= {found.error:.3f}: {low:.2f} to {high:.2f}. It is weak" in example(9) and high < 0.8


def test_9_the_figures_with_folds_are_those_of_the_simulation() -> None:
    rows = json.loads((ROOT / "benchmarks" / "results" / "slice_simulation.json").read_text())["table"][1:]

    def most(slices: str, luck: str = "") -> str:
        missed = [float(row[3].removesuffix("%")) for row in rows if row[0] == slices and luck in ("", row[2])]
        return f"{max(missed):.1f} %"

    said, large = " ".join(TEXT.split()), "120 to 1,500 items"
    assert f"one missed in at most {most('12 to 150 items')} of comparisons" in said
    none, half, one, two = (most(large, luck) for luck in ("0", "0.005", "0.01", "0.02"))
    assert f"at most {none} without such luck, {half} with half a point, {one} with one, {two} with two" in said


def figures(figure: str, of: Callable[[str], bool] = lambda of: True) -> list[float]:
    """What a benchmark reached, in percent."""
    rows = json.loads((ROOT / "benchmarks" / "results" / "verdict_simulation.json").read_text())["table"][1:]
    return [float(row[3].removesuffix("%")) for row in rows if row[0] == figure and of(row[1])]


def test_the_figures_are_those_of_the_simulation() -> None:
    said = " ".join(TEXT.partition("## How well it works")[2].split())
    pair = "coverage of a pair's interval"
    for start, values, form in (
        ("hold the truth in ", figures(pair, lambda of: "seeds" in of), "{:.1f} to {:.1f} %"),
        ("perplexity: ", figures(pair, lambda of: "seeds" not in of), "{:.1f} to {:.1f} %"),
        ("named in at most ", [0.0, *figures("wrongly named", lambda of: "k 2," in of)], "{1:.1f} % (two"),
        ("pipelines), ", [0.0, *figures("wrongly named", lambda of: "k 6" in of or "k 20" in of)], "{1:.1f} % (six"),
        ("different in at most ", [0.0, *figures("any of equals called different")], "{1:.1f} %"),
        ("found in ", figures("power at the stated effect"), "{:.0f} to {:.0f} %"),
        ("holds the truth in ", figures("not used: McNemar over pooled seeds, coverage"), "{:.0f} to {:.0f} %"),
        ("in up to ", figures("not used: bootstrap against the observed best, wrongly named"), "{1:.0f} %"),
    ):
        expected = start + form.format(min(values), max(values))
        assert expected in said, expected
