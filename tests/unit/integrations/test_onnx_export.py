"""``nlpipe export --to onnx``: the export is a run like any other; one that does not prove itself leaves nothing."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

import nlpipe
from nlpipe.cli.app import app
from nlpipe.encoders import transformer
from nlpipe.errors import MissingExtra, ModelError, NlpipeError
from nlpipe.integrations import export
from nlpipe.integrations.onnx_export import export_onnx
from nlpipe.nn import onnx_files
from nlpipe.pipeline import Pipeline
from nlpipe.pipeline.cascade import Cascade
from nlpipe.representations import bert
from nlpipe.runs import costs
from nlpipe.runs.answer import data_of
from nlpipe.runs.evaluate import evaluate
from nlpipe.runs.listing import list_runs
from nlpipe.runs.result import Result
from nlpipe.runs.verify import verify
from tests.commands import complaint
from tests.commands import nlpipe as command
from tests.tiny_models import write_encoder
from tests.unit.runs.finished_runs import USE

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

PIPELINES = {
    "classes": "data: {{task: classification, train: {data}/train.csv, test: {data}/test.csv}}\ntokenizer: regex\n"
    "representation: {{name: bert, model: {model}, trainable: true, precision: fp32}}\n"
    "encoder: mean\nhead: classifier\n"
    "trainer: {{epochs: 3, batch_size: 8, lr: 1.0e-2, pretrained_lr: 1.0e-3}}\n",
    "tags": "data: sample_entities\ntokenizer: {{name: regex, lowercase: false}}\n"
    "representation: {{name: bert, model: {model}, precision: fp32}}\n"
    "head: tagger\ntrainer: {{epochs: 2, batch_size: 8, lr: 1.0e-2}}\n",
    "own": "data: sample_entities\ntokenizer: {{name: regex, lowercase: false}}\n"
    "representation: {{name: embedding, dim: 8}}\nencoder: {{name: transformer, heads: 2}}\n"
    "head: tagger\ntrainer: {{epochs: 2, batch_size: 8, lr: 1.0e-2}}\n",
}
FILES = {"classes": "1-representation.onnx", "tags": "1-representation.onnx", "own": "2-encoder.onnx"}
TEXTS = ["a fine film", "", "dull, " * 200, "one"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run of each pipeline."""
    folder = tmp_path_factory.mktemp("runs")
    model = write_encoder("bert", folder / "model")
    for split, count in (("train", 120), ("test", 60)):
        rows = [f"{'abc' * (i % 7)} {'good' if i % 2 else 'bad'} {i},{'+' if i % 2 else '-'}" for i in range(count)]
        (folder / f"{split}.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(costs, "measure_model", lambda *_: USE)
        for name, content in PIPELINES.items():
            (folder / f"{name}.yaml").write_text(content.format(model=model, data=folder))
            found[name] = nlpipe.run(folder / f"{name}.yaml", out=folder / "out").folder
    return found


@pytest.fixture(scope="module", autouse=True)
def each_network_is_written_once() -> Iterator[None]:
    """The exporter takes seconds; what it writes of the same weights is the same."""
    written: dict[str, bytes] = {}

    def write(network: nn.Module, inputs: Any, longest: int | None = None) -> bytes:
        onnx_files.check_packages()
        content = b"".join(parameter.detach().numpy().tobytes() for parameter in network.parameters())
        key = hashlib.sha256(content).hexdigest()
        if key not in written:
            written[key] = onnx_files.write_network(network, inputs, longest)
        return written[key]

    with pytest.MonkeyPatch.context() as patch:
        for module in (bert, transformer):
            patch.setattr(module, "write_network", write)
        yield


def speeds(monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
    """Have exports be ``factor`` times as fast as runs, without measuring."""

    def measured(model: Path, *_: object) -> dict[str, float]:
        times = factor if list(model.glob("*.onnx")) else 1.0
        return {
            **USE, "latency_p50_seconds": USE["latency_p50_seconds"] / times,
            "texts_per_second": USE["texts_per_second"] * times,
        }  # fmt: skip

    monkeypatch.setattr(export, "measure_model", measured)


@pytest.fixture(scope="module")
def exported(runs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The export of each run."""
    folder = tmp_path_factory.mktemp("exported")
    with pytest.MonkeyPatch.context() as patch:
        speeds(patch, 2.0)
        for name, run in runs.items():
            proof = export_onnx(run, folder / name)
            assert proof is not None and proof.loss == 0 and proof.flipped == 0
            assert proof.faster_alone == pytest.approx(2) and proof.faster_together == pytest.approx(2)
    return {name: folder / name for name in runs}


@pytest.mark.parametrize("name", PIPELINES)
def test_an_export_answers_as_its_run(runs: dict[str, Path], exported: dict[str, Path], name: str) -> None:
    ours, theirs = Pipeline.load(runs[name]), Pipeline.load(exported[name])
    assert [path.name for path in (exported[name] / "model").glob("*.onnx")] == [FILES[name]]
    one, other = ours.predict(TEXTS), theirs.predict(TEXTS)
    assert one.values.values == other.values.values  # type: ignore[union-attr]
    if one.probabilities is not None:
        assert np.abs(one.probabilities - other.probabilities).max() < 1e-4  # type: ignore[operator]
    assert Result(exported[name]).scores == pytest.approx(Result(runs[name]).scores, abs=1e-3)


def test_an_export_is_a_run_for_every_command(runs: dict[str, Path], exported: dict[str, Path], tmp_path: Path) -> None:
    run = exported["classes"]
    environment = Result(run).environment
    assert environment["runtime"] == "onnx" and environment["exported_from"] == str(runs["classes"])
    assert environment["name"] == "classes-onnx" and "onnxruntime" in environment["packages"]
    assert Result(run).costs["latency_p50_seconds"] == pytest.approx(0.0005)
    assert Result(run).costs["parameters"] == Result(runs["classes"]).costs["parameters"]
    again = evaluate(run, str(runs["classes"].parents[1] / "test.csv"))
    assert again.metrics["scores"] == pytest.approx(Result(run).scores)
    assert "classes-onnx" in {found.name for found in list_runs(run.parent)}
    with pytest.raises(NlpipeError, match="was not fitted; verify "):
        verify(run)
    moved = tmp_path / "elsewhere"
    shutil.copytree(run, moved)
    pipeline = Pipeline.load(moved)
    assert pipeline.predict(["a"]).values.values  # type: ignore[union-attr]
    pipeline.save(tmp_path / "saved")
    assert (tmp_path / "saved" / "1-representation.onnx").read_bytes() == next(run.rglob("*.onnx")).read_bytes()


def test_8_bits(runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    speeds(monkeypatch, 3.0)
    proof = export_onnx(runs["classes"], tmp_path / "small", int8=True, force=True)
    assert proof is not None
    assert Result(tmp_path / "small").environment["runtime"] == "onnx-int8"
    pairs = zip(Result(runs["classes"]).records(), Result(tmp_path / "small").records(), strict=True)
    changed = [(a, b) for a, b in pairs if a["predicted"] != b["predicted"]]
    assert proof.flipped == len(changed)
    assert proof.lost == sum(a["predicted"] == a["gold"] for a, _ in changed)
    assert len(proof.lines()) == 5 and "answers that differ" in proof.lines()[1]


def nothing_left(folder: Path) -> bool:
    return not list(folder.iterdir())


def test_an_export_that_is_not_faster_is_refused(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speeds(monkeypatch, 0.9)
    with pytest.raises(ModelError, match=r"not faster, neither one by one \(0.90 times\).*--force"):
        export_onnx(runs["classes"], tmp_path / "new")
    assert nothing_left(tmp_path)
    proof = export_onnx(runs["classes"], tmp_path / "new", force=True)
    assert proof is not None and proof.faults and (tmp_path / "new" / "metrics.json").exists()


def test_an_export_that_loses_is_refused(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    speeds(monkeypatch, 2.0)
    whole = onnx_files.in_8_bits

    def coarse(content: bytes) -> bytes:
        """The network with zeros in place of its weights and tables."""
        import onnx

        model = onnx.load_from_string(whole(content))
        for each in model.graph.initializer:
            if len(each.dims) == 2:
                each.raw_data = bytes(len(each.raw_data))
        return bytes(model.SerializeToString())

    monkeypatch.setattr(onnx_files, "in_8_bits", coarse)
    assert Result(runs["classes"]).score > 0.6  # it has something to lose
    with pytest.raises(ModelError, match=r"accuracy falls from .* to .*, by more than 0\.02; --force"):
        export_onnx(runs["classes"], tmp_path / "new", int8=True)
    assert nothing_left(tmp_path)


def test_what_cannot_be_exported_is_told(runs: dict[str, Path], tmp_path: Path) -> None:
    tfidf = Pipeline([nlpipe.tokenizers.Regex(), nlpipe.representations.TfIdf(), nlpipe.heads.NaiveBayes()])
    tfidf.fit(["a", "b"], ["x", "y"]).save(tmp_path / "tfidf")
    with pytest.raises(
        ModelError,
        match=r"no stage of this pipeline \(regex → tfidf → naive_bayes\).*'bert' and 'transformer' have one",
    ):
        export_onnx(tmp_path / "tfidf", tmp_path / "new", force=True)
    memory = Pipeline(
        [nlpipe.tokenizers.Regex(), nlpipe.representations.TfIdf(), nlpipe.heads.TranslationMemory()], "translation"
    )
    memory.fit(["a", "b"], ["x", "y"]).save(tmp_path / "memory")
    with pytest.raises(ModelError, match="'translation_memory' gives texts"):
        export_onnx(tmp_path / "memory", tmp_path / "new", force=True)
    (tmp_path / "old").mkdir()
    with pytest.raises(ModelError, match="old exists already; name a new directory"):
        export_onnx(runs["classes"], tmp_path / "old")
    assert not (tmp_path / "new").exists()


def test_a_saved_pipeline_has_nothing_to_prove_itself_on(runs: dict[str, Path], tmp_path: Path) -> None:
    model = runs["classes"] / "model"
    with pytest.raises(ModelError, match=r"has no test items .* add --force"):
        export_onnx(model, tmp_path / "new")
    assert export_onnx(model, tmp_path / "new", force=True) is None
    assert Pipeline.load(tmp_path / "new").predict(TEXTS).values.values == (  # type: ignore[union-attr]
        Pipeline.load(model).predict(TEXTS).values.values  # type: ignore[union-attr]
    )


def test_an_export_cannot_be_exported_or_fine_tuned_again(exported: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is an ONNX file already; export the run that it was exported from"):
        export_onnx(exported["classes"], tmp_path / "new")
    assert "transformers cannot load" in complaint("export", exported["classes"], tmp_path / "new")
    assert nothing_left(tmp_path)


def test_a_changed_file_and_that_of_another_model_are_told(exported: dict[str, Path], tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(exported["classes"], run)
    file = next(run.rglob("*.onnx"))
    file.write_bytes(file.read_bytes()[:-1] + b"\0")
    said = complaint("predict", run, "a text")
    assert "1-representation.onnx: damaged: its content does not match the sha256 in model.json" in said
    shutil.copyfile(next(exported["tags"].rglob("*.onnx")), file)
    assert "does not match the sha256" in complaint("predict", run, "a text")
    file.unlink()
    assert "1-representation.onnx: missing" in complaint("predict", run, "a text")


def test_a_full_disk_leaves_nothing(runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "new"))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(NlpipeError, match="No space left on device; no partial folder was left"):
        export_onnx(runs["classes"], tmp_path / "new")
    assert nothing_left(tmp_path)


def test_missing_packages_are_told_before_anything_is_done(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingExtra, match=r"export to onnx needs the package 'onnxscript'.*nlpipe\[onnx\]"):
        export_onnx(runs["classes"], tmp_path / "new")
    assert nothing_left(tmp_path)


def test_the_command(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    speeds(monkeypatch, 2.0)
    app(["export", str(runs["classes"]), str(tmp_path / "new"), "--to", "onnx"], standalone_mode=False)
    lines = capsys.readouterr().out.splitlines()
    assert (
        lines[0].startswith("accuracy on test: ") and "one by one: " in lines[2] and lines[-1] == str(tmp_path / "new")
    )
    answers = command("predict", tmp_path / "new", "a fine film", "--format", "jsonl")
    assert json.loads(answers.stdout)["predicted"]
    assert "--int8 is for --to onnx and ctranslate2" in complaint(
        "export", runs["classes"], tmp_path / "other", "--int8"
    )


def test_the_thresholds_of_a_cascade_are_fitted_to_the_exported_members(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speeds(monkeypatch, 2.0)
    monkeypatch.setattr(costs, "measure_model", lambda *_: USE)
    folder = runs["classes"].parents[1]
    for split, count in (("train", 200), ("test", 60)):  # every fifth label is wrong
        rows = [f"{'good' if i % 2 else 'bad'} {i},{'+' if bool(i % 2) != (i % 5 == 0) else '-'}" for i in range(count)]
        (folder / f"noisy_{split}.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    (folder / "counts.yaml").write_text("tokenizer: regex\nrepresentation: bow\nhead: naive_bayes\n")
    (folder / "both.yaml").write_text(
        f"data: {{task: classification, train: {folder}/noisy_train.csv, test: {folder}/noisy_test.csv}}\n"
        "cascade: [classes.yaml, counts.yaml]\nwithin: 0.05\n"
    )
    run = nlpipe.run(folder / "both.yaml", out=folder / "out").folder
    assert export_onnx(run, tmp_path / "small", int8=True, force=True) is not None
    before, after = Pipeline.load(run), Pipeline.load(tmp_path / "small")
    assert isinstance(before, Cascade) and isinstance(after, Cascade)
    assert before.thresholds is not None and after.thresholds is not None
    data = data_of(run)
    fresh = Cascade(after.members, after.aim)
    fresh.refit_thresholds(data.dev, data.task.deciding(data.labels))
    assert after.thresholds == fresh.thresholds
    assert after.thresholds.values != before.thresholds.values
    kept = json.loads((tmp_path / "small" / "cascade.json").read_text())
    assert [member["threshold"] for member in kept["members"]] == [*after.thresholds.values, None]
    assert after.predict(TEXTS).labels
