"""Changes to a text that should not change its answer, each the same whenever it is made."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

WORD = re.compile(r"\w{4,}")


def typo(text: str) -> str:
    """Two adjacent inner characters of one word of four or more swapped, as CheckList's typos are."""
    words = list(WORD.finditer(text))
    if not words:
        return text
    word = words[_number(text) % len(words)]
    places = [i for i in range(word.start() + 1, word.end() - 2) if text[i] != text[i + 1]]
    if not places:
        return text
    i = places[_number(text + "#") % len(places)]
    return text[:i] + text[i + 1] + text[i] + text[i + 2 :]


def lowercase(text: str) -> str:
    """All letters small."""
    return text.lower()


def uppercase(text: str) -> str:
    """All letters large."""
    return text.upper()


def punctuation(text: str) -> str:
    """The final full stop left out, or one added."""
    stripped = text.rstrip()
    return stripped.rstrip(".!") if stripped.endswith((".", "!")) else f"{stripped}."


def spaces(text: str) -> str:
    """Two spaces for each."""
    return text.replace(" ", "  ")


def link(text: str) -> str:
    """A link at the end."""
    return f"{text} https://t.co/{_number(text) % 10**8:08d}"


CHANGES: dict[str, Callable[[str], str]] = {
    "typo": typo, "lowercase": lowercase, "uppercase": uppercase, "punctuation": punctuation, "spaces": spaces,
    "link": link,
}  # fmt: skip
"""Name, as suites spell it, to the change."""


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).digest(), "big")
