"""Examples given in Python, checked as those of files are, with the position in every message.

Targets become rows that the task reads as it reads the rows of a file, so that labels, tags and entities obey the
same rules whatever door they come through.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from nlpipe.errors import DataError, NlpipeWarning
from nlpipe.labels import clean_label
from nlpipe.stage import Tokenizer
from nlpipe.tasks.task import Row, Split, Task
from nlpipe.wire import Labels, LabelSets, Tags, Text, Tokens, Wire

LIST = "expected a list of texts, or of lists of words"


class PythonRow(Row):
    """An example given in Python; ``line`` is its position, counted from 0."""

    def place(self, role: str) -> str:
        """Its position: ``tags[3]``."""
        return f"{ARGUMENTS.get(role, role)}[{self.line}]"


ARGUMENTS = {"tag": "tags", "entities": "entities", "token": "words", "text": "texts"}


def inputs_of(given: Any) -> Wire:
    """Texts, or texts that are split into words, as a wire; a wire is returned as it is.

    Raises:
        DataError: not a list, or an item is neither a text nor a list of words; the message names its position.
    """
    if isinstance(given, Wire):
        return given
    items = _items(given, LIST)
    texts: list[str] = []
    words: list[list[str]] = []
    for i, item in enumerate(items):
        if isinstance(item, str):
            texts.append(str(item))
        elif isinstance(item, list | tuple | np.ndarray):
            words.append([_word(word, i, j) for j, word in enumerate(item)])
        else:
            raise DataError(f"texts[{i}]: {_shown(item)} is not a text")
        if texts and words:
            raise DataError(f"texts[{i}]: texts and lists of words are mixed; give the one or the other")
    return Tokens.from_words(words) if words else Text(texts)


def texts_of(given: Any, name: str) -> list[str]:
    """Texts, as an argument called ``name`` has them.

    Raises:
        DataError: not a list, or an item is no text; the message names its position.
    """
    items = _items(given, f"{name}: expected a list of texts")
    for i, item in enumerate(items):
        if not isinstance(item, str):
            raise DataError(f"{name}[{i}]: {_shown(item)} is not a text")
    return [str(item) for item in items]


def without_blanks(texts: Text) -> Text:
    """``texts`` with an empty text in place of one that is all white space: there is nothing to translate in it."""
    if all(text.strip() or not text for text in texts.strings):
        return texts
    return Text([text if text.strip() else "" for text in texts.strings])


def split_of(task: Task, inputs: Any, targets: Any, tokenizer: Tokenizer | None) -> Split:
    """Inputs and their targets as examples of ``task``.

    Args:
        tokenizer: splits texts into the words that tags are for.

    Raises:
        DataError: the numbers of inputs and targets differ, or an item is not what the task needs; the message names
            its position.
    """
    source = inputs_of(inputs)
    if task.capability is not None:  # a language model's targets are its inputs
        if not isinstance(source, Text):
            raise DataError("a language model is fitted on texts, and these are lists of words; join them")
        given = targets.strings if isinstance(targets, Text) else targets
        if given is not None and list(given) != list(source.strings):
            raise DataError("a language model predicts the texts themselves: leave the targets out")
        return task.split([PythonRow({"text": text}, "texts", i) for i, text in enumerate(source.strings)])
    if targets is None:
        raise DataError("targets are missing: give one for each input")
    if isinstance(targets, Wire):
        values: Sequence[Any] = [None] * len(targets)
    else:
        values = _items(targets, "expected a list with one target for each input")
    if len(source) != len(values):
        raise DataError(f"{len(source)} inputs but {len(values)} targets: give one target for each input")
    if isinstance(targets, Wire):
        return Split(source, targets)
    if task.target is Labels:
        return Split(source, Labels(_labels(values)))
    if task.target is LabelSets:
        return Split(source, LabelSets(_label_sets(values)))
    if task.target is Tags:
        return task.split(list(_tag_rows(source, values, tokenizer)), note=_refuse)
    for i, value in enumerate(values):
        if not isinstance(value, str):
            raise DataError(f"targets[{i}]: {_shown(value)} is not a text")
    return Split(source, Text([str(value) for value in values]))


def _refuse(what: str, example: str) -> None:
    """Called with each thing that a task would leave out of a file: in Python it can be corrected.

    Raises:
        DataError: it is an entity that is none.
    """
    if what == "entities_invalid":
        raise DataError(example)
    if what in LEFT_OUT:
        warnings.warn(f"{example}: {LEFT_OUT[what]}", NlpipeWarning, stacklevel=2)


LEFT_OUT = {
    "entities_not_at_words": "the entity does not begin and end where words do, and is left out",
    "entities_overlapping": "the entity overlaps a longer one and is left out",
    "entities_text_differs": "check the offsets",
    "tags_out_of_scheme": "it is read as conlleval reads it",
}
"""What is warned of."""


def _items(given: Any, expected: str) -> list[Any]:
    """The items of a list, tuple, array, Series or generator.

    Raises:
        DataError: it is a text, a mapping, a table, a set, or cannot be gone through.
    """
    if isinstance(given, str | bytes):
        raise DataError(f"{expected}, not one text: write [text]")
    kind = type(given).__name__
    if isinstance(given, Mapping) or hasattr(given, "columns"):
        raise DataError(f"{expected}, not a {kind}: give one of its columns, such as data['text']")
    if isinstance(given, set | frozenset):
        raise DataError(f"{expected}, not a {kind}, which has no order")
    if getattr(given, "ndim", 1) != 1:
        raise DataError(f"{expected}, not an array of {given.ndim} dimensions")
    if not isinstance(given, Iterable):
        raise DataError(f"{expected}, not {_shown(given)}")
    return list(given)


def _word(word: Any, i: int, j: int) -> str:
    if not isinstance(word, str) or not word.strip():
        raise DataError(f"texts[{i}][{j}]: {_shown(word)} is not a word")
    return str(word)


def _labels(values: Sequence[Any]) -> list[Any]:
    """Labels of one type: texts in the spelling in which labels are compared, or numbers, as Python has them."""
    labels: list[Any] = []
    for i, value in enumerate(values):
        plain = value.item() if isinstance(value, np.generic) else value
        if isinstance(plain, str):
            label: Any = clean_label(str(plain))
            if not label:
                raise DataError(f"labels[{i}]: the label is empty")
        elif isinstance(plain, bool | int) or (isinstance(plain, float) and np.isfinite(plain)):
            label = plain
        else:
            raise DataError(f"labels[{i}]: {_shown(value)} is not a label; expected a text or a whole number")
        if labels and type(label) is not type(labels[0]):
            raise DataError(
                f"labels[{i}]: {_shown(value)} is of another type than labels[0], {_shown(labels[0])}; "
                "give labels of one type"
            )
        labels.append(label)
    return labels


def _label_sets(values: Sequence[Any]) -> list[list[str]]:
    """Lists of labels, in the spelling in which labels are compared."""
    sets = []
    for i, value in enumerate(values):
        if isinstance(value, str) or not isinstance(value, list | tuple | set | frozenset | np.ndarray):
            raise DataError(f"labels[{i}]: {_shown(value)} is not a list of labels; an example without labels has []")
        items = sorted(value) if isinstance(value, set | frozenset) else list(value)
        labels = []
        for j, item in enumerate(items):
            label = clean_label(str(item)) if isinstance(item, str) else ""
            if not label:
                raise DataError(f"labels[{i}][{j}]: {_shown(item)} is not a label; expected a text")
            labels.append(label)
        sets.append(labels)
    return sets


def _tag_rows(source: Wire, values: Sequence[Any], tokenizer: Tokenizer | None) -> Iterable[Row]:
    """Rows with words and tags, or with texts and entities as spans of characters."""
    for i, value in enumerate(values):
        if not isinstance(value, list | tuple | np.ndarray):
            raise DataError(f"tags[{i}]: {_shown(value)} is not a list of tags, one for each word")
        items = [item.item() if isinstance(item, np.generic) else item for item in value]
        spans = any(not isinstance(item, str) for item in items)
        if isinstance(source, Text) and (spans or not items):
            entities = [list(item) if isinstance(item, tuple) else item for item in items]
            yield PythonRow({"text": source.strings[i], "entities": entities}, "entities", i)
            continue
        if isinstance(source, Text):
            if tokenizer is None:
                raise DataError(f"tags[{i}]: tags need words: give lists of words, or a tokenizer")
            words = tokenizer.forward(source.take([i])).words[0]
        else:
            assert isinstance(source, Tokens)
            words = source.words[i]
        if len(items) != len(words):
            raise DataError(f"tags[{i}]: {len(items)} tags for {len(words)} words ({' '.join(words)[:60]})")
        yield PythonRow({"token": words, "tag": items}, "tags", i)


def _shown(value: Any) -> str:
    text = repr(value)
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({type(value).__name__})"
