"""What people type who know other tools, and what they are told."""

from __future__ import annotations

import inspect
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

import nlpipe
from nlpipe.classical.examples import Examples
from nlpipe.cli import compare_command, file_commands, model_commands, run_commands
from nlpipe.cli.app import app
from nlpipe.cli.compare_command import time_left
from nlpipe.compare.table import Line, Table
from nlpipe.errors import NlpipeError
from nlpipe.registry import FOLDERS, slot
from nlpipe.spec import read_comparison, read_pipeline
from nlpipe.spec.pipelines import trainer_options
from nlpipe.tasks.task import Split
from nlpipe.wire import Labels, Text

BASE: dict[str, Any] = {"data": "sample_reviews", "representation": "tfidf", "head": "logistic_regression"}


def command(*arguments: Any, **options: Any) -> Any:
    return CliRunner().invoke(app, list(map(str, arguments)), **options)


def complaint(*arguments: Any) -> str:
    done = command(*arguments)
    assert isinstance(done.exception, NlpipeError), done.output
    return str(done.exception)


def fault(content: dict[str, Any]) -> str:
    with pytest.raises(NlpipeError) as caught:
        read_pipeline(BASE | content)
    return str(caught.value)


@pytest.mark.parametrize(
    ("slot_name", "stage", "typed", "ours"),
    [
        ("representation", "tfidf", "min_df", "'min_count'"),
        ("representation", "tfidf", "max_df", "'max_count'"),
        ("representation", "tfidf", "ngram_range", "'ngrams'"),
        ("representation", "tfidf", "stopwords", "'stop_words'"),
        ("representation", "tfidf", "use_idf", "'idf'"),
        ("representation", "tfidf", "analyzer", "'unit'"),
        ("representation", "tfidf", "lowercase", "'tokenizer: {lowercase: ...}'"),
        ("representation", "word2vec", "vector_size", "'dim'"),
        ("representation", "embedding", "output_dim", "'dim'"),
        ("encoder", "lstm", "hidden_size", "'hidden'"),
        ("encoder", "lstm", "num_layers", "'layers'"),
        ("encoder", "transformer", "num_attention_heads", "'heads'"),
        ("encoder", "transformer", "dim_feedforward", "'feed_forward'"),
        ("tokenizer", "bpe", "vocab_size", "'vocabulary_size'"),
        ("head", "estimator", "n_estimators", "'options'"),
        ("head", "linear_svm", "cv", "'folds'"),
        ("head", "classifier", "learning_rate", "'trainer: {lr: ...}'"),
        ("head", "seq2seq", "num_beams", "'beam'"),
    ],
)
def test_options_of_other_tools_are_understood(slot_name: str, stage: str, typed: str, ours: str) -> None:
    assert f"'{typed}'; did you mean {ours}?" in fault({slot_name: {"name": stage, typed: 2}})


@pytest.mark.parametrize(
    ("typed", "ours"),
    [("learning_rate", "lr"), ("num_train_epochs", "epochs"), ("max_grad_norm", "clip"), ("warmup_ratio", "warmup")],
)
def test_options_of_other_trainers_are_understood(typed: str, ours: str) -> None:
    content = {"representation": "embedding", "encoder": "mean", "head": "classifier", "trainer": {typed: 1}}
    assert f"'{typed}'; did you mean '{ours}'?" in fault(content)


def test_names_of_other_tools_are_understood() -> None:
    assert "; did you mean 'logistic_regression'?" in fault({"head": "logreg"})
    assert "; did you mean 'linear_svm'?" in fault({"head": "LinearSVC"})
    assert "; did you mean 'convolution'?" in fault({"encoder": "cnn"})
    assert "; did you mean 'tfidf'?" in fault({"representation": "TfidfVectorizer"})
    assert "; did you mean 'seed'?" in fault({"random_state": 1})
    assert "; did you mean 'trainer: {epochs: ...}'?" in fault({"num_epochs": 1})


def test_every_synonym_leads_to_a_name_of_ours() -> None:
    """A name that was changed in a stage must be changed in the table of synonyms."""
    from nlpipe.datasets.cards import Card
    from nlpipe.options import options_of
    from nlpipe.spec import comparisons, pipelines
    from nlpipe.synonyms import NAMES

    ours = {*trainer_options(), *pipelines.KEYS, *comparisons.KEYS, *Card.model_fields}
    for function in (run_commands.run, compare_command.compare, model_commands.predict, file_commands.init):
        ours |= {*inspect.signature(function).parameters}
    for kind in FOLDERS:
        for name in slot(kind).names():
            ours |= {name, *options_of(slot(kind).load(name))}
    assert not set(NAMES) - ours


def test_balanced_class_weights_are_those_of_scikit_learn() -> None:
    from sklearn.utils.class_weight import compute_sample_weight

    codes = np.array([0, 0, 0, 0, 1, 2, 2])
    examples = Examples(None, codes, ("a", "b", "c"), None)  # type: ignore[arg-type]
    weights = examples.weights("balanced")
    assert weights is not None
    assert weights == pytest.approx(compute_sample_weight("balanced", codes))
    for head in ("logistic_regression", "linear_svm", "naive_bayes", "nbsvm"):
        read_pipeline(BASE | {"representation": "bow", "head": {"name": head, "class_weight": "balanced"}})


def test_a_number_of_seeds_is_so_many_seeds() -> None:
    assert read_comparison([BASE], ["seeds=3"]).seeds == (13, 14, 15)
    assert read_comparison([BASE], ["seeds=[3]"]).seeds == (3,)
    assert read_comparison([BASE]).seeds == (13, 14, 15, 16, 17)
    assert read_comparison([BASE], ["seeds=quick"]).seeds == (13, 14, 15)
    with pytest.raises(
        NlpipeError, match="invalid value 0: expected 'auto', 'quick', an integer from 1 to 1000 or a list"
    ):
        read_comparison([BASE], ["seeds=0"])


def test_commands_of_other_tools_are_understood(tmp_path: Path) -> None:
    for typed, ours in {
        "train": "run",
        "eval": "evaluate",
        "infer": "predict",
        "deploy": "serve",
        "sweep": "tune",
    }.items():
        assert f"there is no command '{typed}'; did you mean '{ours}'?" in complaint(typed, "x.yaml")
    data = tmp_path / "tickets.csv"
    data.write_text("text,label\n")
    for words in (["run"], ["compare"], ["check"], []):
        assert f"nlpipe init {data}" in complaint(*words, data)
    assert "nlpipe run x.yaml" in complaint("x.yaml")
    for option in ("-h", "--help", "--version"):
        assert command(option).exit_code == 0


def test_jobs_have_one_name() -> None:
    from nlpipe.compare.comparison import compare

    for function in (compare, nlpipe.compare):
        assert "jobs" in inspect.signature(function).parameters


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("run x.yaml --output y", "nlpipe run: no such option: --output; did you mean '--out'?"),
        ("compare x.yaml --n-jobs 2", "nlpipe compare: no such option: --n-jobs; did you mean '--jobs'?"),
        ("run x.yaml --epochs 2", "did you mean 'trainer.epochs=VALUE', without '--'?"),
        ("run x.yaml --head.C=2", "did you mean 'head.C=VALUE', without '--'?"),
        ("run", "nlpipe run: missing argument 'FILE'; 'nlpipe run -h' shows what it takes"),
        ("run x.yaml --seed a", "nlpipe run: invalid value for '--seed'"),
        ("compare x.yaml --jobs", "option '--jobs' requires an argument"),
    ],
)
def test_wrong_options_are_errors_like_all_others(words: str, message: str) -> None:
    assert message in complaint(*words.split())


def test_a_table_tells_which_columns_it_leaves_out() -> None:
    headings = ("pipeline", "accuracy", *(f"a further column {i}" for i in range(8)))
    table = Table("t", headings, (Line(("x",) * len(headings)),), essential=frozenset(headings[:2]))
    narrow, wide = Console(width=60, file=io.StringIO()), Console(width=300, file=io.StringIO())
    left_out = table.left_out(narrow)
    assert left_out and set(left_out) < set(headings[2:])
    shown = {column.header for column in table.terminal(narrow).columns}
    assert shown == set(headings) - set(left_out)
    assert table.left_out(wide) == []


def test_a_narrow_terminal_is_told_where_the_other_columns_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Console, "is_terminal", True)
    monkeypatch.setenv("COLUMNS", "70")
    (tmp_path / "p.yaml").write_text("data: sample_reviews\nrepresentation: bow\nhead: naive_bayes\n")
    done = command("compare", tmp_path / "p.yaml", "--out", tmp_path / "runs")
    assert "columns that this terminal has no room for: " in done.output
    folder = next((tmp_path / "runs").glob("comparison-*"))
    assert f"they are in {folder / 'table.md'}" in done.output


def test_stages_are_shown_within_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("tfidf", "bert", "trainer"):
        done = command("show", name)
        lines = done.output.splitlines()
        assert max(map(len, lines)) <= 80
        assert "``" not in done.output
        described = [line for line in lines if line.startswith("      ")]
        assert sum(map(len, described)) / len(described) > 40  # texts have the width of the terminal, not a strip of it
    assert "  min_count = 1  int >= 1 | float > 0.0 and < 1.0" in command("show", "tfidf").output


def test_the_score_of_an_epoch_has_its_name() -> None:
    lines: list[str] = []
    texts = ["good film", "bad film"] * 20
    pipeline = nlpipe.load({
        "representation": "embedding", "encoder": "mean", "head": "classifier",
        "trainer": {"epochs": 1, "lr": 0.1, "precision": "fp32"},
    })  # fmt: skip
    split = Split(Text(texts), Labels(["a", "b"] * 20))
    pipeline.fit_split(split, split.take(range(4)), report=lines.append)
    assert any(line.startswith("epoch 1: ") and ", accuracy " in line and " on dev" in line for line in lines)


def test_the_time_left_follows_from_the_runs_that_are_done() -> None:
    assert time_left(0, 0, 4) == ""
    assert time_left(30, 1, 4) == "about 90 s left"
    assert time_left(600, 1, 4) == "about 30 min left"
    assert time_left(30, 4, 4) == ""


def test_a_pipeline_in_json_is_no_data(tmp_path: Path) -> None:
    import json

    (tmp_path / "p.json").write_text(json.dumps(BASE, indent=1))
    assert command("check", tmp_path / "p.json").exit_code == 0
    (tmp_path / "d.json").write_text('[{"text": "a", "label": "b"}]')
    assert "nlpipe init" in complaint("run", tmp_path / "d.json")
