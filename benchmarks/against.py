"""Compares this checkout with another one, say that before a change: `python -m benchmarks.against OTHER_CHECKOUT`.

Whole processes alternate, each with the code and the pipeline files of its own checkout, in this environment. The
table gives medians and the median over pairs of the ratio, this checkout to the other. Where the other checkout
computes the same, the scores are equal to the last digit.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.processes import ROOT, middle, python, ratio, run, sst2

CASES = {
    "nlpipe --help": ("wall", ["-m", "nlpipe", "--help"]),
    "nlpipe check tfidf_logreg": ("wall", ["-m", "nlpipe", "check", "pipelines/sentiment/tfidf_logreg.yaml"]),
    "tfidf_logreg on IMDb": ("fit", ["imdb", "tfidf_logreg"]),
    "bilstm on SST-2, 3 epochs": ("fit", ["sst2", "bilstm", "trainer.epochs=3", "trainer.patience=null"]),
}
"""Label to the figure compared, in seconds, and either a command or the data, pipeline and overrides of a fit."""

FIT = """
import json, sys, time
import numpy, nlpipe
from nlpipe.datasets.load import load_dataset
options = json.loads(sys.argv[1])
data = load_dataset(options["data"])
pipeline = nlpipe.load(options["file"], options["overrides"])
started = time.perf_counter()
pipeline.fit_split(data.train, data.dev, progress=False)
fitted = time.perf_counter() - started
answers = pipeline.predict(data.test.inputs)
right = numpy.array(answers.values.values) == numpy.array(data.test.targets.values)
digits = [float(score).hex() for score in answers.scores]
print(json.dumps({"fit": fitted, "predict": time.perf_counter() - started - fitted, "score": float(right.mean()),
                  "digits": digits[:3] + [float(answers.scores.sum()).hex()]}))
"""


def main() -> None:
    """Print the table."""
    other = Path(sys.argv[1]).resolve()
    print("| | figure | this, s | other, s | ratio | scores |\n|---|---|---|---|---|---|")
    for label, (figure, words) in CASES.items():
        rows: dict[Path, list[dict[str, Any]]] = {ROOT: [], other: []}
        runs = 7 if words[0] == "-m" else 5
        for round_ in range(runs + 1):
            for checkout, measured in rows.items():
                result = run(command(checkout, words), root=checkout)
                if round_:  # the first warms up
                    measured.append(result)
        ours, theirs = rows[ROOT], rows[other]
        equal = "" if "digits" not in ours[0] else str([r["digits"] for r in ours] == [r["digits"] for r in theirs])
        figures = (f"{middle(ours, figure):.2f}", f"{middle(theirs, figure):.2f}", f"{ratio(ours, theirs, figure):.3f}")
        print(f"| {label} | {figure} | {' | '.join(figures)} | {equal} |", flush=True)


def command(checkout: Path, words: list[str]) -> list[str]:
    """The command of a case in a checkout."""
    if words[0] == "-m":
        return python(*words)
    data, name, *overrides = words
    options = {
        "data": sst2() if data == "sst2" else data, "overrides": overrides,
        "file": str(checkout / "pipelines" / "sentiment" / f"{name}.yaml"),
    }  # fmt: skip
    return python("-c", FIT, json.dumps(options))


if __name__ == "__main__":
    main()
