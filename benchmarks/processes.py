"""Timing of whole processes: wall seconds and peak memory, in turn A B A B, so that a drifting machine is fair."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def run(command: list[str], stdin: Path | None = None) -> dict[str, Any]:
    """Run ``command``; its wall seconds, its peak memory in MB, and the JSON of its last line, if it prints one."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    source = stdin.open("rb") if stdin else subprocess.DEVNULL
    started = time.perf_counter()
    process = subprocess.Popen(command, stdin=source, stdout=subprocess.PIPE, env=environment)
    assert process.stdout is not None
    tail = b""
    while chunk := process.stdout.read(1 << 16):
        tail = (tail + chunk)[-65536:]
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    if status:
        sys.exit(f"{' '.join(command)}: failed with status {status}")
    found = {"wall": wall, "peak_mb": usage.ru_maxrss / 1024}
    last = tail.strip().rpartition(b"\n")[2]
    return {**found, **json.loads(last)} if last.startswith(b"{") else found


def python(*arguments: str) -> list[str]:
    """A command that runs this interpreter."""
    return [sys.executable, *arguments]


def paired(ours: list[str], theirs: list[str], runs: int = 3) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Both commands in turn, ``runs`` times, after one warm-up of each."""
    run(ours), run(theirs)
    pairs = [(run(ours), run(theirs)) for _ in range(runs)]
    return [a for a, _ in pairs], [b for _, b in pairs]


def middle(rows: list[dict[str, Any]], name: str) -> float:
    """The median of one figure."""
    return median(row[name] for row in rows)


def ratio(ours: list[dict[str, Any]], theirs: list[dict[str, Any]], name: str) -> float:
    """The median of the ratios pair by pair."""
    return median(a[name] / b[name] for a, b in zip(ours, theirs, strict=True))
