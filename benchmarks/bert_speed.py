"""BERT (MiniLM) on SST-2: fine-tuning beside `transformers.Trainer`, prediction beside `transformers.pipeline`.

Fine-tuning: one epoch over the first 3,000 training examples with the same batch size and two threads; whole processes
alternate; the speed is in examples per second. The Trainer runs as its guide shows it, with truncated tokens and each
batch padded to its longest text, and again with its own best settings, bf16 and batches of similar length. Accuracy is
on the dev split.

Prediction: all dev texts twice, each side with the model that it fitted, after a warm-up. `transformers.pipeline` gets
the list as its documentation shows it, and then batch sizes of 8 to 128; the best of them also with sorted texts and
with bf16 weights. Target: training 1.3 times as fast as the default Trainer, prediction 2.5 times as fast as the
documented way and 1.3 times as fast as the best batch size.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from statistics import fmean
from typing import Any

import nlpipe
from benchmarks.processes import ROOT, middle, python, ratio, run, sst2
from nlpipe.datasets.load import load_dataset
from nlpipe.nn.pretrained import find_model

FILE = ROOT / "pipelines" / "sentiment" / "bert_finetuned.yaml"
PEERS = ROOT / "benchmarks" / "peers"
EXAMPLES = 3000
ROUNDS = 2
SIZES = ("8", "32", "64", "128")

Runs = dict[str, list[dict[str, Any]]]


def measure() -> dict[str, Any]:
    """Training runs alternately, then prediction with the fitted models."""
    data = load_dataset(sst2(), ROOT)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        texts = folder / "texts.json"
        texts.write_text(json.dumps(list(data.dev.inputs.strings) * 2), encoding="utf-8")
        training = _training(data, folder)
        prediction = _prediction(folder, texts)
    ours, table = training["nlpipe"], [["training", "examples/s", "nlpipe is faster by", "accuracy on dev"]]
    for variant, runs in training.items():
        rate, faster = f"{middle(runs, 'rate'):,.1f}", f"{ratio(ours, runs, 'rate'):.2f}"
        table.append([variant, rate, faster, f"{fmean(row['accuracy'] for row in runs):.4f}"])
    mine, count = prediction["nlpipe"], 2 * len(data.dev)
    table.append(["**prediction**", "**texts/s**", "**nlpipe is faster by**", ""])
    for variant, runs in prediction.items():
        table.append(
            [variant, f"{count / middle(runs, 'predict'):,.0f}", f"{1 / ratio(mine, runs, 'predict'):.2f}", ""]
        )
    return {
        "table": table,
        "notes": f"Ratios are medians over pairs of runs. nlpipe trained in {ours[0]['precision']}.",
        "runs": {"training": training, "prediction": prediction},
    }


def _training(data: Any, folder: Path) -> Runs:
    """nlpipe, the Trainer, and the Trainer with its best settings, alternately."""
    options = nlpipe.load(FILE).trainer
    subset = data.train.take(range(EXAMPLES))
    theirs = {
        "model": str(find_model("minilm", None)), "epochs": 1,
        "batch_size": options["batch_size"], "lr": options["pretrained_lr"], "save": str(folder / "theirs"),
        **{
            name: {"text": list(split.inputs.strings), "label": [int(label) for label in split.targets.values]}
            for name, split in (("train", subset), ("dev", data.dev))
        },
    }  # fmt: skip
    options_file = folder / "trainer.json"
    options_file.write_text(json.dumps(theirs), encoding="utf-8")
    runs: Runs = {"nlpipe": [], "Trainer, defaults": [], "Trainer, bf16 and lengths grouped": []}
    for i in range(ROUNDS):
        mine = {
            "file": str(FILE), "overrides": [], "seed": i + 1, "epochs": 1, "data": sst2(), "limit": EXAMPLES,
            "save": str(folder / "ours") if not i else None,
        }  # fmt: skip
        script = str(PEERS / "transformers_training.py")
        runs["nlpipe"].append(run(python(str(PEERS / "nlpipe_training.py"), json.dumps(mine))))
        runs["Trainer, defaults"].append(run(python(script, str(options_file), "default")))
        runs["Trainer, bf16 and lengths grouped"].append(run(python(script, str(options_file), "best")))
    return runs


def _prediction(folder: Path, texts: Path) -> Runs:
    """nlpipe, the documented way and all batch sizes, alternately; then the best size with sorted texts and bf16."""

    def theirs(size: str, precision: str = "fp32", order: str = "given") -> dict[str, Any]:
        script = str(PEERS / "transformers_prediction.py")
        return run(python(script, str(folder / "theirs"), str(texts), size, precision, order))

    runs: Runs = {"nlpipe": [], "pipeline, as documented": []}
    sizes: Runs = {size: [] for size in SIZES}
    for _ in range(ROUNDS):
        runs["nlpipe"].append(run(python(str(PEERS / "nlpipe_prediction.py"), str(folder / "ours"), str(texts))))
        runs["pipeline, as documented"].append(theirs("documented"))
        for size in SIZES:
            sizes[size].append(theirs(size))
    runs.update({f"pipeline, batch size {size}": rows for size, rows in sizes.items()})
    best = min(SIZES, key=lambda size: middle(sizes[size], "predict"))
    for words, settings in (
        ("sorted", ("fp32", "sorted")),
        ("bf16", ("bf16", "given")),
        ("bf16, sorted", ("bf16", "sorted")),
    ):
        runs[f"pipeline, batch size {best}, {words}"] = [theirs(best, *settings) for _ in range(ROUNDS)]
    return runs
