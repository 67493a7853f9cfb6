"""The jobs of a comparison, as plain data: every pipeline with every seed and training size."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from nlpipe.spec import ComparisonSpec, PipelineSpec


class Order(TypedDict):
    """A job with all that another process, or another machine with the same files, needs to do it: plain data."""

    number: int
    """Which of the comparison's jobs it is."""
    pipeline: dict[str, Any]
    """The resolved pipeline with its data, as ``pipeline.yaml`` has it."""
    seed: int
    train_size: int | None
    out: str
    user_code: dict[str, Any]
    """What to import for stages of the user's own, as ``UserCode.plain`` gives it."""
    needed: list[list[str]]
    """Kind and name of what must be registered then."""


@dataclass(frozen=True)
class Job:
    """One run to be done."""

    spec: PipelineSpec
    seed: int
    train_size: int | None

    def __str__(self) -> str:
        size = "" if self.train_size is None else f", {self.train_size} examples"
        return f"{self.spec.name}, seed {self.seed}{size}"


def jobs_of(spec: ComparisonSpec) -> list[Job]:
    """Every run of a comparison: for each training size and seed, all pipelines.

    Where the comparison takes all of the training split, the size that a pipeline's own file gives stands.
    """
    return [
        Job(pipeline, seed, pipeline.train_size if size is None else size)
        for size in sizes_of(spec)
        for seed in spec.seeds
        for pipeline in spec.pipelines
    ]


def sizes_of(spec: ComparisonSpec) -> list[int | None]:
    """The training sizes of a comparison; None for the whole split."""
    return [None if size == "all" else int(size) for size in spec.train_sizes]


def hash_of(jobs: Sequence[Job], digest: str) -> str:
    """Eight hexadecimal digits that differ where other pipelines, data, seeds or sizes are compared.

    Args:
        digest: of the data set.
    """
    parts = [digest, *(f"{job.spec.resolved()} {job.seed} {job.train_size}" for job in jobs)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]
