"""``replace:`` of cards: what a text is freed from, literally or by regular expressions, in bounded time and memory."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from nlpipe.datasets.readers.lines import LONGEST_LINE
from nlpipe.datasets.time_limit import SECONDS, TimeLimit
from nlpipe.errors import DataError
from nlpipe.tasks.entity_spans import Move, moved
from nlpipe.tasks.task import Row

Replacement = tuple[str, re.Pattern[str] | None, str]
"""What is looked for, the regular expression if it is one, and what takes its place."""
BLOCK = 100
"""Rows under one time limit; setting it costs as much as a short row."""


def expression(old: str) -> re.Pattern[str] | None:
    """The regular expression of a replacement that is written between slashes; None for a literal one.

    Raises:
        re.error: it is not one.
    """
    return re.compile(old[1:-1]) if len(old) > 2 and old[0] == old[-1] == "/" else None


def check_replacements(replace: Mapping[str, str]) -> None:
    """Check that every replacement can be made.

    Raises:
        ValueError: one looks for nothing, is not a regular expression, or puts in a group that it does not have.
    """
    for old, new in replace.items():
        if not old:
            raise ValueError("invalid value '': expected what is to be replaced")
        try:
            pattern = expression(old)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"invalid value '{old}': expected a regular expression: {error}") from None
        if pattern is not None:
            try:
                pattern.sub(new, "")
            except (re.error, IndexError) as error:
                message = f"invalid value '{new}': expected the replacement of '{old}', with groups as \\1"
                raise ValueError(f"{message}: {error}") from None


def replacements_of(replace: Mapping[str, str]) -> list[Replacement]:
    """The replacements with their patterns."""
    return [(old, expression(old), new) for old, new in replace.items()]


def replaced(rows: Iterator[Row], roles: Sequence[str], replace: Mapping[str, str]) -> Iterator[Row]:
    """The rows with every replacement made in the fields of ``roles``: in texts, and in each token.

    Raises:
        DataError: a regular expression takes seconds over one row, or a text grows beyond any line's bound.
    """
    replacements = replacements_of(replace)
    while block := list(islice(rows, BLOCK)):
        finished: list[Row] = []
        try:
            with TimeLimit() as limit:
                for row in block:
                    limit.step()
                    finished.append(_replaced(row, roles, replacements))
        except TimeoutError:
            row = block[len(finished)]
            message = f"{row.path}:{row.line}: replace: a regular expression took more than {SECONDS:.0f} seconds here"
            raise DataError(f"{message}; write none with a repetition inside a repetition, as in (a+)+") from None
        yield from finished


def _replaced(row: Row, roles: Sequence[str], replacements: Sequence[Replacement]) -> Row:
    fields, place = dict(row.fields), f"{row.path}:{row.line}"
    for role in roles:
        value = fields[role]
        if role == "text" and isinstance(value, str) and "entities" in fields:
            moves: list[list[Move]] = []
            fields[role] = replaced_text(value, replacements, place, moves)
            fields["entities"] = moved(fields["entities"], moves)
        elif isinstance(value, str):
            fields[role] = replaced_text(value, replacements, place)
        elif role == "token" and isinstance(value, list):
            fields[role] = [
                replaced_text(item, replacements, place) if isinstance(item, str) else item for item in value
            ]
    return dataclasses.replace(row, fields=fields)


def replaced_text(
    text: str, replacements: Sequence[Replacement], place: str, moves: list[list[Move]] | None = None
) -> str:
    """``text`` with every replacement made, one after another.

    Args:
        moves: takes the places that each replacement met; None where nobody asks.

    Raises:
        DataError: it grows beyond any line's bound; the message begins with ``place``.
    """
    for old, pattern, new in replacements:
        if (len(text) + 1) * len(new) > LONGEST_LINE:
            count = text.count(old) if pattern is None else sum(1 for _ in pattern.finditer(text))
            if count * len(new) > LONGEST_LINE:
                raise _too_long(place)
        if moves is not None:
            found = re.finditer(re.escape(old), text) if pattern is None else pattern.finditer(text)
            moves.append([(m.start(), m.end(), len(new if pattern is None else m.expand(new))) for m in found])
        text = text.replace(old, new) if pattern is None else pattern.sub(new, text)
        if len(text) > LONGEST_LINE:
            raise _too_long(place)
    return text


def _too_long(place: str) -> DataError:
    return DataError(f"{place}: replace: the text grows to more than {LONGEST_LINE >> 20} million characters")
