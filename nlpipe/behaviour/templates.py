"""Texts from templates: ``The {thing} is {praise}.`` with each word of each list."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Filled:
    """A template with words in its slots.

    Args:
        text: the result.
        words: slot to the word in it.
        spans: slot to its first place in the text: first character, the one after the last.
    """

    text: str
    words: Mapping[str, str]
    spans: Mapping[str, tuple[int, int]]


def slots_of(template: str) -> list[str]:
    """The slots of a template, each once, in order."""
    return list(dict.fromkeys(SLOT.findall(template)))


def count(template: str, lists: Mapping[str, Sequence[str]]) -> int:
    """How many texts ``filled`` makes of a template."""
    return prod(len(lists[slot]) for slot in slots_of(template))


def filled(template: str, lists: Mapping[str, Sequence[str]]) -> list[Filled]:
    """The template with every combination of words; a slot that stands twice has one word in both places."""
    slots = slots_of(template)
    return [fill(template, dict(zip(slots, words, strict=True))) for words in product(*(lists[s] for s in slots))]


def fill(template: str, words: Mapping[str, str]) -> Filled:
    """The template with one word for each slot."""
    text, last = "", 0
    spans: dict[str, tuple[int, int]] = {}
    for match in SLOT.finditer(template):
        text += template[last : match.start()]
        word = words[match[1]]
        spans.setdefault(match[1], (len(text), len(text) + len(word)))
        text += word
        last = match.end()
    return Filled(text + template[last:], dict(words), spans)
