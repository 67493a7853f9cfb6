"""What a saved pipeline costs in use: measured alone, in a fresh process, with a fixed number of threads.

    python -m nlpipe.runs.costs RUN INPUTS.jsonl

loads the pipeline as a user's program would, answers single texts (latency) and batches (texts a second), and prints
one line of JSON. The peak memory is that of this process alone, so that neither training nor the data set is in it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from nlpipe.errors import NlpipeError
from nlpipe.wire import Text, Tokens, Wire

LATENCY_TEXTS, LATENCY_SECONDS = 200, 3.0
"""Single texts are timed until the first of these is reached, after a warm-up of ten."""
THROUGHPUT_TEXTS, THROUGHPUT_SECONDS = 2000, 5.0
"""Batches are timed until the first of these is reached."""


def measure(model: Path, inputs: Wire, threads: int) -> dict[str, float]:
    """Costs of the pipeline saved in ``model`` on (the first of) ``inputs``.

    Returns:
        ``load_seconds``, ``latency_p50_seconds``, ``latency_p95_seconds``, ``texts_per_second``, ``peak_memory_bytes``.

    Raises:
        NlpipeError: the process failed; carries the end of what it printed.
    """
    with tempfile.TemporaryDirectory() as folder:
        sample = Path(folder) / "inputs.jsonl"
        with sample.open("w", encoding="utf-8") as file:
            for text in _texts(inputs)[:THROUGHPUT_TEXTS]:
                file.write(json.dumps(text) + "\n")
        environment = {**os.environ, **{name: str(threads) for name in THREAD_VARIABLES}}
        root = str(Path(__file__).resolve().parents[2])
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        done = subprocess.run(
            [sys.executable, "-m", "nlpipe.runs.costs", str(model), str(sample)],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        raise NlpipeError(f"measuring {model} failed:\n{done.stderr.strip()[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.strip().rpartition("\n")[2])
    return found


THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
"""What the numerical libraries read at their start."""


def _texts(inputs: Wire) -> list[Any]:
    if isinstance(inputs, Text):
        return inputs.strings
    assert isinstance(inputs, Tokens), type(inputs)
    return inputs.words


def peak_memory() -> int:
    """The largest resident size of this process so far, in bytes."""
    import resource

    try:  # getrusage counts what the parent had when it forked; this does not
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # no such file on this system
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024


def _time(model: str, sample: str) -> dict[str, float]:
    import numpy as np

    started = time.perf_counter()
    from nlpipe.pipeline import Pipeline

    pipeline = Pipeline.load(model)
    with Path(sample).open(encoding="utf-8") as file:
        texts = [json.loads(line) for line in file]
    loaded = time.perf_counter() - started

    for text in texts[:10]:
        pipeline.predict([text])
    latencies: list[float] = []
    while len(latencies) < min(LATENCY_TEXTS, len(texts)) and sum(latencies) < LATENCY_SECONDS:
        begin = time.perf_counter()
        pipeline.predict([texts[len(latencies)]])
        latencies.append(time.perf_counter() - begin)

    answered, started = 0, time.perf_counter()
    while answered < len(texts) and time.perf_counter() - started < THROUGHPUT_SECONDS:
        answered += len(pipeline.predict(texts[answered : answered + 256]).values)
    spent = time.perf_counter() - started
    return {
        "load_seconds": loaded,
        "latency_p50_seconds": float(np.percentile(latencies, 50)),
        "latency_p95_seconds": float(np.percentile(latencies, 95)),
        "texts_per_second": answered / spent,
        "peak_memory_bytes": float(peak_memory()),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_time(*sys.argv[1:3])) + "\n")
