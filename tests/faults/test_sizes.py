"""Runs on a part of the training split: they can be repeated, count what they used, and are compared within a size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import nlpipe
from nlpipe.cli.app import app
from nlpipe.runs.result import Result

pytestmark = pytest.mark.usefixtures("unmeasured")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [f"good fine film {i},a" for i in range(30)] + [f"dull poor film {i},b" for i in range(30)]
    (tmp_path / "data.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    seen = "\n".join(
        f"good fine play {i * 7} of old times,a\ndull poor play {i * 7} of old times,b" for i in range(100, 130)
    )
    (tmp_path / "test.csv").write_text(f"text,label\n{seen}\n")
    files = {name: str(tmp_path / f"{'test' if name == 'test' else 'data'}.csv") for name in ("train", "dev", "test")}
    data = {"task": "classification", **files}
    one = {"representation": "bow", "head": "naive_bayes"}
    (tmp_path / "p.yaml").write_text(json.dumps({"data": data, **one}))
    pipelines = [{"name": "nothing", "representation": "bow", "head": "majority"}, {"name": "nb", **one}]
    comparison = {"data": data, "train_sizes": ["all", 20, 40], "seeds": [1], "pipelines": pipelines}
    (tmp_path / "c.yaml").write_text(json.dumps(comparison))
    return tmp_path


def test_a_run_on_a_part_can_be_repeated_from_its_folder(folder: Path) -> None:
    out = str(folder / "runs")
    first = CliRunner().invoke(app, ["run", str(folder / "p.yaml"), "--train-size", "20", "--out", out])
    result = Result(Path(first.stdout.strip()))
    assert result.environment["train_examples"] == 20
    assert result.ledger["train"]["counts"]["examples"] == 20
    again = CliRunner().invoke(app, ["run", str(result.folder / "pipeline.yaml"), "--out", out])
    assert again.stdout == first.stdout
    assert "done before" in again.stderr


def test_curves_are_ordered_by_size_and_compared_within_one(folder: Path) -> None:
    comparison = nlpipe.compare(folder / "c.yaml", out=folder / "runs")
    assert [row.train_size for row in comparison.rows] == [20, 20, 40, 40, None, None]
    assert [row.name for row in comparison.rows] == ["nb", "nothing"] * 3
    for size, best, other in ((20, *comparison.rows[:2]), (40, *comparison.rows[2:4]), (None, *comparison.rows[4:])):
        evidence = comparison.verdicts[size].evidence
        assert evidence is not None and evidence.items == 60 and len(evidence.scores) == 2
        assert best.score is not None and other.score is not None and other.may_lose is not None
        assert other.may_lose > best.score - other.score > 0.3
    assert comparison.verdict is comparison.verdicts[None]
