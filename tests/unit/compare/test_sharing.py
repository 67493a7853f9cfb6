"""What the cells of a comparison share, and what is done apart from them: fitted stages, measurements, single jobs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import nlpipe
from nlpipe.cli.app import app
from nlpipe.compare import comparison
from nlpipe.compare.execute import Outcome
from nlpipe.datasets.load import load_dataset
from nlpipe.errors import NlpipeError
from nlpipe.files import read_json
from nlpipe.pipeline import stage_store
from nlpipe.pipeline.stage_store import StageStore
from nlpipe.runs.ledger import steps_done
from nlpipe.runs.result import Result
from nlpipe.runs.run import run
from nlpipe.spec import read_comparison, read_pipeline

QUICK: list[dict[str, Any]] = [
    {"name": "a", "representation": "bow", "head": "naive_bayes"},
    {"name": "b", "representation": "bow", "head": "linear_svm"},
]
VECTORS: dict[str, Any] = {
    "representation": {"name": "word2vec", "dim": 12, "epochs": 2, "min_count": 1},
    "encoder": "mean",
}
PIPELINES: list[dict[str, Any]] = [
    {"name": "lr", **VECTORS, "head": "logistic_regression"},
    {"name": "svm", **VECTORS, "head": "linear_svm"},
    {
        "name": "subword",
        "tokenizer": {"name": "bpe", "vocabulary_size": 300},
        "representation": "bow",
        "head": "naive_bayes",
    },
]


def compared(out: Path, pipelines: list[dict[str, Any]] = PIPELINES) -> dict[str, list[Result]]:
    found = nlpipe.compare({"data": "sample_reviews", "seeds": [1, 2], "pipelines": pipelines}, out=out)
    assert not found.failures
    return {row.name: list(row.results) for row in found.rows}


def fitted(out: Path, pipeline: dict[str, Any], seed: int, store: StageStore | None) -> Result:
    spec = read_pipeline({**pipeline, "data": "sample_reviews"})
    return run(spec, load_dataset("sample_reviews"), out, seed, store=store, measuring=False)


def answers(result: Result) -> list[Any]:
    return [record["probabilities"] for record in result.records()]


def test_shared_stages_give_the_predictions_of_separate_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_store, "WORTHWHILE", 0.0)
    store = StageStore(tmp_path / "stages")
    for seed in (1, 2):
        for pipeline in PIPELINES:
            alone = fitted(tmp_path / "alone", pipeline, seed, None)
            first, again = (fitted(tmp_path / name, pipeline, seed, store) for name in ("shared", "again"))
            assert first.folder.name == alone.folder.name == again.folder.name
            assert answers(first) == answers(alone) == answers(again)
            # what fitting took counts for everyone who uses it
            seconds = [next(iter(each.costs["fit_seconds_by_stage"].values())) for each in (first, again)]
            assert seconds[0] == seconds[1]
    entries = [read_json(path / "model.json")["stages"][0]["stage"]["name"] for path in store.folder.iterdir()]
    assert sorted(entries) == ["bow", "bpe", "word2vec", "word2vec"]  # of two seeds where one is used


def test_tags_and_translations_are_those_of_separate_runs_too(tmp_path: Path) -> None:
    store = StageStore(tmp_path / "stages")
    tagger = {"representation": {"name": "window", "min_count": 1}, "head": "logistic_regression"}
    for data, pipeline in (
        ("sample_entities", tagger),
        ("sample_translation", {"head": {"name": "lexical", "tokenizer": "regex"}}),
    ):
        spec, dataset = read_pipeline({"name": data, **pipeline, "data": data}), load_dataset(data)
        alone, *shared = (
            list(run(spec, dataset, tmp_path / name, 1, store=used, measuring=False).records())
            for name, used in (("alone", None), ("shared", store), ("again", store))
        )
        assert shared == [alone, alone]


def test_a_damaged_entry_is_fitted_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_store, "WORTHWHILE", 0.0)
    store = StageStore(tmp_path / "stages")
    expected = fitted(tmp_path / "one", PIPELINES[0], 1, store)
    (entry,) = store.folder.iterdir()
    for name in ("model.json", *(path.name for path in entry.glob("*.safetensors"))):
        (entry / name).write_bytes(b"rubbish")
        assert answers(fitted(tmp_path / name, PIPELINES[0], 1, store)) == answers(expected)


def test_quick_stages_are_not_kept(tmp_path: Path) -> None:
    fitted(tmp_path / "one", PIPELINES[2], 1, StageStore(tmp_path / "stages"))
    assert not (tmp_path / "stages").exists()


def test_costs_are_measured_once_a_pipeline_when_all_is_fitted(tmp_path: Path) -> None:
    runs = compared(tmp_path / "runs", PIPELINES[:2])
    for results in runs.values():
        assert ["latency_p50_seconds" in result.costs for result in results] == [True, False]
        assert ["measure" in steps_done(result.folder) for result in results] == [True, False]
    # the same run, asked for by itself, is measured then
    alone = nlpipe.run({**PIPELINES[0], "data": "sample_reviews"}, out=tmp_path / "runs", seed=2)
    assert alone.folder == runs["lr"][1].folder and "latency_p50_seconds" in alone.costs


def test_where_the_first_run_failed_another_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[Path] = []
    monkeypatch.setattr(comparison, "measure", lambda folder, *_: measured.append(folder))
    run = nlpipe.run({**QUICK[1], "data": "sample_reviews"}, out=tmp_path / "runs")
    ledger = read_json(run.folder / "ledger.json")
    del ledger["warnings_by_step"]["measure"]
    (run.folder / "ledger.json").write_text(json.dumps(ledger))
    made = comparison.plan(read_comparison({"data": "sample_reviews", "seeds": [1, 2], "pipelines": QUICK}))
    first, second = (job for job in made.jobs if job.spec.name == "b")
    outcomes = [Outcome(second, run), Outcome(first, error="out of memory")]
    comparison._measure(made, outcomes, lambda job, text: None)
    assert measured == [run.folder]


def test_jobs_one_by_one_are_collected_by_the_same_command(tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    file.write_text(json.dumps({"data": "sample_reviews", "seeds": [1, 2], "pipelines": QUICK}))
    out = str(tmp_path / "runs")

    def command(*words: str) -> Any:
        return CliRunner().invoke(app, ["compare", str(file), "--out", out, *words])

    listed = [line.split("\t") for line in command("--list-jobs").stdout.splitlines()]
    assert [number for number, _ in listed] == ["0", "1", "2"] and listed[2][1] == "b, seed 2"
    folders = [command("--job", number).stdout.strip() for number, _ in listed]
    assert all((Path(folder) / "metrics.json").exists() for folder in folders)
    done = command()
    assert done.exit_code == 0 and ("is the cheapest" in done.stdout or "No verdict" in done.stdout)
    assert {path.name for path in (tmp_path / "runs").glob("*-*") if not path.name.startswith("comparison")} == {
        Path(folder).name for folder in folders
    }
    assert isinstance(command("--job", "3").exception, NlpipeError)


def test_a_plan_shows_what_is_done_and_what_is_shared(tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    file.write_text(json.dumps({"data": "sample_reviews", "seeds": 2, "pipelines": QUICK}))
    words = ["compare", str(file), "--out", str(tmp_path / "runs")]
    CliRunner().invoke(app, [*words, "--job", "0"])
    done = CliRunner().invoke(app, [*words, "--dry-run"])
    lines = [
        [cell.strip() for cell in line.split("│")[1:-1]] for line in done.stdout.splitlines() if line.startswith("│")
    ]
    assert [line[:5] for line in lines] == [["a", "all", "1", "1", "b"], ["b", "all", "2", "0", "a"]]
    assert lines[0][5:] == ["–", "–", "–"] and float(lines[1][7].replace(",", "")) > 30
    assert "3 runs" in done.stdout and not list((tmp_path / "runs").glob("comparison*"))
