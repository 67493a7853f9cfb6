"""Carries out the jobs of a comparison, in worker processes or in this one; a crash is a row, not the end.

A job is given out when a worker is free, one to each, so that when a worker dies it is known which job it was; the
others go on, and a new worker takes its place. What is done is on disk: the same comparison started again takes it
from there. Workers are fresh processes that know nothing of the program that started them, so that a comparison can be
started from a script without a main guard, from standard input and from a notebook.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from nlpipe.compare.job_queue import JobQueue
from nlpipe.compare.plan import Job, Order
from nlpipe.compare.worker import Message, attempt
from nlpipe.errors import NlpipeWarning
from nlpipe.runs.costs import ending, process_environment
from nlpipe.runs.result import Result
from nlpipe.threads import thread_count
from nlpipe.user_code import UserCode, all_others, only_here, user_code

PATIENCE = 10.0
"""Seconds that an interrupted worker has to tidy up."""


@dataclass(frozen=True)
class Outcome:
    """What became of a job: its result, or what went wrong.

    Args:
        tune_seconds: how long all trials of the search before it took to fit; 0 where there was none.
    """

    job: Job
    result: Result | None = None
    error: str = ""
    tune_seconds: float = 0.0


Report = Callable[[Job, str], None]
"""Called with a job and what it is doing, in a few words."""


def execute(
    jobs: Sequence[Job], out: Path, workers: int = 1, report: Report = lambda job, text: None
) -> Iterator[Outcome]:
    """Do all jobs and give each one's outcome as it ends.

    Args:
        out: the folder that run folders are written into.
        workers: processes at a time; they share the processor's threads evenly.
    """
    here = only_here(all_others().union(*(job.needed for job in jobs)))
    orders = orders_of(jobs, out, bool(here))
    if here:
        message = f"{', '.join(here)}: known in this process alone, so the runs go one after another in it"
        warnings.warn(f"{message}; write the definition to a module and import that", NlpipeWarning, stacklevel=3)
        yield from _in_process(jobs, orders, report)
    else:
        yield from _in_workers(jobs, orders, workers, report)


def orders_of(jobs: Sequence[Job], out: Path, here: bool = False) -> list[Order]:
    """The jobs as plain data.

    Args:
        here: whether they are carried out in this process, which knows all stages.
    """
    others, orders = all_others(), list[Order]()
    for number, job in enumerate(jobs):
        needed = job.needed | others
        code = UserCode() if here else user_code(needed, job.spec.imports)
        orders.append({
            "number": number, "pipeline": job.pipeline, "seed": job.seed, "train_size": job.train_size,
            "folds": job.folds, "fold": job.fold, "measure": False,
            "out": str(out), "user_code": code.plain(), "needed": [list(pair) for pair in sorted(needed)],
        })  # fmt: skip
    return orders


def _in_process(jobs: Sequence[Job], orders: Sequence[Order], report: Report) -> Iterator[Outcome]:
    waiting, last = JobQueue(jobs), None
    while waiting:
        last = waiting.take(last)
        job = jobs[last]
        yield outcome_of(job, attempt(orders[last], lambda text, job=job: report(job, text)))  # type: ignore[misc]


def _in_workers(jobs: Sequence[Job], orders: Sequence[Order], workers: int, report: Report) -> Iterator[Outcome]:
    waiting = JobQueue(jobs)
    running: dict[Worker, int] = {}
    idle: list[Worker] = []
    messages: queue.SimpleQueue[tuple[Worker, Message | None]] = queue.SimpleQueue()
    threads = max(1, thread_count() // workers)
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                worker = idle.pop() if idle else Worker(threads, messages)
                worker.last = number = waiting.take(worker.last, running.values())
                running[worker] = number
                worker.send(orders[number])
            worker, message = messages.get()
            if message is None:  # its end
                if worker in running:
                    job = jobs[running.pop(worker)]
                    yield Outcome(job, error=f"the process died: it {ending(worker.stop())}")
                elif worker in idle:
                    idle.remove(worker)
                    worker.stop()
            elif "report" in message:
                report(jobs[message["number"]], message["report"])
            else:
                running.pop(worker)
                idle.append(worker)
                yield outcome_of(jobs[message["number"]], message)
    finally:
        for worker in running:
            worker.interrupt()
        for worker in (*running, *idle):
            worker.stop(tidying=worker in running)


def outcome_of(job: Job, message: Message) -> Outcome:
    """What a worker says became of a job."""
    if "folder" not in message:
        return Outcome(job, error=message["error"])
    return Outcome(job, Result(Path(message["folder"])), tune_seconds=message.get("tune_seconds", 0.0))


class Worker:
    """A process that carries out one order after another; see ``nlpipe.compare.worker``.

    Args:
        threads: that it calculates with.
        messages: where what it says goes, with itself; None is its end.
    """

    def __init__(self, threads: int, messages: queue.SimpleQueue[tuple[Worker, Message | None]]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "nlpipe.compare.worker", "--attached"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=process_environment(threads),
        )  # fmt: skip
        self.messages = messages
        self.last: int | None = None
        """Number of the job that it was given last."""
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with contextlib.suppress(ValueError):  # what was printed before the worker took charge of its output
                message = json.loads(line)
                if isinstance(message, dict) and "number" in message:
                    self.messages.put((self, cast(Message, message)))
        self.messages.put((self, None))

    def send(self, order: Order) -> None:
        """Give it an order; one that has died says so by its end."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.write(json.dumps(order).encode() + b"\n")
            self.process.stdin.flush()

    def interrupt(self) -> None:
        """Have it give up its job and tidy up."""
        if os.name == "posix":
            self.process.send_signal(signal.SIGINT)
        else:
            self.process.kill()

    def stop(self, tidying: bool = False) -> int:
        """End it, and give the status it ended with; it is to be idle or dead, or ``tidying`` after an interruption."""
        assert self.process.stdin is not None and self.process.stdout is not None
        if tidying:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(PATIENCE)
        with contextlib.suppress(OSError):
            self.process.stdin.close()  # at which a worker ends
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.listener.join()
        self.process.stdout.close()
        return status
