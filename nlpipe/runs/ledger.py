"""What was lost on the way from the data to the answers, counted by split."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

from nlpipe.datasets.dataset import Dataset
from nlpipe.errors import NlpipeWarning
from nlpipe.pipeline import Pipeline
from nlpipe.stage import Tokenizer
from nlpipe.tasks.task import Ledger
from nlpipe.wire import Text, Tokens

LOST = {
    "entities_not_at_words": "entities whose ends are not those of words were left out",
    "entities_overlapping": "entities that overlap a longer one were left out",
    "tags_out_of_scheme": "tags broke their scheme and were read as conlleval reads them",
}
"""What the ledger counts that a person should hear of when the run ends."""


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
    if isinstance(dataset.test.inputs, Tokens) and (tokenizer := pipeline.tokenizer) is not None:
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
