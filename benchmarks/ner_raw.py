"""Entities on raw text: F1 of the shipped taggers on the data's words (f1) and on texts as they split them (f1_raw).

Both are of the test split, with the seed of the file; the intervals are 95 % bootstrap intervals over test sentences.
The texts of these data sets are not known: words with spaces between stand for them. The last column is the share of
test sentences that the pipeline's tokenizer splits otherwise than the data. WNUT and NCBI need the public data sets in
the folder shared/ beside the project.
"""

from __future__ import annotations

import json
from typing import Any

import nlpipe
from benchmarks.bootstrap import interval
from benchmarks.processes import ROOT, tagged
from nlpipe.runs.score import metrics_of, read_scoring

DATA = ("twitter_ner", "wnut17", "ncbi_disease")
PIPELINES = ("dictionary", "window", "bilstm")


def measure() -> dict[str, Any]:
    """Run each file on each data set."""
    table = [["data", "pipeline", "f1", "95 % interval", "f1_raw", "95 % interval", "split otherwise"]]
    for data in DATA:
        for name in PIPELINES:
            source = data if data == "twitter_ner" else json.dumps(tagged(data))
            file = ROOT / "pipelines" / "ner" / f"{name}.yaml"
            result = nlpipe.run(file, [f"data={source}", f"name={data}-{name}"], out=ROOT / "runs")
            gold, predictions = result.predictions()
            cells = [data, name]
            for metric in metrics_of(read_scoring(result.folder)):
                for score in {"f1", "f1_raw"} & metric.definitions.keys():
                    low, high = interval(metric, gold, predictions)[score]
                    cells += [f"{result.scores[score]:.3f}", f"{low:.3f} – {high:.3f}"]
            counts = result.ledger["test"]["counts"]
            cells.append(f"{counts['split_otherwise'] / counts['examples']:.0%}")
            table.append(cells)
            print("  ".join(cells), flush=True)
    return {"table": table}
