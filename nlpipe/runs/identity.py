"""When two runs are the same: a hash of everything that a result depends on."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from nlpipe.datasets.dataset import Dataset
from nlpipe.fingerprint import fingerprint, source_hash, version_of
from nlpipe.pipeline.runtimes import AUTO, TRANSLATOR, wanted
from nlpipe.registry import names_used, table_of
from nlpipe.runs.environment import PACKAGES
from nlpipe.runs.records import SplitName
from nlpipe.spec import PipelineSpec
from nlpipe.tasks.task import Task
from nlpipe.wheels import sha256_of


def run_hash(spec: PipelineSpec, dataset: Dataset, seed: int, train_size: int | None, split: SplitName = "test") -> str:
    """Twelve hexadecimal digits that differ where anything differs that a result depends on.

    Raises:
        NlpipeError: NLPIPE_RUNTIME names no runtime.
    """
    resolved = {key: value for key, value in spec.resolved().items() if key not in APART}
    content: dict[str, Any] = {
        "pipeline": resolved, "data": dataset.digest, "seed": seed, "train_size": train_size, "source": source_hash(),
        "packages": {name: version_of(name) for name in PACKAGES},
    }  # fmt: skip
    runtime = wanted(None)
    if runtime != AUTO and not spec.members and spec.stages[-1].name == TRANSLATOR:
        content["runtime"] = runtime
    if spec.members:
        resolved["cascade"] = [
            run_hash(each, dataset, seed, size_for(each, train_size), split) for each in spec.members
        ]
    content["fingerprints"] = fingerprints(spec, dataset.task)
    if files := files_of(spec):
        content["files"] = files
    if split != "test":
        content["split"] = split
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:12]


def size_for(member: PipelineSpec, train_size: int | None) -> int | None:
    """The number of training examples of a cascade's member: that of the cascade, where it is given, or its own."""
    return member.train_size if train_size is None else train_size


def names_of(spec: PipelineSpec) -> set[tuple[str, str]]:
    """Slot and name of all stages, nested ones too."""
    stages = [stage for each in spec.members or [spec] for stage in each.stages]
    return {name for stage in stages for name in names_used(stage.slot, stage.resolved())}


def fingerprints(spec: PipelineSpec, task: Task) -> dict[str, str]:
    """Fingerprints of the classes of all stages, nested ones too, and of the task: ``encoder 'conv'`` to its own."""
    hashes = {f"{kind} '{name}'": fingerprint(table_of(kind).load(name)) for kind, name in sorted(names_of(spec))}
    return {**hashes, f"task '{task.name}'": fingerprint(type(task))}


def files_of(spec: PipelineSpec) -> dict[str, str]:
    """The files and folders that the options of a pipeline name, with the sha256 of what they hold."""
    return files_named({key: value for key, value in spec.resolved().items() if key not in APART})


APART = frozenset({"name", "description", "import", "data", "seed", "train_size"})
"""Keys of a pipeline that change nothing, or that the hash has by themselves."""


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
            files = sorted(file for file in path.iterdir() if file.is_file())
            content = "".join(f"{file.name} {sha256_of(file)}\n" for file in files)
            return {options: hashlib.sha256(content.encode()).hexdigest()}
        return {options: sha256_of(path)} if path.is_file() else {}
    except (OSError, RuntimeError, ValueError):  # a pattern is not a path; the stage itself reports what cannot be read
        return {}
