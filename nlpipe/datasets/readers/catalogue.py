"""po: message catalogues of gettext, each message with its translation.

The format: GNU gettext manual, "The Format of PO Files". An entry is comments, then keywords with strings in quotes,
which go on over lines. Read are ``msgid`` with ``msgstr``; of a message with plural forms the singular with the first
form and the plural with the last.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from nlpipe.datasets.readers.lines import Layout, Origin, read_lines
from nlpipe.errors import DataError
from nlpipe.tasks.task import Row

_LINE = re.compile(r'(?:(msgctxt|msgid_plural|msgid|msgstr)(?:\[(\d+)\])?\s*)?"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{1,2}|[0-7]{1,3}|.)")
_MEANT = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


@dataclass
class Entry:
    """One message: its strings by keyword (``msgid``, ``msgstr[1]``), and the line of its ``msgid``."""

    line: int = 0
    fuzzy: bool = False
    strings: dict[str, str] = field(default_factory=dict)

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Message and translation."""
        forms = sorted((key for key in self.strings if key.startswith("msgstr[")), key=lambda key: int(key[7:-1]))
        if "msgstr" in self.strings:
            yield self.strings["msgid"], self.strings["msgstr"]
        elif forms:
            yield self.strings["msgid"], self.strings[forms[0]]
            if "msgid_plural" in self.strings:
                yield self.strings["msgid_plural"], self.strings[forms[-1]]


def read_po(origins: Sequence[Origin], layout: Layout) -> Iterator[Row]:
    """Rows of translated messages, one file after another; fuzzy, untranslated and obsolete ones are counted.

    Columns are ``msgid`` (also ``source``), ``msgstr`` (``target``) and ``msgctxt``, a context or nothing.

    Raises:
        DataError: a file without entries, a line that is none of the format's, a column that is none of the three.
    """
    known = {"source": "msgid", "target": "msgstr", "msgid": "msgid", "msgstr": "msgstr", "msgctxt": "msgctxt"}
    for role, column in layout.columns.items():
        if column not in known:
            raise DataError(f"po has no column {column!r} for '{role}'; it has msgid, msgstr and msgctxt")
    for origin in origins:
        found = entries(origin, layout)
        first = next(found, None)
        if first is None:
            raise DataError(f"{origin.name}: the file is empty")
        for entry in chain([first], found):
            if not entry.strings.get("msgid"):
                continue  # the header
            if entry.fuzzy:
                layout.ledger.add("po_fuzzy", entry.strings["msgid"])
                continue
            for message, translation in entry.pairs():
                if not translation.strip():
                    layout.ledger.add("po_untranslated", message)
                    continue
                fields = {"msgid": message, "msgstr": translation, "msgctxt": entry.strings.get("msgctxt", "")}
                read = {role: fields[known[str(column)]] for role, column in layout.columns.items()}
                yield Row(read, origin.name, entry.line, layout.columns)


def entries(origin: Origin, layout: Layout) -> Iterator[Entry]:
    """Every entry but obsolete ones, the header too.

    Raises:
        DataError: a line that is none of the format's.
    """
    entry, key = Entry(), ""
    for number, line in enumerate(read_lines(origin, layout.encoding), 1):
        text = line.strip()
        if text.startswith("#~"):
            if text[2:].lstrip().startswith("msgid "):
                layout.ledger.add("po_obsolete", text)
            continue
        ends = any(name.startswith("msgstr") for name in entry.strings)
        if not text or text.startswith("#"):
            if ends:
                yield entry
                entry, key = Entry(), ""
            if text.startswith("#,") and re.search(r"\bfuzzy\b", text):
                entry.fuzzy = True
            continue
        found = _LINE.fullmatch(text)
        if found is None or not (found[1] or key):
            raise DataError(f"{origin.name}:{number}: not a line of a po catalogue: {text[:60]}")
        if found[1]:
            if ends and found[1] in ("msgctxt", "msgid"):
                yield entry
                entry = Entry()
            key = f"{found[1]}[{found[2]}]" if found[2] else found[1]
            if key in entry.strings:
                raise DataError(f"{origin.name}:{number}: a second {key} in one entry")
            if key.startswith("msgstr") and "msgid" not in entry.strings:
                raise DataError(f"{origin.name}:{number}: {key} without a msgid before it")
            entry.strings[key] = ""
            entry.line = number if key == "msgid" else entry.line
        entry.strings[key] += _ESCAPE.sub(_unescaped, found[3])
    if any(name.startswith("msgstr") for name in entry.strings):
        yield entry
    elif entry.strings:
        raise DataError(f"{origin.name}:{entry.line}: the file ends before the translation of this message")


def _unescaped(match: re.Match[str]) -> str:
    written = match[1]
    if written[0] == "x" and len(written) > 1:
        return chr(int(written[1:], 16))
    if written[0] in "01234567":
        return chr(int(written, 8))
    return _MEANT.get(written, written)
