"""The answers that a page shows: risk-coverage curves of those that have a confidence."""

from __future__ import annotations

from pathlib import Path

import pytest

import nlpipe
from nlpipe.report.page_answers import POINTS, answers_of
from nlpipe.runs import costs
from tests.unit.runs.finished_runs import USE


def test_a_curve_ends_at_the_error_rate_and_starts_at_the_surest_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(costs, "measure_model", lambda *_: USE)
    curves = {}
    for head in ("logistic_regression", "perceptron"):
        (tmp_path / f"{head}.yaml").write_text(f"data: sample_reviews\nrepresentation: tfidf\nhead: {head}\n")
        result = nlpipe.run(tmp_path / f"{head}.yaml", out=tmp_path / "runs")
        answers = answers_of(result)
        assert answers is not None
        curves[head] = answers
    answers = curves["logistic_regression"]
    kept, risk = zip(*answers.coverage, strict=True)
    assert 2 <= len(kept) <= POINTS and list(kept) == sorted(kept) and kept[-1] == 1
    assert risk[-1] == pytest.approx(1 - answers.right.mean())
    assert kept[0] == pytest.approx(1 / len(answers.right)) and 0 <= risk[0] <= 1
    assert answers.risk_area is not None and 0 <= answers.risk_area <= max(risk)
    assert curves["perceptron"].coverage == () and curves["perceptron"].risk_area is None
