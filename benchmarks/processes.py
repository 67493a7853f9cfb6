"""Timing of whole processes: wall seconds and peak memory. Processes alternate, so that drift affects both sides."""

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


def sst2() -> dict[str, Any]:
    """SST-2 as inline data; needs the public data sets in the folder shared/."""
    folder = ROOT.parent / "shared" / "data" / "sst2"
    if not folder.exists():
        sys.exit(f"{folder} does not exist; this benchmark needs the public data sets beside the project")
    files = {split: str(folder / f"{split}.tsv") for split in ("train", "dev", "test")}
    return {"task": "classification", "format": "tsv", **files, "columns": {"text": 0, "label": 1}}


def war_and_peace() -> dict[str, Any]:
    """War and Peace as inline data, lines as documents; needs the public data sets in the folder shared/."""
    folder = ROOT.parent / "shared" / "data" / "war_and_peace"
    if not folder.exists():
        sys.exit(f"{folder} does not exist; this benchmark needs the public data sets beside the project")
    files = {
        split: str(folder / f"{name}.txt") for split, name in (("train", "train"), ("dev", "valid"), ("test", "test"))
    }
    return {"task": "language_modelling", "documents": "line", **files}


def tiny_shakespeare(folder: Path) -> dict[str, Any]:
    """Tiny Shakespeare as inline data, each split one text; needs the public data sets in the folder shared/.

    Args:
        folder: the splits are written there: the first 90 % of the characters, the next 5 % and the last 5 %.
    """
    path = ROOT.parent / "shared" / "data" / "tinyshakespeare" / "input.txt"
    if not path.exists():
        sys.exit(f"{path} does not exist; this benchmark needs the public data sets beside the project")
    text = path.read_text(encoding="utf-8")
    first, second = len(text) * 90 // 100, len(text) * 95 // 100
    files = {}
    for split, part in (("train", text[:first]), ("dev", text[first:second]), ("test", text[second:])):
        files[split] = str(folder / f"{split}.txt")
        Path(files[split]).write_text(part, encoding="utf-8")
    return {"task": "language_modelling", "documents": "file", **files}


def multi30k() -> dict[str, Any]:
    """Multi30k as inline data, English to German; needs the public data sets in the folder shared/."""
    folder = ROOT.parent / "shared" / "data" / "multi30k"
    if not folder.exists():
        sys.exit(f"{folder} does not exist; this benchmark needs the public data sets beside the project")
    names = {"train": "train", "dev": "val", "test": "test_2016_flickr"}
    files = {split: [str(folder / f"{name}.{side}.gz") for side in ("en", "de")] for split, name in names.items()}
    return {"task": "translation", "format": "parallel", **files}


def tagged(name: str) -> dict[str, Any]:
    """WNUT 2017, NCBI disease or Weibo as inline data; needs the public data sets in the folder shared/."""
    folder = ROOT.parent / "shared" / "data" / name
    if not folder.exists():
        sys.exit(f"{folder} does not exist; this benchmark needs the public data sets beside the project")
    names = {
        "wnut17": ("wnut17train.conll", "emerging.dev.conll", "emerging.test.annotated"),
        "ncbi_disease": ("train.tsv", "devel.tsv", "test.tsv"),
        "weibo_ner": tuple(f"weiboNER_2nd_conll.{split}" for split in ("train", "dev", "test")),
    }[name]
    files = {split: str(folder / file) for split, file in zip(("train", "dev", "test"), names, strict=True)}
    # Weibo writes a digit after each character: its position in the word
    cleaning = {"replace": {"/[0-9]$/": ""}} if name == "weibo_ner" else {}
    return {"task": "tagging", "format": "conll", **files, **cleaning}


def run(command: list[str], stdin: Path | None = None, root: Path = ROOT) -> dict[str, Any]:
    """Run ``command`` with the nlpipe of the checkout ``root``.

    Returns:
        Its wall seconds, its peak memory in MB and the JSON object of its last line, if any.
    """
    environment = {**os.environ, "PYTHONPATH": str(root)}
    input_file = stdin.open("rb") if stdin else subprocess.DEVNULL
    started = time.perf_counter()
    process = subprocess.Popen(command, stdin=input_file, stdout=subprocess.PIPE, env=environment, cwd=root)
    assert process.stdout is not None
    tail, peak = b"", 0.0
    while chunk := process.stdout.read1(1 << 16):  # type: ignore[attr-defined]
        tail = (tail + chunk)[-65536:]
        peak = max(peak, peak_memory(process.pid))
    if process.wait():
        sys.exit(f"{' '.join(command)}: failed with status {process.returncode}")
    figures = {"wall": time.perf_counter() - started, "peak_mb": peak}
    last = tail.strip().rpartition(b"\n")[2]
    return {**figures, **json.loads(last)} if last.startswith(b"{") else figures


def peak_memory(process: int) -> float:
    """The largest resident memory of a process so far in MB; 0 if the process has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    return int(status.split("VmHWM:")[1].split()[0]) / 1024 if "VmHWM:" in status else 0.0


def python(*arguments: str) -> list[str]:
    """A command that runs this Python interpreter."""
    return [sys.executable, *arguments]


def paired(ours: list[str], theirs: list[str], runs: int = 3) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Run both commands alternately, ``runs`` times each, after one warm-up run of each."""
    run(ours), run(theirs)
    pairs = [(run(ours), run(theirs)) for _ in range(runs)]
    return [a for a, _ in pairs], [b for _, b in pairs]


def middle(rows: list[dict[str, Any]], name: str) -> float:
    """The median of one figure over all runs."""
    return median(row[name] for row in rows)


def ratio(ours: list[dict[str, Any]], theirs: list[dict[str, Any]], name: str) -> float:
    """The median over pairs of runs of the ratio of one figure."""
    return median(a[name] / b[name] for a, b in zip(ours, theirs, strict=True))
