"""How tags of single words mark entities of several: the schemes in use, and the way from each to each.

    IOB1   I-X inside; B-X only where an entity follows one of its own type at once
    IOB2   B-X first, I-X after it (also called BIO)
    IOBES  B-X first, I-X inside, E-X last, S-X alone
    BILOU  the same with L-X and U-X for E-X and S-X;  BMES  the same with M-X for I-X
    IO     I-X inside; neighbours of one type are one entity

Ramshaw and Marcus 1995, "Text Chunking using Transformation-Based Learning"; Ratinov and Roth 2009, "Design
Challenges and Misconceptions in Named Entity Recognition". Tags that break their scheme are read as the script
``conlleval`` of CoNLL-2000 reads them: what continues nothing begins an entity.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

Unit = tuple[int, int, str]
"""An entity: its first word, the one after its last, its type."""

MARKS = {"IOB1": "BI", "IOB2": "BI", "IO": "I", "IOBES": "BIES", "BILOU": "BILU", "BMES": "BMES"}
"""The letters of a scheme that mark first, inside, last and single words."""

SCHEMES = (*MARKS, "none")
"""``none``: tags that mark no entities, such as parts of speech."""

ALIASES = {"BIO": "IOB2", "BIO2": "IOB2", "IOB": "IOB1", "BIOES": "IOBES", "BIOLU": "BILOU", "BILUO": "BILOU"}
"""Other names that schemes go by."""

_ROLE = {"B": "B", "I": "I", "M": "I", "E": "E", "L": "E", "S": "S", "U": "S"}
"""Letter to what it says, in the letters of IOBES."""


def parts(tag: str) -> tuple[str, str]:
    """Role in the letters of IOBES and type of a well-formed tag; ("O", "") outside."""
    return ("O", "") if tag == "O" else (_ROLE[tag[0]], tag[2:])


def malformed(tag: str, scheme: str) -> str:
    """What is wrong with a single tag, for a message; empty if nothing is."""
    if tag == "O" or scheme == "none":
        return ""
    marks = MARKS[scheme]
    if tag in tuple(marks) or (tag[1:] == "-" and tag[0] in marks):
        return f"the tag '{tag}' has no type; write {tag[0]}-TYPE"
    if tag[1:2] != "-" or tag[0] not in marks:
        return f"'{tag}' is no tag of {scheme}, which has O and {', '.join(f'{mark}-TYPE' for mark in marks)}"
    return ""


def marks_entities(tags: Iterable[str], scheme: str = "IOB2") -> bool:
    """Whether these are tags of a scheme: each is O or begins with one of its marks, as in ``B-PER``."""
    marks = tuple(f"{mark}-" for mark in MARKS[scheme])
    return all(tag == "O" or tag.startswith(marks) for tag in tags)


def nearly_marks(tags: Iterable[str]) -> str:
    """A tag that would mark an entity if it were written as one (``b-PER``, ``B_PER``), where most are so; else ''."""
    kinds = sorted(set(tags) - {"O", "o"})
    near = [tag for tag in kinds if tag[:1].upper() in _ROLE and tag[1:2] in ("-", "_", "/", ":") and tag[2:]]
    return near[0] if 2 * len(near) > len(kinds) else ""


def detect(sentences: Sequence[Sequence[str]]) -> str:
    """The scheme that tags are in; ``none`` where most kinds of tags are of no scheme."""
    kinds = {tag for tags in sentences for tag in tags} - {"O"}
    if kinds <= {"B", "I"}:
        return "IOB2"  # without types, which ``malformed`` tells
    marked = {tag for tag in kinds if tag[0] in _ROLE and tag[1:2] == "-"}
    if 2 * len(marked) < len(kinds):
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
    known = [[tag if tag in marked else "O" for tag in tags] for tags in sentences]  # ``malformed`` tells the others
    wrong = {name: sum(len(faults(tags, name)) for tags in known) for name in ("IOB2", "IOB1")}
    return "IOB1" if wrong["IOB1"] < wrong["IOB2"] else "IOB2"


def to_spans(tags: Sequence[str], scheme: str = "IOB2") -> list[Unit]:
    """The entities of a sentence, in order; empty for ``none``."""
    found: list[Unit] = []
    if scheme == "none":
        return found
    first, role_before, open_type = 0, "O", ""
    for i, tag in enumerate(tags):
        role, kind = parts(tag)
        starts = role in "BS" or (role != "O" and (role_before in "OES" or kind != open_type))
        if open_type and (role == "O" or starts):
            found.append((first, i, open_type))
        if starts:
            first = i
        open_type, role_before = kind, role
    if open_type:
        found.append((first, len(tags), open_type))
    return found


def from_spans(units: Sequence[Unit], length: int, scheme: str = "IOB2") -> list[str]:
    """The tags of a sentence of ``length`` words with these entities, which are in order and do not overlap."""
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
    """The same entities in another scheme; tags of ``none`` stay as they are."""
    if "none" in (source, target):
        return list(tags)
    return from_spans(to_spans(tags, source), len(tags), target)


def faults(tags: Sequence[str], scheme: str) -> list[tuple[int, str]]:
    """Words whose tags may not stand where they do, each with the reason: ``(3, "I-PER after O")``."""
    if scheme == "none":
        return []
    found = []
    before = None
    for i, tag in enumerate(tags):
        if not follows(before, tag, scheme):
            found.append((i, f"{tag} after {before or 'the start'}"))
        before = tag
    if before is not None and not follows(before, None, scheme):
        found.append((len(tags) - 1, f"{before} at the end"))
    return found


def follows(before: str | None, tag: str | None, scheme: str) -> bool:
    """Whether ``tag`` may stand after ``before``; None is the start or the end of a sentence."""
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
    """Which of C tags may begin a sentence (C,), which may follow which (C, C; row before column), which may end it."""
    start = np.array([follows(None, tag, scheme) for tag in classes])
    end = np.array([follows(tag, None, scheme) for tag in classes])
    pairs = np.array([[follows(before, tag, scheme) for tag in classes] for before in classes])
    return start, pairs.reshape(len(classes), len(classes)), end
