"""Profiles of training and prediction, written into benchmarks/profiles/: `python -m benchmarks.profile_training`.

It writes one text file each for BiLSTM training, BERT fine-tuning and BERT prediction on SST-2 with two threads. A file
lists the torch operators that took most time (torch.profiler) and then the Python functions (cProfile, a separate run).
"""

from __future__ import annotations

import cProfile
import io
import pstats
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

import nlpipe
from benchmarks.processes import ROOT, sst2
from nlpipe.datasets.load import load_dataset
from nlpipe.runs.environment import processor

OUT = ROOT / "benchmarks" / "profiles"
OPERATORS, FUNCTIONS = 25, 30


def main() -> None:
    """Write the named profiles, or all."""
    torch.set_num_threads(2)
    data = load_dataset(sst2(), ROOT)
    subset = data.train.take(range(1000))

    def train(name: str, split: object, epochs: int) -> Callable[[], None]:
        file = ROOT / "pipelines" / "sentiment" / f"{name}.yaml"
        overrides = [f"trainer.epochs={epochs}", "trainer.patience=null"]
        return lambda: nlpipe.load(file, overrides).fit_split(split, progress=False)  # type: ignore[arg-type,func-returns-value]

    texts = list(data.dev.inputs.strings)
    workloads = {
        "bilstm_training": lambda: train("bilstm", subset, 2),
        "bert_training": lambda: train("bert_finetuned", subset, 1),
        "bert_prediction": lambda: _prediction(subset.take(range(64)), texts),
    }
    OUT.mkdir(exist_ok=True)
    for name in sys.argv[1:] or workloads:
        (OUT / f"{name}.txt").write_text(_profiled(name, workloads[name]()), encoding="utf-8")


def _prediction(subset: object, texts: list[str]) -> Callable[[], None]:
    """Prediction by a pipeline fitted on a few examples, since speed does not depend on what it learned."""
    pipeline = nlpipe.load(
        ROOT / "pipelines" / "sentiment" / "bert_finetuned.yaml", ["trainer.epochs=1", "trainer.patience=null"]
    )
    pipeline.fit_split(subset, progress=False)  # type: ignore[arg-type]
    return lambda: pipeline.predict(texts * 2)  # type: ignore[func-returns-value]


def _profiled(name: str, workload: Callable[[], None]) -> str:
    """The report on a workload, which runs three times: to warm up and once for each profiler."""
    workload()
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        workload()
    operators = profiler.key_averages().table(
        sort_by="self_cpu_time_total", row_limit=OPERATORS, max_name_column_width=44
    )
    functions = cProfile.Profile()
    functions.runcall(workload)
    text = io.StringIO()
    pstats.Stats(functions, stream=text).sort_stats("tottime").print_stats(FUNCTIONS)
    machine = processor()
    shown = text.getvalue().replace(f"{ROOT}/", "").replace(str(Path(torch.__file__).parents[1]) + "/", "")
    header = f"{name}: {machine['name']}, {machine['cores']} cores, torch {torch.__version__}"
    return f"{header}\n\n{operators}\n{shown.strip()}\n"


if __name__ == "__main__":
    main()
