"""The score that decides: chosen by the card, or by how unbalanced the classes are."""

from __future__ import annotations

from pathlib import Path

import pytest
from sklearn.metrics import accuracy_score, f1_score
from typer.testing import CliRunner

import nlpipe
from nlpipe.cli.app import app
from nlpipe.errors import DataError, NlpipeError
from nlpipe.runs.result import Result
from nlpipe.runs.score import score

pytestmark = pytest.mark.usefixtures("unmeasured")


def written(folder: Path, rare: int, head: str = "naive_bayes", more: str = "") -> Path:
    """A pipeline file and its data: 60 examples of one class and ``rare`` of the other in each split."""
    rows = [f"common word {i % 7},a" for i in range(60)] + [f"rare word {i % 7},b" for i in range(rare)]
    (folder / "data.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    file = folder / "pipeline.yaml"
    data = "{task: classification, train: data.csv, dev: data.csv, test: data.csv" + more + "}"
    file.write_text(f"data: {data}\nrepresentation: bow\nhead: {head}\n")
    return file


def test_macro_f1_decides_where_classes_are_unbalanced(tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["run", str(written(tmp_path, rare=10)), "--out", str(tmp_path / "runs")])
    assert answer.exit_code == 0
    assert Result(Path(answer.stdout.strip())).metrics["primary"] == "f1_macro"
    assert "f1_macro decides, as 60 training examples are 'a' and 10 'b'" in answer.stderr


def test_accuracy_decides_where_they_are_not(tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["run", str(written(tmp_path, rare=15)), "--out", str(tmp_path / "runs")])
    assert answer.exit_code == 0
    assert Result(Path(answer.stdout.strip())).metrics["primary"] == "accuracy"
    assert "decides" not in answer.stderr


def test_the_card_decides_first_and_scoring_again_keeps_it(tmp_path: Path) -> None:
    result = nlpipe.run(written(tmp_path, rare=10, more=", primary: log_loss"), out=tmp_path / "runs")
    assert result.metrics["primary"] == "log_loss"
    assert result.score == result.scores["log_loss"]
    assert score(result.folder)["primary"] == "log_loss"


def test_a_comparison_sorts_by_it_and_says_so(tmp_path: Path) -> None:
    written(tmp_path, rare=10)
    (tmp_path / "compare.yaml").write_text(
        "data: {task: classification, train: data.csv, dev: data.csv, test: data.csv}\n"
        "pipelines:\n- {name: nothing, representation: bow, head: majority}\n"
        "- {name: nb, representation: bow, head: naive_bayes}\n"
    )
    comparison = nlpipe.compare(tmp_path / "compare.yaml", out=tmp_path / "runs")
    assert comparison.primary == "f1_macro"
    assert [row.name for row in comparison.rows] == ["nb", "nothing"]
    assert "f1_macro decides, as 60 training examples are 'a' and 10 'b'" in comparison.table()


def test_a_score_that_does_not_exist_is_refused_before_anything_is_fitted(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no score 'f1_macr'; did you mean 'f1_macro'"):
        nlpipe.run(written(tmp_path, rare=10, more=", primary: f1_macr"), out=tmp_path / "runs")


def test_a_head_that_cannot_have_the_score_is_told(tmp_path: Path) -> None:
    with pytest.raises(NlpipeError, match="'log_loss' cannot be computed: it needs probabilities"):
        nlpipe.run(written(tmp_path, rare=10, head="perceptron", more=", primary: log_loss"), out=tmp_path / "runs")


def test_training_stops_by_it() -> None:
    pytest.importorskip("torch")
    texts, labels = ["good day"] * 40 + ["bad day"] * 6, ["a"] * 40 + ["b"] * 6
    stages = [nlpipe.tokenizers.Regex(), nlpipe.representations.Embedding(dim=8), nlpipe.encoders.Mean()]
    pipeline = nlpipe.Pipeline([*stages, nlpipe.heads.Classifier()], trainer={"epochs": 1, "lr": 1e-9}).fit(
        texts, labels, dev=(texts, labels)
    )
    predicted = pipeline.predict(texts).values.values
    macro = f1_score(labels, predicted, average="macro", zero_division=0)
    assert macro != accuracy_score(labels, predicted)
    assert pipeline.history is not None
    assert pipeline.history.epochs[0].score == pytest.approx(macro)
