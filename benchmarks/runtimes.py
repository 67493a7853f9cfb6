"""Runtimes of one fine-tuned BERT (MiniLM) on SST-2: nlpipe's own, ONNX Runtime, and ONNX Runtime without nlpipe.

The run of `pipelines/sentiment/bert_finetuned.yaml` on SST-2 is exported in float32 and with 8-bit weights. Each
model answers all test texts (accuracy), then 200 single texts and 600 in batches in a process of its own. Processes
alternate, and the figures are medians over rounds, in seconds of the processor, which hardly depend on other work.
"ONNX Runtime alone" is the same network with its tokenizer and no more: vectors of pieces, without words, pooling and
labels; in batches of sorted texts, at the best of three sizes. Targets: 8-bit at least 1.5 times as fast as nlpipe's
fp32 in batches and 3 times one by one, at most 0.005 accuracy lost, one text at most 1.15 times as long as ONNX
Runtime alone.

NLPIPE_RUNTIMES_RUN names a run that was fitted before, to spare the fine-tuning.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from statistics import fmean
from typing import Any

import nlpipe
from benchmarks.environments import THREADS
from benchmarks.processes import ROOT, middle, python, run, sst2
from nlpipe.datasets.load import load_dataset
from nlpipe.integrations.onnx_export import export_onnx
from nlpipe.pipeline import Pipeline

PEERS = ROOT / "benchmarks" / "peers"
FILE = ROOT / "pipelines" / "sentiment" / "bert_finetuned.yaml"
ROUNDS = 2
TEXTS = 600


def measure() -> dict[str, Any]:
    """Fine-tune once, export twice, then measure all in turn."""
    data = load_dataset(sst2(), ROOT)
    rows: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        given = os.environ.get("NLPIPE_RUNTIMES_RUN")
        fitted = Path(given) if given else nlpipe.run(FILE, [f"data={json.dumps(sst2())}"], out=folder / "runs").folder
        for runtime in ("onnx", "onnx-int8"):  # of the saved model: a proof would measure wall times
            export_onnx(fitted / "model", folder / runtime, int8=runtime == "onnx-int8", force=True)
        models = {
            "nlpipe, auto": fitted / "model", "nlpipe, fp32": _in_fp32(fitted, folder / "fp32"),
            "nlpipe, ONNX Runtime": folder / "onnx",
            "nlpipe, ONNX Runtime, 8 bits": folder / "onnx-int8",
        }  # fmt: skip
        prepared = folder / "texts.json"
        texts = data.test.inputs.strings[:TEXTS]  # type: ignore[attr-defined]
        prepared.write_text(json.dumps({"texts": texts, "threads": THREADS}), encoding="utf-8")
        commands = {label: ("nlpipe_batches.py", model) for label, model in models.items()}
        for label, runtime in (("ONNX Runtime alone", "onnx"), ("ONNX Runtime alone, 8 bits", "onnx-int8")):
            commands[label] = ("onnxruntime_batches.py", folder / runtime)
        for _ in range(ROUNDS):
            for label, (script, model) in commands.items():
                rows.setdefault(label, []).append(run(python(str(PEERS / script), str(prepared), str(model))))
        gold = data.test.targets.values  # type: ignore[attr-defined]
        answers = {label: Pipeline.load(model).predict(data.test.inputs).labels for label, model in models.items()}
        scores = {label: fmean(map(str.__eq__, labels, gold)) for label, labels in answers.items()}
        sizes = {label: _megabytes(model) for label, model in models.items()}
    flipped = {label: sum(map(str.__ne__, labels, answers["nlpipe, auto"])) for label, labels in answers.items()}
    header = "accuracy", "answers that differ", "one text: median, ms", "95th percentile, ms", "texts/s in batches"
    table = [["", *header, "memory, MB", "model, MB"]]
    for label, runs in rows.items():
        table.append([
            label, f"{scores[label]:.4f}" if label in scores else "", str(flipped.get(label, "")),
            f"{middle(runs, 'median'):.2f}",
            f"{middle(runs, 'p95'):.2f}", f"{middle(runs, 'rate'):,.0f}", f"{middle(runs, 'peak_mb'):,.0f}",
            f"{sizes[label]:.0f}" if label in sizes else "",
        ])  # fmt: skip
    small, whole = rows["nlpipe, ONNX Runtime, 8 bits"], rows["nlpipe, fp32"]
    bare = rows["ONNX Runtime alone, 8 bits"]
    together, alone = middle(small, "rate") / middle(whole, "rate"), middle(whole, "median") / middle(small, "median")
    beside = middle(small, "median") / middle(bare, "median")
    notes = (
        f"{THREADS} threads, {len(gold):,} test texts; answers are compared with those of nlpipe, auto. With 8 bits, "
        f"{together:.2f} times as fast as nlpipe's fp32 in batches and {alone:.2f} times one by one; one text takes "
        f"{beside:.2f} times what ONNX Runtime alone takes."
    )
    return {"table": table, "notes": notes, "runs": rows}


def _in_fp32(fitted: Path, folder: Path) -> Path:
    """The model of a run as it is, but that it computes in float32 on every processor."""
    pipeline = Pipeline.load(fitted)
    bert = pipeline.stages[1]
    bert.precision = bert.options["precision"] = "fp32"  # type: ignore[attr-defined]
    return pipeline.save(folder)


def _megabytes(model: Path) -> float:
    return sum(path.stat().st_size for path in model.iterdir()) / 1e6
