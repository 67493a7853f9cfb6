"""TF-IDF and logistic regression on IMDb, beside a plain scikit-learn script.

Both use the same tokens, options and split. Whole processes alternate; ratios are medians over pairs of runs. Target:
the same predictions, at most 1.05 times the script's time (1 if possible) and 1.15 times its peak memory.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import nlpipe
from benchmarks.processes import ROOT, middle, paired, python, ratio
from nlpipe.datasets.load import load_dataset
from nlpipe.tokenizers.regex import default_pattern


def measure() -> dict[str, Any]:
    """Prepare one data file for both scripts and run them alternately."""
    data = load_dataset("imdb", ROOT)
    file = ROOT / "pipelines/sentiment/tfidf_logreg.yaml"
    overrides = ["representation.ngrams=[1, 2]"]
    pipeline = nlpipe.load(file, overrides)
    tokenizer, tfidf, head = (stage.options for stage in pipeline.stages)
    prepared = {
        "file": str(file), "overrides": overrides,
        "pattern": tokenizer["pattern"] or default_pattern(),
        "tfidf": {
            "ngram_range": list(tfidf["ngrams"]), "sublinear_tf": tfidf["sublinear"], "min_df": tfidf["min_count"],
            "lowercase": tokenizer["lowercase"],
        },
        "logistic_regression": {"C": head["C"], "max_iter": head["max_iter"]},
        "train_texts": data.train.inputs.strings, "train_labels": data.train.targets.values,
        "test_texts": data.test.inputs.strings,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        data_file, ours_out, theirs_out = (Path(folder) / name for name in ("data.json", "ours.json", "theirs.json"))
        data_file.write_text(json.dumps(prepared), encoding="utf-8")
        peers = ROOT / "benchmarks" / "peers"
        ours, theirs = paired(
            python(str(peers / "nlpipe_tfidf.py"), str(data_file), str(ours_out)),
            python(str(peers / "plain_tfidf.py"), str(data_file), str(theirs_out)),
            runs=5,
        )
        same = ours_out.read_text() == theirs_out.read_text()
    for row in (*ours, *theirs):
        row["both"] = row["fit"] + row["predict"]
    table = [["", "nlpipe", "plain script", "ratio"]]
    for name, label in (
        ("fit", "fit, s"),
        ("predict", "predict, s"),
        ("both", "fit and predict, s"),
        ("peak", "peak memory, MB"),
    ):
        row = [label, f"{middle(ours, name):.2f}", f"{middle(theirs, name):.2f}", f"{ratio(ours, theirs, name):.3f}"]
        table.append(row)
    return {
        "table": table,
        "notes": f"Predictions identical on {len(data.test):,} reviews: {same}.",
        "runs": [ours, theirs],
    }
