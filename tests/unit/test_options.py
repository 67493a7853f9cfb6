"""Options read from signatures: what fits, what does not, and what the message says."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Le, Len, Lt

from nlpipe.options import (
    Count,
    Dropout,
    FileName,
    Fraction,
    NonNegativeFloat,
    Option,
    Positive,
    PositiveFloat,
    check_options,
    options_of,
)
from nlpipe.registry import slot_of
from nlpipe.stage import Representation, Tokenizer
from nlpipe.tokenizers import Regex
from nlpipe.type_words import describe_type, expected_values


class Example:
    def __init__(
        self,
        hidden: Positive,
        dropout: Dropout = 0.1,
        ngrams: tuple[Positive, Positive] = (1, 2),
        mode: Literal["mean", "max"] | None = None,
        names: list[str] | None = None,
        tokenizer: Tokenizer | None = None,
        bias: bool = True,
    ) -> None:
        pass


@pytest.mark.parametrize(
    ("option", "value", "checked"),
    [
        ("hidden", 1, 1),
        ("dropout", 0, 0.0),
        ("ngrams", [1, 3], (1, 3)),
        ("mode", None, None),
        ("mode", "max", "max"),
        ("names", ["a"], ["a"]),
        ("bias", False, False),
    ],
)
def test_values_that_fit(option: str, value: Any, checked: Any) -> None:
    value = options_of(Example)[option].check(value)
    assert value == checked
    assert type(value) is type(checked)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("hidden", 0, "^invalid value 0: expected a positive integer$"),
        ("hidden", "64", "^invalid value '64': expected a positive integer$"),
        ("hidden", 1.5, "^invalid value 1.5: expected a positive integer$"),
        ("hidden", True, "^invalid value True: expected a positive integer$"),
        ("dropout", 1.0, "^invalid value 1.0: expected a number of at least 0 and below 1$"),
        ("dropout", "0.5", "^invalid value '0.5': expected a number of at least 0 and below 1$"),
        ("ngrams", [1, 0], r"^\[1\]: invalid value 0: expected a positive integer$"),
        ("ngrams", [1], r"^invalid value \[1\]: expected a list of 2 positive integers$"),
        ("mode", "min", "^invalid value 'min': expected 'mean', 'max' or null$"),
        ("names", [1], r"^\[0\]: invalid value 1: expected a string$"),
        ("names", 3, "^invalid value 3: expected a list of strings or null$"),
        ("bias", 1, "^invalid value 1: expected true or false$"),
        ("bias", "yes", "^invalid value 'yes': expected true or false$"),
        ("tokenizer", "regex", "^invalid value 'regex': expected a Tokenizer or null$"),
    ],
)
def test_values_that_do_not(option: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        options_of(Example)[option].check(value)


def test_a_stage_is_taken_as_it_is() -> None:
    tokenizer = Regex()
    assert options_of(Example)["tokenizer"].check(tokenizer) is tokenizer
    assert not options_of(Example)["tokenizer"].plain
    assert options_of(Example)["hidden"].plain


def test_all_options_with_defaults_in_order() -> None:
    values = check_options(Example, {"mode": "max", "hidden": 3})
    assert list(values) == ["hidden", "dropout", "ngrams", "mode", "names", "tokenizer", "bias"]
    assert (values["hidden"], values["dropout"], values["mode"]) == (3, 0.1, "max")


def test_unknown_and_missing_options() -> None:
    with pytest.raises(ValueError, match=r"^hiden: no such option of Example; did you mean 'hidden'\?$"):
        check_options(Example, {"hiden": 3})
    with pytest.raises(ValueError, match=r"^hidden: Example needs this option \(int >= 1\)$"):
        check_options(Example, {})


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (Positive, "int >= 1"),
        (Count, "int >= 0"),
        (Fraction, "float >= 0.0 and <= 1.0"),
        (PositiveFloat, "float > 0.0"),
        (NonNegativeFloat, "float >= 0.0"),
        (Literal["l1", "l2"], "'l1' | 'l2'"),
        (float | None, "float | null"),
        (list[str], "list of str"),
        (tuple[int, int], "[int, int]"),
        (dict[str, int], "mapping of str to int"),
    ],
)
def test_types_as_short_texts(annotation: Any, words: str) -> None:
    assert describe_type(annotation) == words


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (Count, "an integer of at least 0"),
        (Annotated[int, Ge(1), Le(30)], "an integer from 1 to 30"),
        (PositiveFloat, "a positive number"),
        (Positive | Annotated[float, Gt(0.5), Lt(1.0)], "a positive integer or a number above 0.5 and below 1"),
        (list[Dropout], "a list of numbers of at least 0 and below 1"),
        (list[list[bool]] | None, "a list of lists of booleans or null"),
        (
            Literal["auto"] | dict[str, Any] | Literal["l1", None],
            "'auto', a mapping of strings to any values, 'l1' or null",
        ),
        (FileName, "a string"),
        (list[Representation[Any, Any]], "a list of Representations"),
    ],
)
def test_types_as_words_of_a_message(annotation: Any, words: str) -> None:
    assert expected_values(annotation) == words


def test_a_type_without_words_keeps_the_message_of_pydantic() -> None:
    for annotation in (Annotated[str, Len(3)], tuple[int, str]):
        with pytest.raises(LookupError):
            expected_values(annotation)
    with pytest.raises(ValueError, match=r"^invalid value 'a': String should have at least 3 characters$"):
        Option("name", Annotated[str, Len(3)], "abc").check("a")


def test_schema_has_range_and_default() -> None:
    schema = options_of(Example)["dropout"].schema()
    assert schema == {"type": "number", "minimum": 0.0, "exclusiveMaximum": 1.0, "default": 0.1}
    assert "default" not in options_of(Example)["hidden"].schema()


def test_constructors_that_hide_options_are_bugs() -> None:
    def loose(*rest: int) -> None: ...
    def bare(size) -> None: ...  # type: ignore[no-untyped-def]

    with pytest.raises(TypeError, match=r"\*rest names none"):
        options_of(loose)
    with pytest.raises(TypeError, match="'size' has no annotation"):
        options_of(bare)
    assert options_of(object) == {}


def test_stages_check_and_keep_their_options() -> None:
    assert Regex(lowercase=False).options == {"pattern": None, "lowercase": False, "form": "NFC"}
    with pytest.raises(ValueError, match=r"^lowercase: invalid value 'no': expected true or false$"):
        Regex(lowercase="no")  # type: ignore[arg-type]


def test_annotations_name_their_slot() -> None:
    assert slot_of(Tokenizer | None) == "tokenizer"
    assert slot_of(list[Representation[Any, Any]]) == "representation"
    assert slot_of(int | None) is None
