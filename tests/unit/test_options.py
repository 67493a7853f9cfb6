"""Options read from signatures: what fits, what does not, and what the message says."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from nlpipe.options import (
    Count,
    Dropout,
    Fraction,
    NonNegativeFloat,
    Positive,
    PositiveFloat,
    check_options,
    describe_type,
    options_of,
)
from nlpipe.registry import slot_of
from nlpipe.stage import Representation, Tokenizer
from nlpipe.tokenizers import Regex


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
    found = options_of(Example)[option].check(value)
    assert found == checked
    assert type(found) is type(checked)


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("hidden", 0, "0 will not do: it should be greater than or equal to 1"),
        ("hidden", "64", "'64' will not do: it should be a valid integer"),
        ("hidden", 1.5, "1.5 will not do"),
        ("hidden", True, "True will not do"),
        ("dropout", 1.0, "should be less than 1"),
        ("dropout", "0.5", "'0.5' will not do"),
        ("ngrams", [1, 0], r"\[1\]: 0 will not do: it should be greater than or equal to 1"),
        ("mode", "min", "'min' will not do: it should be 'mean' or 'max'"),
        ("names", [1], r"1 will not do"),
        ("bias", 1, "1 will not do"),
        ("bias", "yes", "'yes' will not do"),
        ("tokenizer", "regex", "'regex' will not do"),
    ],
)
def test_values_that_do_not(option: str, value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
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
def test_types_in_words(annotation: Any, words: str) -> None:
    assert describe_type(annotation) == words


def test_schema_has_range_and_default() -> None:
    schema = options_of(Example)["dropout"].schema()
    assert schema == {"type": "number", "minimum": 0.0, "exclusiveMaximum": 1.0, "default": 0.1}
    assert "default" not in options_of(Example)["hidden"].schema()


def test_constructors_that_hide_options_are_bugs() -> None:
    def loose(*rest: int) -> None: ...
    def bare(size) -> None: ...  # type: ignore[no-untyped-def]

    with pytest.raises(TypeError, match=r"without \*rest"):
        options_of(loose)
    with pytest.raises(TypeError, match="'size' has no annotation"):
        options_of(bare)
    assert options_of(object) == {}


def test_stages_check_and_keep_their_options() -> None:
    assert Regex(lowercase=False).options == {"pattern": None, "lowercase": False, "form": None}
    with pytest.raises(ValueError, match="lowercase: 'no' will not do"):
        Regex(lowercase="no")  # type: ignore[arg-type]


def test_annotations_name_their_slot() -> None:
    assert slot_of(Tokenizer | None) == "tokenizer"
    assert slot_of(list[Representation[Any, Any]]) == "representation"
    assert slot_of(int | None) is None
