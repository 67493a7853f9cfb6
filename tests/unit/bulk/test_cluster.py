"""A Dask cluster of processes that answers: what one process writes, though a worker is killed."""

from __future__ import annotations

import gc
import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nlpipe import Pipeline
from nlpipe.bulk.dask_workers import DaskAnswer, DaskWorkers
from nlpipe.bulk.ordered import CHUNK
from nlpipe.cli.app import app
from nlpipe.errors import NlpipeError
from nlpipe.heads import NaiveBayes
from nlpipe.representations import BagOfWords
from nlpipe.tokenizers import Whitespace
from tests.commands import nlpipe

distributed = pytest.importorskip("distributed")

ROWS = 6 * CHUNK


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("cluster")
    pipeline = Pipeline([Whitespace(), BagOfWords(), NaiveBayes()])
    pipeline.fit(["good fun", "bad bore"] * 4, ["pos", "neg"] * 4).save(place / "model")
    (place / "texts.csv").write_text("id,text\n" + "".join(f"{i},good {'bad ' * (i % 3)}\n" for i in range(ROWS)))
    return place


def refused(*words: Any) -> str:
    """The message of a command that is not to succeed; it runs here, since Dask is loaded already."""
    answer = CliRunner().invoke(app, [str(word) for word in words])
    assert isinstance(answer.exception, NlpipeError), answer.output
    said, answer = str(answer.exception), None  # a command would end here, and with it what it holds open
    gc.collect()
    return said


@pytest.mark.filterwarnings("default")
def test_a_killed_worker_loses_nothing_and_the_same_command_goes_on(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "there"
    words: list[Any] = ["predict", folder / "model", "--file", folder / "texts.csv", "--format", "jsonl"]
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, local_directory=str(tmp_path)
    ) as cluster:
        there = [*words, "--output", out, "--part-rows", CHUNK, "--cluster", cluster.scheduler_address]
        killed: list[int] = []

        def kill() -> None:
            while not list(out.glob("*.jsonl")) and time.monotonic() < deadline:
                time.sleep(0.005)
            killed.append(next(iter(cluster.workers.values())).pid)
            os.kill(killed[0], signal.SIGKILL)

        deadline = time.monotonic() + 60
        killer = threading.Thread(target=kill)
        killer.start()
        command = CliRunner().invoke(app, [str(word) for word in there], catch_exceptions=False)
        killer.join()
        assert command.exit_code == 0, command.output
        parts = sorted(out.glob("*.jsonl"))
        assert len(parts) == 6 and json.loads((out / "manifest.json").read_text())["inputs"]["texts"]["complete"]
        alone = nlpipe(*words).stdout
        assert b"".join(part.read_bytes() for part in parts) == alone
        before = parts[0].stat().st_mtime_ns
        parts[3].unlink()
        assert CliRunner().invoke(app, [str(word) for word in there]).exit_code == 0
        assert b"".join(part.read_bytes() for part in parts) == alone and parts[0].stat().st_mtime_ns == before
        with monkeypatch.context() as patch:  # the workers keep theirs
            patch.setattr("nlpipe.__version__", "0.0.1")
            assert "install the same there" in refused(*words, "--output", tmp_path / "o", *there[-2:])
        for checked in (True, False):  # the workers cannot unpack it, and the scheduler
            with monkeypatch.context() as patch:
                patch.setattr("nlpipe.bulk.dask_workers.answer_there", _Absent())
                if not checked:
                    patch.setattr("nlpipe.dask_cluster._check_workers", lambda *_: None)
                said = refused(*words, "--output", tmp_path / "o", *there[-2:])
            assert "have no nlpipe, or another version (" in said and "No module named 'nlpipe_gone'" in said
        monkeypatch.setattr("nlpipe.dask_cluster.PATIENCE", 0.5)
        workers = DaskWorkers({}, cluster.scheduler_address)  # type: ignore[typeddict-item]
        answer = workers.client.submit(time.sleep, 60)
        cluster.scale(0)
        with pytest.raises(NlpipeError, match="has lost all workers"):
            DaskAnswer(workers.client, answer, cluster.scheduler_address).result()
        workers.close()
    assert not (tmp_path / "o").exists()


class _Absent:
    """Is unpacked as a function of a package that is not there."""

    def __reduce__(self) -> Any:
        return __import__, ("nlpipe_gone",)

    def __call__(self, setting: str, order: str) -> str:
        raise AssertionError


@pytest.mark.filterwarnings("default")
def test_a_scheduler_without_workers_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nlpipe.dask_cluster.PATIENCE", 0.5)
    with distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        said = refused("predict", folder / "model", "--file", folder / "texts.csv", "--cluster", address)
    assert f"--cluster {address}: the scheduler has no workers; 'dask worker {address}' starts one" in said
