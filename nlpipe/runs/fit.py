"""The first step of a run: fit on the training split; leaves a folder with the model and what it was made with."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nlpipe.datasets.dataset import Dataset
from nlpipe.errors import NlpipeError
from nlpipe.files import whole_folder, write_json
from nlpipe.pipeline import Pipeline
from nlpipe.pipeline.cascade import Cascade
from nlpipe.pipeline.runtimes import OWN, computable, installed
from nlpipe.runs.cascade_members import cascade_of, cascade_record, fit_thresholds
from nlpipe.runs.environment import environment
from nlpipe.runs.identity import files_of, fingerprints, names_of
from nlpipe.runs.ledger import begin_ledger, recorded
from nlpipe.runs.records import CostsFile, ScoringFile, SplitName
from nlpipe.runs.result import Result
from nlpipe.spec import PipelineSpec, to_yaml
from nlpipe.tasks.task import Split
from nlpipe.threads import thread_count, use_threads
from nlpipe.training.processes import rank
from nlpipe.user_code import all_others, modules_of

if TYPE_CHECKING:
    from nlpipe.pipeline.stage_store import StageStore


def fit(
    spec: PipelineSpec,
    dataset: Dataset,
    folder: Path,
    seed: int | None = None,
    train_size: int | None = None,
    split: SplitName = "test",
    checkpoint: Path | None = None,
    report: Callable[[str], None] = lambda message: None,
    progress: bool | None = None,
    store: StageStore | None = None,
    members: Sequence[Result] = (),
) -> Pipeline:
    """Fit ``spec`` and write ``folder``, which is whole or absent afterwards.

    It then holds ``model/``, ``pipeline.yaml``, ``environment.json``, ``scoring.json``, ``ledger.json``,
    ``costs.json`` (of fitting alone) and, where gradients were followed, ``history.json``; of a cascade
    ``cascade.json``, how its thresholds came about. Of several processes that
    a launcher started, all fit and the first alone writes.

    Args:
        seed: instead of the one in the file.
        train_size: number of training examples, which are chosen by the seed; by default that of the file, or all.
        split: the split that the later steps answer and score.
        checkpoint: where training by gradients leaves its checkpoints; one that is there is gone on from.
        report: called with what is being done, in a few words.
        progress: whether training by gradients draws a bar; None: where there is a terminal.
        store: of what several pipelines share; None: every stage is fitted here.
        members: the finished runs of a cascade's members, whose models it takes; by default it fits them itself.

    Raises:
        NlpipeError: the data, the wiring or the disk does not allow it; or no threshold reaches what a cascade is for;
            or, when ``folder`` has been written, the runtime that is asked for failed.
    """
    seed = spec.seed if seed is None else seed
    train_size = spec.train_size if train_size is None else train_size
    threads = thread_count()
    if members:
        pipeline: Pipeline = cascade_of(spec, members)
    else:
        pipeline = make(replace(spec, seed=seed), dataset.task.name)
    pipeline.check_runtime()
    pipeline.reading = dataset.reading
    if not members:
        import_ahead(pipeline)
    use_threads(threads)
    train = dataset.train if train_size is None else sample(dataset.train, train_size, seed, dataset.name)
    deciding = dataset.task.deciding(dataset.labels, dataset.ordinal)
    if rank():
        if not members:
            pipeline.fit_split(train, dataset.dev, checkpoint, progress=False, deciding=deciding, store=store)
        return pipeline
    report("fitting thresholds on dev" if members else f"fitting on {len(train):,} examples")
    started, started_cpu = time.perf_counter(), time.process_time()
    with recorded() as warnings:
        if isinstance(pipeline, Cascade) and members:
            fit_thresholds(pipeline, members, dataset, split, deciding)
        else:
            pipeline.fit_split(train, dataset.dev, checkpoint, report, progress, deciding, store)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - started_cpu
    failure = None
    if not isinstance(pipeline, Cascade):  # a cascade's members have chosen theirs
        try:
            pipeline.try_runtimes((dataset.dev if len(dataset.dev) else train).inputs)
        except NlpipeError as error:
            failure = error  # what has been fitted is kept: the next run goes on from there
    for name, found in pipeline.runtimes.items():
        report(_told(name, found, pipeline.runtime))
    if not installed() and any(computable(member.stages) for member in pipeline.members):
        report('CTranslate2 may answer several times as fast: pip install "nlpipe[ctranslate2]"')
    report("saving")
    with whole_folder(folder) as partial:
        model = partial / "model"
        model.mkdir()
        pipeline.write(model)
        resolved = {**spec.resolved(), "seed": seed}
        if train_size is not None:
            resolved["train_size"] = train_size
        if modules := modules_of(names_of(spec) | all_others(), spec.imports):
            resolved["import"] = modules
        (partial / "pipeline.yaml").write_text(to_yaml(resolved), encoding="utf-8")
        costs: CostsFile = {
            "fit_seconds": sum(pipeline.fit_seconds.values()),
            "fit_seconds_by_stage": pipeline.fit_seconds,
            "parameters": pipeline.parameter_count(),
            "model_bytes": sum(path.stat().st_size for path in model.rglob("*") if path.is_file()),
            "threads": threads,
        }
        if costs["fit_seconds"] <= seconds:  # else seconds of stages that others fitted are among them
            costs["fit_cpu_seconds"] = cpu_seconds
        write_json(partial / "costs.json", costs)
        scoring: ScoringFile = {
            "task": dataset.task.name, "labels": list(dataset.labels), "ordinal": dataset.ordinal, "split": split,
            "state": dataset.task.state(),
        }  # fmt: skip
        write_json(partial / "scoring.json", scoring)
        write_json(partial / "ledger.json", begin_ledger(dataset, warnings))
        record = environment(spec, dataset, split, seed, len(train), threads, seconds)
        if pipeline.runtime != OWN:
            record["runtime"] = pipeline.runtime
        record["fingerprints"], record["files"] = fingerprints(spec, dataset.task), files_of(spec)
        write_json(partial / "environment.json", record)
        if isinstance(pipeline, Cascade):
            write_json(partial / "cascade.json", cascade_record(pipeline, members))
        if pipeline.history is not None:
            write_json(partial / "history.json", asdict(pipeline.history))
    if failure is not None:
        raise failure
    return pipeline


def _told(name: str, found: Mapping[str, Any], runtime: str) -> str:
    """How another runtime did beside the pipeline's stages, and whether ``runtime``, which answers, is it; a line."""
    use = "it answers from here on (--runtime nlpipe: not)" if runtime == name else "it is not used"
    return (
        f"{name}: {found['same']:,} of {found['compared']:,} answers are the same, "
        f"{found['times_as_fast_alone']:.1f} times as fast one by one, {found['times_as_fast_in_batches']:.1f} in "
        f"batches; {use}"
    )


def make(spec: PipelineSpec, task: str) -> Pipeline:
    """The pipeline, or cascade, that ``spec`` describes, with fresh stages."""
    if spec.members:
        assert spec.aim is not None
        return Cascade([make(replace(each, seed=spec.seed), task) for each in spec.members], spec.aim, spec.name)
    return Pipeline([stage.make() for stage in spec.stages], task, spec.trainer, spec.seed, spec.name)


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


def sample(train: Split, size: int, seed: int, name: str = "the data") -> Split:
    """``size`` examples drawn without replacement; a smaller sample of the same seed is part of a larger one.

    Raises:
        NlpipeError: there are fewer in ``train``, the training split of the data set called ``name``.
    """
    check_size(size, train, name)
    order = np.random.default_rng(seed).permutation(len(train))[:size]
    return train.take(sorted(order.tolist()))


def check_size(size: int, train: Split, name: str = "the data") -> None:
    """Check that ``train``, the training split of the data set called ``name``, has ``size`` examples.

    Raises:
        NlpipeError: there are fewer.
    """
    if size > len(train):
        raise NlpipeError(
            f"train size {size:,}: {name} has {len(train):,} training examples only; give at most {len(train):,}"
        )
