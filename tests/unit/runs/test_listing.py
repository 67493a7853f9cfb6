"""The list of runs: order, the latest one, and folders that are damaged, unfinished or no runs at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nlpipe.cli.after_commands import _lines
from nlpipe.errors import NlpipeError
from nlpipe.runs.listing import latest_run, list_runs
from nlpipe.runs.records import FILES
from tests.commands import complaint, nlpipe

ENVIRONMENT = {
    "name": "a", "task": "classification", "data": "sample_reviews", "data_digest": "0", "split": "test", "seed": 3,
    "train_examples": 2000, "labels": ["no", "yes"], "ordinal": False, "threads": 1, "wall_seconds_of_fit": 1.0,
    "finished": "2026-01-02T03:04:05+00:00", "python": "3.11", "platform": "x", "packages": {}, "source": "0",
    "processor": {"name": "x", "cores": 1, "flags": []},
}  # fmt: skip
METRICS = {"split": "test", "primary": "accuracy", "scores": {"accuracy": 0.75}, "definitions": {}}


def run_folder(root: Path, folder: str, **changes: object) -> Path:
    """A folder as a run leaves it, as far as the list reads it."""
    path = root / folder
    (path / "model").mkdir(parents=True)
    for name in (*FILES, "model/model.json"):
        (path / name).touch()
    (path / "environment.json").write_text(json.dumps({**ENVIRONMENT, "name": folder.partition("-")[0], **changes}))
    (path / "metrics.json").write_text(json.dumps(METRICS))
    return path


def test_the_last_run_comes_first_whatever_its_time_zone(tmp_path: Path) -> None:
    run_folder(tmp_path, "b-2", finished="2026-01-02T04:00:00+02:00")  # 02:00 in UTC
    run_folder(tmp_path, "a-1")
    run_folder(tmp_path, "a-3", finished="2026-01-02T03:04:06")
    (tmp_path / "comparison-x-1").mkdir()
    (tmp_path / "comparison-x-1" / "comparison.json").write_text("{}")
    (tmp_path / "notes").mkdir()
    (tmp_path / "file").touch()
    runs = list_runs(tmp_path)
    assert [run.folder.name for run in runs] == ["a-3", "a-1", "b-2"]
    first = runs[0]
    assert (first.name, first.data, first.primary, first.score) == ("a", "sample_reviews", "accuracy", 0.75)
    assert (first.seed, first.train_size, first.split, first.problem) == (3, 2000, "test", "")
    assert [run.folder.name for run in list_runs(tmp_path, "b")] == ["b-2"]
    assert latest_run(tmp_path).folder == tmp_path / "a-3"
    assert latest_run(tmp_path, "b").folder == tmp_path / "b-2"
    assert [run.folder for run in list_runs(tmp_path / "a-1")] == [tmp_path / "a-1"]
    with pytest.raises(NlpipeError, match="no run of a pipeline 'c'; known: a, b"):
        list_runs(tmp_path, "c")


@pytest.mark.parametrize(
    ("file", "content", "problem"),
    [
        ("predictions.jsonl", None, "damaged: without predictions.jsonl"),
        ("model/model.json", None, "damaged: without model/model.json"),
        ("metrics.json", "{", "metrics.json: not a JSON file"),
        ("metrics.json", "[1]", "metrics.json: not as nlpipe writes it"),
        ("metrics.json", json.dumps({**METRICS, "primary": "f1"}), "metrics.json: damaged: KeyError: 'f1'"),
        (
            "metrics.json",
            json.dumps({**METRICS, "scores": [1]}),
            "metrics.json: not as nlpipe writes it (scores is no object)",
        ),
        ("metrics.json", json.dumps({"signatures": []}), "metrics.json: damaged: AttributeError"),
        ("environment.json", "null", "environment.json: not as nlpipe writes it"),
        ("environment.json", json.dumps({**ENVIRONMENT, "finished": "yesterday"}), "environment.json: damaged: Inv"),
        (
            "environment.json",
            json.dumps({**ENVIRONMENT, "seed": None}),
            "environment.json: not as nlpipe writes it (seed is of another type)",
        ),
    ],
)
def test_a_damaged_run_says_what_is_wrong_and_is_not_the_latest(
    tmp_path: Path, file: str, content: str | None, problem: str
) -> None:
    whole = run_folder(tmp_path, "a-1", finished="2020-01-01T00:00:00+00:00")
    path = run_folder(tmp_path, "a-2") / file
    path.unlink() if content is None else path.write_text(content)
    (found,) = [run for run in list_runs(tmp_path) if run.folder.name == "a-2"]
    assert problem in found.problem
    assert latest_run(tmp_path).folder == whole


def test_unfinished_runs_are_listed_once(tmp_path: Path) -> None:
    run_folder(tmp_path, "done-0")
    for place, name in (
        (".unfinished", "a-1"),
        (".checkpoints", "a-1"),
        (".checkpoints", "b-2"),
        (".checkpoints", "done-0"),
    ):
        (tmp_path / place / name).mkdir(parents=True)
    (tmp_path / ".unfinished" / "a-1.lock").touch()
    (tmp_path / ".partial-1-x-c-3").mkdir()
    problems = {run.folder.name: run.problem for run in list_runs(tmp_path)}
    assert list(problems) == ["done-0", "a-1", "b-2"]
    assert problems["a-1"].startswith("unfinished: fitted, not yet answered and scored; the same command continues it")
    assert problems["b-2"].startswith("unfinished: killed while it was trained")


def test_the_command_prints_a_line_for_each_run(tmp_path: Path) -> None:
    run_folder(tmp_path, "a-1")
    (tmp_path / ".unfinished" / "b-2").mkdir(parents=True)
    done = nlpipe("runs", tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    heading, whole, unfinished = done.stdout.decode().splitlines()
    assert heading.split()[:5] == ["pipeline", "data", "score", "seed", "train"]
    assert whole.split() == [
        "a", "sample_reviews", "accuracy", "0.7500", "3", "2,000", "2026-01-02", "03:04", str(tmp_path / "a-1")
    ]  # fmt: skip
    assert unfinished.startswith(f"{tmp_path / '.unfinished' / 'b-2'}: unfinished")
    assert nlpipe("runs", tmp_path, "--latest").stdout.decode() == f"{tmp_path / 'a-1'}\n"


def test_where_there_is_nothing_the_command_says_so(tmp_path: Path) -> None:
    assert "nowhere: there is no such folder" in complaint("runs", tmp_path / "nowhere")
    done = nlpipe("runs", tmp_path)
    assert (done.returncode, done.stdout) == (0, b"") and b"no runs here" in done.stderr
    assert "no finished run; 'nlpipe run FILE' makes one" in complaint("runs", tmp_path, "--latest")
    path = run_folder(tmp_path, "a-1") / "costs.json"
    path.unlink()
    assert "1 cannot be used, the first as damaged: without costs.json" in complaint("runs", tmp_path, "--latest")


def test_a_narrow_terminal_has_the_folder_on_a_line_of_its_own() -> None:
    rows = [
        ("pipeline", "data", "score", "", "seed", "train", "end", "folder"),
        ("名前", "d", "f1", "0.5", "3", "20", "x", "a/b"),
    ]
    wide = list(_lines(rows, None))
    assert wide == [
        "pipeline  data  score       seed  train  end  folder",
        "名前      d     f1     0.5     3     20  x    a/b",
    ]
    narrow = list(_lines(rows, 40))
    assert [line.strip() for line in narrow[1::2]] == ["folder", "a/b"]
    assert [wide[i].startswith(narrow[2 * i]) for i in range(2)] == [True, True]
