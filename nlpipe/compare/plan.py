"""The jobs of a comparison, as plain data: every pipeline with its seeds and training sizes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from nlpipe.capabilities import Trained, declares
from nlpipe.errors import NlpipeError
from nlpipe.registry import slot
from nlpipe.runs.identity import names_of
from nlpipe.spec import ComparisonSpec, PipelineSpec, read_pipeline
from nlpipe.spec.comparisons import FIRST_SEED
from nlpipe.spec.tune import names_to_try

BASELINES = {
    "classification": "pipelines/sentiment/tfidf_logreg.yaml",
    "tagging": "pipelines/ner/window.yaml",
    "translation": "pipelines/translation/lexical.yaml",
    "language_modelling": "pipelines/language/ngram.yaml",
}
"""The pipeline that is added where a comparison has none that is classical, by task."""


class Order(TypedDict):
    """A job with all that another process, or another machine with the same files, needs to do it: plain data."""

    number: int
    """Which of the comparison's jobs it is."""
    pipeline: dict[str, Any]
    """The resolved pipeline with its data, as ``pipeline.yaml`` has it; with ``tune``, options are searched first."""
    seed: int
    train_size: int | None
    folds: int | None
    fold: int | None
    measure: bool
    """Whether to measure the costs in use at once, which disturbs, and is disturbed by, what else is running."""
    out: str
    user_code: dict[str, Any]
    """What to import for stages of the user's own, as ``UserCode.plain`` gives it."""
    needed: list[list[str]]
    """Kind and name of what must be registered then."""


@dataclass(frozen=True)
class Job:
    """One run to be done.

    What its spec names under ``tune`` is searched first; that is so in folds, where each has a search of its own.
    """

    spec: PipelineSpec
    seed: int
    train_size: int | None
    folds: int | None = None
    fold: int | None = None
    """Which part of ``folds`` is the test split; the numbers from ``folds`` on are those of a further repeat."""

    def __str__(self) -> str:
        size = "" if self.train_size is None else f", {self.train_size} examples"
        if self.fold is not None:
            return f"{self.spec.name}, fold {self.fold + 1}{size}"
        return f"{self.spec.name}, seed {self.seed}{size}"

    @property
    def pipeline(self) -> dict[str, Any]:
        """Its pipeline as plain data, with what is searched before it is run."""
        searched = {} if self.spec.tune is None else {"tune": self.spec.tune.plain()}
        return {**self.spec.resolved(), **searched}

    @property
    def needed(self) -> set[tuple[str, str]]:
        """Kind and name of the stages that it may use, nested ones too."""
        return names_of(self.spec) | names_to_try(self.spec)


def jobs_of(spec: ComparisonSpec) -> list[Job]:
    """Every run of a comparison: for each training size and seed, all pipelines.

    A pipeline that no seed changes is run with the first one alone, unless the seed chooses its training examples.
    Where the comparison takes all of the training split, the size that a pipeline's own file gives stands. In a
    cross-validation every fold has a seed of its own, so that its luck is in the scores of the folds.
    """
    if spec.folds is not None:
        return [
            Job(pipeline, FIRST_SEED + fold, pipeline.train_size if size is None else size, spec.folds, fold)
            for size in sizes_of(spec)
            for fold in range(spec.folds * spec.repeats)
            for pipeline in spec.pipelines
        ]
    fixed = {pipeline.name for pipeline in spec.pipelines if not uses_seed(pipeline)}
    jobs = []
    for size in sizes_of(spec):
        for seed in spec.seeds:
            for pipeline in spec.pipelines:
                own = pipeline.train_size if size is None else size
                if seed == spec.seeds[0] or pipeline.name not in fixed or own is not None:
                    jobs.append(Job(pipeline, seed, own))
    return jobs


def uses_seed(spec: PipelineSpec) -> bool:
    """Whether another seed could give another pipeline: it is trained by gradients, or a stage says so."""
    if spec.members:
        return any(uses_seed(member) for member in spec.members)
    stages = [stage.make() for stage in spec.stages]
    return is_neural(spec) or any(each.uses_seed for stage in stages for each in stage.with_nested())


def is_neural(spec: PipelineSpec) -> bool:
    """Whether the head of a pipeline is trained by gradients."""
    head = spec.stages[-1]
    return declares(slot(head.slot).load(head.name), Trained)


def with_baseline(spec: ComparisonSpec, task: str) -> tuple[ComparisonSpec, str | None]:
    """The comparison with a classical baseline, and the name of the one that was added; None where it has one."""
    classical = [
        each for each in spec.pipelines if not (is_neural(each) or each.members) and each.stages[-1].name != "majority"
    ]
    if classical or task not in BASELINES:
        return spec, None
    try:
        baseline = read_pipeline(BASELINES[task])
    except NlpipeError:
        return spec, None
    name = baseline.name
    while name in {each.name for each in spec.pipelines}:
        name += "_baseline"
    added = replace(baseline, name=name, data=spec.data)
    return replace(spec, pipelines=(*spec.pipelines, added)), name


def sizes_of(spec: ComparisonSpec) -> list[int | None]:
    """The training sizes of a comparison; None for the whole split."""
    return [None if size == "all" else int(size) for size in spec.train_sizes]


def hash_of(jobs: Sequence[Job], digest: str) -> str:
    """Eight hexadecimal digits that differ where other pipelines, data, seeds or sizes are compared.

    Args:
        digest: of the data set.
    """
    parts = [digest, *(f"{job.pipeline} {job.seed} {job.train_size} {job.folds} {job.fold}" for job in jobs)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]
