"""Outputs of costly stages cached on disk: a frozen BERT reads each text once, for all heads, seeds and epochs.

An entry is named by a hash of the texts and of the stages: their options, states and code. Rows are float16 in a memory
map, so that a data set larger than memory can be trained on. The entries used longest ago are removed when the folder
is over its budget (``NLPIPE_FEATURES_GB``, 8 by default); outputs larger than the budget are computed each time. Where
several processes train together, the first computes and the others read.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict

import numpy as np

from nlpipe.errors import NlpipeError
from nlpipe.files import PARTIAL, read_json, whole_folder, write_json
from nlpipe.pipeline.stage_digest import stage_digest
from nlpipe.stage import AnyStage
from nlpipe.training.processes import main_first
from nlpipe.wheels import cache_folder
from nlpipe.wire import Sequences, Text, Tokens, Vectors, Wire


class _TooLarge(Exception):
    """The outputs are over the budget."""


class _Entry(TypedDict):
    """The content of an entry's ``entry.json``."""

    kind: Literal["Vectors", "Sequences"]
    rows: int
    width: int


def cached_outputs(
    stages: Sequence[AnyStage],
    inputs: Wire,
    compute: Callable[[], Iterator[Vectors | Sequences]],
    source: str,
) -> tuple[Vectors | Sequences | None, float]:
    """The outputs of ``stages`` for ``inputs``, from disk where they are there.

    Args:
        compute: gives the outputs batch by batch.
        source: hash of the code, part of the entry's name.

    Returns:
        The outputs, and the seconds that computing them took, then or now; None and 0 where they are over the budget.
    """
    folder = cache_folder() / "features" / entry_name(stages, inputs, source)
    bound = budget()
    with main_first():
        if not (folder / "entry.json").exists():
            started = time.perf_counter()
            try:
                with whole_folder(folder) as partial:
                    written = _write(partial, compute(), bound)
                    write_json(partial / "entry.json", {**written, "seconds": time.perf_counter() - started})
            except _TooLarge:
                return None, 0.0
            make_room(folder.parent, folder, bound)
        os.utime(folder)  # the time of its last use
    entry = read_json(folder / "entry.json")
    shape = (entry["rows"], entry["width"])
    empty = 0 in shape  # which cannot be mapped
    rows = np.zeros(shape, np.float16) if empty else np.memmap(folder / "rows.float16", "<f2", mode="r", shape=shape)
    if entry["kind"] == "Vectors":
        return Vectors(rows), entry["seconds"]
    tokens = inputs if isinstance(inputs, Tokens) else None
    return Sequences(rows, np.load(folder / "lengths.npy"), tokens), entry["seconds"]


def budget() -> int:
    """Bytes that the folder may hold.

    Raises:
        NlpipeError: NLPIPE_FEATURES_GB is not a number from 0 on.
    """
    written = os.environ.get("NLPIPE_FEATURES_GB", "8")
    try:
        gigabytes = float(written)
    except ValueError:
        gigabytes = -1.0
    if not 0 <= gigabytes < float("inf"):
        raise NlpipeError(
            f"NLPIPE_FEATURES_GB={written}: expected a number of gigabytes, such as 8, or 0 to cache nothing"
        )
    return int(gigabytes * 1e9)


def entry_name(stages: Sequence[AnyStage], inputs: Wire, source: str) -> str:
    """24 hexadecimal digits, different wherever the outputs could differ."""
    total = hashlib.sha256(source.encode())
    for stage in stages:
        total.update(stage_digest(stage).encode())
    assert isinstance(inputs, Text | Tokens), type(inputs)
    texts: Iterable[Any] = inputs.strings if isinstance(inputs, Text) else zip(inputs.texts, inputs.words, strict=True)
    for text in texts:
        total.update(json.dumps(text).encode())
    return total.hexdigest()[:24]


def _write(folder: Path, batches: Iterator[Vectors | Sequences], bound: int) -> _Entry:
    """Write rows as they come.

    Args:
        bound: the largest size in bytes.

    Raises:
        _TooLarge: the rows are larger.
    """
    lengths = [np.zeros(0, dtype=np.int64)]
    count, width = 0, 0
    kind: Literal["Vectors", "Sequences"] = "Vectors"
    with (folder / "rows.float16").open("wb") as file:
        for batch in batches:
            if isinstance(batch, Sequences):
                kind = "Sequences"
                lengths.append(batch.lengths)
                batch = batch.flat()
            rows = batch.dense().astype("<f2")
            count, width = count + len(rows), rows.shape[1]
            if count * width * 2 > bound:
                raise _TooLarge
            rows.tofile(file)
    if kind == "Sequences":
        np.save(folder / "lengths.npy", np.concatenate(lengths))
    return {"kind": kind, "rows": count, "width": width}


def make_room(folder: Path, newest: Path, bound: int) -> None:
    """Remove the entries used longest ago until the folder holds at most ``bound`` bytes.

    ``newest`` stays, and so do entries that another process is writing.
    """
    entries = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(PARTIAL)]
    entries.sort(key=lambda path: path.stat().st_mtime)
    sizes = {path: sum(file.stat().st_size for file in path.iterdir()) for path in entries}
    total = sum(sizes.values())
    for path in entries:
        if total > bound and path != newest:
            shutil.rmtree(path, ignore_errors=True)
            total -= sizes[path]
