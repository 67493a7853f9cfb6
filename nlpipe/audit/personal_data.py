"""Personal data in texts: mail addresses, IBANs, card numbers, phone numbers and IPv4 addresses, found by their form.

Card numbers have the right check digit (Luhn, ISO/IEC 7812-1), IBANs too (mod 97, ISO 13616). Names and postal
addresses have no form of their own and are not looked for. What is found is shown masked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address
from typing import Any

SHOWN = 2
"""Characters of an example that are not masked."""
EXAMPLES = 5
"""Examples of each kind that are kept."""


def luhn(number: str) -> bool:
    """Whether the last of the digits in ``number`` is the check digit of the others (Luhn)."""
    digits = [int(char) for char in reversed(number) if char.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def mod_97(number: str) -> bool:
    """Whether ``number``, an IBAN, has the right check digits."""
    letters = number.replace(" ", "")
    turned = letters[4:] + letters[:4]
    return 15 <= len(letters) <= 34 and int("".join(str(int(char, 36)) for char in turned)) % 97 == 1


def _is_phone(text: str) -> bool:
    """Whether it has as many digits as a phone number: with the code of a country 8 to 15, else 9 to 12, as in dates
    there are 8."""
    digits = sum(char.isdigit() for char in text)
    return 8 <= digits <= 15 if text.startswith("+") else 9 <= digits <= 12


def _is_ipv4(text: str) -> bool:
    try:
        IPv4Address(text)
    except AddressValueError:
        return False
    return True


KINDS: dict[str, tuple[re.Pattern[str], Callable[[str], bool]]] = {
    "mail address": (
        re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,8}(?!\w)", re.IGNORECASE),
        bool,
    ),
    "IBAN": (
        re.compile(r"(?<!\w)[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)"),
        mod_97,
    ),
    "card number": (re.compile(r"(?<![\w.-])[2-6][0-9](?:[ -]?[0-9]){11,17}(?![\w-])"), luhn),
    "phone number": (
        re.compile(
            r"(?<![\w.,+-])(?:"
            r"\+[0-9](?:[ ()./-]{0,2}[0-9]){6,14}"  # +49 30 1234567
            r"|\([0-9]{2,5}\) ?[0-9](?:[ ./-]?[0-9]){4,9}"  # (030) 1234567
            r"|0(?![0-9]?([./-])[0-9]{1,2}\1[0-9]{4}(?![0-9]))"  # no date
            r"[0-9]{1,4}[ ./-][0-9](?:[ .-]?[0-9]){5,9}"  # 030 1234567
            r"|(?:1[ .-])?[0-9]{3}([.-])[0-9]{3}\2[0-9]{4}"  # 555-010-1234
            r")(?![\w-])"
        ),
        _is_phone,
    ),
    "IPv4 address": (re.compile(r"(?<![\w.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![\w.]*\w)"), _is_ipv4),
}
"""Kind to the form it has, and a check of what has that form; the first kind has a text to itself."""


@dataclass(frozen=True)
class Found:
    """One piece of personal data in a text, from character ``start`` to before ``end``."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def value(self) -> str:
        """What is the same however it is written: letters and digits of a number, a mail address in lower case."""
        return self.text.lower() if "@" in self.text else "".join(filter(str.isalnum, self.text))


def find(text: str) -> list[Found]:
    """The personal data in ``text``, in its order; no two overlap."""
    found: list[Found] = []
    for kind, (form, check) in KINDS.items():

        def take(match: re.Match[str], kind: str = kind, check: Callable[[str], bool] = check) -> str:
            """Keep what is found, and return what the next kinds see of it."""
            whole = written = match.group()
            while " " in written and not check(written):  # another number, or a word in capitals, may follow it
                written = written.rpartition(" ")[0]
            if not check(written):
                return whole
            found.append(Found(kind, written, match.start(), match.start() + len(written)))
            return "\0" * len(written) + whole[len(written) :]

        text = form.sub(take, text)
    return sorted(found, key=lambda each: each.start)


def mask(text: str) -> str:
    """The first two characters, and a dot for each of the others."""
    return text[:SHOWN] + "•" * (len(text) - SHOWN)


@dataclass(frozen=True)
class PersonalData:
    """Different pieces of personal data of one kind.

    Args:
        kind: a key of ``KINDS``.
        training: in the training text.
        generated: in what the model wrote.
        repeated: of the generated ones, those that stand in the training text.
        examples: masked; those that are repeated, or else generated, or else in training.
    """

    kind: str
    training: int
    generated: int
    repeated: int
    examples: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "kind": self.kind, "training": self.training, "generated": self.generated, "repeated": self.repeated,
            "examples": list(self.examples),
        }  # fmt: skip


class PersonalIndex:
    """The personal data of the training text.

    Args:
        training: its texts.
        joined: a text as it comes out of the tokenizer, which may split mail addresses and numbers.
    """

    def __init__(self, training: Iterable[str], joined: Callable[[str], str]) -> None:
        self.values = _values(map(find, training))
        self.joined = {
            kind: {joined(text): value for value, text in values.items()} for kind, values in self.values.items()
        }

    def masked(self, text: str) -> str:
        """A passage of the training text as the tokenizer joins it, with its personal data masked, cut pieces too."""
        for form in (form for forms in self.joined.values() for form in forms):
            text = text.replace(form, mask(form))
            for size in range(len(form) - 1, SHOWN, -1):  # the passage may end, or begin, in the middle of it
                if text.endswith(form[:size]):
                    text = text[:-size] + mask(form[:size])
                if text.startswith(form[-size:]):
                    text = mask(form[-size:]) + text[size:]
        return text

    def compared(self, generated: Sequence[tuple[str, int]]) -> tuple[PersonalData, ...]:
        """What of each kind there is in training and in what was generated, kinds without any included.

        Args:
            generated: texts, and how many characters of each are a prompt; what ends there is not counted.
        """
        new = _values([each for each in find(text) if each.end > prompt] for text, prompt in generated)
        result = []
        for kind, known in self.values.items():
            for text, prompt in generated:
                for form, value in self.joined[kind].items():
                    if form in text[max(0, prompt - len(form) + 1) :]:
                        new[kind].setdefault(value, known[value])
            repeated = {value: text for value, text in new[kind].items() if value in known}
            shown = list((repeated or new[kind] or known).values())[:EXAMPLES]
            counts = len(known), len(new[kind]), len(repeated)
            result.append(PersonalData(kind, *counts, tuple(map(mask, shown))))
        return tuple(result)


def _values(texts: Iterable[Sequence[Found]]) -> dict[str, dict[str, str]]:
    """Of each kind the different values, each with how it is written first."""
    values: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
    for found in texts:
        for each in found:
            values[each.kind].setdefault(each.value, each.text)
    return values
