"""Every sentence of a verdict, turned by turning the data."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from nlpipe.compare.question import Candidate, Question, default_tolerance, significant
from nlpipe.compare.statistics import Sample, compare_samples
from nlpipe.compare.verdict import Verdict, decide

N = 2000
BASE = np.random.default_rng(0).random(N)
QUESTION = Question("accuracy", 0.02)


def right(share: float, own: float = 0.02, seed: int = 0) -> np.ndarray:
    """Answers that are right on the easiest items, but for ``own`` of them at random."""
    random = np.random.default_rng([1, seed])
    flipped = random.random(N) < own
    return np.where(flipped, random.random(N) < share, share > BASE).astype(float)


def sample(*values: np.ndarray, uses_seed: bool = False) -> Sample:
    stacked = np.stack(values)
    return Sample(stacked.mean(axis=1), stacked, uses_seed)


def candidate(name: str, latency: float | None, neural: bool = False) -> Candidate:
    costs = {"peak_memory_bytes": 1e8}
    return Candidate(name, costs if latency is None else {**costs, "latency_p50_seconds": latency / 1000}, neural)


def judge(*pairs: tuple[Candidate, Sample], question: Question = QUESTION) -> Verdict:
    evidence = compare_samples([each for _, each in pairs], shares=True)
    return decide(question, [each for each, _ in pairs], evidence)


def said(verdict: Verdict, start: str) -> str:
    """The sentence that begins so; empty where there is none."""
    return next((sentence for sentence in verdict.sentences if sentence.startswith(start)), "")


CHEAP, DEAR = candidate("cheap", 0.1), candidate("dear", 5.0)


def test_the_cheapest_that_qualifies_is_named() -> None:
    near = judge((CHEAP, sample(right(0.8))), (DEAR, sample(right(0.801, seed=5))))
    assert near.chosen == "cheap" and near.qualifies == ("cheap", "dear")
    assert near.sentences[0].startswith(
        "cheap is the cheapest pipeline that is shown to be within 0.02 accuracy of the "
    )
    assert near.bound("cheap") is not None and f"at most {near.bound('cheap'):.4f}" in near.sentences[0]
    far = judge((CHEAP, sample(right(0.7))), (DEAR, sample(right(0.8, seed=5))))
    assert far.chosen == "dear" and far.qualifies == ("dear",)
    assert "which is the best" in far.sentences[0] and "Its latency is 5.0 ms, its score 0." in far.sentences[0]


def test_a_wider_tolerance_names_a_cheaper_one() -> None:
    pairs = ((CHEAP, sample(right(0.76))), (DEAR, sample(right(0.8, seed=5))))
    assert judge(*pairs).chosen == "dear"
    wide = judge(*pairs, question=replace(QUESTION, tolerance=0.1))
    assert wide.chosen == "cheap"
    bounds = {name: bound for bound, name in wide.curve}
    assert list(bounds) == ["dear", "cheap"] and 0.02 < bounds["cheap"] <= 0.1
    assert said(wide, "By tolerance") == (
        f"By tolerance, the cheapest that qualifies: from {bounds['dear']:.4f} dear, from {bounds['cheap']:.4f} cheap."
    )


def test_costs_within_a_tenth_are_equal() -> None:
    close = (candidate("cheap", 1.0), sample(right(0.8))), (candidate("dear", 1.05), sample(right(0.803, seed=5)))
    assert judge(*close).chosen == "dear"
    apart = (close[0], (candidate("dear", 1.2), close[1][1]))
    assert judge(*apart).chosen == "cheap"


def test_no_verdict_where_none_qualifies() -> None:
    pairs = ((CHEAP, sample(right(0.8, own=0.9))), (DEAR, sample(right(0.8, own=0.9, seed=5))))
    verdict = judge(*pairs, question=replace(QUESTION, tolerance=0.01))
    assert verdict.chosen is None and verdict.qualifies == ()
    assert verdict.sentences[0].startswith("No verdict: no pipeline is shown to be within 0.01 accuracy of the best")
    assert re.search(r"Cannot tell whether cheap .* about [\d,]+ items would settle it", str(verdict))
    assert re.search(r"found in 80 % of such comparisons is 0\.0\d", str(verdict))


def test_what_the_data_cannot_tell_and_what_it_can() -> None:
    unclear = judge((CHEAP, sample(right(0.775, own=0.5))), (DEAR, sample(right(0.8, own=0.01, seed=5))))
    assert unclear.chosen in ("dear", None) and said(unclear, "Cannot tell whether cheap")
    clear = judge((CHEAP, sample(right(0.5))), (DEAR, sample(right(0.8, own=0.01, seed=5))))
    assert not said(clear, "Cannot tell whether cheap")
    assert said(clear, "Shown not to be the best: cheap (loses at least 0.2")
    assert said(clear, "dear is shown to be the best.")
    assert said(unclear, "Not shown to be worse than another: cheap and dear.") or unclear.tie == ("dear",)


def test_no_number_of_items_settles_the_luck_of_seeds() -> None:
    lucky = sample(*(right(share, seed=i) for i, share in enumerate((0.9, 0.7, 0.8))), uses_seed=True)
    verdict = judge((CHEAP, lucky), (DEAR, sample(right(0.8, seed=9))))
    assert "No number of items settles it" in said(verdict, "Cannot tell whether cheap")
    assert re.search(r"about [\d,]+ seeds of each", str(verdict))


def test_one_seed_is_about_models_and_several_about_recipes() -> None:
    alone = judge((CHEAP, sample(right(0.8), uses_seed=True)), (DEAR, sample(right(0.8, seed=5))))
    text = said(alone, "This is about these trained models, not about the recipes: cheap was run with one seed.")
    deviation = re.search(r"standard deviation of more than (0\.\d+), cheap no longer qualifies", text)
    assert deviation and alone.evidence is not None
    tipped = alone.evidence.losses((float(deviation[1]) + 1e-4) ** 2)
    assert tipped[1, 0] > 0.02 >= alone.evidence.bounds[0]
    many = sample(*(right(0.8, seed=i) for i in range(5)), uses_seed=True)
    recipes = judge((CHEAP, many), (DEAR, sample(right(0.8, seed=9))))
    assert said(recipes, "This is about the recipes, whatever the seed: pipelines that use one were run with 5 seeds.")
    fixed = judge((CHEAP, sample(right(0.8))), (DEAR, sample(right(0.8, seed=5))))
    assert not said(fixed, "This is about")


def test_the_budget_decides_who_may_be_named_and_what_it_costs() -> None:
    pairs = (
        (CHEAP, sample(right(0.7))),
        (candidate("middle", 1.0), sample(right(0.75))),
        (DEAR, sample(right(0.8, seed=5))),
    )
    verdict = judge(*pairs, question=replace(QUESTION, budget={"latency_ms": 2.0}))
    assert verdict.chosen == "middle" and "of the best of those within the budget" in verdict.sentences[0]
    over = said(verdict, "Not within the budget: dear (latency 5.0 ms, the budget is 2.0 ms).")
    assert "What the budget costs: dear scores 0.0" in over and "better than middle" in over
    nothing = judge(*pairs, question=replace(QUESTION, budget={"latency_ms": 0.01}))
    assert nothing.chosen is None and nothing.sentences[0] == "No verdict: no pipeline is within the budget."
    assert not said(judge(*pairs), "Not within the budget")


def test_a_cost_that_was_not_measured_is_not_zero() -> None:
    pairs = ((candidate("unmeasured", None), sample(right(0.8))), (DEAR, sample(right(0.8, seed=5))))
    assert judge(*pairs).chosen == "dear"
    assert judge(*pairs, question=replace(QUESTION, cost="memory_mb")).chosen is not None
    budget = judge(*pairs, question=replace(QUESTION, budget={"latency_ms": 9.0}))
    assert said(budget, "Not within the budget: unmeasured (latency not measured).")
    neither = judge((candidate("a", None), pairs[0][1]), (candidate("b", None), pairs[1][1]))
    assert neither.chosen is None and "a and b would qualify, but the latency was not measured" in neither.sentences[0]


def test_what_the_dearer_would_buy() -> None:
    verdict = judge(
        (CHEAP, sample(right(0.79))), (DEAR, sample(right(0.8, seed=5))), (candidate("worse", 9.0), sample(right(0.7))),
        question=replace(QUESTION, tolerance=0.05),
    )  # fmt: skip
    text = said(verdict, "Dearer: dear scores")
    assert verdict.chosen == "cheap" and "better than cheap" in text and "for 50 times the latency (5.0 ms)" in text
    assert not said(verdict, "Dearer: worse")


def test_a_network_behind_its_baseline_is_told_of() -> None:
    network = candidate("network", 5.0, neural=True)
    behind = judge((CHEAP, sample(right(0.8))), (network, sample(right(0.75, seed=5))))
    assert said(behind, "A neural network is behind its classical baseline: cheap scores 0.0")
    ahead = judge((CHEAP, sample(right(0.75))), (network, sample(right(0.8, seed=5))))
    assert not said(ahead, "A neural network")
    added = judge((replace(CHEAP, added=True), sample(right(0.8))), (network, sample(right(0.75, seed=5))))
    assert "cheap (the added baseline)" in added.sentences[0]


def test_a_tie_of_all_and_the_luck_of_the_best() -> None:
    pairs = [(candidate(f"p{i}", 1.0 + i), sample(right(0.8, own=0.3, seed=2 * i))) for i in range(4)]
    verdict = judge(*pairs)
    assert verdict.tie == ("p0", "p1", "p2", "p3") and not said(verdict, "Shown not to be the best")
    assert verdict.evidence is not None
    assert f"would show {verdict.evidence.bias:.4f} too much" in said(verdict, "The best score of 4 looks better")
    alone = judge((CHEAP, sample(right(0.8))), (DEAR, sample(right(0.5, seed=5))))
    assert not said(alone, "The best score of")


def test_answers_alike_are_told_of() -> None:
    values = right(0.8)
    verdict = judge((CHEAP, sample(values)), (DEAR, sample(values)))
    assert said(verdict, "cheap and dear score the same on every item.") and verdict.chosen == "cheap"
    assert verdict.bound("cheap") == pytest.approx(1.645**2 / N, rel=0.1)
    assert not said(judge((CHEAP, sample(values)), (DEAR, sample(right(0.8, seed=5)))), "cheap and dear score the same")


def test_one_pipeline_and_one_item_give_no_verdict() -> None:
    alone = judge((CHEAP, sample(right(0.8))))
    assert alone.chosen is None and "there is one pipeline with a score" in alone.sentences[0]
    nothing = decide(QUESTION, [CHEAP, DEAR], None)
    assert nothing.chosen is None and nothing.sentences == ("No verdict: one item, or one fold, shows nothing.",)
    assert nothing.bound("cheap") is None and nothing.record()["chosen"] is None


def test_failed_seeds_are_told_of() -> None:
    failed = replace(CHEAP, failed="Of cheap 1 of 3 runs failed; the others count.")
    verdict = judge((failed, sample(right(0.8))), (DEAR, sample(right(0.8, seed=5))))
    assert failed.failed in verdict.sentences


def test_losses_are_reported_with_their_sign() -> None:
    question = Question("log_loss", 0.02, "nats", higher_is_better=False)
    low, high = -np.random.default_rng(1).gamma(2, 0.2, N), -np.random.default_rng(2).gamma(2, 0.3, N)
    evidence = compare_samples([sample(low), sample(high)])
    verdict = decide(question, [DEAR, CHEAP], evidence)
    assert verdict.chosen == "dear" and f"its score {-low.mean():.4f}" in verdict.sentences[0]
    record = verdict.record()["pipelines"][0]
    assert (
        record["score"] == pytest.approx(-low.mean())
        and record["interval"][0] < record["score"] < record["interval"][1]
    )


def test_the_record_is_plain_and_complete() -> None:
    verdict = judge((CHEAP, sample(right(0.8))), (DEAR, sample(right(0.75, seed=5))))
    record = json.loads(json.dumps(verdict.record()))
    assert record["chosen"] == verdict.chosen and record["sentences"] == list(verdict.sentences)
    assert record["pipelines"][0]["costs"] == {"latency_ms": pytest.approx(0.1), "memory_mb": pytest.approx(100)}
    assert record["differences"][0]["better"] == "cheap" and record["differences"][0]["shown"]


def test_numbers_for_readers() -> None:
    assert [significant(value) for value in (0, 0.0314, 0.31, 8.44, 12.6, 1234.5)] == [
        "0", "0.031", "0.31", "8.4", "13", "1,234",
    ]  # fmt: skip
    assert [default_tolerance(unit) for unit in ("share", "points", "nats")] == [0.02, 1.0, 0.02]
