"""po: message catalogues of gettext, each message with its translation.

The format: GNU gettext manual, "The Format of PO Files". An entry consists of comments, then keywords with strings in
quotes, which may continue over several lines. A row is a ``msgid`` with its ``msgstr``; a message with plural forms
gives two, the singular with the first form and the plural with the last.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from nlpipe.datasets.readers.lines import Layout, Origin, is_text_encoding, read_lines
from nlpipe.errors import DataError
from nlpipe.tasks.task import Row

_STRING = r'"(?:[^"\\]|\\.)*"'
_LINE = re.compile(rf"(?:(msgctxt|msgid_plural|msgid|msgstr)(?:\[(\d+)\])?\s*)?({_STRING}(?:\s*{_STRING})*)")
_STRINGS = re.compile(_STRING)
_CHARSET = re.compile(rb"charset=([A-Za-z0-9_.:-]+)")
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{1,2}|[0-7]{1,3}|.)")
_CHARACTERS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


@dataclass
class Entry:
    """One message: its strings by keyword (``msgid``, ``msgstr[1]``), and the line of its ``msgid``."""

    line: int = 0
    fuzzy: bool = False
    strings: dict[str, str] = field(default_factory=dict)

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Each message with its translation."""
        forms = sorted((key for key in self.strings if key.startswith("msgstr[")), key=lambda key: int(key[7:-1]))
        if "msgstr" in self.strings:
            yield self.strings["msgid"], self.strings["msgstr"]
        elif forms:
            yield self.strings["msgid"], self.strings[forms[0]]
            if "msgid_plural" in self.strings:
                yield self.strings["msgid_plural"], self.strings[forms[-1]]


def read_po(origins: Sequence[Origin], layout: Layout) -> Iterator[Row]:
    """Rows of translated messages, one file after another; fuzzy and untranslated ones are counted, or given too where
    the layout wants whole files.

    Columns are ``msgid`` (also ``source``), ``msgstr`` (``target``) and ``msgctxt``, a context or nothing.

    Raises:
        DataError: a file has no entries, a line is not in the format, or a column is none of the three.
    """
    keywords = {"source": "msgid", "target": "msgstr", "msgid": "msgid", "msgstr": "msgstr", "msgctxt": "msgctxt"}
    for role, column in layout.columns.items():
        if column not in keywords:
            raise DataError(f"po has no column {column!r} for '{role}'; it has msgid, msgstr and msgctxt")
    for origin in origins:
        messages = entries(origin, layout)
        first = next(messages, None)
        if first is None:
            raise DataError(f"{origin.name}: the file is empty")
        for entry in chain([first], messages):
            if not entry.strings.get("msgid"):
                continue  # the header
            if entry.fuzzy and not layout.whole:
                layout.ledger.add("po_fuzzy", entry.strings["msgid"])
                continue
            for message, translation in entry.pairs():
                if not translation.strip() and not layout.whole:
                    layout.ledger.add("po_untranslated", message)
                    continue
                fields = {"msgid": message, "msgstr": translation, "msgctxt": entry.strings.get("msgctxt", "")}
                values = {role: fields[keywords[str(column)]] for role, column in layout.columns.items()}
                yield Row(values, origin.name, entry.line, layout.columns, (), fields if layout.whole else {})


def entries(origin: Origin, layout: Layout) -> Iterator[Entry]:
    """Every entry that is not obsolete, the header included.

    Raises:
        DataError: a line is not in the format.
    """
    entry, key = Entry(), ""
    encoding = _charset(origin, layout.encoding)
    for number, line in enumerate(read_lines(origin, encoding), 1):
        text = line.strip()
        if text.startswith("#~"):
            if text[2:].lstrip().startswith("msgid "):
                layout.ledger.add("po_obsolete", text)
            if not entry.strings:
                entry = Entry()  # a flag before it, such as fuzzy, is its own
            continue
        ends = any(name.startswith("msgstr") for name in entry.strings)
        if not text or text.startswith("#"):
            if ends:
                yield entry
                entry, key = Entry(), ""
            if text.startswith("#,") and re.search(r"\bfuzzy\b", text):
                entry.fuzzy = True
            continue
        match = _LINE.fullmatch(text)
        if match is None or not (match[1] or key):
            raise DataError(f"{origin.name}:{number}: not a line of a po catalogue: {text[:60]}")
        if match[1]:
            if ends and match[1] in ("msgctxt", "msgid"):
                yield entry
                entry = Entry()
            key = f"{match[1]}[{match[2]}]" if match[2] else match[1]
            if key in entry.strings:
                raise DataError(f"{origin.name}:{number}: a second {key} in one entry")
            if key.startswith("msgstr") and "msgid" not in entry.strings:
                raise DataError(f"{origin.name}:{number}: {key} without a msgid before it")
            entry.strings[key] = ""
            entry.line = number if key == "msgid" else entry.line
        written = "".join(string[1:-1] for string in _STRINGS.findall(match[3]))
        entry.strings[key] += _unescaped(written, encoding, f"{origin.name}:{number}")
    if any(name.startswith("msgstr") for name in entry.strings):
        yield entry
    elif entry.strings:
        raise DataError(f"{origin.name}:{entry.line}: the file ends before the translation of this message")


def _charset(origin: Origin, encoding: str) -> str:
    """The encoding that the catalogue's header names, where the card names none."""
    if encoding != "utf-8":
        return encoding
    try:
        with origin.open() as stream:
            named = _CHARSET.search(stream.read(4096))
    except OSError:
        return encoding  # reading the lines says what is wrong
    name = named[1].decode("ascii") if named else encoding
    return name if is_text_encoding(name) else encoding


def _unescaped(written: str, encoding: str, place: str) -> str:
    """The text of a string; octal and hexadecimal escapes are bytes in the catalogue's encoding.

    Raises:
        DataError: these bytes are no text.
    """
    if "\\" not in written:
        return written
    parts: list[bytes] = []
    end = 0
    for match in _ESCAPE.finditer(written):
        escape = match[1]
        parts.append(written[end : match.start()].encode(encoding))
        if escape[0] == "x" and len(escape) > 1:
            parts.append(bytes([int(escape[1:], 16)]))
        elif escape[0] in "01234567":
            parts.append(bytes([int(escape, 8) & 255]))
        else:
            parts.append(_CHARACTERS.get(escape, escape).encode(encoding))
        end = match.end()
    try:
        return b"".join([*parts, written[end:].encode(encoding)]).decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(f"{place}: escapes of bytes that are no {encoding}: {error.reason}") from None
