"""One model that is served: loaded, tried once, asked, and loaded again when its folder was replaced."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from nlpipe.errors import ModelError, NlpipeError
from nlpipe.pipeline import Pipeline
from nlpipe.pipeline.saving import model_root
from nlpipe.pipeline.unsure import OPTION, no_confidence
from nlpipe.registry import written_name
from nlpipe.serving.request_batches import Answers

TRIAL = "A text to try the model with."
"""Answered once when a model is loaded: it shows that the model can answer, and what its answers consist of."""
TRIES = 3
"""How often a model is read whose folder is replaced meanwhile."""
DIGITS = 12
"""Hexadecimal digits of a version."""


@dataclass(frozen=True)
class Loaded:
    """A model in memory; what becomes of its folder does not change it.

    Args:
        pipeline: one of its copies.
        free: the copies that answer nothing at the moment; a copy answers one batch at a time.
        version: the first digits of the sha256 of ``model.json``, which holds the hashes of all other files.
        example: the answer to ``TRIAL``.
    """

    pipeline: Pipeline
    free: SimpleQueue[Pipeline]
    version: str
    example: Mapping[str, Any]


class ServedModel:
    """A model under the name by which it is asked for.

    Args:
        folder: a run's folder or a saved model's; a symbolic link is followed each time it is loaded.
        name: None for that of its pipeline.
        workers: how many copies of it are loaded, and so how many batches it answers at a time.
        threshold: the confidence below which its answers are ``unsure``; None where they do not say so.

    Raises:
        NlpipeError: there is no model, it is damaged, it is a language model, or there is a threshold and its answers
            have no confidence.
    """

    def __init__(self, folder: Path, name: str | None = None, workers: int = 1, threshold: float | None = None) -> None:
        self.folder = folder
        self.workers = workers
        self.threshold = threshold
        self.loaded = load(folder, workers, threshold)
        self.name = name or self.loaded.pipeline.name
        self._reloading = asyncio.Lock()

    def answer(self, texts: list[str]) -> Answers:
        """The answers to ``texts``, by a copy that is free; waits for one."""
        loaded = self.loaded  # it may be replaced while these are answered
        pipeline = loaded.free.get()
        try:
            return answers_of(pipeline, loaded.version, texts)
        finally:
            loaded.free.put(pipeline)

    async def reload(self) -> bool:
        """Load the model again if its folder holds another version; whether it did. Requests are answered meanwhile.

        Raises:
            NlpipeError: the new version cannot be loaded; the one before is served on.
        """
        async with self._reloading:
            if await asyncio.to_thread(version_of, self.folder) == self.loaded.version:
                return False
            self.loaded = await asyncio.to_thread(load, self.folder, self.workers, self.threshold)
            return True


def load(folder: Path, workers: int = 1, threshold: float | None = None) -> Loaded:
    """Load a model ``workers`` times and try it.

    Raises:
        NlpipeError: there is none, it is damaged, replaced too often while it is read, a language model, or one whose
            answers have no confidence where there is a threshold.
    """
    for _ in range(TRIES):
        version = version_of(folder)
        copies = [Pipeline.load(folder) for _ in range(workers)]
        if version_of(folder) == version:
            break
    else:
        raise ModelError(f"{folder}: it was replaced while it was read, {TRIES} times; try again when it is whole")
    pipeline = copies[0]
    if pipeline.task.capability is not None:
        way = "use nlpipe generate, nlpipe score or nlpipe fill"
        raise NlpipeError(f"{folder}: a model for {pipeline.task.name}, which serve does not answer with; {way}")
    free: SimpleQueue[Pipeline] = SimpleQueue()
    for copy in copies:
        answers = answers_of(copy, version, [TRIAL])
        free.put(copy)
    if threshold is not None and answers.confidence is None:
        raise NlpipeError(f"{folder}: {no_confidence(OPTION, written_name(pipeline.head))}")
    (example,) = answers.marked(threshold)
    return Loaded(pipeline, free, version, example)


def version_of(folder: Path) -> str:
    """The version of the model that ``folder`` holds now.

    Raises:
        ModelError: it holds none.
    """
    manifest = model_root(folder) / "model.json"
    try:
        return hashlib.sha256(manifest.read_bytes()).hexdigest()[:DIGITS]
    except OSError as error:
        raise ModelError(f"{manifest}: {error.strerror or error}") from None


def answers_of(pipeline: Pipeline, version: str, texts: Sequence[str]) -> Answers:
    """For each text the answer as ``nlpipe predict --format jsonl`` writes it; of generated texts also ``cut``."""
    if not texts:
        return Answers(version, [], [])
    predictions = pipeline.predict(texts)
    records = [pipeline.task.record(None, predictions, i) for i in range(len(texts))]
    if predictions.cut is not None:
        for record, cut in zip(records, predictions.cut, strict=True):
            record["cut"] = bool(cut)
    return Answers(version, records, None if predictions.confidence is None else predictions.confidence.tolist())
