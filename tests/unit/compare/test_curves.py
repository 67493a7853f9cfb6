"""Where one pipeline overtakes another, and where it is not shown to."""

from __future__ import annotations

import numpy as np

from nlpipe.compare.curves import Overtaking, overtakings
from nlpipe.compare.question import Candidate, Question
from nlpipe.compare.statistics import Sample, compare_samples
from nlpipe.compare.verdict import Verdict, decide

N = 2000
BASE = np.random.default_rng(0).random(N)


def at(counts: float, network: float) -> Verdict:
    samples = [
        Sample(np.array([float((share > BASE).mean())]), (share > BASE).astype(float)[None, :], False)
        for share in (counts, network)
    ]
    candidates = [
        Candidate("counts", {"latency_p50_seconds": 0.001}),
        Candidate("network", {"latency_p50_seconds": 0.01}),
    ]
    return decide(Question("accuracy", 0.02), candidates, compare_samples(samples, shares=True))


def test_the_bracket_in_which_one_overtakes_the_other() -> None:
    curve = {100: at(0.7, 0.6), 500: at(0.75, 0.72), 2000: at(0.78, 0.7805), None: at(0.8, 0.85)}
    assert overtakings(curve) == [Overtaking("counts", "network", 500, None)]
    assert str(overtakings(curve)[0]).startswith("network overtakes counts between 500 and all training examples")
    assert overtakings({**curve, 5000: at(0.78, 0.83)}) == [Overtaking("counts", "network", 500, 5000)]


def test_none_where_one_is_ahead_throughout_or_nothing_is_shown() -> None:
    assert overtakings({100: at(0.7, 0.6), None: at(0.8, 0.75)}) == []
    assert overtakings({100: at(0.7, 0.699), None: at(0.8, 0.8005)}) == []


def test_many_sizes_and_pairs_need_more() -> None:
    """A difference that one test would show is not enough where there are several."""
    few = {100: at(0.703, 0.7), None: at(0.7, 0.703)}
    assert overtakings(few) == [Overtaking("counts", "network", 100, None)]
    many = {**{size: at(0.7, 0.7) for size in range(200, 400)}, **few}
    assert overtakings(many) == []
