"""Outputs of dear stages kept on disk: a frozen BERT reads each text once, for all heads, seeds and epochs.

An entry is named by a hash of the texts, the stages with all their options and states, and their source. Rows are
float16 in a memory map, so that a data set larger than memory can be trained on. The oldest entries go when the folder
is over its budget (``NLPIPE_FEATURES_GB``, 8 by default); what is larger than the budget is computed each time.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nlpipe.files import read_json, whole_folder, write_json
from nlpipe.registry import to_plain
from nlpipe.stage import Stage
from nlpipe.wheel import cache_folder
from nlpipe.wire import Sequences, Text, Tokens, Vectors, Wire


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
    if not (folder / "entry.json").exists():
        started = time.perf_counter()
        try:
            with whole_folder(folder) as partial:
                _write(partial, compute(), budget())
                entry = read_json(partial / "entry.json")
                write_json(partial / "entry.json", {**entry, "seconds": time.perf_counter() - started})
        except _TooLarge:
            return None, 0.0
        _make_room(folder.parent, folder)
    os.utime(folder)
    entry = read_json(folder / "entry.json")
    rows = np.load(folder / "rows.npy", mmap_mode="r")
    if entry["kind"] == "Vectors":
        return Vectors(rows), entry["seconds"]
    tokens = inputs if isinstance(inputs, Tokens) else None
    return Sequences(rows, np.load(folder / "lengths.npy"), tokens), entry["seconds"]


class _TooLarge(Exception):
    """The outputs are over the budget."""


def budget() -> int:
    """Bytes that the folder may hold."""
    return int(float(os.environ.get("NLPIPE_FEATURES_GB", "8")) * 1e9)


def name(stages: Sequence[Stage[Any, Any]], inputs: Wire, source: str) -> str:
    """24 hexadecimal digits, different wherever the outputs could differ."""
    found = hashlib.sha256(source.encode())
    for stage in stages:
        found.update(json.dumps(to_plain(stage), sort_keys=True, default=str).encode())
        for each in _with_nested(stage):
            state = each.state()
            found.update(json.dumps(state.data, sort_keys=True, default=str).encode())
            for key in sorted(state.arrays):
                found.update(np.ascontiguousarray(state.arrays[key]).tobytes())
    texts = inputs.strings if isinstance(inputs, Text) else inputs.words if isinstance(inputs, Tokens) else None
    assert texts is not None, type(inputs)
    for text in texts:
        found.update(json.dumps(text).encode())
    return found.hexdigest()[:24]


def _with_nested(stage: Stage[Any, Any]) -> Iterator[Stage[Any, Any]]:
    for nested in stage.nested().values():
        yield from _with_nested(nested)
    yield stage


def _write(folder: Path, batches: Iterator[Vectors | Sequences], most: int) -> None:
    """Write rows as they come, up to ``most`` bytes."""
    lengths: list[np.ndarray] = []
    count, width, kind = 0, 0, "Vectors"
    with (folder / "raw").open("wb") as file:
        for batch in batches:
            kind = type(batch).__name__
            if isinstance(batch, Sequences):
                lengths.append(batch.lengths)
                batch = batch.flat()
            rows = batch.dense().astype(np.float16)
            count, width = count + len(rows), rows.shape[1]
            if count * width * 2 > most:
                raise _TooLarge
            rows.tofile(file)
    with (folder / "rows.npy").open("wb") as file:
        header = {"descr": "<f2", "fortran_order": False, "shape": (count, width)}
        np.lib.format.write_array_header_1_0(file, header)
        with (folder / "raw").open("rb") as raw:
            shutil.copyfileobj(raw, file, 1 << 24)
    (folder / "raw").unlink()
    if kind == "Sequences":
        np.save(folder / "lengths.npy", np.concatenate(lengths))
    write_json(folder / "entry.json", {"kind": kind, "rows": count, "width": width})


def _make_room(folder: Path, newest: Path) -> None:
    """Remove the entries used longest ago until the folder is within its budget; never ``newest``."""
    entries = sorted((path for path in folder.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
    sizes = {path: sum(each.stat().st_size for each in path.iterdir()) for path in entries}
    total = sum(sizes.values())
    for path in entries:
        if total > budget() and path != newest:
            shutil.rmtree(path, ignore_errors=True)
            total -= sizes[path]
