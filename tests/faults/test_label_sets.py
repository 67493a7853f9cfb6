"""Several labels a text wherever one label is usual: folds, thresholds, searches, forms of answers, exports."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

import nlpipe
from nlpipe.compare import comparison
from nlpipe.integrations import export
from nlpipe.integrations.onnx_export import export_onnx
from nlpipe.runs import costs
from nlpipe.runs.abstention import find_threshold
from nlpipe.runs.result import Result
from tests.commands import complaint
from tests.commands import nlpipe as command
from tests.unit.runs.finished_runs import USE
from tests.unit.tasks.test_multilabel_task import examples

LINEAR = "data: topics.yaml\nrepresentation: bow\nhead: {head}\n"
NEURAL = (
    "data: topics.yaml\ntokenizer: regex\nrepresentation: {name: embedding, dim: 16, min_count: 1}\n"
    "encoder: [{name: transformer, heads: 2, layers: 1}, mean]\nhead: classifier\n"
    "trainer: {epochs: 2, batch_size: 16, lr: 1.0e-2}\n"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A card and pipelines for it."""
    folder = tmp_path_factory.mktemp("topics")
    rows = [{"text": text, "labels": own} for text, own in zip(*examples(240), strict=True)]
    (folder / "topics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "topics.yaml").write_text("task: multilabel\ntrain: topics.jsonl\nsplits: {dev: 0.4, test: 0.2}\n")
    for head in ("naive_bayes", "perceptron"):
        (folder / f"{head}.yaml").write_text(LINEAR.replace("{head}", head))
    (folder / "neural.yaml").write_text(NEURAL)
    return folder


@pytest.fixture(scope="module")
def runs(folder: Path) -> dict[str, Result]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(costs, "measure_model", lambda *_: USE)
        names = ("naive_bayes", "perceptron", "neural")
        return {name: nlpipe.run(folder / f"{name}.yaml", out=folder / "runs") for name in names}


def said(*words: object) -> str:
    done = command(*words)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_folds_are_compared_and_every_label_is_a_slice(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "measure", lambda *_: None)
    spec = {
        "data": str(folder / "topics.yaml"), "folds": 3,
        "pipelines": [str(folder / "naive_bayes.yaml"), str(folder / "perceptron.yaml")], "seeds": [1],
    }  # fmt: skip
    found = nlpipe.compare(spec, out=folder / "folds")
    assert all(row.score is not None and row.score > 0.9 for row in found.rows)
    slices = json.loads((found.folder / "slices.json").read_text(encoding="utf-8"))
    assert {f"label: {label}" for label in ("health", "money", "sport")} <= set(json.dumps(slices).split('"'))
    page = (found.folder / "report.html").read_text(encoding="utf-8")
    assert '"kind":"sets"' in page and "Score by label" in page


def test_a_threshold_counts_texts_whose_labels_are_all_right(runs: dict[str, Result]) -> None:
    run = runs["naive_bayes"]
    found = find_threshold(run.folder, 0.5)
    dev = [json.loads(line) for line in (run.folder / "predictions_dev.jsonl").read_text().splitlines()]
    assert (found.what, found.rule) == ("texts", "a text is right if all its labels are")
    assert found.tried[-1].right == sum(record["gold"] == record["predicted"] for record in dev)
    assert "gives no probabilities" in complaint("threshold", runs["perceptron"].folder, "--accuracy", 0.9)


def test_answers_in_every_form(runs: dict[str, Result], tmp_path: Path) -> None:
    run, texts = runs["naive_bayes"].folder, ["goal cash", "w1 w2", "doctor"]
    records = [json.loads(line) for line in said("predict", run, *texts, "--format", "jsonl").splitlines()]
    assert [record["predicted"] for record in records] == [["money", "sport"], [], ["health"]]
    lines = said("predict", run, *texts).splitlines()
    assert [line.split("\t")[0] for line in lines] == ["money|sport", "", "health"]
    for form, delimiter in (("csv", ","), ("tsv", "\t")):
        table = csv.DictReader(io.StringIO(said("predict", run, *texts, "--format", form)), delimiter=delimiter)
        assert [json.loads(row["predicted"]) for row in table] == [record["predicted"] for record in records]
    sure = sorted(record["score"] for record in records)
    lines = said("predict", run, *texts, "--threshold", (sure[1] + sure[2]) / 2).splitlines()
    assert sum(line.startswith("unsure\t") for line in lines) == 2
    for form in ("conll", "html"):
        assert f"--format {form} shows tags, and this pipeline is for multilabel" in complaint(
            "predict", run, "goal", "--format", form
        )
    assert "gives no probabilities" in complaint("predict", runs["perceptron"].folder, "goal", "--threshold", 0.5)


def test_a_search_on_dev(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    file = tmp_path / "tuned.yaml"
    text = (folder / "naive_bayes.yaml").read_text().replace("topics.yaml", str(folder / "topics.yaml"))
    file.write_text(f"{text}tune: {{head.alpha: [0.1, 10, log]}}\n")
    tuned = Path(said("tune", file, "--trials", 2, "--out", tmp_path).strip())
    trials = [json.loads(line) for line in (tuned.parent / "trials.jsonl").read_text().splitlines()]
    assert len(trials) == 2 and all(trial["score"] > 0.9 for trial in trials)


def test_an_export_gives_the_same_sets(
    runs: dict[str, Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    monkeypatch.setattr(export, "measure_model", lambda *_: USE)
    proof = export_onnx(runs["neural"].folder, tmp_path / "onnx", force=True)
    assert proof is not None and proof.flipped == 0
    assert Result(tmp_path / "onnx").score == pytest.approx(runs["neural"].score)


def test_a_head_that_cannot_is_refused_with_those_that_can(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "forest.yaml").write_text(
        f"data: {folder / 'topics.yaml'}\nrepresentation: tfidf\n"
        "head: {name: estimator, estimator: DummyClassifier}\n"
    )
    message = complaint("run", tmp_path / "forest.yaml")
    assert "head 'estimator' gives Labels, but the task asks for LabelSets" in message and "nbsvm" in message
