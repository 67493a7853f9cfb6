"""Entities: strict F1 of the shipped taggers on WNUT 2017 (tweets), NCBI disease (abstracts) and Weibo (Chinese).

Trained on the training splits with the options of the files, which were chosen on dev splits. The dev split stops the
training early, and only this script uses the test split. The interval is a 95 % bootstrap interval over test sentences.
The other columns explain the F1: F1 of spans whatever their type; recall of entities whose words occurred in training,
and of those whose words did not; and, of the entities that were missed, the share of those that no predicted entity
overlaps (the others were predicted with a wrong border or type). Target on WNUT: window 0.15, bilstm 0.25,
bert_finetuned 0.30; on NCBI: 0.72, 0.74, 0.78; on Weibo: window 0.42.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nlpipe
from benchmarks.classical_accuracy import interval
from benchmarks.processes import ROOT, tagged
from nlpipe.metrics.tag_metrics import strict_spans
from nlpipe.runs.result import Result
from nlpipe.wire import Tags

RUNS = [
    *(("wnut17", name) for name in ("dictionary", "window", "bilstm", "transformer", "bert_frozen", "bert_finetuned")),
    *(("ncbi_disease", name) for name in ("dictionary", "window", "bilstm", "bert_finetuned")),
    *(("weibo_ner", name) for name in ("dictionary", "window")),
]
DONE = Path(__file__).parent / "results" / "ner_accuracy.json"


def measure() -> dict[str, Any]:
    """Run each file on each data set with the file's seed, but for those that results/ner_accuracy.json contains."""
    header = ["data", "pipeline", "F1", "95 % interval", "spans", "recall, seen", "unseen", "missed wholly", "fit s"]
    earlier_rows = json.loads(DONE.read_text(encoding="utf-8"))["table"][1:] if DONE.exists() else []
    done = {(row[0], row[1]): row for row in earlier_rows}
    table = [header]
    for data, name in RUNS:
        if (data, name) in done:
            table.append(done[data, name])
            continue
        file = ROOT / "pipelines" / "ner" / f"{name}.yaml"
        result = nlpipe.run(file, [f"data={json.dumps(tagged(data))}", f"name={data}-{name}"], out=ROOT / "runs")
        low, high = interval(result)
        scores = result.scores
        values = (scores[key] for key in ("f1_spans", "recall_seen", "recall_unseen"))
        cells = [data, name, f"{result.score:.3f}", f"{low:.3f} – {high:.3f}", *(f"{value:.3f}" for value in values)]
        cells += [f"{missed_wholly(result):.2f}", f"{result.costs['fit_seconds']:.0f}"]
        table.append(cells)
        print("  ".join(cells), flush=True)
    return {"table": table}


def missed_wholly(result: Result) -> float:
    """The share, among gold entities that were not predicted exactly, of those that no predicted entity overlaps."""
    gold, predictions = result.predictions()
    assert isinstance(gold, Tags)
    missed = without_overlap = 0
    for tags, answer in zip(gold.values, predictions.values.values, strict=True):
        predicted = strict_spans(answer)
        for entity in strict_spans(tags):
            if entity not in predicted:
                missed += 1
                without_overlap += not any(start < entity[1] and entity[0] < end for start, end, _ in predicted)
    return without_overlap / max(1, missed)
