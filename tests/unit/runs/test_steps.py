"""The four steps of a run, each alone and again: the same files from a folder as in one go, and what may fail."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

import nlpipe
from nlpipe.compare.gather import mean_of
from nlpipe.datasets.load import load_dataset
from nlpipe.datasets.splits import example_ids
from nlpipe.errors import DataError, NlpipeError, NlpipeWarning
from nlpipe.metrics.text_metrics import bleu
from nlpipe.runs import costs
from nlpipe.runs import fit as fit_step
from nlpipe.runs.answer import answer
from nlpipe.runs.fit import fit
from nlpipe.runs.items import read_items
from nlpipe.runs.lock import locked
from nlpipe.runs.measure import measure
from nlpipe.runs.records import EnvironmentFile, read_record
from nlpipe.runs.result import Result
from nlpipe.runs.run import run
from nlpipe.runs.score import score
from nlpipe.spec import read_pipeline
from nlpipe.user_code import UserCode
from nlpipe.wire import Text, Tokens
from tests.unit.runs.finished_runs import PIPELINES, USE


@pytest.fixture(scope="module", params=list(PIPELINES))
def result(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("run")
    (folder / "p.yaml").write_text(PIPELINES[request.param])
    return nlpipe.run(folder / "p.yaml", out=folder / "runs")


def copy_of(result: Result, tmp_path: Path, *without: str) -> Path:
    folder = tmp_path / result.folder.name
    shutil.copytree(result.folder, folder)
    for name in without:
        (folder / name).unlink()
    return folder


def spec_and_data(folder: Path, name: str = "classes"):
    (folder / "p.yaml").write_text(PIPELINES[name])
    spec = read_pipeline(folder / "p.yaml")
    return spec, load_dataset(spec.data)


def no_measuring(*_: object) -> dict[str, float]:
    raise AssertionError("nothing is to be measured")


# -- again


def test_scores_come_again_from_the_folder_alone(result: Result, tmp_path: Path, monkeypatch) -> None:
    folder = copy_of(result, tmp_path, "metrics.json", "items.safetensors", "pipeline.yaml", "environment.json")
    shutil.rmtree(folder / "model")
    monkeypatch.chdir(tmp_path)
    score(folder)
    for name in ("metrics.json", "items.safetensors"):
        assert (folder / name).read_bytes() == (result.folder / name).read_bytes()
    scores = json.loads((folder / "metrics.json").read_text())["scores"]
    if result.environment["task"] == "tagging":
        assert {"f1_seen", "f1_unseen"} <= set(scores)
        assert 0 < scores["f1_seen"] != scores["f1_unseen"]
    if result.environment["task"] == "classification":
        assert "log_loss" in scores  # which needs every digit of the probabilities


def test_answers_come_again_from_the_fitted_model(result: Result, tmp_path: Path) -> None:
    folder = copy_of(result, tmp_path, "predictions.jsonl", "predictions_dev.jsonl")
    answer(folder)
    for name in ("predictions.jsonl", "predictions_dev.jsonl", "ledger.json"):
        assert (folder / name).read_bytes() == (result.folder / name).read_bytes()


def test_costs_are_measured_later_and_alone(result: Result, tmp_path: Path, monkeypatch) -> None:
    folder = copy_of(result, tmp_path)
    sizes: list[int] = []
    monkeypatch.setattr(costs, "measure_model", lambda model, inputs, threads: sizes.append(len(inputs)) or USE)
    assert measure(folder) == {**result.costs, **USE}
    assert sizes == [len(list(result.records()))]
    assert json.loads((folder / "costs.json").read_text()) == {**result.costs, **USE}
    assert Result(folder).costs["fit_seconds"] == result.costs["fit_seconds"]


def test_other_data_than_that_of_the_fit_is_refused(tmp_path: Path) -> None:
    rows = "".join(f"good {i},x\nbad {i},y\n" for i in range(40))
    (tmp_path / "data.csv").write_text("text,label\n" + rows)
    (tmp_path / "p.yaml").write_text(
        "data: {task: classification, train: data.csv}\nrepresentation: bow\nhead: majority\n"
    )
    folder = nlpipe.run(tmp_path / "p.yaml", out=tmp_path / "runs").folder
    (tmp_path / "data.csv").write_text("text,label\n" + rows.replace("good 3,", "fine 3,"))
    with pytest.raises(DataError, match=r"the data '.*' is not what this run was fitted on; run it again"):
        answer(folder)


def test_a_run_of_an_older_nlpipe_is_read_and_says_what_scoring_lacks(result: Result, tmp_path: Path) -> None:
    folder = copy_of(result, tmp_path, "scoring.json", "items.safetensors")
    metrics = result.metrics
    older = {
        "split": "test", "primary": metrics["primary"], "scores": result.scores, "dev": metrics["dev"],
        "signatures": {name: each["full_name"] for name, each in metrics["definitions"].items()},
    }  # fmt: skip
    (folder / "metrics.json").write_text(json.dumps(older))
    lines = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    (folder / "predictions.jsonl").write_text(
        "".join(json.dumps({k: v for k, v in line.items() if k != "id"}) + "\n" for line in lines)
    )
    read = Result(folder)
    assert read.score == result.score and read.scores == result.scores
    assert read.metrics["definitions"] == {name: {**each, "unit": ""} for name, each in metrics["definitions"].items()}
    assert len(list(read.records())) == len(lines)
    with pytest.raises(NlpipeError, match=r"scored by nlpipe 0\.1\.0, which left no scoring\.json; run it again"):
        score(folder)


@pytest.mark.parametrize("content", ["", "[]", '{"split": "test"}', "{", "\udcff"])
def test_a_damaged_file_is_told_with_its_place(result: Result, tmp_path: Path, content: str) -> None:
    folder = copy_of(result, tmp_path)
    for name, read in (
        ("metrics.json", lambda: Result(folder).score),
        ("costs.json", lambda: Result(folder).costs),
        ("ledger.json", lambda: Result(folder).ledger),
        ("environment.json", lambda: Result(folder).name),
        ("scoring.json", lambda: score(folder)),
        ("items.safetensors", lambda: Result(folder).primary_items()),
    ):
        before = (folder / name).read_bytes()
        (folder / name).write_text(content, errors="surrogateescape")
        with pytest.raises(NlpipeError, match=name):
            read()
        (folder / name).write_bytes(before)
    (folder / "predictions.jsonl").write_text('{"gold": "a"\n')
    with pytest.raises(NlpipeError, match=r"predictions\.jsonl:1: not JSON"):
        score(folder)


# -- what is stored for each example


def test_the_statistics_of_every_metric_are_stored(result: Result) -> None:
    gold, predictions = result.predictions()
    task = load_dataset(result.environment["data"], Path()).task
    labels = result.environment["labels"]
    metrics = [metric for metric in task.metrics(labels) if metric.applies(predictions)]
    assert metrics
    for metric in metrics:
        stored = read_items(result.folder / "items.safetensors", metric.name)
        assert stored is not None and stored.shape[0] == len(gold)
        for name, value in metric.of(stored).items():
            assert result.scores[name] == value
    assert read_items(result.folder / "items.safetensors", "of no metric") is None
    metric, statistics = result.primary_items()
    assert metric.of(statistics)[result.metrics["primary"]] == result.score


def test_statistics_of_single_sentences_add_up_to_the_corpus_score(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    pairs = [("the cat sat on the mat", "the cat sat on a mat"), ("a dog ran", "a dog ran away"), ("", "no")]
    lines = [json.dumps({"gold": gold, "predicted": predicted}) + "\n" for gold, predicted in pairs]
    (folder / "predictions.jsonl").write_text("".join(lines))
    (folder / "predictions_dev.jsonl").write_text(lines[0])
    scoring = {"task": "translation", "labels": [], "ordinal": False, "split": "test", "state": {}}
    (folder / "scoring.json").write_text(json.dumps(scoring))
    score(folder)
    stored = read_items(folder / "items.safetensors", "bleu")
    assert isinstance(stored, np.ndarray)
    expected = [  # words said and gold, matches of 1 to 4 words, runs of 1 to 4 words said
        [6, 6, 5, 3, 2, 1, 6, 5, 4, 3],
        [4, 3, 3, 2, 1, 0, 4, 3, 2, 1],
        [1, 0, 0, 0, 0, 0, 1, 0, 0, 0],
    ]
    assert stored.tolist() == expected
    assert bleu().of(stored)["bleu"] == Result(folder).score


def test_an_example_has_the_same_id_in_every_run_on_the_data(tmp_path: Path) -> None:
    names = []
    for head in ("naive_bayes", "majority"):
        (tmp_path / f"{head}.yaml").write_text(f"data: sample_reviews\nrepresentation: bow\nhead: {head}\n")
        found = nlpipe.run(tmp_path / f"{head}.yaml", [], out=tmp_path / "runs")
        names.append([record["id"] for record in found.records()])
    assert names[0] == names[1] and len(set(names[0])) == len(names[0])


def test_ids_depend_on_the_input_alone_and_number_the_equal_ones() -> None:
    first = example_ids(Text(["a", "b", "a", "a"]))
    assert first[2:] == [f"{first[0]}.2", f"{first[0]}.3"]
    assert example_ids(Text(["new", "b", "a"]))[1:] == [first[1], first[0]]  # wherever they stand
    assert len(first[0]) == 12 and int(first[0], 16) >= 0
    assert example_ids(Tokens.from_words([["a", "b"]])) != example_ids(Tokens.from_words([["a b"]]))


# -- dev alone


def test_a_run_on_dev_leaves_test_and_costs_alone(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(costs, "measure_model", no_measuring)
    spec, dataset = spec_and_data(tmp_path)
    untouchable = SimpleNamespace(
        **{name: getattr(dataset, name) for name in vars(dataset) if name != "test"}, test=None
    )
    found = run(spec, untouchable, tmp_path / "runs", split="dev")  # type: ignore[arg-type]
    assert found.metrics["split"] == "dev" and "dev" not in found.metrics
    assert [record["gold"] for record in found.records()] == dataset.dev.targets.values
    assert not any(name in found.costs for name in USE) and found.costs["fit_seconds"] > 0
    assert "tokens" not in found.ledger["test"]["counts"] and found.ledger["dev"]["counts"]["tokens"] > 0
    monkeypatch.undo()
    whole = run(spec, dataset, tmp_path / "runs")
    assert whole.folder != found.folder
    assert whole.metrics["dev"] == found.scores
    assert repr(found).startswith("Result(accuracy 0.")


# -- costs that cannot be measured


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", r"the process was killed \(SIGKILL\)"),
        ("import sys; sys.stderr.write('out of luck'); sys.exit(3)", r"exited with status 3\nout of luck"),
        ("print('well')", "the process printed 'well' in place of its figures"),
        ("print()", "the process printed '' in place of its figures"),
        ("print('[1, 2]')", "in place of its figures"),
        ("print('{\"latency_p50_seconds\": 0.1}')", "in place of its figures"),
        (f"print({json.dumps(json.dumps({**USE, 'texts_per_second': float('nan')}))})", "in place of its figures"),
        (f"print({json.dumps(json.dumps({**USE, 'load_seconds': 0}))})", "in place of its figures"),
    ],
)
def test_a_measurement_that_fails_loses_nothing_else(tmp_path: Path, monkeypatch, program: str, message: str) -> None:
    start = subprocess.run

    def failing(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        return start([command[0], "-c", program], **options)  # type: ignore[call-overload]

    monkeypatch.setattr(costs.subprocess, "run", failing)
    spec, dataset = spec_and_data(tmp_path)
    found = run(spec, dataset, tmp_path / "runs")
    assert found.score == found.scores["accuracy"] > 0
    assert set(found.costs) == {
        "fit_seconds",
        "fit_cpu_seconds",
        "fit_seconds_by_stage",
        "parameters",
        "model_bytes",
        "threads",
    }
    assert len(found.ledger["warnings"]) == 1
    (warning,) = found.ledger["warnings_by_step"]["measure"]
    assert warning.startswith("the costs were not measured: measuring ")
    with pytest.warns(NlpipeWarning, match=message):
        measure(found.folder, dataset)
    monkeypatch.setattr(costs, "measure_model", lambda *_: USE)
    assert measure(found.folder, dataset)["latency_p50_seconds"] == 0.001
    assert Result(found.folder).ledger["warnings"] == []


def test_a_process_that_prints_more_than_its_figures_is_understood(tmp_path: Path) -> None:
    """What a library prints, to standard output too, does not stand between the figures."""
    spec, dataset = spec_and_data(tmp_path)
    fit(spec, dataset, tmp_path / "run")
    (tmp_path / "sitecustomize.py").write_text("import atexit; print('hello'); atexit.register(print, 'goodbye')\n")
    environment = {**costs.process_environment(1), "PYTHONPATH": f"{tmp_path}:{Path(nlpipe.__file__).parents[1]}"}
    request = tmp_path / "request.json"
    content = {"model": str(tmp_path / "run" / "model"), "inputs": ["good", "bad"] * 10}
    request.write_text(json.dumps({**content, "user_code": UserCode().plain(), "needed": []}))
    done = subprocess.run(
        [sys.executable, "-P", "-m", "nlpipe.runs.costs", str(request)],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    first, last = done.stdout.splitlines()
    assert first == "hello" and json.loads(last).keys() - {"joules_per_text"} == USE.keys()
    assert "goodbye" in done.stderr


def test_what_was_measured_before_does_not_stay_when_measuring_fails(tmp_path: Path, monkeypatch) -> None:
    spec, dataset = spec_and_data(tmp_path)
    monkeypatch.setattr(costs, "measure_model", lambda *_: USE)
    found = run(spec, dataset, tmp_path / "runs")
    assert found.costs["latency_p50_seconds"] == 0.001

    def failing(*_: object) -> dict[str, float]:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(costs, "measure_model", failing)
    with pytest.warns(NlpipeWarning, match="Cannot allocate memory"):
        measure(found.folder, dataset)
    assert "latency_p50_seconds" not in Result(found.folder).costs


def test_a_missing_cost_is_left_out_of_the_mean_and_never_0() -> None:
    fitted = {"fit_seconds": 2.0, "fit_seconds_by_stage": {"a": 2.0}}
    assert mean_of([fitted, {**fitted, "latency_p50_seconds": 4.0}, {"fit_seconds": 5.0}]) == {
        "fit_seconds": 3.0, "latency_p50_seconds": 4.0,
    }  # fmt: skip
    assert mean_of([fitted, fitted]) == {"fit_seconds": 2.0}


# -- train size


def test_the_size_of_the_training_sample_is_part_of_the_resolved_file(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(costs, "measure_model", lambda *_: USE)
    spec, dataset = spec_and_data(tmp_path)
    found = run(spec, dataset, tmp_path / "runs", train_size=40)
    assert yaml.safe_load((found.folder / "pipeline.yaml").read_text())["train_size"] == 40
    assert found.environment["train_examples"] == 40
    again = nlpipe.run(found.folder / "pipeline.yaml", out=tmp_path / "again")
    assert again.folder.name.rpartition("-")[2] == found.folder.name.rpartition("-")[2]
    assert (again.folder / "predictions.jsonl").read_bytes() == (found.folder / "predictions.jsonl").read_bytes()
    typed = nlpipe.run(tmp_path / "p.yaml", ["train_size=40"], out=tmp_path / "runs")
    assert typed.folder == found.folder
    with pytest.raises(NlpipeError, match="train size 5,000: sample_reviews has"):
        nlpipe.run(tmp_path / "p.yaml", ["train_size=5000"], out=tmp_path / "runs")


# -- one lock a run


def test_the_same_run_started_twice_is_done_once(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(costs, "measure_model", lambda *_: USE)
    spec, dataset = spec_and_data(tmp_path)
    counted: list[int] = []
    whole = fit_step.fit

    def slow(*arguments: object):
        counted.append(1)
        time.sleep(1)
        return whole(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("nlpipe.runs.run.fit", slow)
    reports: list[list[str]] = [[], []]
    results: list[Result] = []

    def start(report: list[str]) -> None:
        results.append(run(spec, dataset, tmp_path / "runs", report=report.append))

    threads = [threading.Thread(target=start, args=[report]) for report in reports]
    for thread in threads:
        thread.start()
        time.sleep(0.3)
    for thread in threads:
        thread.join()
    assert counted == [1]
    assert results[0].folder == results[1].folder
    assert sorted(map(len, reports))[0] == 2
    waited = min(reports, key=len)
    assert waited == ["another process is doing this run: waiting for it", "done before"]
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [results[0].folder.name]


def test_a_lock_is_released_by_death(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "one.lock"
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom nlpipe.runs.lock import locked\n"
        "with locked(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True, env=costs.process_environment(1)
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    waited: list[float] = []

    def kill() -> None:
        waited.append(time.monotonic())
        process.kill()

    with locked(path, kill):
        assert waited and path.exists()
    process.wait()
    process.stdout.close()
    assert list(tmp_path.iterdir()) == []


def test_an_older_file_of_the_environment_is_read(result: Result, tmp_path: Path) -> None:
    folder = copy_of(result, tmp_path)
    older = {key: value for key, value in result.environment.items() if key not in ("split", "fingerprints")}
    (folder / "environment.json").write_text(json.dumps(older))
    assert read_record(folder / "environment.json", EnvironmentFile) == older
