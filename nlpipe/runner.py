"""One pipeline on one data set with one seed: a folder of plain files from which everything later is computed.

The folder is written beside its place and renamed into it, so that what is there is whole. Its name ends in a hash of
the pipeline with every default filled in, the files that its options name, the data, the seed and the source of the
stages: the same run is not done twice, and a changed one never mistaken for it.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import platform
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from nlpipe import costs
from nlpipe.datasets.dataset import Dataset
from nlpipe.datasets.finding import absolute
from nlpipe.errors import NlpipeError, NlpipeWarning
from nlpipe.files import read_json, whole_folder, write_json
from nlpipe.pipeline import Pipeline
from nlpipe.source import source_hash
from nlpipe.spec import PipelineSpec, to_yaml
from nlpipe.stage import Predictions, Tokenizer
from nlpipe.tasks import task_named
from nlpipe.tasks.task import Ledger, Split
from nlpipe.training.device import rank, wait_for_all
from nlpipe.wheel import sha256_of
from nlpipe.wire import Text, Tokens, Wire

FILES = ("pipeline.yaml", "metrics.json", "predictions.jsonl", "costs.json", "ledger.json", "environment.json")
"""What a run's folder holds, beside ``model/``."""

PACKAGES = (
    "nlpipe", "numpy", "scipy", "scikit-learn", "gensim", "spacy", "tokenizers", "torch", "transformers", "accelerate",
    "sentencepiece", "skops", "datasets",
)  # fmt: skip
"""Whose versions are recorded, where they are installed."""


LOST = {
    "entities_not_at_words": "entities whose ends are not those of words were left out",
    "entities_overlapping": "entities that overlap a longer one were left out",
    "tags_out_of_scheme": "tags broke their scheme and were read as conlleval reads them",
}
"""What the ledger counts that a person should hear of when the run ends."""


@dataclass(frozen=True)
class Result:
    """A run's folder, read when asked."""

    folder: Path

    @functools.cached_property
    def metrics(self) -> dict[str, Any]:
        """``split``, ``primary`` (a score), ``scores`` (name to number), ``signatures`` (to full name), ``dev``."""
        found: dict[str, Any] = read_json(self.folder / "metrics.json")
        return found

    @property
    def score(self) -> float:
        """The primary score."""
        return float(self.metrics["scores"][self.metrics["primary"]])

    @functools.cached_property
    def costs(self) -> dict[str, Any]:
        """Seconds, bytes and counts, by name."""
        found: dict[str, Any] = read_json(self.folder / "costs.json")
        return found

    @functools.cached_property
    def ledger(self) -> dict[str, Any]:
        """What was lost on the way, by split."""
        found: dict[str, Any] = read_json(self.folder / "ledger.json")
        return found

    @functools.cached_property
    def environment(self) -> dict[str, Any]:
        """Versions, machine, threads, data and seed."""
        found: dict[str, Any] = read_json(self.folder / "environment.json")
        return found

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return str(self.environment["name"])

    def records(self) -> Iterator[dict[str, Any]]:
        """The lines of ``predictions.jsonl``, one for each test example."""
        with (self.folder / "predictions.jsonl").open(encoding="utf-8") as file:
            yield from map(json.loads, file)

    def predictions(self) -> tuple[Wire, Predictions[Any]]:
        """Gold and predicted of the test split."""
        return task_named(self.environment["task"]).restore(list(self.records()))

    def pipeline(self) -> Pipeline:
        """The fitted pipeline."""
        return Pipeline.load(self.folder / "model")


def run_hash(spec: PipelineSpec, dataset: Dataset, seed: int, train_size: int | None) -> str:
    """Twelve hexadecimal digits that differ where anything differs that a result depends on."""
    resolved = {
        key: value for key, value in spec.resolved().items() if key not in ("name", "description", "data", "seed")
    }
    told = {
        "pipeline": resolved, "data": dataset.digest, "seed": seed, "train_size": train_size, "source": source_hash(),
        "packages": {name: _version(name) for name in PACKAGES},
    }  # fmt: skip
    if files := files_named(resolved):
        told["files"] = files
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:12]


def files_named(options: Any) -> dict[str, str]:
    """The files and folders that options name (gazetteers, word vectors, a BERT), with the sha256 of what they hold."""
    if isinstance(options, dict | list):
        parts = options.values() if isinstance(options, dict) else options
        return {name: digest for part in parts for name, digest in files_named(part).items()}
    if not isinstance(options, str):
        return {}
    try:
        path = Path(options).expanduser()
        if path.is_dir() and path.is_absolute():
            files = sorted(each for each in path.iterdir() if each.is_file())
            held = "".join(f"{each.name} {sha256_of(each)}\n" for each in files)
            return {options: hashlib.sha256(held.encode()).hexdigest()}
        return {options: sha256_of(path)} if path.is_file() else {}
    except (OSError, RuntimeError, ValueError):  # a pattern is no path; what cannot be read is told by its stage
        return {}


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
        if spec.data is not None:
            resolved["data"] = absolute(spec.data, Path(spec.path).parent)
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
    if pipeline.head.by_gradient:
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


def ledger(
    dataset: Dataset, pipeline: Pipeline, caught: list[warnings.WarningMessage]
) -> dict[str, Any]:  # fmt: skip
    """The content of ``ledger.json``: what reading dropped, what the stages could not use, and their warnings."""
    splits: dict[str, Ledger] = dict(dataset.ledger)
    told: dict[str, Any] = {
        name: {"counts": dict(entry.counts), "examples": dict(entry.examples)} for name, entry in splits.items()
    }
    for name, split in (("train", dataset.train), ("dev", dataset.dev), ("test", dataset.test)):
        entry = told.setdefault(name, {"counts": {}, "examples": {}})
        entry["counts"] |= {"examples": len(split), **pipeline.ledger(split.inputs)}
    if isinstance(dataset.test.inputs, Tokens) and isinstance(tokenizer := pipeline.stages[0], Tokenizer):
        found = Ledger()
        for text in split_otherwise(tokenizer, dataset.test.inputs):
            found.add("split_otherwise", text)
        told["test"]["counts"] |= {"split_otherwise": 0, **found.counts}
        told["test"]["examples"] |= found.examples
    told["warnings"] = [str(w.message) for w in caught if issubclass(w.category, NlpipeWarning)]
    told["warnings"] += [
        f"{name}: not one of {counts['examples']:,.0f} texts has a word in it"
        for name in ("train", "dev", "test")
        if 0 < (counts := told[name]["counts"])["examples"] == counts.get("without_tokens", 0)
    ]
    told["warnings"] += [
        f"{name}: not one of {counts['tokens']:,.0f} words is known to the representation"
        for name in ("train", "dev", "test")
        if 0 < (counts := told[name]["counts"]).get("tokens", 0) == counts.get("out_of_vocabulary", 0)
    ]
    told["warnings"] += [
        f"{name}: {entry.counts[what]:,.0f} {said}, the first {entry.examples[what][0]}"
        for name, entry in splits.items()
        for what, said in LOST.items()
        if what in entry.counts
    ]
    return told


def split_otherwise(tokenizer: Tokenizer, given: Tokens) -> Iterator[str]:
    """Sentences whose words stand elsewhere when ``tokenizer`` splits their text, as it will that of raw texts.

    Of data that comes split the text is not known: its words with spaces between stand for it.
    """
    for i, text in enumerate(given.texts):
        if tokenizer.forward(Text([text])).spans(0) != given.spans(i):
            yield text


def environment(
    spec: PipelineSpec, dataset: Dataset, seed: int, train_size: int, threads: int, seconds: float
) -> dict[str, Any]:
    """The content of ``environment.json``."""
    return {
        "name": spec.name, "task": dataset.task.name, "data": dataset.name, "data_digest": dataset.digest,
        "seed": seed, "train_examples": train_size, "labels": list(dataset.labels), "ordinal": dataset.ordinal,
        "threads": threads, "wall_seconds_of_fit": seconds,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(), "platform": platform.platform(), "processor": processor(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "source": source_hash(),
    }  # fmt: skip


def processor() -> dict[str, Any]:
    """Its name, its cores and those of its instruction sets that decide how fast numbers are."""
    wanted = {"avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "avx_vnni", "asimd", "bf16", "sve"}
    name, flags = platform.processor() or platform.machine(), set[str]()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                name = value.strip()
            elif key.strip() in ("flags", "Features"):
                flags = set(value.split())
                break
    except OSError:
        pass  # no such file on this system: the name alone is recorded
    return {"name": name, "cores": os.cpu_count(), "flags": sorted(wanted & flags)}


def thread_count() -> int:
    """Threads that the numerical libraries use: OMP_NUM_THREADS where it is set, else the processors we may use."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    if told.isdigit() and int(told):
        return int(told)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NlpipeError(f"{folder}: {error.strerror}; choose another folder with --out") from None
