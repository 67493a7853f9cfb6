"""JSON from files that users write: numbers as they are spelt, and every fault with its column.

``json.loads`` reads ``1.0`` and ``1e0`` as one number, accepts ``NaN``, stops with a traceback at integers of 5,000
digits and at 100,000 brackets, and gives half of a surrogate pair as text. Labels and texts must not depend on that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from nlpipe.errors import DataError

LONGEST_NUMBER = 4_000
"""Digits of a number that can still be converted to an integer."""
_SPACE = re.compile(r"[ \t\r\n\ufeff]*")


class Number(str):
    """A JSON number as it is spelt in the file; a string, so that it serves as a label or a text as it is."""

    __slots__ = ()

    @property
    def whole(self) -> int | None:
        """The integer that is spelt; None for one with a fraction or an exponent, or with more than 4,000 digits."""
        digits = self.removeprefix("-")
        return int(self) if digits.isdigit() and len(digits) <= LONGEST_NUMBER else None


def parse_json(text: str, place: str) -> Any:
    """The value that ``text`` holds; numbers are ``Number``, everything else is as ``json.loads`` gives it.

    Args:
        place: where the text stands, for messages: ``reviews.jsonl:812``.

    Raises:
        DataError: the text is not JSON, or holds NaN, Infinity, half of a surrogate pair, or too deep a nesting.
    """
    try:
        value = _decoder(place).decode(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{place}:{error.colno}: not JSON: {error.msg}") from error
    except RecursionError as error:
        raise DataError(f"{place}: nested too deep") from error
    _check_pairs(value, text, place)
    return value


def json_text(value: Any) -> str:
    """``value`` as JSON on one line, numbers as they were spelt.

    Raises:
        DataError: it is nested too deep.
    """
    try:
        return _written(value)
    except RecursionError as error:
        raise DataError("a value is nested too deep to be written as JSON") from error


def _written(value: Any) -> str:
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        members = (f"{json.dumps(str(name), ensure_ascii=False)}: {_written(item)}" for name, item in value.items())
        return f"{{{', '.join(members)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    return json.dumps(value, ensure_ascii=False, default=str)


def parse_array(text: str, name: str) -> Iterator[tuple[int, Any]]:
    """The items of the array that ``text`` holds, each with the line on which it begins; values as in ``parse_json``.

    Args:
        name: of the file, for messages.

    Raises:
        DataError: as in ``parse_json``, when that place is reached.
    """
    position, line, counted = _after_space(text, 0) + 1, 1, 0
    while True:
        position = _after_space(text, position)
        if text.startswith("]", position):
            break
        line, counted = line + text.count("\n", counted, position), position
        place = f"{name}:{line}"
        try:
            value, end = _decoder(place).raw_decode(text, position)
            _check_pairs(value, text[position:end], place)
            position = _after_space(text, end)
            if text[position : position + 1] not in (",", "]"):
                raise json.JSONDecodeError("Expecting ',' or ']'", text, position)
        except json.JSONDecodeError as error:
            raise DataError(f"{name}:{error.lineno}:{error.colno}: not JSON: {error.msg}") from error
        except RecursionError as error:
            raise DataError(f"{place}: nested too deep") from error
        yield line, value
        position += text.startswith(",", position)
    if text[position + 1 :].strip():
        raise DataError(f"{name}:{text.count(chr(10), 0, position) + 1}: text after the end of the array")


def _after_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    assert match is not None
    return match.end()


def _decoder(place: str) -> json.JSONDecoder:
    def refuse(name: str) -> Any:
        raise DataError(f"{place}: {name} is not a number in JSON; write null, or a string in quotes")

    return json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=refuse)


def _check_pairs(value: Any, text: str, place: str) -> None:
    """Check that no half of a surrogate pair is in ``value``, which ``text`` holds.

    Raises:
        DataError: there is one.
    """
    try:
        if "\\ud" in text or "\\uD" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{place}: holds half of a surrogate pair, which is no text") from error
    except RecursionError as error:
        raise DataError(f"{place}: nested too deep") from error
