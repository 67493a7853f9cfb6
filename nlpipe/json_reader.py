"""JSON from files that users write: numbers as they are spelt, and every fault with its column.

``json.loads`` reads ``1.0`` and ``1e0`` as one number, accepts ``NaN``, stops with a traceback at integers of 5,000
digits and at 100,000 brackets, and gives half of a surrogate pair as text. Labels and texts must not depend on that.
"""

from __future__ import annotations

import json
from typing import Any

from nlpipe.errors import DataError

LONGEST_NUMBER = 4_000
"""Digits of a number that can still be converted to an integer."""


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

    def refuse(name: str) -> Any:
        raise DataError(f"{place}: {name} is not a number in JSON; write null, or a string in quotes")

    try:
        value = json.loads(text, parse_int=Number, parse_float=Number, parse_constant=refuse)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise DataError(f"{place}:{error.colno}: not JSON: {error.msg}") from error
    except UnicodeEncodeError as error:
        raise DataError(f"{place}: holds half of a surrogate pair, which is no text") from error
    except RecursionError as error:
        raise DataError(f"{place}: nested too deep") from error
    return value
