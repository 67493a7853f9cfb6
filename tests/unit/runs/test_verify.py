"""A run done again: equal, equal within tolerance, different and where first, and what differs around it."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import nlpipe
from nlpipe.errors import NlpipeError
from nlpipe.files import read_json, write_json
from nlpipe.pipeline.integrity import sealed
from nlpipe.runs import costs
from nlpipe.runs.differences import Part, answers, environments, scores, stages
from nlpipe.runs.evaluate import evaluate
from nlpipe.runs.rerun import carry_out
from nlpipe.runs.result import Result
from nlpipe.runs.verify import Verification, verify
from tests.commands import complaint
from tests.commands import nlpipe as command
from tests.unit.runs.finished_runs import USE
from tests.unit.runs.user_programs import STAGES


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run again without a process of its own, which takes two seconds to start."""
    monkeypatch.setattr("nlpipe.runs.verify.rerun", carry_out)


def changed_weights(folder: Path, factor: float) -> None:
    """Multiply the arrays of the head by ``factor``, and seal the model again."""
    model = folder / "model"
    (path,) = model.glob("2-head*.safetensors")
    save_file({name: array * array.dtype.type(factor) for name, array in load_file(path).items()}, path)
    write_json(model / "model.json", sealed(model, read_json(model / "model.json")))


@pytest.mark.parametrize("name", ["classes", "entities", "texts"])
def test_a_run_comes_out_the_same_and_its_folder_is_only_read(
    runs: dict[str, Result], name: str, in_process: None
) -> None:
    folder = runs[name].folder
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")}
    reports: list[str] = []
    done = verify(folder, report=reports.append)
    assert done.verdict == "equal" and done.first is None and done.environment == ()
    stages_of = read_json(folder / "model" / "model.json")["stages"]
    expected = [f"{stage['slot']} {stage['stage']['name']}" for stage in stages_of]
    assert [part.name for part in done.parts] == [*expected, "answers", "scores"]
    assert any(text.startswith("fitting on ") for text in reports)
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")} == before


def test_what_was_changed_is_found_in_the_first_stage_that_has_it(
    runs: dict[str, Result], tmp_path: Path, in_process: None
) -> None:
    folder = shutil.copytree(runs["classes"].folder, tmp_path / "run")
    changed_weights(folder, 1 + 1e-6)
    assert verify(folder).verdict == "within tolerance"
    exact = verify(folder, tolerance=0)
    assert exact.verdict == "different" and exact.first is not None
    assert exact.first.name == "head logistic_regression" and "the largest difference in '" in exact.first.what
    assert exact.sentence.endswith("answers and scores are nevertheless the same")
    record = read_json(folder / "environment.json")
    record |= {"packages": {**record["packages"], "numpy": "1.0"}, "threads": 2, "source": "0"}
    write_json(folder / "environment.json", {**record, "processor": {**record["processor"], "flags": ["sse"]}})
    lines = (folder / "predictions.jsonl").read_text().splitlines()
    first = json.loads(lines[0])
    other = {"positive": "negative", "negative": "positive"}[first["predicted"]]
    (folder / "predictions.jsonl").write_text("\n".join([json.dumps({**first, "predicted": other}), *lines[1:]]))
    done = command("verify", folder)
    assert done.returncode == 1, done.stderr.decode()
    shown = done.stdout.decode()
    assert f"different, first in answers: 1 of {len(lines)} answers, the first on line 1" in shown
    assert "environment       numpy: 1.0 then, " in shown and "processor flags: sse then, " in shown
    assert "nlpipe's own code: it has changed" in shown
    assert "threads:" not in shown  # it was run again with the two threads of then


def test_a_neural_run_comes_out_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_process: None) -> None:
    monkeypatch.setattr(costs, "measure_model", lambda *_: USE)
    spec = {
        "data": "sample_reviews", "representation": {"name": "embedding", "dim": 8}, "encoder": ["mean"],
        "head": "classifier", "trainer": {"epochs": 2}, "train_size": 40, "seed": 5,
    }  # fmt: skip
    run = nlpipe.run(spec, out=tmp_path)
    done = verify(run.folder)
    assert (done.verdict, done.environment, done.note) == ("equal", (), "")
    history = read_json(run.folder / "history.json")
    write_json(run.folder / "history.json", {**history, "stopped": "minutes", "processes": 2})
    limited = verify(run.folder)
    assert limited.environment == ("processes: 2 then, 1 now",) and "trainer.minutes" in limited.note


def test_a_file_that_an_option_names_is_part_of_what_a_run_was_made_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_process: None
) -> None:
    monkeypatch.setattr(costs, "measure_model", lambda *_: USE)
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("film 1.0 0.0\nbread 0.0 1.0\nsoup 0.5 0.5\n")
    spec = {
        "data": "sample_reviews", "representation": {"name": "static", "vectors": str(vectors)}, "encoder": ["mean"],
        "head": "logistic_regression",
    }  # fmt: skip
    run = nlpipe.run(spec, out=tmp_path / "runs")
    assert list(run.environment["files"]) == [str(vectors)]
    vectors.write_text("film 1.0 0.0\nbread 0.0 1.0\nsoup 0.5 -9.5\n")
    done = verify(run.folder)
    assert done.environment == (f"{vectors}: its content has changed",)
    assert done.first is not None and done.first.name == "representation static"


def test_what_cannot_be_run_again_is_said_with_status_2(
    runs: dict[str, Result], tmp_path: Path, in_process: None
) -> None:
    assert "this is not a run's folder" in complaint("verify", tmp_path)
    folder = shutil.copytree(runs["classes"].folder, tmp_path / "run")
    for name, message in (
        ("predictions.jsonl", "answer the run first"),
        ("metrics.json", "there is no such file"),
        ("pipeline.yaml", "there is no file"),
        ("model/2-head.safetensors", "missing; copy the model again"),
    ):
        path = folder / name
        content = path.read_bytes()
        path.unlink()
        with pytest.raises(NlpipeError, match=message):
            verify(folder)
        path.write_bytes(content)
    record = read_json(folder / "environment.json")
    write_json(folder / "environment.json", {**record, "data_digest": "0"})
    with pytest.raises(NlpipeError, match="is not what this run was fitted on"):
        verify(folder)
    evaluate(runs["classes"].folder, "sample_reviews:dev", tmp_path / "out")
    with pytest.raises(NlpipeError, match="this is an evaluation"):
        verify(tmp_path / "out")


def test_moved_data_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_process: None) -> None:
    monkeypatch.setattr(costs, "measure_model", lambda *_: USE)
    shutil.copy(Path(nlpipe.__file__).parents[1] / "data" / "samples" / "reviews.csv", tmp_path / "mine.csv")
    data = {"task": "classification", "train": str(tmp_path / "mine.csv")}
    run = nlpipe.run({"data": data, "representation": "bow", "head": "naive_bayes"}, out=tmp_path / "runs")
    assert verify(run.folder).verdict == "equal"
    (tmp_path / "mine.csv").rename(tmp_path / "moved.csv")
    with pytest.raises(NlpipeError, match=r"mine.csv: there is no such file"):
        verify(run.folder)


def test_code_of_the_users_own_that_has_changed_or_gone_is_said(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(STAGES)
    (tmp_path / "own.yaml").write_text(
        "import: [own]\ndata: sample_reviews\nrepresentation: lengths\nhead: logistic_regression\n"
    )
    ran = command("run", tmp_path / "own.yaml", "--out", tmp_path / "runs", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr.decode()
    folder = ran.stdout.decode().splitlines()[-1]
    (tmp_path / "own.py").write_text(STAGES.replace("** self.power", "** self.power + 1"))
    other = command("verify", folder, cwd=tmp_path)
    assert other.returncode == 1 and "code of representation 'lengths': it has changed" in other.stdout.decode()
    (tmp_path / "own.py").unlink()
    assert "own.py" in complaint("verify", folder, cwd=tmp_path)
    shown = command("errors", folder, cwd=tmp_path)
    assert shown.returncode == 0 and b"not shown" not in shown.stderr  # the texts need no stage
    file = Path(folder) / "pipeline.yaml"
    file.write_text(
        re.sub(r"^import:.*\n(- .*\n)*", "", file.read_text(), flags=re.MULTILINE)
    )  # as after a script's run
    said = complaint("verify", folder, cwd=tmp_path)
    assert (
        "there is no representation 'lengths'" in said and "it was fitted with own.Lengths: import that module" in said
    )


# -- differences


def saved(folder: Path, arrays: dict[str, np.ndarray], data: dict[str, object], options: dict[str, object]) -> Path:
    folder.mkdir()
    save_file(arrays, folder / "0-head.safetensors")
    write_json(folder / "0-head.json", data)
    keys = {"format": 1, "name": "x", "task": "classification", "seed": 1, "trainer": {}}
    entries = [{"slot": "head", "stage": {"name": "h", **options}, "versions": {"": 1}}]
    write_json(folder / "model.json", sealed(folder, {**keys, "stages": entries}))
    return folder


@pytest.mark.parametrize(
    ("arrays", "data", "options", "verdict", "what"),
    [
        ({}, {}, {}, "equal", ""),
        ({"w": np.array([1.0, 200.0 + 1e-4])}, {}, {}, "within tolerance", "the largest difference in 'w' is 5.0e-07"),
        ({"w": np.array([1.0, 201.0])}, {}, {}, "different", "the largest difference in 'w' is 5.0e-03"),
        ({"w": np.array([1.0, np.nan])}, {}, {}, "different", "the largest difference in 'w' is inf"),
        ({"w": np.array([1.0])}, {}, {}, "different", "'w' was float64 (2,) and is float64 (1,)"),
        ({"n": np.array([1, 2, 4])}, {}, {}, "different", "1 of 3 values of 'n' differ"),
        ({"new": np.zeros(1)}, {}, {}, "different", "'new' exists only now"),
        ({}, {"t": 1.5 + 1e-9}, {}, "within tolerance", "0-head.json: t was 1.5 and is 1.500000001"),
        ({}, {"t": 2.5}, {}, "different", "0-head.json: t was 1.5 and is 2.5"),
        ({}, {"words": ["a", "c"]}, {}, "different", '0-head.json: words was "b" and is "c"'),
        ({}, {"words": ["a"]}, {}, "different", '0-head.json: words was ["a", "b"] and is ["a"]'),
        ({}, {}, {"C": 2}, "different", "option: C was 1 and is 2"),
    ],
)
def test_stages_are_compared_number_by_number(
    tmp_path: Path, arrays: dict[str, np.ndarray], data: dict[str, object], options: dict[str, object], verdict: str,
    what: str,
) -> None:  # fmt: skip
    base = {"w": np.array([1.0, 200.0]), "n": np.array([1, 2, 3]), "gap": np.array([np.nan, np.inf])}
    old = saved(tmp_path / "a", base, {"t": 1.5, "words": ["a", "b"]}, {"C": 1})
    new = saved(tmp_path / "b", {**base, **arrays}, {"t": 1.5, "words": ["a", "b"], **data}, {"C": 1, **options})
    assert stages(old, new, 1e-5) == [Part("head h", verdict, what)]  # type: ignore[arg-type]


def test_answers_and_scores_are_compared() -> None:
    lines = [{"id": "a", "gold": "x", "predicted": "x", "score": 0.5, "probabilities": {"x": 0.5}}] * 2
    near = [lines[0], {**lines[1], "probabilities": {"x": 0.5 + 1e-7}}]
    assert answers(lines, lines, 0).verdict == "equal"
    assert answers(lines, near, 1e-5).verdict == "within tolerance"
    assert answers(lines, near, 1e-8).verdict == "different"
    assert answers(lines, lines[:1], 1).what == "2 examples were answered and 1 are"
    assert answers(lines, [lines[0], {**lines[1], "predicted": "y"}], 1).what == "1 of 2 answers, the first on line 2"
    metrics = {"split": "test", "primary": "f1", "scores": {"accuracy": 0.5, "f1": 0.25}, "definitions": {}}
    other = {**metrics, "scores": {"accuracy": 0.9, "f1": 0.3}}
    assert scores(metrics, other, 0).what == "f1 was 0.25 and is 0.3"  # type: ignore[arg-type]
    lacking = {**metrics, "scores": {"f1": 0.25}}
    assert scores(metrics, lacking, 0).what == "'accuracy' exists only before"  # type: ignore[arg-type]


def test_a_verdict_is_that_of_the_worst_part(runs: dict[str, Result]) -> None:
    parts = (
        Part("a", "equal"),
        Part("b", "within tolerance", "x"),
        Part("c", "different", "y"),
        Part("d", "different"),
    )
    done = Verification(Path("run"), parts, (), 1e-5)
    assert done.first == parts[2] and done.sentence == "different, first in c: y"
    near = replace(done, parts=parts[:2])
    assert near.first == parts[1] and near.sentence == "equal within 1e-05: the answers are the same; first in b: x"
    record = runs["classes"].environment
    older = {key: value for key, value in record.items() if key not in ("files", "fingerprints")}
    assert environments(older, record, [{}, {}]) == []  # type: ignore[arg-type]
    lacking = {**record, "packages": {}}
    assert all(line.endswith(" then, none now") for line in environments(record, lacking, [{}, {}]))  # type: ignore[arg-type]
