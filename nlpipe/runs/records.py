"""The files of a run's folder as types, one for each file; read with a check that the required keys are there.

Annotations are not postponed in this file: a TypedDict would then not see which of its keys are not required.
"""

import types
import typing
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict, TypeVar

from nlpipe.errors import NlpipeError
from nlpipe.files import read_json

FILES = (
    "pipeline.yaml", "metrics.json", "predictions.jsonl", "items.safetensors", "costs.json", "ledger.json",
    "environment.json", "scoring.json",
)  # fmt: skip
"""What a run's folder holds, beside ``model/``."""

SplitName = Literal["dev", "test"]
"""The split that a run answers and is scored on."""

Scored = Literal["dev", "test", "evaluation"]
"""What a folder has the answers to: a run's split, or other examples, as ``nlpipe evaluate`` writes them."""


class DefinitionRecord(TypedDict):
    """What a score of ``metrics.json`` means; see ``nlpipe.metrics.metric.Definition``."""

    unit: str
    higher_is_better: bool
    full_name: str


class MetricsFile(TypedDict):
    """``metrics.json``: the scores of the split that was answered, and those of dev where that is another one."""

    split: Scored
    primary: str
    """The score that comparisons decide on."""
    scores: dict[str, float]
    definitions: dict[str, DefinitionRecord]
    """Of each score: its unit, its direction and its full name."""
    primary_reason: NotRequired[str]
    """Why nlpipe chose that score, where no card did and it is not the task's usual one."""
    dev: NotRequired[dict[str, float]]
    registered: NotRequired[dict[str, str]]
    """Metrics of the user's own among them, each with the fingerprint of its code."""


class CostsFile(TypedDict):
    """``costs.json``: seconds, bytes and counts. What was not measured is absent, never 0."""

    fit_seconds: NotRequired[float]
    fit_cpu_seconds: NotRequired[float]
    """Seconds of the processor, of all threads; absent where stages were shared that another pipeline fitted."""
    fit_seconds_by_stage: NotRequired[dict[str, float]]
    parameters: NotRequired[int]
    model_bytes: NotRequired[int]
    threads: NotRequired[int]
    price_per_1000: NotRequired[float]
    """Of answers from elsewhere: the price of 1,000 texts, in whatever currency; comparisons compute that of others."""
    load_seconds: NotRequired[float]
    latency_mean_seconds: NotRequired[float]
    """One by one, over texts; it says more than the median of a cascade, whose texts cost very different amounts."""
    latency_p50_seconds: NotRequired[float]
    latency_p95_seconds: NotRequired[float]
    texts_per_second: NotRequired[float]
    peak_memory_bytes: NotRequired[float]
    cpu_seconds_per_text: NotRequired[float]
    """Of the processor, in batches, of all threads."""
    joules_per_text: NotRequired[float]
    """Of all processors, other programs' work included, in batches; absent where their counters cannot be read."""


class SplitLedger(TypedDict):
    """What was lost on the way in one split: counts by name, with up to five examples of each."""

    counts: dict[str, float]
    examples: dict[str, list[str]]


class LedgerFile(TypedDict):
    """``ledger.json``: what was lost on the way, by split, and every warning."""

    all: SplitLedger
    train: SplitLedger
    dev: SplitLedger
    test: SplitLedger
    evaluation: NotRequired[SplitLedger]
    """Of the examples of ``nlpipe evaluate``; the splits have nothing then."""
    warnings: list[str]
    warnings_by_step: NotRequired[dict[str, list[str]]]
    """The same warnings by the step that gave them (fit, answer, measure), so that a step can be repeated."""


class Processor(TypedDict):
    """The processor's name, cores, and those instruction sets that decide how fast arithmetic is."""

    name: str
    cores: int | None
    flags: list[str]


class MadeWith(TypedDict):
    """The part of ``environment.json`` that is the same for every run at the time."""

    finished: str
    python: str
    platform: str
    processor: Processor
    packages: dict[str, str]
    source: str
    """Hash of nlpipe's own code."""


class EnvironmentFile(MadeWith):
    """``environment.json``: what the run was made with."""

    name: str
    task: str
    data: str
    data_digest: str
    split: NotRequired[Scored]
    """Absent in runs of nlpipe 0.1.0, which are all of the test split."""
    evaluated: NotRequired[str]
    """The run's folder whose pipeline answered, where this is not that folder (``nlpipe evaluate --out``)."""
    answers: NotRequired[str]
    """The file whose answers were taken into a comparison, where no pipeline of ours answered."""
    runtime: NotRequired[str]
    """What computes the networks: ``ctranslate2``, ``onnx``, ``onnx-int8`` …; absent where nlpipe does."""
    exported_from: NotRequired[str]
    """The folder of the run that an exported one was made of."""
    seed: int
    train_examples: int
    labels: list[str]
    ordinal: bool
    threads: int
    wall_seconds_of_fit: float
    fingerprints: NotRequired[dict[str, str]]
    """Of the class of each stage, nested ones too, and of the task; absent in runs of nlpipe 0.1.0."""
    files: NotRequired[dict[str, str]]
    """sha256 of each file or folder that options name (word vectors, gazetteers); absent in older runs."""


class ScoringFile(TypedDict):
    """``scoring.json``: what the scores depend on besides the predictions."""

    task: str
    labels: list[str]
    ordinal: bool
    split: Scored
    state: dict[str, Any]
    """What the task keeps of the training split, as ``Task.state`` gives it."""


class PredictionLine(TypedDict):
    """One line of ``predictions.jsonl``; which of the optional keys are there depends on the task."""

    id: NotRequired[str]
    """See ``nlpipe.runs.answer.example_ids``. Absent in runs of nlpipe 0.1.0."""
    gold: str | list[str]
    predicted: str | list[str]
    words: NotRequired[list[str]]
    text: NotRequired[str]
    """The input, in the answers of ``nlpipe evaluate`` alone; a run's own inputs are those of its data set."""
    entities: NotRequired[dict[str, list[list[int | str]]]]
    """Gold and predicted in characters, where the pipeline splits the text itself."""
    group: NotRequired[str]
    """What the example belongs to, where the card has ``group:``."""
    score: NotRequired[float]
    scores: NotRequired[list[float]]
    probabilities: NotRequired[dict[str, float]]


File = TypeVar("File", MetricsFile, CostsFile, LedgerFile, EnvironmentFile, ScoringFile)


def read_record(path: Path, kind: type[File]) -> File:
    """What is in a file of a run's folder.

    Raises:
        NlpipeError: the file is missing, is not JSON, lacks a key, or has a value of another type.
    """
    content = read_json(path)
    required: frozenset[str] = vars(kind)["__required_keys__"]
    if not isinstance(content, dict) or not content.keys() >= required:
        missing = ", ".join(sorted(required - set(content))) if isinstance(content, dict) else "all keys"
        raise NlpipeError(f"{path}: not as nlpipe writes it ({missing} missing); run the pipeline with --again")
    if fault := _misfit(content, kind):
        raise NlpipeError(f"{path}: not as nlpipe writes it ({fault}); run the pipeline with --again")
    record: File = content  # type: ignore[assignment]
    return record


def _misfit(value: Any, hint: Any, place: str = "") -> str:
    """What in a JSON value is not of the type ``hint``, which is one that this file uses; empty if all of it is."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if typing.is_typeddict(hint):
        if not isinstance(value, dict):
            return f"{place or 'it'} is no object"
        hints = typing.get_type_hints(hint)
        if value and not value.keys() & hints.keys():  # of another file, where none is required
            return f"{place or 'it'} has none of the keys"
        lacks = [f"{place}.{key} is missing" for key in vars(hint)["__required_keys__"] - value.keys()]
        faults = [_misfit(value[key], hints[key], f"{place}.{key}".strip(".")) for key in hints if key in value]
        return next(filter(None, [*lacks, *faults]), "")
    if origin is typing.Literal:
        return "" if value in arguments else f"{place} is none of {', '.join(map(str, arguments))}"
    if origin in (dict, list):
        if not isinstance(value, origin):
            return f"{place} is no {'object' if origin is dict else 'list'}"
        items = value.values() if isinstance(value, dict) else value
        return next(filter(None, (_misfit(item, arguments[-1], f"an item of {place}") for item in items)), "")
    if origin is types.UnionType:
        return "" if any(not _misfit(value, each) for each in arguments) else f"{place} is of another type"
    if hint is Any or (hint is float and isinstance(value, int | float)):
        return ""
    return "" if isinstance(value, hint) else f"{place} is of another type"


def read_environment(folder: Path) -> EnvironmentFile:
    """``environment.json`` of a run.

    Raises:
        NlpipeError: ``folder`` is not that of a run, or the file is damaged.
    """
    path = folder / "environment.json"
    if not path.exists():
        what = "this is not a run's folder" if folder.exists() else "there is no such folder"
        raise NlpipeError(f"{folder}: {what}; 'nlpipe runs DIR' lists the runs in DIR")
    return read_record(path, EnvironmentFile)


LOWER_IS_BETTER = frozenset({"log_loss", "calibration_error", "mean_absolute_error"})
"""Of the scores of nlpipe 0.1.0, which did not store the direction."""


def read_metrics(path: Path) -> MetricsFile:
    """``metrics.json``, also that of a run of nlpipe 0.1.0, which stored the full names alone.

    Raises:
        NlpipeError: as ``read_record``.
    """
    content = read_json(path)
    if not isinstance(content, dict) or "signatures" not in content:
        return read_record(path, MetricsFile)
    definitions: dict[str, DefinitionRecord] = {
        name: {"unit": "", "higher_is_better": name not in LOWER_IS_BETTER, "full_name": full_name}
        for name, full_name in content["signatures"].items()
    }
    metrics: MetricsFile = {
        "split": "test", "primary": content["primary"], "scores": content["scores"], "definitions": definitions,
        "dev": content["dev"],
    }  # fmt: skip
    return metrics
