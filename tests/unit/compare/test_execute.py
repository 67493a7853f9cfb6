"""Workers of a comparison: killed, interrupted, orphaned; their results are those of runs one by one."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import nlpipe
from nlpipe.compare.execute import execute
from nlpipe.compare.plan import Job
from nlpipe.compare.worker import STAGES as SHARED
from nlpipe.compare.worker import attempt
from nlpipe.errors import NlpipeError
from nlpipe.runs import costs
from nlpipe.runs.costs import process_environment
from nlpipe.runs.result import Result
from nlpipe.spec import read_pipeline
from tests.unit.runs.user_programs import python

needs_proc = pytest.mark.skipif(platform.system() != "Linux", reason="finds workers in /proc")

STAGES = """
import os, time
from pathlib import Path

import numpy as np
import nlpipe
from nlpipe.stage import Representation
from nlpipe.wire import Tokens, Vectors


@nlpipe.register.representation("slow")
class Slow(Representation[Tokens, Vectors]):
    \"\"\"Learns until a file says that it may end, and says which process it is.\"\"\"

    def __init__(self, folder: str, crash: str = "") -> None:
        self.folder = folder
        self.crash = crash

    def fit(self, data) -> None:
        Path(self.folder, f"process-{os.getpid()}").write_text("")
        if self.crash == "bug":
            raise KeyError("a fault of the stage")
        if self.crash == "memory":
            raise MemoryError
        if self.crash == "exit":
            os._exit(7)
        while not Path(self.folder, "end").exists():
            time.sleep(0.05)

    def build(self, width: int) -> int:
        return 1

    def forward(self, source: Tokens) -> Vectors:
        return Vectors(np.array([[float(len(words))] for words in source.words]))
"""


def pipeline(folder: Path, name: str, **options: str) -> None:
    stage = json.dumps({"name": "slow", "folder": name, **options})
    (folder / name).mkdir()
    (folder / f"{name}.yaml").write_text(
        f"import: slow_stages\ndata: sample_reviews\nrepresentation: {stage}\nhead: naive_bayes\n"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "slow_stages.py").write_text(STAGES)
    return tmp_path


def begin(folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "nlpipe", "compare", *words, "seeds=[13]", "--out", "runs"], cwd=folder,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=process_environment(1),
    )  # fmt: skip


def worker_of(folder: Path, name: str, process: subprocess.Popen[str]) -> int:
    """The process that is fitting the pipeline ``name``."""
    deadline = time.monotonic() + 60
    while not (found := list((folder / name).glob("process-*"))):
        assert time.monotonic() < deadline, "the worker never came to fitting"
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    return int(found[0].name.partition("-")[2])


def gone(process: int) -> bool:
    """Whether a process has ended within ten seconds."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


# -- a worker dies


def test_a_worker_that_is_killed_is_a_row_and_the_other_goes_on(folder: Path) -> None:
    for name in ("one", "two", "three"):
        pipeline(folder, name)
    process = begin(folder, "one.yaml", "two.yaml", "three.yaml", "--jobs", "2")
    first, second = worker_of(folder, "one", process), worker_of(folder, "two", process)
    assert first != second and not list((folder / "three").iterdir())
    os.kill(first, signal.SIGKILL)
    third = worker_of(folder, "three", process)  # in a new process, while the second goes on
    assert third not in (first, second)
    for name in ("one", "two", "three"):
        (folder / name / "end").write_text("")
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 1, errors
    assert "failed: one, seed 13: the process died: it was killed (SIGKILL)" in output
    assert "Traceback" not in errors
    visible = sorted(path.name.partition("-")[0] for path in (folder / "runs").iterdir() if path.name[0] != ".")
    assert visible == ["comparison", "three", "two"]
    done = begin(folder, "one.yaml", "two.yaml", "three.yaml", "--jobs", "2")  # takes it from there
    output, errors = done.communicate(timeout=120)
    assert done.returncode == 0, errors
    left = [path.name for path in (folder / "runs").iterdir() if path.name != SHARED]  # nothing half-written
    assert sorted(name[0] for name in left) == ["c", "o", "t", "t"]


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_worker_outlives_a_comparison_that_is_killed(folder: Path, number: int) -> None:
    pipeline(folder, "one")
    pipeline(folder, "two")
    process = begin(folder, "one.yaml", "two.yaml", "--jobs", "2")
    workers = [worker_of(folder, name, process) for name in ("one", "two")]
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert all(map(gone, workers))
    if number == signal.SIGINT:
        assert process.returncode == 130 and "interrupted; finished runs are kept" in errors
        assert list((folder / "runs").iterdir()) == []  # the workers tidied up


@pytest.mark.parametrize(
    ("crash", "message"),
    [
        ("bug", "KeyError: 'a fault of the stage'"),
        ("memory", "out of memory"),
        ("exit", "the process died: it exited with status 7"),
    ],
)
def test_whatever_goes_wrong_in_a_worker_is_a_row(folder: Path, monkeypatch, crash: str, message: str) -> None:
    pipeline(folder, "bad", crash=crash)
    (folder / "good.yaml").write_text("data: sample_reviews\nrepresentation: bow\nhead: naive_bayes\n")
    done = python(
        "-m", "nlpipe", "compare", "bad.yaml", "good.yaml", "seeds=[13]", "--out", "runs", cwd=folder, check=False
    )
    assert done.returncode == 1
    assert f"failed: bad, seed 13: {message}" in done.stdout
    assert ("Traceback" in done.stderr) == (crash == "bug")  # a fault of code shows where it is


# -- the same as runs one by one


def test_workers_and_this_process_give_the_same_runs(tmp_path: Path, monkeypatch) -> None:
    for name, head in (("a", "naive_bayes"), ("b", "majority")):
        (tmp_path / f"{name}.yaml").write_text(f"data: sample_reviews\nrepresentation: bow\nhead: {head}\n")
    specs = [read_pipeline(tmp_path / f"{name}.yaml") for name in ("a", "b")]
    jobs = [Job(specs[0], 2, 40), Job(specs[1], 1, None)]
    reports: list[tuple[str, str]] = []
    outcomes = list(execute(jobs, tmp_path / "runs", 2, lambda job, text: reports.append((str(job), text))))
    assert {str(outcome.job) for outcome in outcomes} == set(map(str, jobs))
    assert ("a, seed 2, 40 examples", "fitting on 40 examples") in reports
    monkeypatch.setattr(costs, "measure_model", lambda *_: {})
    for outcome in outcomes:
        job = outcome.job
        assert outcome.result is not None, outcome.error
        alone = nlpipe.run(
            job.spec.path, [f"seed={job.seed}", f"train_size={job.train_size or 'null'}"], out=tmp_path / "alone"
        )
        assert alone.folder.name == outcome.result.folder.name
        for name in ("predictions.jsonl", "metrics.json"):
            assert (alone.folder / name).read_bytes() == (outcome.result.folder / name).read_bytes()


def test_orders_are_lines_that_anything_can_send(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("data: sample_reviews\nrepresentation: bow\nhead: naive_bayes\n")
    spec = read_pipeline(tmp_path / "a.yaml")
    code = {"modules": [], "script": "", "package": "", "arguments": [], "search_path": []}
    order = {
        "number": 5, "pipeline": spec.resolved(), "seed": 3, "train_size": None, "folds": None,
        "fold": None, "measure": False, "out": "runs", "user_code": code,
        "needed": [],
    }  # fmt: skip
    done = python("-P", "-m", "nlpipe.compare.worker", cwd=tmp_path, stdin=json.dumps(order) + "\n")
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    assert {message["number"] for message in messages} == {5}
    assert messages[0]["report"] == "reading the data"
    assert Result(tmp_path / messages[-1]["folder"]).environment["seed"] == 3
    missing = attempt({**order, "pipeline": {**spec.resolved(), "data": "no_such_card"}}, lambda text: None)  # type: ignore[typeddict-item]
    assert "no_such_card" in missing["error"]


def test_nothing_to_compare_is_told() -> None:
    with pytest.raises(NlpipeError, match="no file: name a comparison, or pipelines to compare"):
        nlpipe.compare([])


def test_the_function_is_called_whether_or_not_the_package_was_imported(tmp_path: Path) -> None:
    program = (
        "import nlpipe\nfrom nlpipe.compare.rows import Row\nimport inspect\n"
        "assert list(inspect.signature(nlpipe.compare).parameters)[:2] == ['files', 'overrides']\n"
        "try:\n    nlpipe.compare([])\nexcept nlpipe.NlpipeError as error:\n    print(error)\n"
    )
    assert python("-c", program, cwd=tmp_path).stdout.startswith("no file: name a comparison")
