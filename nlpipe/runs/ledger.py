"""What was lost on the way from the data to the answers, counted by split, and every warning."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from nlpipe.datasets.dataset import Dataset
from nlpipe.errors import NlpipeWarning
from nlpipe.pipeline import Pipeline
from nlpipe.runs.records import LedgerFile, Scored, SplitLedger, read_record
from nlpipe.stage import Tokenizer
from nlpipe.tasks.task import Ledger, Split
from nlpipe.wire import Text, Tokens

STEPS = ("fit", "answer", "measure", "score")
"""The steps that can warn, in their order."""

LOST = {
    "entities_invalid": "entities are not valid and were left out",
    "entities_text_differs": "entities have another text than what stands at their offsets",
    "entities_not_at_words": "entities whose ends are not those of words have no tags and count as missed",
    "entities_overlapping": "entities that overlap a longer one were left out",
    "labels_alike": "pairs of labels differ in case alone or are the same number, and count as different",
    "labels_of_all": "labels are those of every training example, so that every text is given them",
    "labels_without_examples": "labels that the card names are those of no training example and cannot be predicted",
    "labels_unseen": "labels do not occur in the training split and cannot be predicted",
    "without_labels": "texts have no label, and no other of the split has one, so that its F1 is 1 or 0",
    "headers_repeated": "rows repeat the header of their file and were left out",
    "header_as_example": "rows look like a header and were read as examples (header: true leaves out a first row)",
    "not_annotated": "tasks were not annotated and were left out",
    "annotations_further": "tasks have annotations of several people, of which the first was read",
    "where_left_out": "columns of the training data's where are not in the file, so that all its rows are used",
    "tags_out_of_scheme": "tags broke their scheme and were read as conlleval reads them",
    "cut_into_blocks": (
        "corpus of few documents was cut into blocks, which count as items; intervals are less exact than with "
        "documents (documents: paragraph or line makes more)"
    ),
}
"""Counts of reading that become warnings of the run, and the end of each warning's sentence."""
OF_ITEMS = ("cut_into_blocks",)
"""Counts that are reported for test and for further data alone, where scores are computed."""


def steps_done(folder: Path) -> set[str]:
    """The steps that have written their warnings, perhaps none, into the ledger of a fitted run: those that ended."""
    return set(read_record(folder / "ledger.json", LedgerFile).get("warnings_by_step", {}))


@contextmanager
def recorded() -> Iterator[list[str]]:
    """The texts of the NlpipeWarnings issued in the block, in place of showing them; filled when the block ends."""
    messages: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", NlpipeWarning)
        try:
            yield messages
        finally:
            messages += [str(w.message) for w in caught if issubclass(w.category, NlpipeWarning)]


def begin_ledger(dataset: Dataset, messages: Sequence[str]) -> LedgerFile:
    """The content of ``ledger.json`` when fitting has ended: what reading dropped, and the warnings until then."""
    read = {name: _reading(dataset, name) for name in ("all", "train", "dev", "test")}
    ledger: LedgerFile = {
        "all": read["all"], "train": read["train"], "dev": read["dev"], "test": read["test"], "warnings": [],
    }  # fmt: skip
    return with_warnings(ledger, "fit", messages)


def complete_ledger(
    dataset: Dataset, train: Split, pipeline: Pipeline, split: Scored, begun: LedgerFile, messages: Sequence[str]
) -> LedgerFile:
    """The content of ``ledger.json`` after the answer step: also what the stages could not use.

    Args:
        train: the training examples that were used, perhaps a sample of the data set's.
        split: the one that was answered; where it is dev, nothing is counted in test.
        begun: what the file held before.
        messages: of the warnings issued while answering.
    """
    ledger = begin_ledger(dataset, [])
    used = [("train", ledger["train"], train), ("dev", ledger["dev"], dataset.dev)]
    if split == "test":
        used.append(("test", ledger["test"], dataset.test))
    for _, entry, examples in used:
        entry["counts"] |= {"examples": len(examples), **pipeline.ledger(examples.inputs)}
    tokenizer = pipeline.tokenizer
    if split == "test" and isinstance(dataset.test.inputs, Tokens) and tokenizer is not None:
        _count_split_otherwise(ledger["test"], tokenizer, dataset.test.inputs)
    notes = list(messages)
    for name, entry, _ in used:
        notes += _nothing_known(name, entry["counts"])
    for name, read in dataset.ledger.items():
        notes += _lost(name, read)
    ledger["warnings_by_step"] = dict(begun.get("warnings_by_step", {}))
    return with_warnings(ledger, "answer", notes)


def evaluation_ledger(split: Split, read: Ledger, pipeline: Pipeline, messages: Sequence[str]) -> LedgerFile:
    """The content of ``ledger.json`` of examples that are no split of a data set.

    Args:
        read: what reading them counted.
        messages: of the warnings issued so far.
    """
    entry: SplitLedger = {"counts": dict(read.counts), "examples": dict(read.examples)}
    entry["counts"] |= {"examples": len(split), **pipeline.ledger(split.inputs)}
    if isinstance(split.inputs, Tokens) and pipeline.tokenizer is not None:
        _count_split_otherwise(entry, pipeline.tokenizer, split.inputs)
    none: SplitLedger = {"counts": {}, "examples": {}}
    ledger: LedgerFile = {
        "all": none, "train": none, "dev": none, "test": none, "evaluation": entry, "warnings": [],
    }  # fmt: skip
    notes = [*messages, *_nothing_known("evaluation", entry["counts"]), *_lost("evaluation", read)]
    return with_warnings(ledger, "answer", notes)


def _nothing_known(name: str, counts: Mapping[str, float]) -> list[str]:
    """Sentences about a split in which no text has a word, or no word is known."""
    notes = []
    if 0 < counts["examples"] == counts.get("without_tokens", 0):
        notes.append(f"{name}: not one of {counts['examples']:,.0f} texts has a word in it")
    if 0 < counts.get("tokens", 0) == counts.get("out_of_vocabulary", 0):
        notes.append(f"{name}: not one of {counts['tokens']:,.0f} words is known to the representation")
    return notes


def _lost(name: str, read: Ledger) -> list[str]:
    """Sentences about what reading a split has lost."""
    return [
        f"{name}: {read.counts[what]:,.0f} {text}, the first {read.examples[what][0]}"
        for what, text in LOST.items()
        if read.counts.get(what) and (what not in OF_ITEMS or name not in ("train", "dev"))
    ]


def with_warnings(
    ledger: LedgerFile, step: Literal["fit", "answer", "measure", "score"], messages: Sequence[str]
) -> LedgerFile:
    """``ledger`` with ``messages`` as the warnings of ``step``, in place of those that it gave before."""
    by_step = {**ledger.get("warnings_by_step", {}), step: list(messages)}
    flat = [message for name in STEPS for message in by_step.get(name, [])]
    return {**ledger, "warnings": flat, "warnings_by_step": by_step}


def split_otherwise(tokenizer: Tokenizer, given: Tokens) -> Iterator[str]:
    """Sentences whose words stand elsewhere when ``tokenizer`` splits their text, as it will that of raw texts.

    Of data that comes split the text is not known: its words with spaces between stand for it.
    """
    for i, text in enumerate(given.texts):
        if tokenizer.forward(Text([text])).spans(0) != given.spans(i):
            yield text


def _count_split_otherwise(entry: SplitLedger, tokenizer: Tokenizer, inputs: Tokens) -> None:
    counted = Ledger()
    for text in split_otherwise(tokenizer, inputs):
        counted.add("split_otherwise", text)
    entry["counts"] |= {"split_otherwise": 0, **counted.counts}
    entry["examples"] |= counted.examples


def _reading(dataset: Dataset, name: str) -> SplitLedger:
    entry = dataset.ledger.get(name, Ledger())
    return {"counts": dict(entry.counts), "examples": dict(entry.examples)}
