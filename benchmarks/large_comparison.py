"""A large comparison from real runs: 20 classical pipelines × 5 seeds, which answered 25,000 reviews each.

Trained on 2,000 sentences of Rotten Tomatoes that a seed draws, tested on the beginnings (300 characters) of 25,000
reviews of IMDb. When all is fitted and answered, what remains is done in a fresh process as `nlpipe report` does it:
rows, verdict and slices from the stored statistics of the items, then the page, in seconds of the processor. Memory is
the largest of the whole process, with Python and its libraries. `accept` is what each figure is held to; sorting and
filtering in the browser is held to 0.3 s by `tests/unit/report/test_comparison_page_in_a_browser.py`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from nlpipe.audit.contents import texts_of
from nlpipe.compare.comparison import entries_of, facts_of, write_comparison
from nlpipe.compare.execute import Outcome
from nlpipe.compare.gather import gather
from nlpipe.compare.plan import jobs_of
from nlpipe.datasets.load import load_dataset
from nlpipe.datasets.splits import plain
from nlpipe.pipeline.stage_store import StageStore
from nlpipe.runs.run import run
from nlpipe.spec import read_comparison

ITEMS, TRAIN, LETTERS = 25_000, 2_000, 300
PIPELINE: dict[str, Any] = {
    "name": "words", "representation": "bow", "head": "naive_bayes",
    "vary": {
        "representation": ["bow", "tfidf", {"name": "tfidf", "ngrams": [1, 2]}, {"name": "bow", "min_count": 3}],
        "head": [
            "naive_bayes", "nbsvm", "linear_svm", "logistic_regression", {"name": "logistic_regression", "C": 10.0},
        ],
    },
}  # fmt: skip
FINISH = """
import json, sys, time
from pathlib import Path
from nlpipe.compare.gather import reopen
from nlpipe.runs.costs import peak_memory
started = time.process_time()
found = reopen(Path(sys.argv[1]))
rows = time.process_time() - started
slices = len(found.slices.rows)
sliced = time.process_time() - started - rows
page = found.report(Path(sys.argv[1]) / "again.html")
paged = time.process_time() - started - rows - sliced
print(json.dumps({
    "rows": rows, "slices": sliced, "page": paged, "bytes": page.stat().st_size, "slice_count": slices,
    "memory": peak_memory(),
}))
"""


def data(folder: Path) -> dict[str, Any]:
    """The description of the data, whose files are written into ``folder``."""
    short, long = load_dataset("rotten_tomatoes"), load_dataset("imdb")
    tested = [(text, label) for split in (long.train, long.dev, long.test, short.test)
              for text, label in zip(texts_of(split.inputs), plain(split.targets), strict=True)]  # fmt: skip
    parts = {
        "train": list(zip(texts_of(short.train.inputs), plain(short.train.targets), strict=True)),
        "dev": list(zip(texts_of(short.dev.inputs), plain(short.dev.targets), strict=True)),
        "test": tested[:ITEMS],
    }
    files = {}
    for name, examples in parts.items():
        lines = [
            json.dumps({"text": text[:LETTERS].rpartition(" ")[0] or text, "label": label}) + "\n"
            for text, label in examples
        ]
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
        files[name] = str(folder / f"{name}.jsonl")
    return {"task": "classification", **files}


def measure() -> dict[str, Any]:
    """The seconds, memory and bytes, beside what each is held to."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spec = read_comparison(
            {"compare": "Large", "data": data(folder), "seeds": 5, "train_sizes": [TRAIN], "cost": "fit_s",
             "pipelines": [PIPELINE]}
        )  # fmt: skip
        assert spec.data is not None
        dataset, jobs, store = load_dataset(spec.data), jobs_of(spec), StageStore(folder / "stages")
        started = time.perf_counter()
        outcomes = [
            Outcome(
                job, run(job.spec, dataset, folder / "runs", job.seed, job.train_size, store=store, measuring=False)
            )
            for job in jobs
        ]
        fitted = time.perf_counter() - started
        entries = entries_of(jobs, outcomes)
        comparison = gather(facts_of(spec, dataset), entries, folder / "runs" / "comparison")
        write_comparison(comparison, entries)
        done = subprocess.run(
            [sys.executable, "-c", FINISH, str(comparison.folder)], capture_output=True, text=True, check=True
        )
        found = json.loads(done.stdout)
        said = str(comparison.verdict).partition("\n")[0]
    seconds = found["rows"] + found["slices"]
    rows = [
        [f"{len(spec.pipelines)} pipelines, {len(jobs)} runs, {len(dataset.test):,} items: fitted and answered", "",
         f"{fitted:,.0f} s"],
        ["rows and verdict", "≤ 10 s", f"{found['rows']:.1f} s"],
        [f"{found['slice_count']} slices", "≤ 10 s with the rows", f"{found['slices']:.1f} s"],
        ["page", "", f"{found['page']:.1f} s"],
        ["page, size", "≤ 5 MB", f"{found['bytes'] / 1e6:.1f} MB"],
        ["memory, all of it", "≤ 1,000 MB", f"{found['memory'] / 1e6:,.0f} MB"],
    ]  # fmt: skip
    for row in rows:
        print("  ".join(row), flush=True)
    held = seconds <= 10 and found["bytes"] <= 5e6 and found["memory"] <= 1e9
    notes = f"{'All are held' if held else 'NOT all are held'}. {said}"
    return {"table": [["what", "accept", "reached"], *rows], "notes": notes}
