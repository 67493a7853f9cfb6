"""Startup: wall time of short commands, as whole processes.

Median of seven runs. Target: `--help` under 0.4 s, `check` of a classical file under 1 s.
"""

from __future__ import annotations

from statistics import median
from typing import Any

from benchmarks.processes import ROOT, python, run


def measure() -> dict[str, Any]:
    """Run each command seven times."""
    file = str(ROOT / "pipelines/sentiment/tfidf_logreg.yaml")
    rows = []
    for arguments in (["--help"], ["check", file], ["list"], ["show", "tfidf"]):
        runs = [run(python("-m", "nlpipe", *arguments)) for _ in range(7)]
        shown = " ".join(["nlpipe", *arguments]).replace(str(ROOT) + "/", "")
        rows.append([f"`{shown}`", f"{median(r['wall'] for r in runs):.2f}", f"{runs[0]['peak_mb']:.0f}"])
    return {"table": [["command", "seconds", "peak MB"], *rows]}
