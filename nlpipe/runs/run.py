"""One pipeline on one data set with one seed: a folder of plain files from which everything later is computed.

The folder is written beside its place and renamed into it, so that what is there is whole. Its name ends in a hash of
the pipeline with every default filled in, the files that its options name, the data, the seed and the source of the
stages: the same run is not done twice, and a changed one never mistaken for it.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nlpipe.datasets.dataset import Dataset
from nlpipe.errors import NlpipeError, NlpipeWarning
from nlpipe.files import whole_folder, write_json
from nlpipe.pipeline import Pipeline
from nlpipe.runs import costs
from nlpipe.runs.environment import environment, thread_count
from nlpipe.runs.identity import run_hash
from nlpipe.runs.ledger import ledger
from nlpipe.runs.result import FILES, Result
from nlpipe.spec import PipelineSpec, to_yaml
from nlpipe.stage import Predictions
from nlpipe.tasks.task import Split
from nlpipe.training.processes import rank, wait_for_all


def run(
    spec: PipelineSpec,
    dataset: Dataset,
    out: Path = Path("runs"),
    seed: int | None = None,
    train_size: int | None = None,
    again: bool = False,
    report: Callable[[str], None] = lambda message: None,
    progress: bool | None = None,
) -> Result:
    """Fit ``spec`` on the training split, answer the test split, and leave the run's folder in ``out``.

    Of several processes that a launcher started all train and the first alone writes; they end together.

    Args:
        seed: instead of the one in the file.
        train_size: so many training examples, chosen by the seed; all of them by default.
        again: run it even if its folder is there.
        report: told what is being done, in a few words.
        progress: whether training by gradients draws a bar; None: where there is a terminal.

    Raises:
        NlpipeError: the data, the wiring or the disk does not allow it; no folder is left then.
    """
    seed = spec.seed if seed is None else seed
    if not 0 <= seed < 2**32:
        raise NlpipeError(f"seed: {seed} will not do: it should be from 0 to {2**32 - 1}")
    if train_size is not None and train_size > len(dataset.train):
        raise NlpipeError(
            f"train size {train_size:,}: {dataset.name} has {len(dataset.train):,} training examples only"
        )
    target = out / f"{spec.name}-{run_hash(spec, dataset, seed, train_size)}"
    done = all((target / name).exists() for name in (*FILES, "model/model.json"))
    wait_for_all(spec.trainer.get("device", "auto"))  # so that all of them saw the same
    if done and not again:
        report("done before")
        return Result(target)
    if not out.exists():
        _writable(out)
    threads = thread_count()
    pipeline = Pipeline(
        [stage.make() for stage in spec.stages], dataset.task.name, spec.trainer, seed, spec.name
    )  # fmt: skip
    import_ahead(pipeline)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    train = dataset.train if train_size is None else sample(dataset.train, train_size, seed)
    checkpoint = out / ".checkpoints" / target.name
    if rank():
        pipeline.fit_split(train, dataset.dev, checkpoint, progress=False)
        wait_for_all()
        return Result(target)
    started = time.perf_counter()
    with whole_folder(target) as folder, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", NlpipeWarning)
        report(f"fitting on {len(train):,} examples")
        pipeline.fit_split(train, dataset.dev, checkpoint, report, progress)
        fitted = time.perf_counter() - started
        report("saving")
        model = folder / "model"
        model.mkdir()
        pipeline.write(model)
        report(f"predicting {len(dataset.test):,} examples")
        predictions = pipeline.predict(dataset.test.inputs)
        report("measuring its costs")
        used: dict[str, Any] = {
            "fit_seconds": sum(pipeline.fit_seconds.values()),
            "fit_seconds_by_stage": pipeline.fit_seconds,
            **costs.measure(model, dataset.test.inputs, threads),
            "parameters": pipeline.parameter_count(),
            "model_bytes": sum(path.stat().st_size for path in model.rglob("*") if path.is_file()),
            "threads": threads,
        }
        write_json(folder / "costs.json", used)
        on_dev = pipeline.predict(dataset.dev.inputs)
        write_json(
            folder / "metrics.json",
            {
                "split": "test", "primary": dataset.task.primary_of(dataset.labels),
                **evaluate(dataset, dataset.test, predictions),
                "dev": evaluate(dataset, dataset.dev, on_dev)["scores"],
            },
        )  # fmt: skip
        with (folder / "predictions.jsonl").open("w", encoding="utf-8") as file:
            for i in range(len(dataset.test)):
                record = dataset.task.record(dataset.test.targets, predictions, i)
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
        write_json(folder / "ledger.json", ledger(dataset, pipeline, caught))
        resolved = {**spec.resolved(), "seed": seed}
        (folder / "pipeline.yaml").write_text(to_yaml(resolved), encoding="utf-8")
        write_json(folder / "environment.json", environment(spec, dataset, seed, len(train), threads, fitted))
        if pipeline.history is not None:
            write_json(folder / "history.json", asdict(pipeline.history))
    shutil.rmtree(checkpoint, ignore_errors=True)
    with contextlib.suppress(OSError):  # other runs have theirs there
        checkpoint.parent.rmdir()
    wait_for_all()
    return Result(target)


def import_ahead(pipeline: Pipeline) -> None:
    """Import what the stages import while they learn, so that those seconds are not counted as learning."""
    if pipeline.plan().trained:
        import accelerate
        import torch._dynamo
        import torch.optim

        _ = accelerate, torch
    else:
        import sklearn.calibration
        import sklearn.linear_model

        _ = sklearn


def sample(train: Split, size: int, seed: int) -> Split:
    """``size`` examples drawn without replacement; a smaller sample of the same seed is part of a larger one."""
    import numpy as np

    order = np.random.default_rng(seed).permutation(len(train))[:size]
    return train.take(sorted(order.tolist()))


def evaluate(dataset: Dataset, split: Split, predictions: Predictions[Any]) -> dict[str, dict[str, Any]]:
    """Every score of ``predictions`` of ``split``, with the metrics' full names."""
    scores: dict[str, float] = {}
    signatures: dict[str, str] = {}
    for metric in dataset.task.metrics(dataset.labels, dataset.ordinal):
        found = metric(split.targets, predictions)
        scores |= found
        signatures |= {name: metric.signatures[name] for name in found}
    return {"scores": scores, "signatures": signatures}


def _writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NlpipeError(f"{folder}: {error.strerror}; choose another folder with --out") from None
