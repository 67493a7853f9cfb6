"""JSON of users: numbers as they are spelt, and a message for everything that is not JSON."""

from __future__ import annotations

import pytest

from nlpipe.errors import DataError
from nlpipe.json_reader import Number, parse_json


@pytest.mark.parametrize("spelt", ["1", "1.0", "1e3", "-0", "0.10", "1" * 5_000, "12345678901234567890.5"])
def test_a_number_is_taken_as_it_is_spelt(spelt: str) -> None:
    value = parse_json(spelt, "a.jsonl:1")
    assert isinstance(value, Number)
    assert value == spelt


@pytest.mark.parametrize(
    ("spelt", "whole"), [("12", 12), ("-3", -3), ("1.0", None), ("1e3", None), ("9" * 5_000, None)]
)
def test_only_integers_are_whole(spelt: str, whole: int | None) -> None:
    assert parse_json(spelt, "a.jsonl:1").whole == whole


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"label": NaN}', "a.jsonl:7: NaN is not a number in JSON"),
        ("[-Infinity]", "-Infinity is not a number"),
        ('{"text": "\\ud800"}', "half of a surrogate pair"),
        ("[" * 100_000, "nested too deep"),
        ('{"text" "x"}', "a.jsonl:7:9: not JSON"),
    ],
)
def test_what_is_not_json_is_told_with_its_place(text: str, message: str) -> None:
    with pytest.raises(DataError, match=r"a\.jsonl:7") as caught:
        parse_json(text, "a.jsonl:7")
    assert message in str(caught.value)
