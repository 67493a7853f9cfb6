"""How pipelines will be fitted, decided from their stages alone; what the shipped files say when asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from nlpipe import Pipeline
from nlpipe.cli.app import app
from nlpipe.encoders import LSTM, Max, Mean
from nlpipe.heads import Classifier, LogisticRegression, Tagger
from nlpipe.pipeline.fitting_plan import plan_fitting
from nlpipe.representations import Bert, Embedding, TfIdf, Window, Word2Vec
from nlpipe.stage import Stage
from nlpipe.tokenizers import Regex
from nlpipe.wire import Labels, Tags

ROOT = Path(__file__).resolve().parents[3]


def hows(stages: list[Stage], target: type) -> list[str]:  # type: ignore[type-arg]
    return [line.split(maxsplit=2)[2] for line in plan_fitting(stages, target).lines()]


def test_a_classical_pipeline_keeps_the_vectors_it_makes_while_fitting() -> None:
    assert hows([Regex(), TfIdf(), LogisticRegression()], Labels) == [
        "applied",
        "learns in fit; its outputs stay in memory",
        "learns in fit",
    ]


def test_gradients_train_what_is_trainable_and_stands_before_a_trained_head() -> None:
    stages = [Regex(), Word2Vec(trainable=True), LSTM(), Max(), Classifier()]
    assert hows(stages, Labels) == [
        "applied",
        "learns in fit; trained by gradients",
        "trained by gradients",
        "applied",
        "learns in fit; trained by gradients; calibrated on dev",
    ]
    assert hows([Regex(), Word2Vec(), Mean(), Classifier()], Labels)[1] == "learns in fit"


def test_a_frozen_bert_is_cached_with_the_pooling_behind_it() -> None:
    plan = plan_fitting([Regex(), Bert(), Mean(), Classifier()], Labels)
    assert [stage.cached for stage in plan.stages] == [False, False, True]
    plan = plan_fitting([Regex(), Bert(), LSTM(), Mean(), Classifier()], Labels)
    assert [stage.cached for stage in plan.stages] == [False, True, False, False]
    plan = plan_fitting([Regex(), Bert(trainable=True), Mean(), Classifier()], Labels)
    assert not any(stage.cached for stage in plan.stages)
    assert plan.stages[1].trained


def test_a_head_for_labels_tags_every_word() -> None:
    stages = [Regex(), Window(), LogisticRegression()]
    assert plan_fitting(stages, Tags).tags_words and not plan_fitting(stages, Labels).tags_words
    assert hows(stages, Tags)[-1] == "learns in fit from every word"
    assert not plan_fitting([Regex(), Embedding(), Tagger()], Tags).tags_words


@pytest.mark.parametrize("file", ["sentiment/bilstm.yaml", "translation/transformer.yaml", "ner/window.yaml"])
def test_the_command_prints_the_plan(file: str) -> None:
    done = CliRunner().invoke(app, ["check", "--plan", str(ROOT / "pipelines" / file)])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[1].split()[0] == "tokenizer" and lines[-1].split()[0] == "head"
    trained = "trained by gradients" in done.output
    assert trained == (file != "ner/window.yaml")


def test_joint_stages_are_fitted_on_sources_and_targets() -> None:
    done = CliRunner().invoke(app, ["check", "--plan", str(ROOT / "pipelines" / "translation" / "transformer.yaml")])
    assert "from sources and targets together" in done.output


def test_the_plan_of_a_pipeline_object() -> None:
    plan = Pipeline([Regex(), TfIdf(), LogisticRegression()]).plan()
    assert str(plan).count("\n") == 2 and not plan.trained
