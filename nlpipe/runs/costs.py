"""What a saved pipeline costs in use: measured alone, in a fresh process, with a fixed number of threads.

    python -m nlpipe.runs.costs REQUEST.json

loads the pipeline as a user's program would, answers single texts (latency) and batches (texts a second), and prints
one line of JSON. The peak memory is that of this process alone, so that neither training nor the data set is in it.

The same texts are answered in several rounds, and the least seconds of each text count: what else a machine does only
adds to them, so that another measurement gives about the same least seconds again. The percentiles are over texts,
which differ in length. Stages that cache the features of words have those of these texts in their caches after the
first round, as in a program that has run for a while. Processor seconds are those of all threads of the process; they
hardly depend on what else the machine does. Energy is what all processors use while batches are answered, other
programs' work included, in the round with the least. Python's garbage collection is off while a round is timed.
"""

from __future__ import annotations

import gc
import itertools
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from nlpipe.errors import NlpipeError
from nlpipe.files import read_json, write_json
from nlpipe.pipeline.saving import stage_entries
from nlpipe.registry import names_used
from nlpipe.runs.energy import EnergyMeter
from nlpipe.user_code import UserCode, check_known, user_code
from nlpipe.wire import Text, Tokens, Wire

if TYPE_CHECKING:
    from nlpipe.pipeline import Pipeline

WARM_UP_SECONDS = 0.1
"""Seconds in which texts are answered, at least one, before any is timed."""
LATENCY_TEXTS, LATENCY_SECONDS = 200, 3.0
"""Single texts are timed in the first round until one of these limits is reached; later rounds answer these texts."""
THROUGHPUT_TEXTS, THROUGHPUT_SECONDS = 2000, 5.0
"""The same limits for texts in batches."""
ROUNDS, ROUNDS_SECONDS = 10, 4.0
"""No further round begins once one of these limits is reached; a slow pipeline has one round."""
MOST_SECONDS = 3600
"""A process that takes longer than this is stopped, and the measurement has failed."""

BATCH = 256
"""Texts of a batch."""

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
"""What the numerical libraries read at their start."""


class AlwaysMeasured(TypedDict):
    """What using a pipeline costs, as far as it can be measured everywhere."""

    load_seconds: float
    latency_mean_seconds: float
    latency_p50_seconds: float
    latency_p95_seconds: float
    texts_per_second: float
    peak_memory_bytes: float


class Use(AlwaysMeasured, total=False):
    """What using a pipeline costs; what the machine does not count is absent."""

    cpu_seconds_per_text: float
    joules_per_text: float


def measure_model(model: Path, inputs: Wire, threads: int) -> Use:
    """Costs of the pipeline saved in ``model`` on (the first of) ``inputs``.

    Raises:
        NlpipeError: the process failed, was killed, or did not print figures (the message has the end of what it
            printed); or a stage is registered where no other process can import it.
    """
    manifest = read_json(Path(model) / "model.json")
    needed = {("task", str(manifest["task"]))}
    for entry in stage_entries(Path(model)):
        needed |= names_used(entry["slot"], entry["stage"])
    request_content = {
        "model": str(Path(model).resolve()), "inputs": _texts(inputs)[:THROUGHPUT_TEXTS],
        "user_code": user_code(needed).plain(), "needed": sorted(needed),
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        request = Path(folder) / "request.json"
        write_json(request, request_content)
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-m", "nlpipe.runs.costs", str(request)],
                env=process_environment(threads), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                errors="replace", check=False, timeout=MOST_SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise NlpipeError(f"measuring {model} took longer than {MOST_SECONDS:,} s and was stopped") from None
    if done.returncode:
        raise NlpipeError(f"measuring {model} failed: the process {ending(done.returncode)}\n{_end_of(done.stderr)}")
    return _checked(done.stdout.strip().rpartition("\n")[2], model)


def process_environment(threads: int) -> dict[str, str]:
    """The environment of a Python process that finds this nlpipe and calculates with ``threads`` threads."""
    environment = {**os.environ, **{name: str(threads) for name in THREAD_VARIABLES}}
    root = str(Path(__file__).resolve().parents[2])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    return environment


def ending(status: int) -> str:
    """How a process ended, for messages: ``exited with status 1``, ``was killed (SIGKILL)``."""
    if status >= 0:
        return f"exited with status {status}"
    try:
        return f"was killed ({signal.Signals(-status).name})"
    except ValueError:
        return f"was killed (signal {-status})"


def _end_of(text: str) -> str:
    return text.strip()[-2000:]


def _checked(line: str, model: Path) -> Use:
    """The figures in the last line that the process printed."""
    try:
        use = json.loads(line)
    except json.JSONDecodeError:
        use = None
    known = Use.__required_keys__ | Use.__optional_keys__
    if (
        not isinstance(use, dict)
        or not Use.__required_keys__ <= set(use) <= known
        or not all(_positive(value) for value in use.values())
    ):
        raise NlpipeError(f"measuring {model} failed: the process printed {line[:200]!r} in place of its figures")
    figures: Use = use  # type: ignore[assignment]
    return figures


def _positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


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


def _time(model: str, texts: list[Any]) -> Use:
    started = time.perf_counter()
    from nlpipe.pipeline import Pipeline

    pipeline = Pipeline.load(model)
    loaded = time.perf_counter() - started

    _warm_up(pipeline, texts)
    singles = [[text] for text in texts[:LATENCY_TEXTS]]
    batches = [texts[i : i + BATCH] for i in range(0, len(texts), BATCH)]
    gc.collect()
    gc.freeze()  # so that collecting what a round left behind is quick
    gc.disable()
    started = time.perf_counter()
    alone, _ = _round(pipeline, singles, LATENCY_SECONDS)
    meter = EnergyMeter()
    together, cpu = _round(pipeline, batches, THROUGHPUT_SECONDS)
    energies = [meter.joules()]
    rounds = 1
    while rounds < ROUNDS and time.perf_counter() - started < ROUNDS_SECONDS:
        gc.collect()
        alone = np.minimum(alone, _round(pipeline, singles[: len(alone)])[0])
        meter = EnergyMeter()
        seconds, cpu_seconds = _round(pipeline, batches[: len(together)])
        energies.append(meter.joules())
        together, cpu = np.minimum(together, seconds), np.minimum(cpu, cpu_seconds)
        rounds += 1
    answered = sum(map(len, batches[: len(together)]))
    use: Use = {
        "load_seconds": loaded,
        "latency_mean_seconds": float(alone.mean()),
        "latency_p50_seconds": float(np.percentile(alone, 50)),
        "latency_p95_seconds": float(np.percentile(alone, 95)),
        "texts_per_second": answered / float(together.sum()),
        "peak_memory_bytes": float(peak_memory()),
    }
    if cpu.sum() > 0:  # a clock that ticks too seldom counts nothing
        use["cpu_seconds_per_text"] = float(cpu.sum()) / answered
    measured = [energy for energy in energies if energy]
    if measured:
        use["joules_per_text"] = min(measured) / answered
    return use


def _warm_up(pipeline: Pipeline, texts: list[Any]) -> None:
    """Answer single texts, so that what is done once only, and a processor that has to speed up, are not timed."""
    started = time.perf_counter()
    for text in itertools.cycle(texts):
        pipeline.predict([text])
        if time.perf_counter() - started >= WARM_UP_SECONDS:
            return


def _round(pipeline: Pipeline, parts: list[list[Any]], most: float = math.inf) -> tuple[np.ndarray, np.ndarray]:
    """Wall and processor seconds that answering each part takes; those left after ``most`` seconds are left out."""
    seconds: list[float] = []
    cpu_seconds: list[float] = []
    while len(seconds) < len(parts) and sum(seconds) < most:
        begin, begin_cpu = time.perf_counter(), time.process_time()
        pipeline.predict(parts[len(seconds)])
        cpu_seconds.append(time.process_time() - begin_cpu)
        seconds.append(time.perf_counter() - begin)
    return np.array(seconds), np.array(cpu_seconds)


def own_output() -> int:
    """The file that standard output was, which nothing else prints to from now on: other output goes to the errors."""
    sys.stdout.flush()
    channel = os.dup(1)
    os.dup2(2, 1)
    return channel


def main(path: str) -> None:
    """Carry out the request in the file ``path``."""
    channel = own_output()
    request = read_json(Path(path))
    UserCode.from_plain(request["user_code"]).install()
    check_known([(kind, name) for kind, name in request["needed"]])
    figures = _time(request["model"], request["inputs"])
    with os.fdopen(channel, "w", encoding="utf-8") as output:
        output.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except NlpipeError as error:
        sys.exit(str(error))
