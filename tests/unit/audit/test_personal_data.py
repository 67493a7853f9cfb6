"""Personal data: what is found, what only looks like it, and that it is masked."""

from __future__ import annotations

import time

import pytest

from nlpipe.audit.personal_data import KINDS, PersonalIndex, find, luhn, mask, mod_97


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("write to Anna.Berg+news@mail.example.org.", [("mail address", "Anna.Berg+news@mail.example.org")]),
        ("@home, a@b, x@y. no@ mail", []),
        ("pay DE89 3704 0044 0532 0130 00 NOW", [("IBAN", "DE89 3704 0044 0532 0130 00")]),
        ("DE89370400440532013000, GB82WEST12345698765432", [("IBAN", "DE89370400440532013000"),
                                                            ("IBAN", "GB82WEST12345698765432")]),
        ("DE88370400440532013000", []),
        ("card 4111 1111 1111 1111 12", [("card number", "4111 1111 1111 1111")]),
        ("5500-0000-0000-0004", [("card number", "5500-0000-0000-0004")]),
        ("4111 1111 1111 1112", []),
        ("+49 (0)30 1234567 or +1-202-555-0143", [("phone number", "+49 (0)30 1234567"),
                                                  ("phone number", "+1-202-555-0143")]),
        ("(801) 596-1887, 202.555.0143, 06 12 34 56 78, 0171/1234567",
         [("phone number", "(801) 596-1887"), ("phone number", "202.555.0143"), ("phone number", "06 12 34 56 78"),
          ("phone number", "0171/1234567")]),
        ("on 01-02-1999 0 and 01.02.1999, 1999-12-31, 3.14159265358, 12345678901, 0.1234567890", []),
        ("from 192.168.0.1 to 300.1.1.1, version 1.2.3.4.5", [("IPv4 address", "192.168.0.1")]),
        ("", []),
    ],
)  # fmt: skip
def test_what_is_found(text: str, found: list[tuple[str, str]]) -> None:
    assert [(each.kind, each.text) for each in find(text)] == found
    assert all(text[each.start : each.end] == each.text for each in find(text))


def test_check_digits_see_every_wrong_digit() -> None:
    for check, number in ((luhn, "4111111111111111"), (mod_97, "DE89370400440532013000")):
        assert check(number)
        for i, digit in enumerate(number):
            if digit.isdigit():
                assert not check(f"{number[:i]}{(int(digit) + 1) % 10}{number[i + 1 :]}")


def test_examples_are_masked() -> None:
    assert mask("anna@example.org") == "an••••••••••••••"
    index = PersonalIndex(["Anna: anna@x.org, 4111 1111 1111 1111."], lambda text: text.replace("@", " @ "))
    assert index.masked("Anna: anna @ x.org, 4111 1111 1111 1111.") == "Anna: an••••••••••, 41•••••••••••••••••."
    assert index.masked("x.org, 4111 1111") == "x.•••, 41•••••••"


def test_what_is_generated_is_compared_with_training() -> None:
    index = PersonalIndex(["mail anna@x.org or +49 30 1234567"], lambda text: text.replace("@", " @ "))
    by_kind = {each.kind: each for each in index.compared([("to anna @ x.org and bob@y.org", 0), ("ANNA@X.ORG", 10)])}
    assert (by_kind["mail address"].training, by_kind["mail address"].generated) == (1, 2)
    assert by_kind["mail address"].repeated == 1 and by_kind["mail address"].examples == ("an••••••••",)
    assert (by_kind["phone number"].training, by_kind["phone number"].generated) == (1, 0)
    assert by_kind["phone number"].examples == ("+4••••••••••••",)
    assert set(by_kind) == set(KINDS) and by_kind["IBAN"].examples == ()
    assert index.masked("to anna @ x.org") == "to an••••••••••"


@pytest.mark.parametrize(
    "text",
    ["x" * 300_000, "1 " * 150_000, "+1" * 150_000, "a@" * 150_000, "a@b." * 80_000, "DE89 " * 60_000, "1" * 300_000],
)
def test_hostile_texts_take_no_time(text: str) -> None:
    start = time.process_time()
    find(text)
    assert time.process_time() - start < 10  # under half a second
