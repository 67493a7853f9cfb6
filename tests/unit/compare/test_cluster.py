"""A comparison on a Dask cluster of two workers, one of which is killed: every cell, and what one process gives.

The scheduler may vanish too: what is done stays, and the same comparison goes on.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nlpipe
from nlpipe.compare.comparison import compare
from nlpipe.compare.execute import Outcome
from nlpipe.compare.plan import jobs_of
from nlpipe.errors import MissingExtra, NlpipeError
from nlpipe.spec import read_comparison

pytestmark = pytest.mark.usefixtures("unmeasured")

distributed = pytest.importorskip("distributed")

PIPELINES: list[dict[str, Any]] = [
    {"name": name, "representation": representation, "head": head}
    for name, representation, head in (
        ("a", "bow", "naive_bayes"), ("b", "tfidf", "linear_svm"), ("c", "tfidf", "logistic_regression"),
    )
]  # fmt: skip


@pytest.mark.filterwarnings("default")
def test_one_worker_is_killed_and_every_cell_completes(tmp_path: Path) -> None:
    spec = read_comparison({"compare": "T", "data": "sample_reviews", "seeds": 3, "pipelines": PIPELINES})
    alone = compare(spec, tmp_path / "alone")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, local_directory=str(tmp_path)
    ) as cluster:

        def kill() -> None:
            while not list((tmp_path / "there").glob("*/metrics.json")):
                time.sleep(0.01)
            os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        there = compare(spec, tmp_path / "there", cluster=cluster.scheduler_address)
        killer.join()
    assert not there.failures and [len(row.results) for row in there.rows] == [len(row.results) for row in alone.rows]
    for ours, theirs in zip(alone.rows, there.rows, strict=True):
        assert [result.folder.name for result in ours.results] == [result.folder.name for result in theirs.results]
        for one, other in zip(ours.results, theirs.results, strict=True):
            assert list(one.records()) == list(other.records())
    assert [row.may_lose for row in alone.rows] == [row.may_lose for row in there.rows]


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The address and the process of a scheduler with one worker, in processes of their own."""
    file = tmp_path / "scheduler.json"
    words = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": tmp_path}
    process = subprocess.Popen([*words, "--no-dashboard", "--scheduler-file", str(file)], **quiet)
    words = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file)]
    worker = subprocess.Popen([*words, "--nthreads", "1", "--no-nanny", "--no-dashboard"], **quiet)
    deadline = time.monotonic() + 30
    while not file.exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    yield json.loads(file.read_text())["address"], process
    for each in (worker, process):
        each.kill()
        each.wait()


@pytest.mark.filterwarnings("default")
def test_a_cluster_that_vanishes_leaves_what_is_done_and_the_same_comparison_goes_on(
    tmp_path: Path, scheduler: tuple[str, subprocess.Popen[bytes]]
) -> None:
    address, process = scheduler
    spec = read_comparison({"compare": "T", "data": "sample_reviews", "seeds": 5, "pipelines": PIPELINES})
    outcomes: list[Outcome] = []

    def ended(outcome: Outcome) -> None:
        outcomes.append(outcome)
        process.kill()

    cut = compare(spec, tmp_path / "runs", cluster=address, ended=ended)
    assert {str(outcome.job) for outcome in outcomes} == set(map(str, jobs_of(spec)))  # none is forgotten
    assert outcomes[0].result is not None and len(cut.failures) > 2
    assert all(f"the cluster at {address} vanished" in line for line in cut.failures)
    finished = {result.folder: result.environment["finished"] for row in cut.rows for result in row.results}
    whole = compare(spec, tmp_path / "runs")
    assert not whole.failures
    again = {result.folder: result.environment["finished"] for row in whole.rows for result in row.results}
    assert finished.items() <= again.items()  # taken as they are


@pytest.mark.filterwarnings("default")
def test_no_scheduler_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nlpipe.dask_cluster.PATIENCE", 1)
    spec = read_comparison({"data": "sample_reviews", "pipelines": PIPELINES[:1]})
    for address in ("tcp://127.0.0.1:9", "nonsense"):
        with pytest.raises(NlpipeError, match=f"--cluster {address}: no scheduler answers there"):
            compare(spec, tmp_path / "runs", cluster=address)


class _Absent:
    """Is unpacked as a function of a package that is not there."""

    def __reduce__(self) -> Any:
        return __import__, ("nlpipe_gone",)


@pytest.mark.filterwarnings("default")
def test_a_cluster_that_cannot_work_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nlpipe.dask_cluster.PATIENCE", 0.5)
    spec = read_comparison({"data": "sample_reviews", "pipelines": PIPELINES[:1]})
    with distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=None) as cluster:
        with pytest.raises(NlpipeError, match="the scheduler has no workers; 'dask worker "):
            compare(spec, tmp_path / "runs", cluster=cluster.scheduler_address)
        monkeypatch.setattr("nlpipe.dask_cluster.PATIENCE", 20)
        cluster.scale(1)
        monkeypatch.setattr("nlpipe.compare.cluster._carry", _Absent())
        with pytest.raises(NlpipeError, match="have no nlpipe, or another version"):
            compare(spec, tmp_path / "runs", cluster=cluster.scheduler_address)
        monkeypatch.setattr("nlpipe.dask_cluster.PATIENCE", 0.5)
        monkeypatch.setattr("nlpipe.compare.cluster._carry", _asleep)
        threading.Timer(1.0, cluster.scale, (0,)).start()
        cut = compare(spec, tmp_path / "runs", cluster=cluster.scheduler_address)
        SEEN.set()
    assert "has lost all workers" in cut.failures[0] and len(cut.failures) == 1
    assert not list((tmp_path / "runs").glob("*/metrics.json"))


SEEN = threading.Event()


def _asleep(order: str) -> str:
    """A job that takes until its loss has been seen."""
    SEEN.wait(60)
    return order


def test_without_dask_it_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    spec = read_comparison({"data": "sample_reviews", "pipelines": PIPELINES[:1]})
    with pytest.raises(MissingExtra, match=r'pip install "nlpipe\[distributed\]"'):
        nlpipe.compare.comparison.compare(spec, tmp_path / "runs", cluster="tcp://x:1")  # type: ignore[attr-defined]
