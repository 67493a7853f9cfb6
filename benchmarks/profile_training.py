"""Profiles of training and prediction, written into benchmarks/profiles/: `python -m benchmarks.profile_training`.

One text file for each of: BiLSTM training, BERT fine-tuning, BERT prediction; two threads, on SST-2. Each has the
operators of torch that took most time (torch.profiler), then the functions of Python (cProfile, another run).
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
    """All of them, or those named."""
    torch.set_num_threads(2)
    data = load_dataset(sst2(), ROOT)
    few = data.train.take(range(1000))

    def train(name: str, split: object, epochs: int) -> Callable[[], None]:
        file = ROOT / "pipelines" / "sentiment" / f"{name}.yaml"
        overrides = [f"trainer.epochs={epochs}", "trainer.patience=null"]
        return lambda: nlpipe.load(file, overrides).fit_split(split, progress=False)  # type: ignore[arg-type,func-returns-value]

    texts = list(data.dev.inputs.strings)
    works = {
        "bilstm_training": lambda: train("bilstm", few, 2),
        "bert_training": lambda: train("bert_finetuned", few, 1),
        "bert_prediction": lambda: _prediction(few.take(range(64)), texts),
    }
    OUT.mkdir(exist_ok=True)
    for name in sys.argv[1:] or works:
        (OUT / f"{name}.txt").write_text(_profiled(name, works[name]()), encoding="utf-8")


def _prediction(few: object, texts: list[str]) -> Callable[[], None]:
    """Prediction of a pipeline that was fitted on next to nothing: speed does not depend on what it learnt."""
    pipeline = nlpipe.load(
        ROOT / "pipelines" / "sentiment" / "bert_finetuned.yaml", ["trainer.epochs=1", "trainer.patience=null"]
    )
    pipeline.fit_split(few, progress=False)  # type: ignore[arg-type]
    return lambda: pipeline.predict(texts * 2)  # type: ignore[func-returns-value]


def _profiled(name: str, work: Callable[[], None]) -> str:
    """The report of one work, done three times: once to warm up, once for each profiler."""
    work()
    with profile(activities=[ProfilerActivity.CPU]) as watched:
        work()
    operators = watched.key_averages().table(
        sort_by="self_cpu_time_total", row_limit=OPERATORS, max_name_column_width=44
    )
    functions = cProfile.Profile()
    functions.runcall(work)
    text = io.StringIO()
    pstats.Stats(functions, stream=text).sort_stats("tottime").print_stats(FUNCTIONS)
    machine = processor()
    shown = text.getvalue().replace(f"{ROOT}/", "").replace(str(Path(torch.__file__).parents[1]) + "/", "")
    about = f"{name}: {machine['name']}, {machine['cores']} cores, torch {torch.__version__}"
    return f"{about}\n\n{operators}\n{shown.strip()}\n"


if __name__ == "__main__":
    main()
