"""Labelled examples that a fitted pipeline is scored on: files, read as its training data was, or a split of a card."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from nlpipe.datasets.card_finder import LocatedCard, card_names, existing, find_card
from nlpipe.datasets.cards import SPLITS, Card
from nlpipe.datasets.load import MOST_PROBABILITIES, cleaned, columns_of, load_dataset
from nlpipe.datasets.readers import format_of, formats_of
from nlpipe.datasets.sources import rows
from nlpipe.datasets.splits import plain
from nlpipe.datasets.unseen import check_split
from nlpipe.errors import DataError, suggest
from nlpipe.tag_schemes import marks_entities, parts
from nlpipe.tasks.task import Ledger, Split, Task
from nlpipe.wire import Labels, LabelSets, Tags

NAME: Final = "evaluation"
"""What messages call these examples."""


@dataclass(frozen=True)
class Changes:
    """How files are read where it differs from how the training data was read; None: as that was.

    Args:
        columns: role to the column's name, or its number.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    form: str | None = None
    encoding: str | None = None
    delimiter: str | None = None


@dataclass(frozen=True)
class Labelled:
    """Examples with their targets.

    Args:
        name: of the data: the files, or ``card:split``.
        ledger: what reading them counted.
        digest: sha256 of inputs and targets.
    """

    name: str
    split: Split
    ledger: Ledger
    digest: str


class _Respelled(dict[str, str]):
    """A card's spellings of labels, in which a label that it does not have is itself: unknown ones are counted."""

    def __contains__(self, label: object) -> bool:
        return True

    def __missing__(self, label: str) -> str:
        return label


def read_labelled(
    data: Sequence[str],
    task: Task,
    labels: Sequence[str],
    reading: Mapping[str, Any],
    card: Card | None = None,
    changes: Changes | None = None,
) -> Labelled:
    """The examples that ``data`` names.

    A label that training did not have is counted in the ledger, and its examples stay: no answer to them is right.

    Args:
        data: a card's name or file, which stands for its test split, ``CARD:SPLIT``, or files.
        task: that was fitted, with what it kept of the training split.
        labels: those of the training split.
        reading: how the training data was read, as ``Card.reading`` gives it.
        card: of the training data, where it is still there: what it says of labels, rows and replacements holds too.
        changes: of the reading, for files.

    Raises:
        DataError: there is no such file or card, it is of another task, an example cannot be read, or none of the
            labels is one of training.
    """
    located = _card(data[0]) if len(data) == 1 else None
    changes = changes or Changes()
    if located is not None:
        if changes != Changes():
            raise DataError(f"{data[0]}: this is a card, which says how it is read; change that there")
        name, split, ledger = _of_card(*located, task)
    else:
        name, split, ledger = _of_files(data, task, reading, card, changes)
    if isinstance(split.targets, Labels | LabelSets) and len(labels) * len(split) > MOST_PROBABILITIES:
        most = MOST_PROBABILITIES // len(labels)
        raise DataError(
            f"{name}: {len(split):,} examples of {len(labels):,} labels; evaluate at most {most:,} at a time"
        )
    if isinstance(split.targets, Labels | LabelSets | Tags):
        typed = isinstance(split.targets, Tags) and marks_entities(labels)
        known = {parts(label)[1] for label in labels if label != "O"} if typed else set(labels)
        check_split(split, ledger, known, typed, NAME, name)
    return Labelled(name, split, ledger, _digest(split))


def _card(data: str) -> tuple[str, str] | None:
    """Card and split that ``data`` names; None where it is a file.

    Raises:
        DataError: it is neither.
    """
    card, _, split = data.rpartition(":")
    if not Path(data).exists() and (card in card_names() or card.endswith((".yaml", ".yml"))):
        if split not in SPLITS:
            raise DataError(f"{data}: a card has no split '{split}'{suggest(split, SPLITS)}")
        return card, split
    if data in card_names() or data.endswith((".yaml", ".yml")):
        return data, "test"
    if not Path(data).exists() and not format_of(data) and "/" not in data:
        near = suggest(data, card_names())
        raise DataError(f"{data}: there is no such file, and no such card{near if near.startswith('; did') else ''}")
    return None


def _of_card(name: str, split: str, task: Task) -> tuple[str, Split, Ledger]:
    found = find_card(name).card.task
    if found != task.name:
        raise DataError(f"{name}: this card is for {found}, and the pipeline was fitted for {task.name}")
    dataset = load_dataset(name)
    read = dataset.ledger.get(split, Ledger())
    of_its_train = ("in_", "labels_unseen")  # the training split of the run is what counts here
    counts = {what: count for what, count in read.counts.items() if not what.startswith(of_its_train)}
    kept = {what: shown for what, shown in read.examples.items() if what in counts}
    return f"{dataset.name}:{split}", getattr(dataset, split), Ledger(counts, kept)


def _of_files(
    files: Sequence[str], task: Task, reading: Mapping[str, Any], card: Card | None, changes: Changes
) -> tuple[str, Split, Ledger]:
    """The examples of files that are read by a card made for them, with the keys of the training data's."""
    for file in files:
        existing(str(Path(file).expanduser().absolute()))
    for role in changes.columns:
        if role not in task.columns:
            raise DataError(f"--column {role}: {task.name} has no column '{role}'{suggest(role, task.columns)}")
    located = _card_of(files, task, reading, card, changes)
    name, ledger = ", ".join(files), Ledger()
    spellings = _Respelled(located.card.labels) if located.card.labels else None
    try:
        if located.card.where and not _has_columns(located):
            ledger.add("where_left_out", ", ".join(located.card.where))
            located = replace(located, card=located.card.model_copy(update={"where": {}}))
        found = rows(located, "train", columns_of(located.card), ledger)  # the one split that a card must have
        assert found is not None
        split = task.split(cleaned(located, NAME, found), spellings, ledger.add)
    except DataError as error:
        raise DataError(_in_our_words(str(error), located.card)) from None
    if not len(split):
        raise DataError(f"{name}: no examples")
    return name, split, ledger


def _has_columns(located: LocatedCard) -> bool:
    """Whether the first record has the columns of ``where``: they choose rows of the training data's own files."""
    conditions: dict[str, str | int] = {f"where {column}": column for column in located.card.conditions()}
    try:
        return next(iter(rows(located, "train", conditions, Ledger()) or ()), None) is not None
    except DataError:
        return False


def _in_our_words(message: str, card: Card) -> str:
    """What a reader says of a missing column, with what can be typed in place of what a card would say."""
    message = re.sub(r"give the field of the (\w+) as columns: \{\1: NAME\}", r"give it as --column \1=NAME", message)
    ways = " or ".join(f"--column {role}=NAME" for role in card.roles())
    return message.replace("give the column in columns:, by name or by number", f"give yours as {ways}")


def _card_of(
    files: Sequence[str], task: Task, reading: Mapping[str, Any], card: Card | None, changes: Changes
) -> LocatedCard:
    """A card whose training split is ``files``."""
    usual = reading.get("format")
    form = changes.form or _form(files, task, usual, card)
    alike = form == usual
    trained = reading.get("columns", {}).items()
    columns = {
        role: column for role, column in trained if alike or (isinstance(column, str | list) and form != "conll")
    }
    columns |= {role: _column(column, form) for role, column in changes.columns.items()}
    content: dict[str, Any] = {
        "task": task.name, "train": list(files), "columns": columns,
        "encoding": changes.encoding or reading.get("encoding") or "utf-8",
    }  # fmt: skip
    if form is not None:
        content["format"] = form
    if alike:
        keys = ("header", "quoting", "delimiter", "comment", "replace")
        content |= {key: reading[key] for key in keys if reading.get(key) not in (None, {})}
    if "separator" in reading and "labels" not in changes.columns:
        content["separator"] = reading["separator"]
    if changes.delimiter is not None:
        content["delimiter"] = changes.delimiter
    if card is not None:
        content |= {key: dict(value) for key, value in (("where", card.where), ("labels", card.labels)) if value}
    return find_card(content)


def _form(files: Sequence[str], task: Task, usual: str | None, card: Card | None) -> str | None:
    """The format: that of the training data where the names end alike or tell nothing, else by the name.

    Raises:
        DataError: the name is that of a format which has no examples of the task.
    """
    named = format_of(files[0])
    trained = getattr(card.origin(), "train", "") if card is not None else ""
    if usual is not None and trained and format_of(trained if isinstance(trained, str) else trained[0]) == named:
        return usual
    if named is None:
        return "parallel" if len(files) > 1 and "parallel" in formats_of(task) else task.usual_format or usual
    if named not in formats_of(task):
        forms = ", ".join(formats_of(task))
        raise DataError(f"{files[0]}: {named} holds no examples of {task.name}; expected {forms} (--input says which)")
    return named


def _column(written: str, form: str | None) -> str | int:
    """A column as ``--column`` gives it: digits are its number where columns have numbers."""
    numbered = form in ("csv", "tsv", "conll", "parallel") and re.fullmatch(r"-?[0-9]{1,6}", written)
    return int(written) if numbered else written


def _digest(split: Split) -> str:
    content = json.dumps([plain(split.inputs), plain(split.targets)], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()
