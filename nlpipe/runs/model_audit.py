"""A run's language model looked through for training text that it repeats; what the data has is another audit.

``nlpipe.audit.audit`` looks for faults of a data set (``nlpipe data audit``); this looks at what a model made of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlpipe.audit.contents import texts_of
from nlpipe.audit.extraction import memorisation
from nlpipe.audit.memorisation import USUAL, Memorisation, Sampling
from nlpipe.capabilities import Generates, able
from nlpipe.errors import NlpipeError
from nlpipe.pipeline import Pipeline
from nlpipe.registry import written_name
from nlpipe.runs.answer import data_of
from nlpipe.runs.fit import sample
from nlpipe.runs.records import read_environment
from nlpipe.threads import use_threads


@dataclass(frozen=True)
class ModelAudit:
    """What was found in a run's model.

    Args:
        name: of the pipeline.
        data: name of the data set that it was fitted on.
        how: what was generated.
        found: what it repeats.
    """

    name: str
    data: str
    how: Sampling
    found: Memorisation

    def record(self) -> dict[str, Any]:
        """Everything, as JSON has it."""
        return {
            "name": self.name, "data": self.data, "samples": self.how.samples,
            "max_new_tokens": self.how.max_new_tokens, "seed": self.how.seed, **self.found.record(),
        }  # fmt: skip


def audit_run(
    folder: str | Path, how: Sampling = USUAL, report: Callable[[str], None] = lambda message: None
) -> ModelAudit:
    """How much of its training text the language model of a run repeats, and the personal data in both.

    The held-out text is the dev split of the run's data.

    Args:
        report: called with what is being done, in a few words.

    Raises:
        NlpipeError: the folder is not that of a run, its model is no language model, or its data cannot be read or has
            changed.
    """
    folder = Path(folder)
    if not (folder / "environment.json").is_file():
        raise NlpipeError(
            f"{folder}: this is not a run's folder, and the training text of a model is known of a run alone: 'nlpipe "
            f"runs DIR' lists the runs in DIR; for the faults of a data set: nlpipe data audit {folder}"
        )
    environment = read_environment(folder)
    if "evaluated" in environment:
        raise NlpipeError(f"{folder}: this is an evaluation, which has no model; its run is {environment['evaluated']}")
    pipeline = Pipeline.load(folder)
    if able(pipeline.head, Generates) is None:
        raise NlpipeError(
            f"{folder}: '{written_name(pipeline.head)}' is no language model and writes no text that could repeat its "
            f"training; for the faults of its data: nlpipe data audit {environment['data']}"
        )
    report("reading the data")
    dataset = data_of(folder)
    training = dataset.train
    if environment["train_examples"] < len(training):
        training = sample(training, environment["train_examples"], environment["seed"], dataset.name)
    use_threads(environment["threads"])
    found = memorisation(pipeline, texts_of(training.inputs), texts_of(dataset.dev.inputs), how, report)
    return ModelAudit(environment["name"], environment["data"], how, found)
