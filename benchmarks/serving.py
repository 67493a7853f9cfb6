"""`nlpipe serve` on loopback, asked by a second process: latency at a fixed rate, batches, and memory under abuse.

Pipelines of `pipelines/sentiment/` are fitted on 1,000 texts of Rotten Tomatoes; each request has one test text of it.
"200 a second" sends them at that rate for 20 seconds whether answers come or not; times begin when a request was due.
"16 clients" each ask again as soon as they are answered, for 10 seconds, in turn with `--batch 1`, which answers one
text at a time, with `--workers 2`, and with LitServe before the same model (batches of 16 at most, one worker process
and two); medians of two rounds. The last row is 200 a second for ten minutes beside 20 other clients a second that go
away at any time or send malformed bodies. Targets: p95 of TF-IDF below 10 ms at 200 a second without an error; BERT
with 8 bits at least 2 times the requests per second of one at a time (at the better number of workers); memory flat and
no answer lost under abuse.

NLPIPE_SERVING_MINUTES says how long the abuse lasts.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nlpipe
from benchmarks.environments import THREADS, litserve
from benchmarks.processes import ROOT, middle, python, run
from nlpipe.datasets.load import load_dataset
from nlpipe.integrations.onnx_export import export_onnx

CLIENT = ROOT / "benchmarks" / "peers" / "serving_client.py"
TRAINING_TEXTS = 1000
LITSERVE = ROOT / "benchmarks" / "peers" / "litserve_server.py"
RATE, CLIENTS, SECONDS, ROUNDS = 200, 16, 10, 2
ONE = "one at a time"
WAYS: dict[str, tuple[str, ...]] = {f"{CLIENTS} clients": (), "2 workers": ("--workers", "2"), ONE: ("--batch", "1")}
PEER_WORKERS = 1, 2
PATIENCE = 60
"""Seconds in which the peer has to begin to answer."""
MINUTES = float(os.environ.get("NLPIPE_SERVING_MINUTES", "10"))
WARM_UP = 0.1
"""Share of the abuse after which memory is looked at for the first time."""


def measure() -> dict[str, Any]:
    """Fit, then serve and ask in turn."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        texts = folder / "texts.json"
        data = load_dataset("rotten_tomatoes", ROOT)
        texts.write_text(json.dumps(data.test.inputs.strings), encoding="utf-8")  # type: ignore[attr-defined]
        models = {"tfidf_logreg": _fitted("tfidf_logreg", folder), "bert_frozen": _fitted("bert_frozen", folder)}
        models["bert_frozen, 8 bits"] = folder / "int8"
        export_onnx(models["bert_frozen"], folder / "int8", int8=True, force=True)
        rows: dict[str, list[dict[str, Any]]] = {}
        for _ in range(ROUNDS):
            label = f"tfidf_logreg, {RATE} a second"
            rows.setdefault(label, []).append(_ask(models["tfidf_logreg"], texts, "rate", RATE, SECONDS))
            for model, path in models.items():
                for how, options in WAYS.items():
                    figures = _ask(path, texts, "closed", CLIENTS, SECONDS, *options)
                    rows.setdefault(f"{model}, {how}", []).append(figures)
                for workers in PEER_WORKERS:
                    with _peer(path, workers) as port:
                        figures = run(python(str(CLIENT), str(port), str(texts), "closed", str(CLIENTS), str(SECONDS)))
                    rows.setdefault(f"{model}, LitServe, {workers} workers", []).append(figures)
        rows[f"tfidf_logreg, {RATE} a second, abused"] = [_abuse(models["tfidf_logreg"], texts)]
    table = [["", "requests/s", "p50, ms", "p95, ms", "p99, ms", "errors"]]
    for label, runs in rows.items():
        times = [f"{1000 * middle(runs, share):.1f}" for share in ("p50", "p95", "p99")]
        table.append([label, f"{middle(runs, 'rate'):,.0f}", *times, str(sum(each["errors"] for each in runs))])
    return {"table": table, "notes": _notes(rows), "runs": rows}


def _notes(rows: dict[str, list[dict[str, Any]]]) -> str:
    gains = []
    for model in ("tfidf_logreg", "bert_frozen", "bert_frozen, 8 bits"):
        together, copies, alone = (middle(rows[f"{model}, {how}"], "rate") for how in WAYS)
        peer = max(middle(rows[f"{model}, LitServe, {workers} workers"], "rate") for workers in PEER_WORKERS)
        gains.append(
            f"{together / alone:.2f} for {model}, {copies / alone:.2f} with 2 workers "
            f"({max(together, copies) / peer:.2f} times LitServe's best)"
        )
    (abused,) = rows[f"tfidf_logreg, {RATE} a second, abused"]
    return (
        f"{THREADS} threads. Requests per second in batches, as a multiple of one at a time: {'; '.join(gains)}. "
        f"Beside {abused['abusers']:,} wrong clients in {MINUTES:g} minutes the server had {abused['first_mb']:.0f} MB "
        f"after a tenth of the time and {abused['last_mb']:.0f} MB at the end, and {abused['errors']} of "
        f"{abused['answers'] + abused['errors']:,} answers were lost."
    )


def _fitted(name: str, folder: Path) -> Path:
    file = ROOT / "pipelines" / "sentiment" / f"{name}.yaml"
    return nlpipe.run(file, [f"train_size={TRAINING_TEXTS}"], out=folder / "runs").folder


@contextmanager
def _server(model: Path, *options: str) -> Iterator[tuple[int, str]]:
    """A server in a process of its own: the process and its port."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(THREADS)}
    command = python("-m", "nlpipe", "serve", str(model), "--port", "0", *options)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment) as process:
        assert process.stdout is not None
        yield process.pid, process.stdout.readline().decode().strip().rpartition(":")[2]
        process.terminate()


@contextmanager
def _peer(model: Path, workers: int) -> Iterator[int]:
    """LitServe in a process group of its own: its port, when it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(max(1, THREADS // workers))}
    command = [str(litserve()), str(LITSERVE), str(port), str(model), str(CLIENTS), str(workers)]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet, env=environment, start_new_session=True) as process:
        try:
            deadline = time.monotonic() + PATIENCE
            while not _answers(port):
                if time.monotonic() > deadline or process.poll() is not None:
                    raise SystemExit("LitServe does not answer")
                time.sleep(0.2)
            yield port
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def _answers(port: int) -> bool:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/predict", b'{"text": "a try"}', {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def _ask(model: Path, texts: Path, mode: str, amount: int, seconds: float, *options: str) -> dict[str, Any]:
    with _server(model, *options) as (_, port):
        return run(python(str(CLIENT), port, str(texts), mode, str(amount), str(seconds)))


def _abuse(model: Path, texts: Path) -> dict[str, Any]:
    """Two clients after one another, one for the warm-up; the memory of the server after each."""
    seconds = 60 * MINUTES
    with _server(model) as (process, port):
        command = python(str(CLIENT), port, str(texts), "abuse", str(RATE))
        run([*command, str(WARM_UP * seconds)])
        first = _megabytes(process)
        figures = run([*command, str((1 - WARM_UP) * seconds)])
        return {**figures, "first_mb": first, "last_mb": _megabytes(process)}


def _megabytes(process: int) -> float:
    """The resident memory of a process."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024
