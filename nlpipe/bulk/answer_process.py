"""A process that loads a model once and answers chunks of inputs: lines of JSON on standard input, answers go out.

    python -m nlpipe.bulk.answer_process

The first line is a ``Setting``, each further one an ``Order``; to each there is a ``Reply``. It ends with
its input. A worker of a Dask cluster does the same by ``answer_there``.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

from nlpipe import __version__
from nlpipe.bulk.answers import Answers, Columns, change
from nlpipe.bulk.inputs import Input
from nlpipe.errors import ModelError, NlpipeError, NlpipeWarning
from nlpipe.json_reader import Number, json_text
from nlpipe.pipeline import Pipeline
from nlpipe.pipeline.batches import BATCH
from nlpipe.pipeline.saving import model_root
from nlpipe.user_code import UserCode

LOADING = threading.Lock()
"""Threads of one process answer one after another: a model is not made for two at a time."""


class Setting(TypedDict):
    """How all inputs are answered, as plain data.

    ``model`` is its folder, ``sha256`` that of its ``model.json``, ``changes`` what ``--set`` has, ``form``,
    ``n_best`` and ``threshold`` as ``Answers`` has them, ``user_code`` what must be imported. ``runtime`` is what
    was asked for, and ``computes`` what it came to in the command: a worker must come to the same.
    """

    model: str
    sha256: str
    version: str
    changes: list[str]
    form: str
    n_best: int | None
    threshold: float | None
    runtime: str
    computes: str
    user_code: dict[str, Any]


class Order(TypedDict):
    """Inputs to answer, and the columns of the table that they belong to."""

    items: list[Any]
    columns: Columns | None


class Reply(TypedDict, total=False):
    """The answers as text, or what went wrong."""

    text: str
    columns: Columns | None
    warnings: list[str]
    error: str


def model_hash(folder: Path) -> str:
    """The sha256 of ``model.json``, which has those of all its files.

    Raises:
        ModelError: there is no model, or it cannot be read.
    """
    path = model_root(folder) / "model.json"
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from None


def order_of(items: Sequence[Input], columns: Columns | None, records: bool) -> str:
    """The order to answer ``items``.

    Args:
        records: whether what the inputs have beside the text is in the answers.
    """
    plain: list[Any] = [[item.content, _plain(item) if records else None, item.lines] for item in items]
    return json.dumps({"items": plain, "columns": columns})


def _plain(item: Input) -> Any:
    """The record of an input; as JSON where it has more than texts, so that numbers stay as they are spelt."""
    return item.record if all(type(value) is str for value in item.record.values()) else json_text(dict(item.record))


def _input(plain: Sequence[Any]) -> Input:
    content, record, lines = plain
    if isinstance(record, str):
        record = json.loads(record, parse_float=Number, parse_int=Number, parse_constant=Number)
    return Input(content, record or {}, lines)


class Answerer:
    """A loaded model.

    Args:
        pipeline: where the command has loaded it itself.

    Raises:
        NlpipeError: this nlpipe or the model is another one than that of the command, or cannot be loaded here.
    """

    def __init__(self, setting: Setting, pipeline: Pipeline | None = None) -> None:
        self.setting = setting
        if pipeline is not None:
            self.pipeline = pipeline
            return
        if setting["version"] != __version__:
            raise NlpipeError(
                f"a worker has nlpipe {__version__} and the command {setting['version']}: install the same there"
            )
        UserCode.from_plain(setting["user_code"]).install()
        folder = Path(setting["model"])
        if model_hash(folder) != setting["sha256"]:
            raise ModelError(f"{folder}: a worker finds another model there than the command; start it again")
        self.pipeline = Pipeline.load(folder, setting["runtime"])
        if self.pipeline.runtime != setting["computes"]:
            raise NlpipeError(
                f"a worker computes with {self.pipeline.runtime} and the command with {setting['computes']}: "
                "install the same there, or give --runtime nlpipe"
            )
        change(self.pipeline, setting["changes"])

    def answer(self, order: Order) -> Reply:
        """The answers to an order; its inputs go through the model in the batches of a single process."""
        items = [_input(plain) for plain in order["items"]]
        answers = Answers(
            self.pipeline, self.setting["form"], self.setting["n_best"], self.setting["threshold"], order["columns"]
        )
        lines = [answers.lines(items[start : start + BATCH]) for start in range(0, len(items), BATCH)]
        return {"text": "".join(lines), "columns": answers.table.begun}


def guarded(work: Any) -> Reply:
    """What ``work()`` replies, with its warnings; what goes wrong is told in the reply."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", NlpipeWarning)
        try:
            reply: Reply = work()
        except NlpipeError as error:
            reply = {"error": str(error)}
        except MemoryError:
            reply = {"error": "out of memory; fewer --jobs need less"}
        except Exception as error:
            traceback.print_exc()  # a fault of nlpipe or of a user's stage: where it is must be seen
            reply = {"error": f"{type(error).__name__}: {error}"}
    return {**reply, "warnings": [str(each.message) for each in caught]}


@functools.lru_cache(maxsize=2)
def _answerer(setting: str) -> Answerer:
    return Answerer(json.loads(setting))


def answer_there(setting: str, order: str) -> str:
    """Answer one order in a worker of a cluster; plain text goes both ways."""
    with LOADING:
        return json.dumps(guarded(lambda: _answerer(setting).answer(json.loads(order))))


def main() -> None:
    """Answer orders until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command ends its workers itself
    sys.stdout.flush()
    channel = os.dup(1)
    os.dup2(2, 1)  # what a library prints is no reply
    answerer: list[Answerer] = []
    with os.fdopen(os.dup(0), encoding="utf-8") as orders, os.fdopen(channel, "w", encoding="utf-8") as replies:
        for line in orders:
            reply = guarded(functools.partial(_carry, answerer, json.loads(line)))
            try:
                replies.write(json.dumps(reply) + "\n")
                replies.flush()
            except BrokenPipeError:  # the command has died
                os._exit(1)


def _carry(answerer: list[Answerer], content: Any) -> Reply:
    if not answerer:
        answerer.append(Answerer(content))
        return {}
    return answerer[0].answer(content)


if __name__ == "__main__":
    main()
