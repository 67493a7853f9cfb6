"""Outputs of dear stages kept on disk: a frozen BERT reads each text once, for all heads, seeds and epochs.

An entry is named by a hash of the texts, the stages with all their options and states, and their source. Rows are
float16 in a memory map, so that a data set larger than memory can be trained on. The oldest entries go when the folder
is over its budget (``NLPIPE_FEATURES_GB``, 8 by default); what is larger than the budget is computed each time. Where
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
from typing import Any

import numpy as np

from nlpipe.errors import NlpipeError
from nlpipe.files import PARTIAL, read_json, whole_folder, write_json
from nlpipe.fingerprint import fingerprint
from nlpipe.registry import to_plain
from nlpipe.stage import Stage
from nlpipe.training.processes import main_first
from nlpipe.wheels import cache_folder
from nlpipe.wire import Sequences, Text, Tokens, Vectors, Wire


class _TooLarge(Exception):
    """The outputs are over the budget."""


def kept(
    stages: Sequence[Stage[Any, Any]],
    inputs: Wire,
    compute: Callable[[], Iterator[Vectors | Sequences]],
    source: str,
) -> tuple[Vectors | Sequences | None, float]:
    """The outputs of ``stages`` for ``inputs``, from disk where they are there, and the seconds that making them took.

    Args:
        compute: gives the outputs batch by batch.
        source: hash of the code, part of the name.

    Returns:
        None and 0 where the outputs are over the budget.
    """
    folder = cache_folder() / "features" / name(stages, inputs, source)
    most = budget()
    with main_first():
        if not (folder / "entry.json").exists():
            started = time.perf_counter()
            try:
                with whole_folder(folder) as partial:
                    written = _write(partial, compute(), most)
                    write_json(partial / "entry.json", {**written, "seconds": time.perf_counter() - started})
            except _TooLarge:
                return None, 0.0
            _make_room(folder.parent, folder, most)
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
        NlpipeError: NLPIPE_FEATURES_GB is no number from 0 on.
    """
    told = os.environ.get("NLPIPE_FEATURES_GB", "8")
    try:
        most = float(told)
    except ValueError:
        most = -1.0
    if not 0 <= most < float("inf"):
        raise NlpipeError(f"NLPIPE_FEATURES_GB={told}: this is a number of gigabytes, such as 8, or 0 to keep nothing")
    return int(most * 1e9)


def name(stages: Sequence[Stage[Any, Any]], inputs: Wire, source: str) -> str:
    """24 hexadecimal digits, different wherever the outputs could differ."""
    found = hashlib.sha256(source.encode())
    for stage in stages:
        found.update(json.dumps(to_plain(stage), sort_keys=True, default=str).encode())
        for each in stage.with_nested():
            found.update(fingerprint(type(each)).encode())
            state = each.state()
            found.update(json.dumps(state.data, sort_keys=True, default=str).encode())
            for key in sorted(state.arrays):
                found.update(np.ascontiguousarray(state.arrays[key]).tobytes())
    assert isinstance(inputs, Text | Tokens), type(inputs)
    read: Iterable[Any] = inputs.strings if isinstance(inputs, Text) else zip(inputs.texts, inputs.words, strict=True)
    for text in read:
        found.update(json.dumps(text).encode())
    return found.hexdigest()[:24]


def _write(folder: Path, batches: Iterator[Vectors | Sequences], most: int) -> dict[str, Any]:
    """Write rows as they come, and say their kind and shape.

    Raises:
        _TooLarge: they are over ``most`` bytes.
    """
    lengths = [np.zeros(0, dtype=np.int64)]
    count, width, kind = 0, 0, "Vectors"
    with (folder / "rows.float16").open("wb") as file:
        for batch in batches:
            kind = type(batch).__name__
            if isinstance(batch, Sequences):
                lengths.append(batch.lengths)
                batch = batch.flat()
            rows = batch.dense().astype("<f2")
            count, width = count + len(rows), rows.shape[1]
            if count * width * 2 > most:
                raise _TooLarge
            rows.tofile(file)
    if kind == "Sequences":
        np.save(folder / "lengths.npy", np.concatenate(lengths))
    return {"kind": kind, "rows": count, "width": width}


def _make_room(folder: Path, newest: Path, most: int) -> None:
    """Remove the entries used longest ago until the folder is within ``most`` bytes; never ``newest``, and none that
    another process is writing."""
    entries = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(PARTIAL)]
    entries.sort(key=lambda path: path.stat().st_mtime)
    sizes = {path: sum(each.stat().st_size for each in path.iterdir()) for path in entries}
    total = sum(sizes.values())
    for path in entries:
        if total > most and path != newest:
            shutil.rmtree(path, ignore_errors=True)
            total -= sizes[path]
