"""Runs trainings in child processes, which may be killed: ``trainer_children.py (kills | processes) FOLDER``.

One interpreter imports torch once and forks; each child trains and writes the parameters it ends with.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import accelerate  # noqa: F401 - before the forks
import torch
import torch._dynamo  # optimizers do
from safetensors.torch import save_file

from nlpipe.training import checkpoint as checkpoints
from nlpipe.training.batching import Sampler
from nlpipe.training.loop import train as run_training
from nlpipe.training.trainer import Trainer
from tests.unit.training.trainer_toys import Toy, ToyExamples

MOMENTS = {
    # name: kill at the n-th call of what; an epoch has 5 steps, 5 states and one file of parameters
    "first step": ("parts", 1),
    "middle of an epoch": ("parts", 8),
    "state written, not its json": ("save", 8),
    "half of the tensors": ("half", 8),
    "before the rename": ("rename", 8),
    "after the rename": ("renamed", 8),
    "half of the parameters of an epoch": ("half", 11),
    "old parameters not dropped": ("drop", 3),
}


def begin(action: Callable[[], None]) -> int:
    """Do it in a fork, whose process id this is."""
    process = os.fork()
    if process == 0:
        try:
            action()
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
        os._exit(0)
    return process


def child(action: Callable[[], None]) -> int:
    """Do it in a fork and wait; the signal that killed it, or 0."""
    _, status = os.waitpid(begin(action), 0)
    assert not os.WIFEXITED(status) or os.WEXITSTATUS(status) == 0, "the child failed"
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def train(folder: Path, result: Path) -> None:
    objective, examples = Toy(dropout=0.3), ToyExamples(noise=True)

    def evaluate() -> float:
        return -examples.loss(objective) + float(torch.rand(())) / 2  # draws too

    trainer = Trainer(
        epochs=4, batch_size=8, lr=0.01, schedule="cosine", warmup=0.1, average=2, checkpoint_minutes=1e-9
    )
    history = run_training(trainer, objective, examples, evaluate, seed=7, checkpoint=folder, progress=False)
    record(objective, history.plain(), result)


def record(objective: Toy, history: dict[str, object], result: Path) -> None:
    save_file({name: t.contiguous() for name, t in objective.state_dict().items()}, result.with_suffix(".safetensors"))
    result.with_suffix(".json").write_text(json.dumps(history))


def kill_at(kind: str, call: int) -> None:
    """Arrange for this process to be killed at that moment."""
    count = 0

    def wrap(owner: object, name: str, after: bool = False, half: bool = False) -> None:
        original = getattr(owner, name)

        def counted(*args, **kwargs):  # type: ignore[no-untyped-def]
            nonlocal count
            count += 1
            if count == call and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = original(*args, **kwargs)
            if count == call:
                if half:
                    os.truncate(args[0], args[0].stat().st_size // 2)
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        setattr(owner, name, counted)

    if kind == "parts":
        wrap(Sampler, "parts", after=True)
    elif kind in ("save", "half"):
        wrap(checkpoints, "_save", after=True, half=kind == "half")
    elif kind == "drop":
        wrap(checkpoints.Checkpoint, "remove_epochs_except")
    else:
        wrap(Path, "rename", after=kind == "renamed")


def kills(folder: Path) -> None:
    assert child(lambda: train(folder / "whole", folder / "whole")) == 0
    for moment, (kind, call) in MOMENTS.items():

        def die(moment: str = moment, kind: str = kind, call: int = call) -> None:
            kill_at(kind, call)
            train(folder / moment, folder / "never")

        assert child(die) == signal.SIGKILL, moment
        left = sorted(p.name for p in (folder / moment).iterdir()) if (folder / moment).exists() else []
        (folder / f"{moment}.left").write_text(json.dumps(left))
        assert child(lambda moment=moment: train(folder / moment, folder / moment)) == 0


def processes(folder: Path) -> None:
    """Two gloo processes and one, over 37 examples in batches of 5 and 1: odd ones, and some for one process only."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def one(rank: int, world: int) -> None:
        if world > 1:
            os.environ.update(
                RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(world), LOCAL_WORLD_SIZE=str(world),
                MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), OMP_NUM_THREADS="1",
            )  # fmt: skip
        os.environ["ACCELERATE_USE_CPU"] = "1"
        for name, options in {
            "odd": {"batch_size": 5},
            "single": {"batch_size": 1},
            "accumulated": {"batch_size": 6, "accumulate": 3},
        }.items():
            objective, examples = Toy(), ToyExamples()
            gradients: list[float] = []
            seen = [p for p in objective.parameters() if p.requires_grad]
            original = torch.optim.AdamW.step

            def step(self, *args, gradients=gradients, seen=seen, original=original):  # type: ignore[no-untyped-def]
                gradients.extend(float(p.grad.double().sum()) for p in seen)
                return original(self, *args)

            torch.optim.AdamW.step = step  # type: ignore[method-assign]
            trainer = Trainer(epochs=2, lr=0.01, device="cpu", precision="fp32", checkpoint_minutes=1e-9, **options)
            calls: list[int] = []

            def evaluate(calls=calls, rank=rank) -> float:  # type: ignore[no-untyped-def]
                calls.append(rank)
                return 0.1 * len(calls)

            place = folder / f"{name}-{world}"
            history = run_training(trainer, objective, examples, evaluate, seed=3, checkpoint=place, progress=False)
            torch.optim.AdamW.step = original  # type: ignore[method-assign]
            record(
                objective,
                {**history.plain(), "gradients": gradients, "calls": calls},
                folder / f"{name}-{world}-{rank}",
            )
            # and on from the checkpoint of a run that is over
            again = run_training(trainer, objective, examples, evaluate, seed=3, checkpoint=place, progress=False)
            assert [e.loss for e in again.epochs] == [e.loss for e in history.epochs]
        if world > 1:
            torch.distributed.destroy_process_group()

    assert child(lambda: one(0, 1)) == 0
    second = begin(lambda: one(1, 2))
    assert child(lambda: one(0, 2)) == 0
    assert os.waitpid(second, 0)[1] == 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    {"kills": kills, "processes": processes}[sys.argv[1]](Path(sys.argv[2]))
