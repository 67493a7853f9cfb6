"""Headers of tables that stand where examples are expected: read as the first example, or again in a joined file."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nlpipe.tasks.task import Ledger

HEADINGS = frozenset({
    "annotation", "answer", "aspect", "body", "categories", "category", "class", "classes", "comment", "comments",
    "content", "document", "emotion", "gold", "input", "intent", "label", "labels", "language", "message", "output",
    "phrase", "polarity", "query", "question", "rating", "review", "reviews", "score", "sentence", "sentences",
    "sentiment", "source", "src", "stars", "tag", "tags", "target", "text", "texts", "tgt", "title", "topic",
    "translation", "tweet", "utterance", "x", "y",
    "arabic", "chinese", "de", "dutch", "en", "english", "es", "fr", "french", "german", "hindi", "it", "italian", "ja",
    "japanese", "nl", "pl", "portuguese", "pt", "ru", "russian", "spanish", "tr", "zh",
})  # fmt: skip
"""What the columns of texts and labels are called, or a word of it, in lower case."""
LONGEST_HEADING = 40
"""Characters of a column's name; longer fields are not looked at."""
MOST_WORDS = 3
MOST_PLAIN = 1000
_BETWEEN = re.compile(r"[\s_.-]+")


def is_heading(field: str) -> bool:
    """Whether a field looks like a column's name: ``text``, ``Label``, ``review_text``, ``Category Name``."""
    if len(field) > LONGEST_HEADING:
        return False
    words = _BETWEEN.split(_name(field))
    return len(words) <= MOST_WORDS and not HEADINGS.isdisjoint(words)


def _name(field: str) -> str:
    return field.strip("\ufeff \t\"'").casefold()


class HeaderWatch:
    """Counts rows of one file that look like headers, and says which repeat its own.

    Args:
        ledger: they are counted here, with their lines.
        name: of the file.
        places: indices of the columns that are read.
        label: that of the labels, if the table has them.
    """

    def __init__(self, ledger: Ledger, name: str, places: Sequence[int], label: int | None) -> None:
        self.ledger = ledger
        self.name = name
        self.places = places
        self.last = places[-1]
        self.label = label
        self.names: list[str] = []
        self.plain: set[str] = set()
        """Fields of the last column that neither are headings nor its own: their rows need not be looked at."""
        self.alone: tuple[int, list[str]] | None = None
        """The first row, while its label is a heading and has not come again."""

    def header(self, values: Sequence[str]) -> None:
        """The file's own header."""
        self.names = [_name(field) for field in values]

    def first(self, line: int, values: list[str]) -> None:
        """The first row of a file that is read without a header."""
        if all(is_heading(values[place]) for place in self.places):
            self._doubtful(line, values)
        elif self.label is not None and is_heading(values[self.label]):
            self.alone = line, values

    def repeats(self, line: int, values: Sequence[str]) -> bool:
        """Whether a later row is the file's header once more, which is counted and no example."""
        if self.alone is not None and self.label is not None and values[self.label] == self.alone[1][self.label]:
            self.alone = None
        field = values[self.last]
        own = bool(self.names) and _name(field) == self.names[self.last]
        if not own and not is_heading(field):
            if self.alone is None and len(self.plain) < MOST_PLAIN:
                self.plain.add(field)
            return False
        if own and [_name(field) for field in values] == self.names:
            self.ledger.add("headers_repeated", f"{self.name}:{line}: {', '.join(values)}")
            return True
        if all(is_heading(values[place]) for place in self.places):
            self._doubtful(line, values)
        return False

    def end(self) -> None:
        """All rows were seen."""
        if self.alone is not None:
            self._doubtful(*self.alone)

    def _doubtful(self, line: int, values: Sequence[str]) -> None:
        self.ledger.add("header_as_example", f"{self.name}:{line}: {', '.join(values)}")
