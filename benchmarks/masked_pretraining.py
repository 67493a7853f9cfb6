"""What masked pre-training is worth: a small BERT pre-trained on IMDb's reviews, and the same one untrained.

Pre-trained by pipelines/language/bert_pretrain.yaml and compared by pipelines/language/pretraining.yaml: fine-tuned on
Rotten Tomatoes with 1,000 and with all training examples, five preset seeds each. Both have the same word pieces and
options; the learning rate of each was chosen on dev. TF-IDF with logistic regression shows what the task needs.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import nlpipe
from benchmarks.processes import ROOT
from nlpipe.runs.result import Result
from nlpipe.yaml_reader import read_yaml

LANGUAGE = ROOT / "pipelines" / "language"


def measure() -> dict[str, Any]:
    """Pre-train, unless the environment variable NLPIPE_PRETRAINED names a finished run; fine-tune; compare."""
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        given = os.environ.get("NLPIPE_PRETRAINED")
        pretrained = Result(Path(given)) if given else nlpipe.run(LANGUAGE / "bert_pretrain.yaml", out=out)
        model = nlpipe.load(pretrained.folder).export(out / "small_bert")
        content = read_yaml(LANGUAGE / "pretraining.yaml").plain()
        for pipeline in content["pipelines"]:
            pipeline["representation"]["model"] = str(model)
        comparison = nlpipe.compare(content, out=out)
    rows, notes = [], []
    for row in comparison.rows:
        assert row.score is not None and row.low is not None and row.high is not None, row.errors
        interval = f"{row.low:.3f} – {row.high:.3f}"
        rows.append([row.name, str(row.train_size or "all"), f"{row.score:.3f}", interval, f"{row.deviation or 0:.3f}"])
        print("  ".join(rows[-1]), flush=True)
    for size, verdict in comparison.verdicts.items():
        for pair in verdict.record()["differences"]:
            ends = f"{pair['low']:+.3f} to {pair['high']:+.3f}"
            notes.append(f"{size or 'all'}: {pair['better']} - {pair['worse']} {pair['difference']:+.3f} ({ends})")
    score, seconds = pretrained.score, pretrained.costs["fit_seconds"]
    notes.append(f"Pre-training: {score:.3f} nats for each hidden piece on test, {seconds:,.0f} s")
    print("\n".join(notes), flush=True)
    header = ["pipeline", "training examples", "accuracy on test", "95 % interval", "± seeds"]
    return {"table": [header, *rows], "notes": ". ".join(notes) + "."}
