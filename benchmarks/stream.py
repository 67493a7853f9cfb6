"""Streaming: `nlpipe predict` on 1,000,000 lines of standard input, answered in order and in bounded memory.

The lines are test sentences of Rotten Tomatoes, repeated and numbered. Peak memory is that of the whole process; the
first row shows it for 10,000 lines.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import nlpipe
from benchmarks.processes import ROOT, python, run
from nlpipe.datasets.load import load_dataset


def measure() -> dict[str, Any]:
    """Predict 10,000 and 1,000,000 lines."""
    texts = load_dataset("rotten_tomatoes", ROOT).test.inputs.strings
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        result = nlpipe.run(ROOT / "pipelines/sentiment/tfidf_logreg.yaml", out=Path(folder) / "runs")
        for count in (10_000, 1_000_000):
            lines = Path(folder) / "lines.txt"
            with lines.open("w", encoding="utf-8") as file:
                file.writelines(f"{texts[i % len(texts)]} {i}\n" for i in range(count))
            figures = run(python("-m", "nlpipe", "predict", str(result.folder)), stdin=lines)
            rows.append(
                [f"{count:,}", f"{figures['wall']:.1f}", f"{count / figures['wall']:,.0f}", f"{figures['peak_mb']:.0f}"]
            )
        in_order = check_order(Path(folder), result.folder)
    return {
        "table": [["lines", "seconds", "lines/s", "peak MB"], *rows],
        "notes": f"Answers are in the order of the lines (5,000 numbered lines, jsonl): {in_order}.",
    }


def check_order(folder: Path, model: Path) -> bool:
    """Whether line i of the output is about line i of the input."""
    import json

    texts = [f"text {i}" for i in range(5000)]
    done = subprocess.run(
        python("-m", "nlpipe", "predict", str(model), "--format", "jsonl"),
        input="\n".join(texts), capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=folder,
    )  # fmt: skip
    return [json.loads(line)["text"] for line in done.stdout.splitlines()] == texts
