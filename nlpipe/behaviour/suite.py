"""A suite of behavioural tests from a YAML file, after CheckList (Ribeiro et al. 2020).

MFT  minimum functionality test: a text has a known answer
INV  invariance: what is changed in a text should not change the answer
DIR  directional expectation: a change should raise or lower the probability of a label
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from nlpipe.behaviour.changes import CHANGES
from nlpipe.behaviour.templates import count, fill, filled, slots_of
from nlpipe.errors import Fault, SpecError, suggest
from nlpipe.options import Fraction, Option, Positive
from nlpipe.spec.pipelines import read_plain
from nlpipe.yaml_reader import read_yaml
from nlpipe.yaml_values import Value, join

Kind = Literal["MFT", "INV", "DIR"]
Direction = Literal["higher", "lower", "not higher", "not lower"]
Texts = str | list[str]

MOST_CASES = 10_000
"""Cases that one test may make."""
TOLERANCE = 0.1
"""Change of a probability that counts as none (CheckList's)."""

_COMMON = ("name", "kind")
_SOURCES: dict[str, tuple[str, ...]] = {
    "MFT": ("texts", "template"),
    "INV": ("groups", "template", "vary", "texts", "data", "change"),
    "DIR": ("groups", "template", "then"),
}
_EXPECTED: dict[str, tuple[str, ...]] = {
    "MFT": ("expect", "expect_not"),
    "INV": (),
    "DIR": ("expect", "label", "tolerance"),
}


@dataclass(frozen=True)
class Case:
    """Texts that are judged together: one of an MFT; the original and its changed forms of INV and DIR.

    Args:
        spans: of an MFT from a template, slot to its place in the text.
    """

    texts: tuple[str, ...]
    spans: Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class BehaviourTest:
    """One test of a suite.

    Args:
        cases: empty where texts come from the run's data.
        accepted: of an MFT, the answers of which one is right; for translation, texts of which the answer holds one.
        rejected: of an MFT, the answers that are wrong.
        entities: of an MFT for tagging, slot to the type of entity that it should be.
        label: of DIR, whose probability is compared; empty for the label that the first text gets.
        direction: of DIR.
        tolerance: of DIR, the change in probability that counts as none.
        change: of INV, the name of the change that is made to each text.
        sample: of INV, the number of test texts of the run's data that are changed; 0 where texts are given.
        place: where the test stands, for messages: ``suite.yaml:12:5: tests[2]``.
    """

    name: str
    kind: Kind
    cases: tuple[Case, ...]
    accepted: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()
    entities: Mapping[str, str] | None = None
    label: str = ""
    direction: Direction = "not lower"
    tolerance: float = TOLERANCE
    change: str = ""
    sample: int = 0
    place: str = ""


@dataclass(frozen=True)
class Suite:
    """The tests of a file."""

    name: str
    tests: tuple[BehaviourTest, ...]


def read_suite(path: Path) -> Suite:
    """The suite in a file.

    Raises:
        SpecError: every fault of the file, with line and column.
    """
    root = read_yaml(path)
    faults: list[Fault] = []
    keys = ("suite", "slots", "tests")
    for key in root.entries:
        if key not in keys:
            faults.append(root.keys[key].fault(key, f"a suite has no key '{key}'{suggest(key, keys)}"))
    name = read_plain(root, Option("suite", str, path.stem), faults)
    lists = read_lists(root, "slots", faults)
    given = root.entries.get("tests")
    if given is None or not isinstance(given.content, tuple) or not given.content:
        place = given.place if given is not None else root.place
        faults.append(
            place.fault("tests", "a suite needs a list of tests, such as {kind: MFT, texts: [...], expect: X}")
        )
        raise SpecError(faults)
    tests = [_read_test(item, join("tests", i), lists, faults) for i, item in enumerate(given.content)]
    if faults:
        raise SpecError(faults)
    return Suite(name, tuple(test for test in tests if test is not None))


def read_lists(root: Value, name: str, faults: list[Fault]) -> dict[str, list[str]]:
    """A mapping of names to lists of words that are not empty."""
    lists: dict[str, list[str]] = read_plain(root, Option(name, dict[str, list[str]], {}), faults)
    for key, words in lists.items():
        if not words:
            faults.append(root.entries[name].keys[key].fault(join(name, key), "the list has no words"))
    return lists


def _read_test(item: Value, key: str, lists: Mapping[str, Sequence[str]], faults: list[Fault]) -> BehaviourTest | None:
    before = len(faults)
    if not isinstance(item.content, dict):
        faults.append(item.place.fault(key, f"invalid value {item.plain()!r}: expected a mapping with kind: and texts"))
        return None
    kind: Kind | None = read_plain(item, Option("kind", Kind, None), faults, key)
    if kind is None:
        if len(faults) == before:
            faults.append(item.place.fault(join(key, "kind"), "missing; expected MFT | INV | DIR"))
        return None
    allowed = (*_COMMON, *_SOURCES[kind], *_EXPECTED[kind])
    for name in item.entries:
        if name not in allowed:
            faults.append(item.keys[name].fault(join(key, name), f"{kind} has no key '{name}'{suggest(name, allowed)}"))
    if len(faults) > before:
        return None
    reading = _Reading(item, key, lists, faults)
    change = reading.plain("change", str, "")
    sample = reading.plain("data", Positive, 0)
    if change and change not in CHANGES:
        reading.fault("change", f"there is no change '{change}'{suggest(change, CHANGES)}")
    cases = reading.cases(kind, change, sample)
    entities = None
    accepted: list[str] = []
    expected = item.entries.get("expect")
    if kind == "MFT" and expected is not None and isinstance(expected.content, dict):
        entities = reading.plain("expect", dict[str, str], {})
        for slot in entities:
            if any(slot not in case.spans for case in cases):
                reading.fault("expect", f"the template has no slot '{slot}'")
    elif kind == "MFT":
        accepted = _listed(reading.plain("expect", Texts, []))
    rejected = _listed(reading.plain("expect_not", Texts, []))
    if kind == "MFT" and not (accepted or rejected or entities):
        reading.fault("", "an MFT needs the right answer as expect:, or a wrong one as expect_not:")
    direction: Direction = "not lower"
    if kind == "DIR":
        direction = reading.plain("expect", Direction, "not lower")
        if expected is None:
            reading.fault("expect", "missing; expected higher | lower | not higher | not lower")
    test = BehaviourTest(
        name=reading.plain("name", str, key),
        kind=kind,
        cases=tuple(cases),
        accepted=tuple(accepted),
        rejected=tuple(rejected),
        entities=entities,
        label=reading.plain("label", str, ""),
        direction=direction,
        tolerance=reading.plain("tolerance", Fraction, TOLERANCE),
        change=change,
        sample=sample,
        place=f"{item.place.path}:{item.place.line}:{item.place.column}: {key}",
    )
    return test if len(faults) == before else None


def _listed(value: Texts) -> list[str]:
    return [value] if isinstance(value, str) else value


class _Reading:
    """Reads the parts of one test."""

    def __init__(self, item: Value, key: str, lists: Mapping[str, Sequence[str]], faults: list[Fault]) -> None:
        self.item, self.key, self.lists, self.faults = item, key, lists, faults

    def plain(self, name: str, annotation: Any, default: Any) -> Any:
        return read_plain(self.item, Option(name, annotation, default), self.faults, self.key)

    def fault(self, name: str, message: str) -> None:
        given = self.item.entries.get(name)
        place = given.place if given is not None else self.item.place
        self.faults.append(place.fault(join(self.key, name) if name else self.key, message))

    def cases(self, kind: Kind, change: str, sample: int) -> list[Case]:
        """The cases, each with all its texts."""
        sources = [name for name in ("texts", "template", "groups", "data") if name in self.item.entries]
        if len(sources) != 1:
            ways = {"MFT": "texts or template", "INV": "groups, template, texts or data", "DIR": "groups or template"}
            self.fault("", f"{'no texts' if not sources else ' and '.join(sources)}: expected one of {ways[kind]}")
            return []
        source = sources[0]
        if kind == "INV" and source != "groups" and ("vary" in self.item.entries) == bool(change):
            self.fault("", "INV needs what changes: vary: SLOT of a template, or change: NAME")
            return []
        for name in ("vary", "then"):
            if name in self.item.entries and source != "template":
                self.fault(name, "it is for a template")
                return []
        if source == "groups":
            return self._groups(2 if kind == "DIR" else None)
        if source == "template":
            return self._from_templates(kind, change)
        texts: list[str] = self.plain("texts", list[str], [])
        if not texts and not sample:
            self.fault("texts", "there are no texts")
        return [Case(_changed(text, change), {}) for text in texts]

    def _groups(self, size: int | None) -> list[Case]:
        groups: list[list[str]] = self.plain("groups", list[list[str]], [])
        for i, group in enumerate(groups):
            if len(group) < 2 or (size and len(group) != size):
                self.fault("groups", f"group {i} has {len(group)} texts; expected {size or 'at least 2'}")
        if not groups:
            self.fault("groups", "there are no groups of texts")
        return [Case(tuple(group), {}) for group in groups]

    def _from_templates(self, kind: Kind, change: str) -> list[Case]:
        templates = _listed(self.plain("template", Texts, []))
        then: str = self.plain("then", str, "")
        vary: str = self.plain("vary", str, "")
        if kind == "DIR" and not then:
            self.fault("then", "missing; expected the changed form of the template")
        total = 0
        for template in templates:
            for slot in [*slots_of(template), *(s for s in slots_of(then) if s not in slots_of(template))]:
                if slot not in self.lists:
                    near = suggest(slot, self.lists) if self.lists else "; the suite has no slots:"
                    self.fault("template", f"there are no words for '{{{slot}}}'{near}")
                    return []
                if then and slot not in slots_of(template):
                    self.fault("then", f"'{{{slot}}}' does not stand in the template")
                    return []
            if vary and vary not in slots_of(template):
                self.fault("vary", f"the template '{template}' has no slot '{vary}'")
                return []
            total += count(template, self.lists)
        if not total or total > MOST_CASES:
            self.fault("template", f"{total:,} texts come of it; expected 1 to {MOST_CASES:,}")
            return []
        return [case for template in templates for case in self._of(template, then, vary, change)]

    def _of(self, template: str, then: str, vary: str, change: str) -> list[Case]:
        texts = filled(template, self.lists)
        if vary:
            groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
            for text in texts:
                groups.setdefault(tuple(pair for pair in text.words.items() if pair[0] != vary), []).append(text.text)
            return [Case(tuple(group), {}) for group in groups.values()]
        if then:
            return [Case((text.text, fill(then, text.words).text), {}) for text in texts]
        return [Case(_changed(text.text, change), text.spans) for text in texts]


def _changed(text: str, change: str) -> tuple[str, ...]:
    return (text, CHANGES[change](text)) if change in CHANGES else (text,)
