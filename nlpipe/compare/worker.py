"""A process that carries out jobs: orders come as lines of JSON on standard input, and what becomes of them goes out.

    python -m nlpipe.compare.worker < orders.jsonl

Each order is plain data and each result is a folder, so that anything that can start this command can execute a
comparison. The lines that go out are ``{"number": 3, "report": "fitting …"}``, and in the end
``{"number": 3, "folder": "runs/…"}`` or ``{"number": 3, "error": "…"}``. The data set that was read last is kept.
With ``--attached`` the end of the input means that whoever gave the orders has died, and ends a job that is running.
"""

from __future__ import annotations

import functools
import json
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import NotRequired, TypedDict

from nlpipe.compare.plan import Order
from nlpipe.datasets.dataset import Dataset
from nlpipe.datasets.folds import fold_of
from nlpipe.datasets.load import load_dataset
from nlpipe.errors import NlpipeError
from nlpipe.pipeline.stage_store import StageStore
from nlpipe.runs.costs import own_output
from nlpipe.runs.run import run
from nlpipe.spec import read_pipeline
from nlpipe.tuning import tune
from nlpipe.user_code import UserCode, check_known

STAGES = ".stages"
"""The folder beside the runs with the fitted stages that they share; it may be removed at any time."""


class Message(TypedDict):
    """What a worker says of an order: how far it is, its result's folder, or what went wrong."""

    number: int
    report: NotRequired[str]
    folder: NotRequired[str]
    tune_seconds: NotRequired[float]
    """How long all trials of the search before the run took to fit."""
    error: NotRequired[str]


def carry_out(order: Order, report: Callable[[str], None]) -> Message:
    """Do the job in this process: the search of its options where it has one, then the run.

    Raises:
        NlpipeError: the data, the wiring or the disk does not allow it.
    """
    spec = read_pipeline(order["pipeline"])
    report("reading the data")
    dataset = _dataset(json.dumps(spec.data))
    if order["folds"] is not None and order["fold"] is not None:
        dataset = fold_of(dataset, order["folds"], order["fold"])
    message: Message = {"number": order["number"]}
    if spec.tune is not None:
        search = tune(spec, dataset, Path(order["out"]), report=report)
        spec, message["tune_seconds"] = search.spec, search.fit_seconds
    result = run(
        spec, dataset, Path(order["out"]), order["seed"], order["train_size"], report=report, progress=False,
        store=_store(Path(order["out"]) / STAGES, threading.get_ident()), measuring=order["measure"],
    )  # fmt: skip
    return {**message, "folder": str(result.folder)}


def attempt(order: Order, report: Callable[[str], None]) -> Message:
    """Do the job in this process; whatever goes wrong is told in the message, for a crash is a row, not the end."""
    number = order["number"]
    try:
        return carry_out(order, report)
    except NlpipeError as error:
        return {"number": number, "error": str(error)}
    except MemoryError:
        return {"number": number, "error": "out of memory"}
    except Exception as error:
        traceback.print_exc()  # a fault of nlpipe or of a user's stage: where it is must be seen
        return {"number": number, "error": f"{type(error).__name__}: {error}"}


def carry_alone(order: Order) -> Message:
    """Do one job in this process, which may never have heard of the user's code that it needs."""
    try:
        _install(json.dumps(order["user_code"]))
        check_known([(kind, name) for kind, name in order["needed"]])
    except NlpipeError as error:
        return {"number": order["number"], "error": str(error)}
    return attempt(order, lambda text: None)


@functools.lru_cache(maxsize=1)
def _dataset(data: str) -> Dataset:
    return load_dataset(json.loads(data))


@functools.lru_cache(maxsize=1)
def _store(folder: Path, thread: int) -> StageStore:
    """The one that was used last is kept; threads of a Dask worker have one each, since it counts a run's seconds."""
    return StageStore(folder)


@functools.cache
def _install(user_code: str) -> None:
    UserCode.from_plain(json.loads(user_code)).install()


def main(attached: bool) -> None:
    """Carry out orders until there are no more.

    Args:
        attached: whether to end at once, in the middle of a job, when the input ends.
    """
    channel = os.fdopen(own_output(), "w", encoding="utf-8")
    signal.signal(signal.SIGINT, _interrupt)
    orders: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
    idle = threading.Event()
    threading.Thread(target=_listen, args=(_own_input(), orders, idle, attached), daemon=True).start()

    def send(message: Message) -> None:
        channel.write(json.dumps(message) + "\n")
        channel.flush()

    while True:
        idle.set()
        order = orders.get()
        if order is None:
            return
        idle.clear()
        number = order["number"]
        try:
            _install(json.dumps(order["user_code"]))
            check_known([(kind, name) for kind, name in order["needed"]])
            send(attempt(order, lambda text, number=number: send({"number": number, "report": text})))  # type: ignore[misc]
        except NlpipeError as error:
            send({"number": number, "error": str(error)})
        except KeyboardInterrupt:
            send({"number": number, "error": "interrupted"})
            return


def _interrupt(number: int, frame: FrameType | None) -> None:
    """The first interruption ends the job; a second would disturb the tidying up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def _own_input() -> int:
    """The file that standard input was, which nothing else reads from now on."""
    channel = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return channel


def _listen(channel: int, orders: queue.SimpleQueue[Order | None], idle: threading.Event, attached: bool) -> None:
    """Pass on the orders that come; None is their end."""
    try:
        for line in _lines(channel):
            orders.put(json.loads(line))
    finally:
        if attached and not idle.is_set():
            os._exit(1)
        orders.put(None)


def _lines(channel: int) -> Iterator[bytes]:
    unfinished = b""
    while block := os.read(channel, 1 << 16):
        *lines, unfinished = (unfinished + block).split(b"\n")
        yield from lines


if __name__ == "__main__":
    main("--attached" in sys.argv[1:])
