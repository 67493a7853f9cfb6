"""Training sizes that the data cannot give are refused before anything is fitted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nlpipe.cli.app import app
from nlpipe.compare.comparison import plan
from nlpipe.datasets.load import load_dataset
from nlpipe.errors import NlpipeError, NlpipeWarning
from nlpipe.spec import read_comparison
from nlpipe.tuning import tune

LR: dict[str, Any] = {"name": "lr", "representation": "tfidf", "head": "logistic_regression"}


@pytest.fixture
def data(tmp_path: Path) -> dict[str, Any]:
    for name, count in (("train", 60), ("dev", 20), ("test", 20)):
        lines = [f"word{name}{i} film,{'good' if i % 2 else 'bad'}" for i in range(count)]
        (tmp_path / f"{name}.csv").write_text("text,label\n" + "\n".join(lines) + "\n")
    return {"task": "classification", **{name: str(tmp_path / f"{name}.csv") for name in ("train", "dev", "test")}}


@pytest.mark.parametrize("arguments", [[], ["--dry-run"], ["--list-jobs"], ["--job", "0"]])
@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"train_sizes": [10, 1000000]}, "train_sizes: 1,000,000 is more than the 60 training examples of"),
        ({"train_sizes": [10, 60], "folds": 4}, "train_sizes: 60 is more than the 5"),  # of 80, less a fold and dev
        ({"train_sizes": [60, "all"]}, "train_sizes: 60 are all training examples of"),
        ({"train_sizes": [1]}, "1 training examples: with seed 13 all of"),
        ({"pipelines": [{**LR, "train_size": 61}]}, "train_size: 61 is more than the 60 training examples of"),
        (
            {"pipelines": [{**LR, "train_size": 50, "tune": {"trials": 2, "folds": 2, "head.C": [0.1, 1]}}]},
            "train_size: 50 is more than the 3",  # half of 80, less dev
        ),
        ({"train_sizes": [0]}, "expected a positive integer or 'all'"),
        ({"train_sizes": [-5]}, "expected a positive integer or 'all'"),
        ({"train_sizes": [10, 10]}, "a value is given twice"),
    ],
)
def test_sizes_that_cannot_be_are_refused_and_nothing_is_written(
    data: dict[str, Any], tmp_path: Path, more: dict[str, Any], said: str, arguments: list[str]
) -> None:
    (tmp_path / "c.json").write_text(json.dumps({"data": data, "pipelines": [LR], **more}))
    done = CliRunner().invoke(app, ["compare", str(tmp_path / "c.json"), "--out", str(tmp_path / "runs"), *arguments])
    assert isinstance(done.exception, NlpipeError) and said in str(done.exception)
    assert not (tmp_path / "runs").exists()


def test_sizes_that_the_data_has_are_planned(data: dict[str, Any], tmp_path: Path) -> None:
    spec = read_comparison({"data": data, "train_sizes": [20, 60], "seeds": 2, "pipelines": [LR]})
    assert [job.train_size for job in plan(spec, tmp_path).jobs] == [20, 20, 60, 60]


def test_a_label_that_a_sample_lacks_is_said(data: dict[str, Any], tmp_path: Path) -> None:
    path = Path(data["train"])
    path.write_text(path.read_text() + "a rare film,odd\nanother one,odd\n")
    spec = read_comparison({"data": data, "train_sizes": [8], "seeds": [1, 2], "pipelines": [LR]})
    with pytest.warns(NlpipeWarning, match="of 8 training examples some samples have none with the label 'odd'"):
        plan(spec, tmp_path)


def test_a_search_is_refused_before_its_first_trial(data: dict[str, Any], tmp_path: Path) -> None:
    pipeline = {**LR, "train_size": 1000, "tune": {"trials": 2, "head.C": [0.1, 1]}}
    made = read_comparison({"data": data, "pipelines": [{**pipeline, "train_size": 10}]})
    assert plan(made, tmp_path / "runs").jobs
    spec = read_comparison({"data": data, "pipelines": [pipeline]}).pipelines[0]
    with pytest.raises(NlpipeError, match=r"train size 1,000: .* has 60 training examples only; give at most 60"):
        tune(spec, load_dataset(data), tmp_path / "none")
    assert not (tmp_path / "none").exists()
