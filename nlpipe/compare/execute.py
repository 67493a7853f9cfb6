"""Runs the jobs of a comparison in worker processes; a crash is a row, not the end.

Each worker keeps the data set it has loaded. A job is handed out when a worker is free, so that when a worker dies it
is known which job killed it; the others go on in a new one. What is done is on disk: the same comparison started
again takes it from there.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nlpipe.compare.plan import Job
from nlpipe.datasets.dataset import Dataset
from nlpipe.datasets.load import load_dataset
from nlpipe.errors import NlpipeError
from nlpipe.runs.costs import THREAD_VARIABLES
from nlpipe.runs.environment import thread_count
from nlpipe.runs.result import Result
from nlpipe.runs.run import run


@dataclass(frozen=True)
class Outcome:
    """What became of a job: its result, or what went wrong."""

    job: Job
    result: Result | None = None
    error: str = ""


Report = Callable[[Job, str], None]
"""Told what a job is doing, in a few words."""


def execute(
    jobs: Sequence[Job], data: Any, base: Path, out: Path, workers: int = 1, report: Report = lambda job, text: None
) -> Iterator[Outcome]:
    """Do all jobs and give each one's outcome as it ends.

    Args:
        data: a card's name or an inline description, as pipeline files have it; ``base`` is where its paths start.
        workers: processes at a time; they share the processor's threads evenly.
    """
    waiting = deque(jobs)
    context = multiprocessing.get_context("spawn")
    messages = context.SimpleQueue()
    share = max(1, thread_count() // workers)
    while waiting:
        with _threads(share):
            executor = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(messages,))
            try:
                yield from _drain(
                    executor, waiting, functools.partial(_work, data, base, out), workers, messages, report
                )
            finally:
                executor.shutdown(wait=True, cancel_futures=True)


def _drain(
    executor: Executor,
    waiting: deque[Job],
    work: Callable[[Job, int], Outcome],
    workers: int,
    messages: Any,
    report: Report,
) -> Iterator[Outcome]:
    """Hand out jobs until none is left or the pool breaks; a job that ran when it broke is tried alone, once."""
    running: dict[Future[Outcome], Job] = {}
    jobs = list(waiting)
    while waiting or running:
        while waiting and len(running) < workers:
            try:
                running[executor.submit(work, waiting[0], jobs.index(waiting[0]))] = waiting[0]
            except BrokenProcessPool:
                break  # told below, of the job that broke it
            waiting.popleft()
        if not running:
            return  # the pool broke between two jobs: a new one takes the rest
        done, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
        while not messages.empty():
            number, text = messages.get()
            report(jobs[number], text)
        broken = [future for future in done if isinstance(future.exception(), BrokenProcessPool)]
        for future in set(done) - set(broken):
            job = running.pop(future)
            error = future.exception()
            yield (
                replace(future.result(), job=job)
                if error is None
                else Outcome(job, error=f"{type(error).__name__}: {error}")
            )
        if broken:
            lost = list(running.values())
            if len(lost) == 1:
                yield Outcome(lost[0], error="the process died (killed, or out of memory)")
            else:  # which of them did it is found out by doing them one at a time
                for job in lost:
                    with ProcessPoolExecutor(
                        1, mp_context=multiprocessing.get_context("spawn"), initializer=_begin, initargs=(messages,)
                    ) as alone:
                        try:
                            yield replace(alone.submit(work, job, jobs.index(job)).result(), job=job)
                        except BrokenProcessPool:
                            yield Outcome(job, error="the process died (killed, or out of memory)")
            return


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Processes started in the block use ``count`` threads each: the libraries read these variables at their start."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update({name: str(count) for name in THREAD_VARIABLES})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


_messages: Any = None


def _begin(messages: Any) -> None:
    """Runs in each worker when it starts; a worker whose parent is killed ends too."""
    global _messages
    _messages = messages
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


@functools.lru_cache(maxsize=2)
def _dataset(data: str, base: Path) -> Dataset:
    import json

    return load_dataset(json.loads(data), base)


def _work(data: Any, base: Path, out: Path, job: Job, number: int) -> Outcome:
    import json

    def report(text: str) -> None:
        _messages.put((number, text))

    try:
        report("reading the data")
        dataset = _dataset(json.dumps(data), base)
        return Outcome(job, run(job.spec, dataset, out, job.seed, job.train_size, report=report, progress=False))
    except NlpipeError as error:
        return Outcome(job, error=str(error))
    except KeyboardInterrupt:
        return Outcome(job, error="interrupted")  # the parent is told by the same signal and ends the comparison
    except MemoryError:
        return Outcome(job, error="out of memory")
