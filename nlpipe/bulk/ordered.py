"""Chunks are answered by several workers at a time, and their answers come in order; a chunk whose worker died is
answered again.
"""

from __future__ import annotations

import json
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol, cast

from nlpipe.bulk.answer_process import Reply, order_of
from nlpipe.bulk.answers import Columns
from nlpipe.bulk.inputs import Input
from nlpipe.errors import NlpipeError, NlpipeWarning
from nlpipe.pipeline.batches import BATCH

TRIES = 3
"""Times that a chunk is answered before it is what its workers die of."""
CHUNK = 8 * BATCH
"""Inputs that a worker is given at a time."""
CHARACTERS = 4_000_000
"""A chunk with more ends at its next full batch."""


class Died(Exception):
    """A worker died before it answered; the message says how: ``was killed (SIGKILL)``."""


class Answer(Protocol):
    """A reply that is on its way."""

    def result(self) -> str:
        """The reply as JSON, once it is there.

        Raises:
            Died: the worker died.
        """


class Workers(Protocol):
    """What answers orders: processes, or a cluster. ``width`` is how many at a time."""

    width: int

    def submit(self, order: str) -> Answer:
        """Have an order answered."""

    def close(self) -> None:
        """End what was started."""


@dataclass
class Source:
    """A file that is being answered.

    Args:
        name: in messages.
        columns: of the table of its answers, once they are known.
    """

    name: str
    columns: Columns | None = None
    begun: bool = False


@dataclass(frozen=True)
class Piece:
    """Inputs that are answered together; none at the end of the file.

    Args:
        part: of the file, from 1, that its answers are written to.
        ends: whether no other piece of the part follows.
    """

    source: Source
    part: int
    items: list[Input]
    ends: bool = False


def pieces(
    source: Source,
    inputs: Iterator[Input],
    tabular: bool = False,
    rows: int | None = None,
    is_done: Callable[[int], bool] = lambda part: False,
) -> Iterator[Piece]:
    """Whole batches of inputs. What reading raises is raised after the inputs before it.

    Args:
        tabular: whether the answers are a table, so that the first piece, which has the names, is to come soon.
        rows: inputs in a part; None for one part.
        is_done: whether a part is there already, so that it is only read.
    """
    items: list[Input] = []
    part, count, size = 1, 0, 0
    limit = BATCH if tabular and source.columns is None else CHUNK
    skipping = is_done(part)
    fault: NlpipeError | None = None
    while True:
        try:
            item = next(inputs, None)
        except NlpipeError as error:
            item, fault = None, error
        if item is None:
            break
        count += 1
        if not skipping:
            items.append(item)
            size += len(item.content)
        full = count == rows
        if items and (full or len(items) >= limit or (size > CHARACTERS and not len(items) % BATCH)):
            yield Piece(source, part, items, full)
            items, size, limit = [], 0, CHUNK
        if full:
            part, count, skipping = part + 1, 0, is_done(part + 1)
    if items:
        yield Piece(source, part, items)
    if fault is not None:
        raise fault
    yield Piece(source, part, [], True)


def in_order(workers: Workers, parts: Iterator[Piece], form: str) -> Iterator[tuple[Piece, str]]:
    """The pieces with their answers, in order; a few pieces for each worker are in memory at a time.

    Args:
        form: of the answers. The first piece of a table is waited for: it has the names of the columns.

    Raises:
        NlpipeError: a piece cannot be answered; the message has its lines.
    """
    records = form in ("jsonl", "csv", "tsv")
    told: set[str] = set()
    waiting: deque[tuple[Piece, str, Answer | None]] = deque()
    fault: NlpipeError | None = None

    def finished() -> tuple[Piece, str]:
        piece, order, answer = waiting.popleft()
        if answer is None:
            return piece, ""
        source = piece.source
        ordered = partial(order_of, columns=source.columns, records=records)
        reply = _answered(workers, piece.items, order, answer, ordered, source.name)
        source.columns = source.columns or reply["columns"]
        for text in reply["warnings"]:
            if text not in told:
                told.add(text)
                warnings.warn(text, NlpipeWarning, 2)
        return piece, reply["text"]

    while True:
        try:
            piece = next(parts, None)
        except NlpipeError as error:
            piece, fault = None, error
        if piece is None:
            break
        source = piece.source
        while form in ("csv", "tsv") and piece.items and source.begun and source.columns is None:
            yield finished()
        if piece.items:
            order = order_of(piece.items, source.columns, records)
            waiting.append((piece, order, workers.submit(order)))
            source.begun = True
        else:
            waiting.append((piece, "", None))
        while len(waiting) > 2 * workers.width:
            yield finished()
    while waiting:
        yield finished()
    if fault is not None:
        raise fault


def _answered(
    workers: Workers, items: list[Input], order: str, answer: Answer, ordered: Callable[[list[Input]], str], name: str
) -> Reply:
    """The reply to a chunk.

    Raises:
        NlpipeError: its workers die each time, or it cannot be answered.
    """
    for attempt in range(TRIES):
        try:
            reply = cast(Reply, json.loads((answer if not attempt else workers.submit(order)).result()))
            break
        except Died as death:
            last = death
    else:
        raise _culprit(workers, items, ordered, name, last)
    if "error" in reply:
        raise NlpipeError(f"{_lines(items, name)}: {reply['error']}")
    return reply


def _culprit(
    workers: Workers, items: list[Input], ordered: Callable[[list[Input]], str], name: str, death: Died
) -> NlpipeError:
    """The error that names the input of which workers die; found by halving."""
    suspects = items
    while len(suspects) > 1:
        half = suspects[: len(suspects) // 2]
        suspects = half if _dies(workers, ordered(half)) else suspects[len(half) :]
    if len(suspects) == 1 and _dies(workers, ordered(suspects)):
        return NlpipeError(f"{_lines(suspects, name)}: the process that answers this text {death} each time")
    return NlpipeError(
        f"{_lines(items, name)}: the process that answers them {death}, {TRIES} times; no text does it alone, "
        "so memory may be short: fewer --jobs need less"
    )


def _dies(workers: Workers, order: str) -> bool:
    try:
        workers.submit(order).result()
    except Died:
        return True
    return False


def _lines(items: list[Input], name: str) -> str:
    first, last = items[0].number, items[-1].number
    return f"{name}:{first}" if first == last else f"{name}, lines {first} to {last}"
