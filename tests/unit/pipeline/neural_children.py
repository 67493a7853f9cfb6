"""Runs ``nlpipe run`` of a tiny neural pipeline in child processes, which may be killed: ``neural_children.py FOLDER``.

One interpreter imports torch once and forks; what each child wrote, and how it ended, stands in ``FOLDER/NAME.*``.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import accelerate  # noqa: F401 - before the forks
import torch
import torch._dynamo  # optimizers do
import torch.distributed

from nlpipe.__main__ import main
from nlpipe.runs import costs
from nlpipe.training.batching import Sampler
from nlpipe.training.loop import Loop

RUN = """
data: sample_reviews
tokenizer: regex
representation: {name: embedding, dim: 8, min_count: 1, dropout: DROPOUT}
encoder:
  - {name: lstm, hidden: 8, bidirectional: true}
  - mean
head: {name: classifier, dropout: DROPOUT}
trainer: {epochs: 4, batch_size: 7, lr: 0.02, precision: fp32, checkpoint_minutes: 1e-9, schedule: linear}
"""
COSTS = {
    "load_seconds": 1.0, "latency_mean_seconds": 1.0, "latency_p50_seconds": 1.0, "latency_p95_seconds": 1.0,
    "texts_per_second": 1.0, "peak_memory_bytes": 1.0,
}  # fmt: skip


def begin(folder: Path, name: str, words: list[str], before: Callable[[], None] = lambda: None, **given: str) -> int:
    """``nlpipe WORDS`` in a fork, whose process id this is."""
    process = os.fork()
    if process == 0:
        os.environ.update(given, COLUMNS="300")
        for number, suffix in ((1, "out"), (2, "err")):
            os.dup2(os.open(folder / f"{name}.{suffix}", os.O_WRONLY | os.O_CREAT), number)
        sys.argv[1:] = words
        code = 1
        try:
            before()
            main()
        except SystemExit as error:
            code = int(error.code or 0)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return process


def end(folder: Path, name: str, process: int) -> None:
    _, status = os.waitpid(process, 0)
    (folder / f"{name}.code").write_text(json.dumps(os.waitstatus_to_exitcode(status)))


def kill(within: bool) -> Callable[[], None]:
    """To be killed in the middle of the second epoch, or between the second and the third."""

    def arrange() -> None:
        owner, name = (Sampler, "parts") if within else (Loop, "_stop_reason")
        original = getattr(owner, name)

        def dying(self: Any, *arguments: Any) -> Any:
            epoch, step = arguments[:2] if within else (self.position.epoch, self.position.step)
            if (epoch, step) == ((1, 3) if within else (2, 0)):
                os.kill(os.getpid(), signal.SIGKILL)
            return original(self, *arguments)

        setattr(owner, name, dying)

    return arrange


def play(folder: Path) -> None:
    costs.measure_model = lambda *_: COSTS  # type: ignore[assignment]
    (folder / "small.yaml").write_text(RUN.replace("DROPOUT", "0.1"))
    (folder / "sure.yaml").write_text(RUN.replace("DROPOUT", "0.0"))

    def do(name: str, file: str, out: str, *more: str, before: Callable[[], None] = lambda: None) -> None:
        words = ["run", str(folder / file), *more, "--out", str(folder / out)]
        end(folder, name, begin(folder, name, words, before))

    do("whole", "small.yaml", "whole-runs")
    for moment in ("within", "between"):
        do(f"{moment}-killed", "small.yaml", f"{moment}-runs", before=kill(moment == "within"))
        (checkpoint,) = (folder / f"{moment}-runs" / ".checkpoints").iterdir()
        (folder / f"{moment}.left").write_text(json.dumps([path.name for path in checkpoint.iterdir()]))
        do(moment, "small.yaml", f"{moment}-runs")
    do("broken", "small.yaml", "broken-runs", "trainer.lr=1e30", "trainer.clip=null")
    do("one", "sure.yaml", "one-runs")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    several = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    for name, file in (("two", "sure.yaml"), ("classical", "classical.yaml")):
        (folder / "classical.yaml").write_text("data: sample_reviews\nrepresentation: bow\nhead: naive_bayes\n")
        words = ["run", str(folder / file), "--out", str(folder / f"{name}-runs")]
        both = [begin(folder, f"{name}-{r}", words, **several, RANK=str(r), LOCAL_RANK=str(r)) for r in (0, 1)]
        for number, process in enumerate(both):
            end(folder, f"{name}-{number}", process)


if __name__ == "__main__":
    torch.set_num_threads(1)
    play(Path(sys.argv[1]))
