"""Cascades as files, runs and rows of a comparison, and the kinds of bad input that they invite."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import nlpipe
from nlpipe.errors import NlpipeError, SpecError
from nlpipe.pipeline.cascade import Cascade
from nlpipe.runs import costs
from nlpipe.runs.evaluate import evaluate
from nlpipe.runs.result import Result
from nlpipe.runs.verify import verify
from nlpipe.serving.served_model import ServedModel
from nlpipe.spec import read_pipeline
from tests.commands import complaint
from tests.commands import nlpipe as command
from tests.unit.runs.finished_runs import USE

FILES = {
    "cheap": "representation: bow\nhead: naive_bayes\n",
    "dear": "representation: tfidf\nhead: {name: logistic_regression, C: 100}\n",
    "unsure": "representation: bow\nhead: perceptron\n",
    "varied": "representation: bow\nhead: naive_bayes\nvary: {representation: [bow, tfidf]}\n",
    "compared": "pipelines: [cheap.yaml, dear.yaml]\n",
    "questions": "data: sample_questions\nrepresentation: bow\nhead: naive_bayes\n",
    "tagger": "data: sample_entities\nrepresentation: window\nhead: logistic_regression\n",
    "self": "data: sample_reviews\ncascade: [cheap.yaml, self.yaml]\nwithin: 0.3\n",
    "both": "data: sample_reviews\ncascade: [cheap.yaml, dear.yaml]\nwithin: 0.3\n",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("cascades")
    for name, content in FILES.items():
        (place / f"{name}.yaml").write_text(content)
    return place


@pytest.fixture(scope="module")
def run(folder: Path) -> Result:
    """Both members and the cascade, whose costs in use were not measured but are ``USE``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(costs, "measure_model", lambda *_: USE)
        return nlpipe.run(folder / "both.yaml", out=folder / "runs")


def test_a_run_leaves_its_members_runs_and_answers_from_them(run: Result, folder: Path) -> None:
    names = sorted(path.name.rpartition("-")[0] for path in (folder / "runs").iterdir() if path.is_dir())
    assert names == ["both", "cheap", "dear"]
    parts = json.loads((run.folder / "cascade.json").read_text())["members"]
    cheap, dear = (Result(folder / "runs" / part["run"]) for part in parts)
    threshold = parts[0]["threshold"]
    for own, first, last in zip(run.records(), cheap.records(), dear.records(), strict=True):
        assert own["predicted"] == (first if first["score"] >= threshold else last)["predicted"]
    on_dev = [first["score"] >= threshold for first in cheap.records(dev=True)]
    assert parts[1]["share_of_dev_reached"] == pytest.approx(1 - np.mean(on_dev), abs=1e-9)
    assert run.costs["fit_seconds"] == pytest.approx(cheap.costs["fit_seconds"] + dear.costs["fit_seconds"])
    assert run.costs["latency_mean_seconds"] == USE["latency_mean_seconds"]


def test_what_is_done_is_not_done_again(run: Result, folder: Path) -> None:
    told: list[str] = []
    assert nlpipe.run(folder / "both.yaml", out=folder / "runs", report=told.append).folder == run.folder
    assert told == ["done before"]
    content = (folder / "both.yaml").read_text().replace("0.3", "0.25")
    (folder / "other.yaml").write_text(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(costs, "measure_model", lambda *_: USE)
        other = nlpipe.run(folder / "other.yaml", out=folder / "runs", report=told.append)
    assert other.folder != run.folder
    assert told[1:3] == ["cheap: done before", "dear: done before"] and not [
        each for each in told if "examples" in each and "fitting" in each
    ]


def test_the_resolved_file_runs_again_as_it_is(run: Result, folder: Path) -> None:
    assert nlpipe.run(run.folder / "pipeline.yaml", out=folder / "runs").folder == run.folder


def test_a_cascade_is_used_as_any_pipeline(run: Result) -> None:
    loaded = nlpipe.load(run.folder)
    assert isinstance(loaded, Cascade)
    served = ServedModel(run.folder)
    assert served.name == "both" and served.answer(["a fine film"]).records[0]["predicted"] in run.environment["labels"]
    said = command("predict", run.folder, "a fine film", "--threshold", 1)
    assert said.returncode == 0 and said.stdout.startswith(b"unsure")
    assert command("threshold", run.folder, "--accuracy", 0.99).stdout.startswith(b"no threshold")
    assert evaluate(run.folder, "sample_reviews:test").metrics["scores"] == run.scores


def test_verify_runs_it_again(run: Result) -> None:
    done = verify(run.folder)
    assert done.verdict == "equal", done.parts
    assert [part.name for part in done.parts if part.name == "thresholds"]


def test_what_has_no_network_is_not_exported(run: Result, tmp_path: Path) -> None:
    assert "no stage of this pipeline" in complaint("export", run.folder, tmp_path / "new", "--to", "onnx")


def test_a_cascade_is_a_row_of_a_comparison(run: Result, folder: Path, tmp_path: Path) -> None:
    (folder / "all.yaml").write_text(
        "data: sample_reviews\npipelines: [cheap.yaml, dear.yaml, both.yaml]\nseeds: [13]\n"
    )
    said = command("compare", folder / "all.yaml", "--out", tmp_path, "--dry-run")
    assert said.returncode == 0 and b"both" in said.stdout, said.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(costs, "measure_model", lambda *_: USE)
        comparison = nlpipe.compare(folder / "all.yaml", out=tmp_path)
    assert {row.name for row in comparison.rows} == {"cheap", "dear", "both"} and not comparison.failures
    assert comparison.facts.cost == "latency_mean_ms"
    assert "mean ms" in comparison.as_table().headings
    assert len(list(tmp_path.glob("cheap-*"))) == 1


def test_members_may_take_the_data_and_seed_of_the_cascade(folder: Path) -> None:
    from nlpipe.spec import read_pipeline

    spec = read_pipeline(folder / "both.yaml", ["seed=5", "train_size=40"])
    assert [(each.data, each.seed, each.train_size) for each in spec.members] == [("sample_reviews", 5, 40)] * 2


BAD = {
    "cascade: [cheap.yaml]\nwithin: 0.1\n": "two pipelines or more, the cheapest first",
    "cascade: cheap.yaml\nwithin: 0.1\n": "not 'cheap.yaml'",
    "cascade: [cheap.yaml, compared.yaml]\nwithin: 0.1\n": "is a comparison; a cascade is made of pipelines",
    "cascade: [cheap.yaml, both.yaml]\nwithin: 0.1\n": "is a cascade; name its members here",
    "cascade: [cheap.yaml, varied.yaml]\nwithin: 0.1\n": "stands for several pipelines (vary); name one",
    "cascade: [cheap.yaml, cheap.yaml]\nwithin: 0.1\n": "two members are called 'cheap'",
    "cascade: [unsure.yaml, dear.yaml]\nwithin: 0.1\n": "its head 'perceptron' gives no probabilities",
    "cascade: [cheap.yaml, none.yaml]\nwithin: 0.1\n": "none.yaml",
    "cascade: [cheap.yaml, dear.yaml]\n": "give one: 'within: 0.005'",
    "cascade: [cheap.yaml, dear.yaml]\nwithin: 0.1\ncost_ms: 3\n": "both within and cost_ms are given",
    "cascade: [cheap.yaml, dear.yaml]\nwithin: -1\n": "within: invalid value -1",
    "cascade: [cheap.yaml, dear.yaml]\ncost_share: 2\n": "cost_share: invalid value 2",
    "cascade: [cheap.yaml, dear.yaml]\nwithin: 0.1\nhead: nbsvm\n": "it belongs in the files of its members",
    "cascade: [cheap.yaml, dear.yaml]\nwithin: 0.1\nwihtin: 2\n": "did you mean 'within'",
    f"cascade: [{', '.join(['cheap.yaml'] * 6)}]\nwithin: 0.1\n": "6 members are more than 5",
}


@pytest.mark.parametrize("content", BAD)
def test_a_faulty_file_is_refused_with_a_reason(folder: Path, content: str) -> None:
    file = folder / "bad.yaml"
    file.write_text(f"data: sample_reviews\n{content}")
    with pytest.raises(SpecError) as caught:
        nlpipe.load(file)
    assert BAD[content] in str(caught.value)


def test_members_of_other_data_or_tasks_are_refused(folder: Path) -> None:
    file = folder / "mixed.yaml"
    file.write_text("cascade: [questions.yaml, tagger.yaml]\nwithin: 0.1\n")
    with pytest.raises(SpecError, match=r"'questions' and 'tagger' have different data"):
        nlpipe.load(file)
    file.write_text("data: sample_reviews\ncascade: [cheap.yaml, tagger.yaml]\nwithin: 0.1\n")
    with pytest.raises(SpecError, match="window"):
        nlpipe.load(file)


def test_taggers_that_split_otherwise_are_refused(folder: Path) -> None:
    file = folder / "tags.yaml"
    other = "{name: other, tokenizer: whitespace, representation: window, head: logistic_regression}"
    own = other.replace("name: other", "name: other, data: sample_entities")
    for content in (f"data: sample_entities\ncascade: [tagger.yaml, {other}]", f"cascade: [tagger.yaml, {own}]"):
        file.write_text(f"{content}\nwithin: 0.1\n")
        with pytest.raises(SpecError, match="'tagger' and 'other' have different tokenizers"):
            read_pipeline(file)


def test_a_cascade_that_names_itself(folder: Path) -> None:
    assert "the cascade names itself" in complaint("check", folder / "self.yaml")


def test_an_aim_that_no_threshold_reaches_fails_and_keeps_the_members(run: Result, folder: Path) -> None:
    (folder / "cheaper.yaml").write_text("data: sample_reviews\ncascade: [cheap.yaml, dear.yaml]\ncost_ms: 0.0001\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(costs, "measure_model", lambda *_: USE)
        with pytest.raises(
            NlpipeError, match=r"cheaper: no threshold keeps the mean cost within 0\.0001 ms a text: cheap"
        ):
            nlpipe.run(folder / "cheaper.yaml", out=folder / "runs")
    assert not list((folder / "runs").glob("cheaper-*"))
    assert not (folder / "runs" / ".unfinished").exists() or not list(
        (folder / "runs" / ".unfinished").glob("cheaper-*/model")
    )


def test_a_member_without_probabilities_is_refused_before_the_next_is_fitted(folder: Path) -> None:
    """That an estimator has none is known when it has answered."""
    (folder / "ridge.yaml").write_text(
        "data: sample_entities\ncascade:\n- {name: names, head: dictionary}\n"
        "- {name: last, representation: window, head: logistic_regression}\nwithin: 0.1\n"
    )
    told: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(costs, "measure_model", lambda *_: USE)
        with pytest.raises(
            NlpipeError, match=r"'names' cannot pass on .* the head 'dictionary' gives no probabilities"
        ):
            nlpipe.run(folder / "ridge.yaml", out=folder / "runs", report=told.append)
    assert not [text for text in told if text.startswith("last")]
