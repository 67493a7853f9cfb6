"""A probe for bias from a YAML file: groups of people, the words for them, and sentences that say the same of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlpipe.behaviour.suite import MOST_CASES, read_lists
from nlpipe.behaviour.templates import Filled, count, filled, slots_of
from nlpipe.errors import Fault, SpecError, suggest
from nlpipe.options import Option
from nlpipe.spec.pipelines import read_plain
from nlpipe.yaml_reader import read_yaml
from nlpipe.yaml_values import Value, join

SHIPPED = Path(__file__).with_name("names_and_groups.yaml")
"""The probe of nlpipe's own."""
PERSON = "person"
"""The slot of templates that takes the words of groups."""
KEYS = ("probe", "templates", "slots", "comparisons")
COMPARISON_KEYS = ("name", "names", "paired", "groups")


@dataclass(frozen=True)
class Groups:
    """Groups of people that are compared with each other.

    Args:
        words: group to its words; at least two groups of at least two words each.
        names: whether the words are names of persons, so that a tagger should find them.
        paired: whether the words at one place of all groups belong together; then all groups have as many.
    """

    name: str
    words: Mapping[str, tuple[str, ...]]
    names: bool
    paired: bool


@dataclass(frozen=True)
class Probe:
    """The comparisons of a file.

    Args:
        templates: each with ``{person}`` and no other slot.
    """

    name: str
    templates: tuple[str, ...]
    comparisons: tuple[Groups, ...]

    def texts(self, word: str) -> list[Filled]:
        """Every template with ``word``, which begins with a capital letter at the start of a text."""
        return [_with(template, word) for template in self.templates]


def _with(template: str, word: str) -> Filled:
    first = template.startswith(f"{{{PERSON}}}")
    return filled(template, {PERSON: [word[:1].upper() + word[1:] if first else word]})[0]


def read_probe(path: Path = SHIPPED) -> Probe:
    """The probe in a file.

    Raises:
        SpecError: every fault of the file, with line and column.
    """
    root = read_yaml(path)
    faults: list[Fault] = []
    for key in root.entries:
        if key not in KEYS:
            faults.append(root.keys[key].fault(key, f"a probe has no key '{key}'{suggest(key, KEYS)}"))
    lists = read_lists(root, "slots", faults)
    written: list[str] = read_plain(root, Option("templates", list[str], []), faults)
    if not written and not faults:
        faults.append(root.place.fault("templates", "missing; expected texts with {person}"))
    templates: list[str] = []
    for template in written:
        place = root.entries["templates"].place
        unknown = [slot for slot in slots_of(template) if slot not in (PERSON, *lists)]
        if PERSON not in slots_of(template):
            faults.append(place.fault("templates", f"'{template}' has no {{{PERSON}}}"))
        elif unknown:
            near = suggest(unknown[0], lists) if lists else "; the probe has no slots:"
            faults.append(place.fault("templates", f"there are no words for '{{{unknown[0]}}}'{near}"))
        elif count(template, {**lists, PERSON: [""]}) > MOST_CASES:
            faults.append(place.fault("templates", f"more than {MOST_CASES:,} texts come of '{template}'"))
        else:
            templates += [text.text for text in filled(template, {**lists, PERSON: [f"{{{PERSON}}}"]})]
    given = root.entries.get("comparisons")
    items = given.content if given is not None and isinstance(given.content, tuple) else ()
    if not items:
        place = given.place if given is not None else root.place
        faults.append(
            place.fault("comparisons", "expected a list of {name: …, groups: {one: [words], other: [words]}}")
        )
    comparisons = [_read_groups(item, join("comparisons", i), faults) for i, item in enumerate(items)]
    if faults:
        raise SpecError(faults)
    name = read_plain(root, Option("probe", str, path.stem), faults)
    return Probe(name, tuple(templates), tuple(found for found in comparisons if found is not None))


def _read_groups(item: Value, key: str, faults: list[Fault]) -> Groups | None:
    before = len(faults)
    if not isinstance(item.content, dict):
        faults.append(item.place.fault(key, f"invalid value {item.plain()!r}: expected a mapping with groups:"))
        return None
    for name in item.entries:
        if name not in COMPARISON_KEYS:
            message = f"a comparison has no key '{name}'{suggest(name, COMPARISON_KEYS)}"
            faults.append(item.keys[name].fault(join(key, name), message))

    def plain(name: str, annotation: Any, default: Any) -> Any:
        return read_plain(item, Option(name, annotation, default), faults, key)

    groups: dict[str, list[str]] = plain("groups", dict[str, list[str]], {})
    paired: bool = plain("paired", bool, False)
    place = item.entries["groups"].place if "groups" in item.entries else item.place
    if len(faults) == before:
        sizes = {len(words) for words in groups.values()}
        if len(groups) < 2:
            faults.append(place.fault(join(key, "groups"), f"{len(groups)} groups; expected at least 2"))
        elif min(sizes) < 2:
            message = "a group has fewer than 2 words: how much words differ within a group cannot be estimated"
            faults.append(place.fault(join(key, "groups"), message))
        elif paired and len(sizes) > 1:
            faults.append(place.fault(join(key, "groups"), "paired: true needs as many words in each group"))
    if len(faults) > before:
        return None
    words = {name: tuple(listed) for name, listed in groups.items()}
    return Groups(plain("name", str, key), words, plain("names", bool, False), paired)
