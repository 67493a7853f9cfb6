"""BLEU of the shipped classical translators: Multi30k, English to German.

Trained on its 29,000 training pairs. Options were chosen on val, from which `lexical` also determines its word bonus.
Only this script uses the test split, test_2016_flickr. The interval is a 95 % bootstrap interval over test sentences.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import nlpipe
from benchmarks.bootstrap import interval
from benchmarks.processes import ROOT, multi30k
from nlpipe.metrics.text_metrics import bleu

FILES = ["memory", "lexical"]


def measure() -> dict[str, Any]:
    """The scores and costs of each pipeline."""
    rows = []
    for name in FILES:
        with tempfile.TemporaryDirectory() as out:
            file = ROOT / "pipelines" / "translation" / f"{name}.yaml"
            result = nlpipe.run(file, [f"data={json.dumps(multi30k())}"], out=Path(out))
            low, high = interval(bleu(), *result.predictions())["bleu"]
            scores, costs = result.scores, result.costs
            dev = result.metrics["dev"]["bleu"]
        row = [name, f"{dev:.2f}", f"{scores['bleu']:.2f}", f"{low:.2f} – {high:.2f}"]
        row += [f"{scores['bleu_lowercase']:.2f}", f"{scores['chrf']:.2f}"]
        row += [f"{costs['fit_seconds']:.1f}", f"{costs['texts_per_second']:,.0f}"]
        row += [f"{costs['latency_p50_seconds'] * 1000:.1f}", f"{costs['peak_memory_bytes'] / 1e6:,.0f}"]
        print("  ".join(row), flush=True)
        rows.append(row)
    header = ["pipeline", "val BLEU", "test BLEU", "95 % interval", "test BLEU, lower case", "test chrF"]
    header += ["fit s", "sentences/s", "latency ms", "memory MB"]
    return {"table": [header, *rows]}
