"""Runtimes of fine-tuned BERTs (MiniLM), a classifier on SST-2 and a tagger on NCBI disease: nlpipe's own, ONNX
Runtime, and ONNX Runtime without nlpipe.

The runs of `pipelines/sentiment/bert_finetuned.yaml` and `pipelines/ner/bert_finetuned.yaml` are exported in float32
and with 8-bit weights. Each model answers all test texts (the score), then 200 single texts and 600 in batches in a
process of its own. Processes alternate, and the figures are medians over rounds, in seconds of the processor, which
hardly depend on other work. "ONNX Runtime alone" is the same network with its tokenizer and no more: vectors of pieces,
without words, pooling and labels; in batches of sorted texts, at the best of three sizes. Targets: 8-bit at least 1.5
times as fast as nlpipe's fp32 in batches and 3 times one by one, at most 0.005 of the score lost, one text at most 1.15
times as long as ONNX Runtime alone.

NLPIPE_RUNTIMES_SST2 and NLPIPE_RUNTIMES_NCBI name runs that were fitted before, to spare the fine-tuning.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import nlpipe
from benchmarks.environments import THREADS
from benchmarks.processes import ROOT, middle, python, run, sst2, tagged
from nlpipe.datasets.load import load_dataset
from nlpipe.integrations.onnx_export import export_onnx
from nlpipe.pipeline import Pipeline
from nlpipe.predictions import AnyPredictions
from nlpipe.runs.result import Result
from nlpipe.runs.score import metrics_of, read_scoring

PEERS = ROOT / "benchmarks" / "peers"
ROUNDS = 2
TEXTS = 600
OURS = "nlpipe, auto", "nlpipe, fp32", "nlpipe, ONNX Runtime", "nlpipe, ONNX Runtime, 8 bits"
BARE = "ONNX Runtime alone", "ONNX Runtime alone, 8 bits"

Rows = dict[str, list[dict[str, Any]]]


def measure() -> dict[str, Any]:
    """Both models after one another."""
    header = "answers that differ", "one text: median, ms", "95th percentile, ms", "texts/s in batches"
    table = [["", "score", *header, "memory, MB", "model, MB"]]
    notes, every = [f"{THREADS} threads; answers are compared with those of nlpipe, auto."], {}
    for name, file, data in (("SST-2", "sentiment", sst2()), ("NCBI", "ner", tagged("ncbi_disease"))):
        given = os.environ.get(f"NLPIPE_RUNTIMES_{name.replace('-', '')}")
        with tempfile.TemporaryDirectory() as folder:
            pipeline = ROOT / "pipelines" / file / "bert_finetuned.yaml"
            out = Path(folder) / "runs"
            fitted = Path(given) if given else nlpipe.run(pipeline, [f"data={json.dumps(data)}"], out=out).folder
            rows, lines = _measure_one(fitted, data, Path(folder))
        every[name] = rows
        table += [[f"{name}: {line[0]}", *line[1:]] for line in lines]
        notes.append(f"{name}: {_compared(rows)}")
    return {"table": table, "notes": " ".join(notes), "runs": every}


def _measure_one(fitted: Path, data: dict[str, Any], folder: Path) -> tuple[Rows, list[list[str]]]:
    """Export a run twice, then measure all in turn: the figures, and lines of the table."""
    test = load_dataset(data, ROOT).test
    for runtime in ("onnx", "onnx-int8"):  # of the saved model: a proof would measure wall times
        export_onnx(fitted / "model", folder / runtime, int8=runtime == "onnx-int8", force=True)
    paths = fitted / "model", _in_fp32(fitted, folder / "fp32"), folder / "onnx", folder / "onnx-int8"
    models = dict(zip(OURS, paths, strict=True))
    prepared = folder / "texts.json"
    texts = test.inputs.texts if data["task"] == "tagging" else test.inputs.strings  # type: ignore[attr-defined]
    prepared.write_text(json.dumps({"texts": texts[:TEXTS], "threads": THREADS}), encoding="utf-8")
    commands = {label: ("nlpipe_batches.py", model) for label, model in models.items()}
    commands |= {label: ("onnxruntime_batches.py", path) for label, path in zip(BARE, paths[2:], strict=True)}
    rows: Rows = {}
    for _ in range(ROUNDS):
        for label, (script, model) in commands.items():
            rows.setdefault(label, []).append(run(python(str(PEERS / script), str(prepared), str(model))))
    primary = Result(fitted).metrics["primary"]
    metric = next(each for each in metrics_of(read_scoring(fitted)) if primary in each.definitions)
    answers = {label: Pipeline.load(model).predict(test.inputs) for label, model in models.items()}
    lines = []
    for label, runs in rows.items():
        figures = [middle(runs, "median"), middle(runs, "p95")]
        line = [label, "", "", *(f"{figure:.2f}" for figure in figures), f"{middle(runs, 'rate'):,.0f}"]
        line += [f"{middle(runs, 'peak_mb'):,.0f}", ""]
        if label in models:
            answered = answers[label]
            line[1] = f"{metric.of(metric.statistics(test.targets, answered))[primary]:.4f}"
            line[2] = str(_differ(answered, answers[OURS[0]]))
            line[-1] = f"{_megabytes(models[label]):.0f}"
        lines.append(line)
    return rows, lines


def _differ(ours: AnyPredictions, theirs: AnyPredictions) -> int:
    return sum(map(lambda a, b: a != b, ours.values.values, theirs.values.values))  # type: ignore[union-attr]


def _compared(rows: Rows) -> str:
    small, whole, bare = rows[OURS[3]], rows[OURS[1]], rows[BARE[1]]
    together, alone = middle(small, "rate") / middle(whole, "rate"), middle(whole, "median") / middle(small, "median")
    beside = middle(small, "median") / middle(bare, "median")
    return (
        f"with 8 bits {together:.2f} times as fast as nlpipe's fp32 in batches and {alone:.2f} times one by one; one "
        f"text takes {beside:.2f} times what ONNX Runtime alone takes."
    )


def _in_fp32(fitted: Path, folder: Path) -> Path:
    """The model of a run as it is, but that it computes in float32 on every processor."""
    pipeline = Pipeline.load(fitted)
    bert = pipeline.stages[1]
    bert.precision = bert.options["precision"] = "fp32"  # type: ignore[attr-defined]
    return pipeline.save(folder)


def _megabytes(model: Path) -> float:
    return sum(path.stat().st_size for path in model.iterdir()) / 1e6
