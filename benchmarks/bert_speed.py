"""BERT (MiniLM) on SST-2: fine-tuning beside `transformers.Trainer`, prediction beside `transformers.pipeline`.

Fine-tuning: one epoch over the first 3,000 training examples, same batch size, two threads, whole processes in turn;
examples a second of the epoch. The Trainer runs as its guide shows it, tokens truncated and each batch padded to its
longest, and once more with its own best settings, bf16 and batches of like length. Accuracy is on the dev split.

Prediction: the dev texts twice, by each one's own fitted model, after a warm-up. `transformers.pipeline` is given the
list as its documentation shows it, and then batch sizes of 8 to 128, the best of them also with sorted texts and with
bf16 weights. Wanted: training 1.3 times the default, prediction 2.5 times the documented way and 1.3 times the best
batch size.
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
    """Training in turn, then prediction in turn with the models that it gave."""
    data = load_dataset(sst2(), ROOT)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        texts = folder / "texts.json"
        texts.write_text(json.dumps(list(data.dev.inputs.strings) * 2), encoding="utf-8")
        training = _training(data, folder)
        prediction = _prediction(folder, texts)
    ours, table = training["nlpipe"], [["training", "examples/s", "nlpipe is faster by", "accuracy on dev"]]
    for way, found in training.items():
        rate, faster = f"{middle(found, 'rate'):,.1f}", f"{ratio(ours, found, 'rate'):.2f}"
        table.append([way, rate, faster, f"{fmean(row['accuracy'] for row in found):.4f}"])
    mine, count = prediction["nlpipe"], 2 * len(data.dev)
    table.append(["**prediction**", "**texts/s**", "**nlpipe is faster by**", ""])
    for way, found in prediction.items():
        table.append([way, f"{count / middle(found, 'predict'):,.0f}", f"{1 / ratio(mine, found, 'predict'):.2f}", ""])
    return {
        "table": table,
        "said": f"Ratios are medians pair by pair; nlpipe trained in {ours[0]['precision']}.",
        "runs": {"training": training, "prediction": prediction},
    }


def _training(data: Any, folder: Path) -> Runs:
    """nlpipe, the Trainer, the Trainer at its best, in turn."""
    options = nlpipe.load(FILE).trainer
    few = data.train.take(range(EXAMPLES))
    theirs = {
        "model": str(find_model("minilm", None)), "epochs": 1,
        "batch_size": options["batch_size"], "lr": options["pretrained_lr"], "save": str(folder / "theirs"),
        **{
            name: {"text": list(split.inputs.strings), "label": [int(label) for label in split.targets.values]}
            for name, split in (("train", few), ("dev", data.dev))
        },
    }  # fmt: skip
    told = folder / "trainer.json"
    told.write_text(json.dumps(theirs), encoding="utf-8")
    found: Runs = {"nlpipe": [], "Trainer, defaults": [], "Trainer, bf16 and lengths grouped": []}
    for i in range(ROUNDS):
        mine = {
            "file": str(FILE), "overrides": [], "seed": i + 1, "epochs": 1, "data": sst2(), "limit": EXAMPLES,
            "save": str(folder / "ours") if not i else None,
        }  # fmt: skip
        script = str(PEERS / "transformers_training.py")
        found["nlpipe"].append(run(python(str(PEERS / "nlpipe_training.py"), json.dumps(mine))))
        found["Trainer, defaults"].append(run(python(script, str(told), "default")))
        found["Trainer, bf16 and lengths grouped"].append(run(python(script, str(told), "best")))
    return found


def _prediction(folder: Path, texts: Path) -> Runs:
    """nlpipe, the documented way, and all batch sizes in turn; then the best size with sorted texts and bf16."""

    def theirs(size: str, precision: str = "fp32", order: str = "given") -> dict[str, Any]:
        script = str(PEERS / "transformers_prediction.py")
        return run(python(script, str(folder / "theirs"), str(texts), size, precision, order))

    found: Runs = {"nlpipe": [], "pipeline, as documented": []}
    sizes: Runs = {size: [] for size in SIZES}
    for _ in range(ROUNDS):
        found["nlpipe"].append(run(python(str(PEERS / "nlpipe_prediction.py"), str(folder / "ours"), str(texts))))
        found["pipeline, as documented"].append(theirs("documented"))
        for size in SIZES:
            sizes[size].append(theirs(size))
    found.update({f"pipeline, batch size {size}": rows for size, rows in sizes.items()})
    best = min(SIZES, key=lambda size: middle(sizes[size], "predict"))
    for words, settings in (
        ("sorted", ("fp32", "sorted")),
        ("bf16", ("bf16", "given")),
        ("bf16, sorted", ("bf16", "sorted")),
    ):
        found[f"pipeline, batch size {best}, {words}"] = [theirs(best, *settings) for _ in range(ROUNDS)]
    return found
