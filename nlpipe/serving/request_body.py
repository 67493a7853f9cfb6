"""The body of a request: read up to a limit, parsed as JSON, and the texts that it holds."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from nlpipe.errors import DataError, suggest
from nlpipe.json_reader import Number, parse_json
from nlpipe.serving.limits import Limits, Refused

READ_ON = 16
"""Bodies of up to this many times the limit are read to their end, so that the client hears why they are refused."""
FIELDS = ("text", "texts", "model", "threshold")
"""Of a plain request."""


@dataclass(frozen=True)
class Question:
    """A plain request.

    Args:
        single: whether it was one text alone (``text``).
        model: None where it names none.
        threshold: the confidence below which an answer is ``unsure``; None for the model's own.
    """

    texts: list[str]
    single: bool
    model: str | None
    threshold: float | None


async def json_body(request: Request, limits: Limits) -> Any:
    """What the body holds; numbers are ``Number``.

    Raises:
        Refused: it is too large (413), too slow (408), empty, not UTF-8 or not JSON (400).
    """
    body = await _read(request, limits)
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = f"request body, byte {error.start}"
        raise Refused(400, f"{place}: not UTF-8; send JSON in UTF-8, without compression") from None
    if not text.strip():
        raise Refused(400, 'the request body is empty; send JSON, such as {"text": "a fine film"}')
    try:
        return parse_json(text, "request body")
    except DataError as error:
        raise Refused(400, str(error)) from None


async def _read(request: Request, limits: Limits) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > READ_ON * limits.body:
        raise _too_large(limits)
    body = bytearray()
    size = 0
    try:
        async with asyncio.timeout(limits.seconds):
            async for chunk in request.stream():
                size += len(chunk)
                if size <= limits.body:
                    body += chunk
                elif size > READ_ON * limits.body:
                    break
    except TimeoutError:
        raise Refused(408, f"the request body did not arrive within {limits.seconds:g} s; send it again") from None
    if size > limits.body:
        raise _too_large(limits)
    return bytes(body)


def _too_large(limits: Limits) -> Refused:
    return Refused(413, f"the request body has more than {limits.body:,} bytes; send fewer or shorter texts")


def plain_request(value: Any, limits: Limits) -> Question:
    """What a plain request asks.

    Raises:
        Refused: it is of another form (422), or too much (413).
    """
    if not isinstance(value, dict):
        raise Refused(422, f'{kind(value)} where an object was expected, such as {{"text": "a fine film"}}')
    for name in value:
        if name not in FIELDS:
            raise Refused(422, f"unknown field '{name[:60]}'{suggest(name[:60], FIELDS)}")
    if ("text" in value) == ("texts" in value):
        raise Refused(422, "expected one of 'text', a string, and 'texts', an array of strings")
    model = value.get("model")
    if model is not None and not is_string(model):
        raise Refused(422, f"model: {kind(model)} where a string was expected")
    single = "text" in value
    texts = [value["text"]] if single else value["texts"]
    texts = checked_texts(texts, "text" if single else "texts", limits, single)
    return Question(texts, single, model, _threshold(value.get("threshold")))


def _threshold(value: Any) -> float | None:
    """The threshold of a request; None where it has none.

    Raises:
        Refused: it is not a number from 0 to 1 (422).
    """
    if value is None:
        return None
    if isinstance(value, Number) and 0 <= float(value) <= 1:
        return float(value)
    shown = str(value)[:60] if isinstance(value, Number) else kind(value)
    raise Refused(422, f"threshold: {shown} where a number from 0 to 1 was expected")


def checked_texts(texts: Any, field: str, limits: Limits, single: bool = False) -> list[str]:
    """``texts`` if they are strings and within the limits.

    Raises:
        Refused: they are something else (422), or too much (413).
    """
    if not isinstance(texts, list):
        raise Refused(422, f"{field}: {kind(texts)} where an array of strings was expected")
    for number, text in enumerate(texts):
        if not is_string(text):
            place = field if single else f"{field}[{number}]"
            raise Refused(422, f"{place}: {kind(text)} where a string was expected")
    limits.check(texts)
    return texts


def is_string(value: Any) -> bool:
    """Whether a JSON value is a string; ``Number``, as numbers are read, derives from ``str``."""
    return isinstance(value, str) and not isinstance(value, Number)


def kind(value: Any) -> str:
    """What a JSON value is, for messages."""
    if isinstance(value, Number):
        return "a number"
    names = {str: "a string", list: "an array", dict: "an object", bool: "true or false", type(None): "null"}
    return names[type(value)]
