"""Entities: strict F1 of the shipped taggers on WNUT 2017 (tweets), NCBI disease (abstracts) and Weibo (Chinese).

Trained on the training splits with the options of the files, which were chosen on dev; the dev split stops the
training, the test split is looked at by this script alone. 95 % bootstrap over test sentences. Beside F1, what bounds
it: F1 of spans whatever their type, recall of entities whose words training had and had not, and of the entities that
were missed, the share of which nothing was found at all (the others had a wrong border or type). Wanted on WNUT:
window 0.15, bilstm 0.25, bert_finetuned 0.30; on NCBI: 0.72, 0.74, 0.78; on Weibo: window 0.42.
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
    """Each file on each data set, with its own seed; a row that stands in results/ner_accuracy.json is kept."""
    header = ["data", "pipeline", "F1", "95 % interval", "spans", "recall, seen", "unseen", "missed wholly", "fit s"]
    kept = json.loads(DONE.read_text(encoding="utf-8"))["table"][1:] if DONE.exists() else []
    done = {(row[0], row[1]): row for row in kept}
    table = [header]
    for data, name in RUNS:
        if (data, name) in done:
            table.append(done[data, name])
            continue
        file = ROOT / "pipelines" / "ner" / f"{name}.yaml"
        result = nlpipe.run(file, [f"data={json.dumps(tagged(data))}", f"name={data}-{name}"], out=ROOT / "runs")
        low, high = interval(result)
        scores = result.scores
        told = (scores[key] for key in ("f1_spans", "recall_seen", "recall_unseen"))
        cells = [data, name, f"{result.score:.3f}", f"{low:.3f} – {high:.3f}", *(f"{value:.3f}" for value in told)]
        cells += [f"{missed_wholly(result):.2f}", f"{result.costs['fit_seconds']:.0f}"]
        table.append(cells)
        print("  ".join(cells), flush=True)
    return {"table": table}


def missed_wholly(result: Result) -> float:
    """Of the gold entities that were not found as they are, the share that no predicted entity overlaps."""
    gold, predictions = result.predictions()
    assert isinstance(gold, Tags)
    missed = alone = 0
    for tags, answer in zip(gold.values, predictions.values.values, strict=True):
        said = strict_spans(answer)
        for unit in strict_spans(tags):
            if unit not in said:
                missed += 1
                alone += not any(start < unit[1] and unit[0] < end for start, end, _ in said)
    return alone / max(1, missed)
