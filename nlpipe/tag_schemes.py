"""Tagging schemes: how the tags of single words mark entities of several words, and conversion between schemes.

X is the type of an entity; O marks words outside of entities.

    IOB1   I-X in an entity; B-X for its first word only if the word before ends an entity of the same type
    IOB2   B-X for the first word, I-X for the others (also called BIO)
    IOBES  B-X first word, I-X inner words, E-X last word, S-X single word
    BILOU  as IOBES, with L-X in place of E-X and U-X in place of S-X
    BMES   as IOBES, with M-X in place of I-X
    IO     I-X for every word; adjacent entities of one type are read as one entity

Ramshaw and Marcus 1995, "Text Chunking using Transformation-Based Learning"; Ratinov and Roth 2009, "Design
Challenges and Misconceptions in Named Entity Recognition". Tag sequences that violate their scheme are read as the
script ``conlleval`` of CoNLL-2000 reads them: a tag that should continue an entity but cannot begins a new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

Unit = tuple[int, int, str]
"""An entity: index of its first word, index after its last word, type."""

MARKS = {"IOB1": "BI", "IOB2": "BI", "IO": "I", "IOBES": "BIES", "BILOU": "BILU", "BMES": "BMES"}
"""The letters with which a scheme marks first, inner, last and single words."""

LETTERS = frozenset("".join(MARKS.values()))
"""The letters of all schemes."""

SCHEMES = (*MARKS, "none")
"""The names of the schemes; ``none`` is for tags that do not mark entities, such as parts of speech."""

ALIASES = {"BIO": "IOB2", "BIO2": "IOB2", "IOB": "IOB1", "BIOES": "IOBES", "BIOLU": "BILOU", "BILUO": "BILOU"}
"""Other common names of the schemes."""

_ROLE = {"B": "B", "I": "I", "M": "I", "E": "E", "L": "E", "S": "S", "U": "S"}
"""The letters of all schemes, as letters of IOBES."""


def parts(tag: str) -> tuple[str, str]:
    """Split a well-formed tag into its role, as a letter of IOBES, and its type; ("O", "") for O."""
    return ("O", "") if tag == "O" else (_ROLE[tag[0]], tag[2:])


def malformed(tag: str, scheme: str) -> str:
    """Return a message that says why a tag is not valid in ``scheme``; empty if it is valid."""
    if tag == "O" or scheme == "none":
        return ""
    marks = MARKS[scheme]
    if tag in tuple(marks) or (tag[1:] == "-" and tag[0] in marks):
        return f"the tag '{tag}' has no type; write {tag[0]}-TYPE"
    if tag[1:2] != "-" or tag[0] not in marks:
        return f"'{tag}' is not a tag of {scheme}, which has O and {', '.join(f'{mark}-TYPE' for mark in marks)}"
    return ""


def marks_entities(tags: Iterable[str], scheme: str = "IOB2") -> bool:
    """Whether all tags are O or start with a mark of the scheme, as in ``B-PER``."""
    marks = tuple(f"{mark}-" for mark in MARKS[scheme])
    return all(tag == "O" or tag.startswith(marks) for tag in tags)


def nearly_marks(tags: Iterable[str]) -> str:
    """Return a tag that almost marks an entity (``b-PER``, ``B_PER``) if most distinct tags do; else ""."""
    distinct = sorted(set(tags) - {"O", "o"})
    similar = [tag for tag in distinct if tag[:1].upper() in _ROLE and tag[1:2] in ("-", "_", "/", ":") and tag[2:]]
    return similar[0] if 2 * len(similar) > len(distinct) else ""


def detect(sentences: Sequence[Sequence[str]]) -> str:
    """Return the scheme of the tags; ``none`` if fewer than half of the distinct tags start with a mark of a scheme."""
    distinct = {tag for tags in sentences for tag in tags} - {"O"}
    if distinct <= {"B", "I"}:
        return "IOB2"  # tags without types; ``malformed`` reports them
    marked = {tag for tag in distinct if tag[0] in _ROLE and tag[1:2] == "-"}
    if 2 * len(marked) < len(distinct):
        return "none"
    letters = {tag[0] for tag in marked}
    if "M" in letters:
        return "BMES"
    if letters & set("LU"):
        return "BILOU"
    if letters & set("ES"):
        return "IOBES"
    if "B" not in letters:
        return "IO"
    valid = [[tag if tag in marked else "O" for tag in tags] for tags in sentences]  # ``malformed`` reports the others
    violations = {name: sum(len(faults(tags, name)) for tags in valid) for name in ("IOB2", "IOB1")}
    return "IOB1" if violations["IOB1"] < violations["IOB2"] else "IOB2"


def to_spans(tags: Sequence[str], scheme: str = "IOB2") -> list[Unit]:
    """Return the entities of a sentence, in order; an empty list for ``none``."""
    entities: list[Unit] = []
    if scheme == "none":
        return entities
    first, role_before, open_type = 0, "O", ""
    for i, tag in enumerate(tags):
        role, kind = parts(tag)
        starts = role in "BS" or (role != "O" and (role_before in "OES" or kind != open_type))
        if open_type and (role == "O" or starts):
            entities.append((first, i, open_type))
        if starts:
            first = i
        open_type, role_before = kind, role
    if open_type:
        entities.append((first, len(tags), open_type))
    return entities


def from_spans(units: Sequence[Unit], length: int, scheme: str = "IOB2") -> list[str]:
    """Return the tags of a sentence of ``length`` words; the entities must be in order and must not overlap."""
    tags = ["O"] * length
    end_before, type_before = -1, ""
    marks = MARKS[scheme]
    for first, last, kind in units:
        inside = marks[1] if len(marks) > 1 else marks[0]
        tags[first:last] = [f"{inside}-{kind}"] * (last - first)
        if scheme == "IOB2" or (scheme == "IOB1" and end_before == first and type_before == kind):
            tags[first] = f"B-{kind}"
        elif len(marks) == 4:
            if last - first == 1:
                tags[first] = f"{marks[3]}-{kind}"
            else:
                tags[first], tags[last - 1] = f"{marks[0]}-{kind}", f"{marks[2]}-{kind}"
        end_before, type_before = last, kind
    return tags


def convert(tags: Sequence[str], source: str, target: str) -> list[str]:
    """Convert the tags of a sentence to another scheme; unchanged if either scheme is ``none``."""
    if "none" in (source, target):
        return list(tags)
    return from_spans(to_spans(tags, source), len(tags), target)


def faults(tags: Sequence[str], scheme: str) -> list[tuple[int, str]]:
    """Return the positions at which tags violate the scheme, each with the reason: ``(3, "I-PER after O")``."""
    if scheme == "none":
        return []
    violations = []
    before = None
    for i, tag in enumerate(tags):
        if not follows(before, tag, scheme):
            violations.append((i, f"{tag} after {before or 'the start'}"))
        before = tag
    if before is not None and not follows(before, None, scheme):
        violations.append((len(tags) - 1, f"{before} at the end"))
    return violations


def follows(before: str | None, tag: str | None, scheme: str) -> bool:
    """Whether ``tag`` may follow ``before``; None stands for the start or the end of a sentence."""
    role, kind = parts(tag) if tag else ("O", "")
    role_before, kind_before = parts(before) if before else ("O", "")
    if scheme == "IOB2":
        return role != "I" or (role_before in "BI" and kind == kind_before)
    if scheme == "IOB1":
        return role != "B" or (role_before in "BI" and kind == kind_before)
    if len(MARKS.get(scheme, "")) == 4:
        return kind == kind_before and role in "IE" if role_before in "BI" else role in "OBS"
    return True


def allowed(classes: Sequence[str], scheme: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which of C tags may start a sentence (C,), may follow each other (C, C) and may end a sentence (C,).

    Element (i, j) of the matrix says whether tag j may follow tag i.
    """
    start = np.array([follows(None, tag, scheme) for tag in classes])
    end = np.array([follows(tag, None, scheme) for tag in classes])
    pairs = np.array([[follows(before, tag, scheme) for tag in classes] for before in classes])
    return start, pairs.reshape(len(classes), len(classes)), end
