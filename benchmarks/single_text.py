"""Latency of one text at a time, in milliseconds, beside `transformers` and ONNX Runtime with the same weights.

Each has a process of its own; processes alternate, and the figures are medians over three rounds. 300 test texts of
Rotten Tomatoes are answered one after another, after a warm-up, with two threads. The pipelines are those of the
files, fitted on 1,000 texts (bilstm in one epoch). `transformers` is `AutoTokenizer` and `AutoModel` as their
documentation shows them, in float32 and in the number type that bert_frozen computes in; it gives the vectors of the
pieces, from which nlpipe goes on to the vectors of words, their mean and the answer. ONNX Runtime runs the same model,
exported by `torch.onnx`, in float32. Target: bert_frozen at most 1.5 ms above `transformers` in the same number type.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.environments import THREADS, onnx
from benchmarks.processes import ROOT, middle, python, run
from nlpipe.datasets.load import load_dataset
from nlpipe.nn.precision import cpu_has_bf16
from nlpipe.nn.pretrained import find_model

PEERS = ROOT / "benchmarks" / "peers"
PIPELINES = ("tfidf_logreg", "nbsvm", "bilstm", "bert_frozen")
ROUNDS = 3
TRAINING_TEXTS, TEXTS = 1000, 300


def measure() -> dict[str, Any]:
    """Run all alternately."""
    data = load_dataset("rotten_tomatoes", ROOT)
    chosen = data.train.take(list(range(0, len(data.train), len(data.train) // TRAINING_TEXTS)))
    model = str(find_model("minilm", None))
    numbers = ["float32", *(["bfloat16"] if cpu_has_bf16() else [])]
    rows: dict[str, list[dict[str, Any]]] = {}
    notes = []
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "texts.json"
        prepared.write_text(
            json.dumps({
                "texts": chosen.inputs.strings, "labels": chosen.targets.values,  # type: ignore[attr-defined]
                "test": data.test.inputs.strings[:TEXTS], "threads": THREADS,  # type: ignore[attr-defined]
            }),
            encoding="utf-8",
        )  # fmt: skip
        commands = {}
        for name in PIPELINES:
            file = str(ROOT / "pipelines" / "sentiment" / f"{name}.yaml")
            epochs = ["trainer.epochs=1"] if name == "bilstm" else []
            commands[name] = python(str(PEERS / "nlpipe_single_text.py"), str(prepared), file, *epochs)
        for number in numbers:
            script = str(PEERS / "transformers_single_text.py")
            commands[f"transformers, {number}"] = python(script, str(prepared), model, number)
        try:
            exported = str(Path(folder) / "model.onnx")
            interpreter = str(onnx())
            subprocess.run([interpreter, str(PEERS / "export_onnx.py"), model, exported], check=True)
            script = str(PEERS / "onnxruntime_single_text.py")
            commands["ONNX Runtime, float32"] = [interpreter, script, str(prepared), model, exported]
        except subprocess.CalledProcessError as error:
            notes.append(f"ONNX Runtime is left out: {error}.")
        for _ in range(ROUNDS):
            for name, command in commands.items():
                rows.setdefault(name, []).append(run(command))
    table = [["", "median, ms", "95th percentile, ms"]]
    table += [[name, f"{middle(runs, 'median'):.2f}", f"{middle(runs, 'p95'):.2f}"] for name, runs in rows.items()]
    beyond = middle(rows["bert_frozen"], "median") - middle(rows[f"transformers, {numbers[-1]}"], "median")
    notes.append(f"bert_frozen takes {beyond:.2f} ms more than `transformers` in {numbers[-1]}.")
    return {"table": table, "notes": " ".join(notes), "runs": rows}
