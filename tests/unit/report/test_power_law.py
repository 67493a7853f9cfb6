"""The power law of a learning curve: found again where it is one, and not drawn through two points."""

from __future__ import annotations

import numpy as np
import pytest

from nlpipe.report.power_law import power_law


@pytest.mark.parametrize(("a", "b", "c"), [(0.9, 0.3, 0.5), (0.8, 0.2, 1.0), (2.0, -1.5, 0.4)])
def test_a_power_law_is_found_again(a: float, b: float, c: float) -> None:
    sizes = [100, 300, 1000, 5000, 20000]
    scores = [a - b * (n / 100) ** -c for n in sizes]
    law = power_law(sizes, scores)
    assert (law[0][0], law[-1][0]) == pytest.approx((100, 20000))
    for n, value in law:
        assert value == pytest.approx(a - b * (n / 100) ** -c, abs=1e-3)


def test_a_flat_curve_is_flat_and_two_points_have_no_law() -> None:
    assert {round(value, 6) for _, value in power_law([10, 100, 1000], [0.5, 0.5, 0.5])} == {0.5}
    assert power_law([10, 100], [0.5, 0.6]) == [] and power_law([10, 10, 10], [0.5, 0.6, 0.7]) == []
    assert all(np.isfinite(value) for _, value in power_law([10, 20, 40], [0.9, 0.1, 0.8]))
