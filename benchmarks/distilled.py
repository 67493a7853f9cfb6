"""Static vectors distilled from MiniLM on SST-2: alone, joined with TF-IDF, and beside TF-IDF, fastText and MiniLM.

Each pipeline is fitted on the training split, answers dev and test, and is timed in a process of its own, in seconds of
the processor on one thread. fastText (package fasttext-numpy2) gets its best of 60 combinations of learning rate,
epochs and n-grams on dev, and texts that are split into words already. Processes alternate; figures are medians over
rounds. What MiniLM gives for each word is kept in the cache folder, so that only the first of the two distilled
pipelines pays for it, and none where the cache has it already. Targets: joined, at least 0.83 on test and at least
10,000 texts/s; more accurate than fastText and at least as fast.

NLPIPE_DISTILLED_MINILM=0 leaves out the fine-tuned MiniLM, which takes minutes to fit.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from statistics import fmean
from typing import Any

import nlpipe
from benchmarks import environments
from benchmarks.processes import ROOT, middle, python, run, sst2
from nlpipe.datasets.load import load_dataset
from nlpipe.tokenizers import Regex

PEERS = ROOT / "benchmarks" / "peers"
SENTIMENT = ROOT / "pipelines" / "sentiment"
ALONE = {
    "tokenizer": "regex", "representation": {"name": "distilled", "whole_words": None}, "encoder": "mean",
    "head": "logistic_regression",
}  # fmt: skip
ROUNDS = 3


def measure() -> dict[str, Any]:
    """Fit once, then time all in turn."""
    data = load_dataset(sst2(), ROOT)
    overrides = [f"data={json.dumps(sst2())}"]
    pipelines: dict[str, Any] = {
        "TF-IDF": SENTIMENT / "tfidf_logreg.yaml", "distilled, mean": {**ALONE, "data": sst2()},
        "distilled + TF-IDF": SENTIMENT / "distilled_tfidf.yaml",
    }  # fmt: skip
    if os.environ.get("NLPIPE_DISTILLED_MINILM") != "0":
        pipelines["MiniLM, fine-tuned"] = SENTIMENT / "bert_finetuned.yaml"
    os.environ["OMP_NUM_THREADS"] = "1"
    test, dev, train = data.test, data.dev, data.train
    rows: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepared = folder / "texts.json"
        content: dict[str, Any] = {"texts": test.inputs.strings}  # type: ignore[attr-defined]
        for key, split in (("words", test), ("dev_words", dev), ("train_words", train)):
            content[key] = [" ".join(words) for words in Regex().forward(split.inputs).words]  # type: ignore[arg-type]
        content["dev_labels"], content["train_labels"] = dev.targets.values, train.targets.values  # type: ignore[attr-defined]
        prepared.write_text(json.dumps(content), encoding="utf-8")
        commands: dict[str, list[str]] = {}
        dev_scores, fit = {}, {}
        for label, pipeline in pipelines.items():
            result = nlpipe.run(pipeline, overrides if isinstance(pipeline, Path) else [], out=folder / "runs")
            dev_scores[label] = result.metrics["dev"]["accuracy"]
            fit[label] = result.costs.get("fit_cpu_seconds", result.costs["fit_seconds"])
            commands[label] = python(str(PEERS / "nlpipe_texts.py"), str(prepared), str(result.folder / "model"))
        missing = ""
        try:
            interpreter = environments.fasttext()
            commands["fastText"] = [
                str(interpreter), str(PEERS / "fasttext_texts.py"), str(prepared), str(folder / "fasttext.bin")
            ]  # fmt: skip
        except (OSError, subprocess.CalledProcessError) as error:
            missing = f" fastText is missing: fasttext-numpy2 could not be installed ({error})."
        answers, sizes = {}, {}
        for _ in range(ROUNDS):
            for label, command in commands.items():
                path = folder / "answers.json"
                rows.setdefault(label, []).append(run([*command, str(path)]))
                answers[label] = json.loads(path.read_text(encoding="utf-8"))
                sizes[label] = _megabytes(Path(command[-1]))
    gold = test.targets.values  # type: ignore[attr-defined]
    header = "accuracy on test", "on dev", "fit, s", "one text, ms", "texts/s in batches", "memory, MB", "model, MB"
    table = [["", *header]]
    for label, runs in rows.items():
        table.append([
            label, f"{fmean(map(str.__eq__, answers[label], gold)):.4f}",
            f"{dev_scores[label]:.4f}" if label in dev_scores else "", f"{fit[label]:.1f}" if label in fit else "",
            f"{middle(runs, 'median'):.3f}", f"{middle(runs, 'rate'):,.0f}", f"{middle(runs, 'peak_mb'):,.0f}",
            f"{sizes[label]:.1f}",
        ])  # fmt: skip
    notes = f"One thread, {len(gold):,} test texts; times are seconds of the processor.{missing}"
    if "fastText" in rows:
        beside = middle(rows["distilled + TF-IDF"], "rate") / middle(rows["fastText"], "rate")
        notes += f" Joined, texts a second are {beside:.2f} times those of fastText."
    return {"table": table, "notes": notes, "runs": rows}


def _megabytes(model: Path) -> float:
    files = model.rglob("*") if model.is_dir() else [model]
    return sum(path.stat().st_size for path in files if path.is_file()) / 1e6
