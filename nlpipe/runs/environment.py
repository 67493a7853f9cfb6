"""What a run is made with: versions, processor, threads."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

from nlpipe.datasets.dataset import Dataset
from nlpipe.fingerprint import source_hash, version_of
from nlpipe.runs.records import EnvironmentFile, MadeWith, Processor, SplitName
from nlpipe.spec import PipelineSpec

PACKAGES = (
    "nlpipe", "numpy", "scipy", "scikit-learn", "gensim", "spacy", "tokenizers", "torch", "transformers", "accelerate",
    "sentencepiece", "skops", "datasets", "ctranslate2",
)  # fmt: skip
"""Whose versions are recorded, where they are installed."""


def environment(
    spec: PipelineSpec, dataset: Dataset, split: SplitName, seed: int, train_size: int, threads: int, seconds: float
) -> EnvironmentFile:
    """The content of ``environment.json``.

    Args:
        split: the one that the run answers.
        train_size: examples that it was fitted on.
        seconds: of wall time that fitting took.
    """
    made = made_with()
    return {
        "name": spec.name, "task": dataset.task.name, "data": dataset.name, "data_digest": dataset.digest,
        "split": split, "seed": seed, "train_examples": train_size, "labels": list(dataset.labels),
        "ordinal": dataset.ordinal, "threads": threads, "wall_seconds_of_fit": seconds,
        "finished": made["finished"], "python": made["python"], "platform": made["platform"],
        "processor": made["processor"], "packages": made["packages"], "source": made["source"],
    }  # fmt: skip


def made_with() -> MadeWith:
    """The part of ``environment.json`` that does not depend on the run: date, versions, machine."""
    return {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(), "platform": platform.platform(), "processor": processor(),
        "packages": {name: version for name in PACKAGES if (version := version_of(name))},
        "source": source_hash(),
    }  # fmt: skip


def processor() -> Processor:
    """The processor's name, its cores, and those of its instruction sets that decide how fast arithmetic is."""
    relevant = {"avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "avx_vnni", "asimd", "bf16", "sve"}
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
    return {"name": name, "cores": os.cpu_count(), "flags": sorted(relevant & flags)}
