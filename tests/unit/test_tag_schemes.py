"""Schemes of tags: the way there and back, what may follow what, and what a scheme is recognised by."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlpipe import tag_schemes

ENTITY_SCHEMES = [name for name in tag_schemes.SCHEMES if name != "none"]


@st.composite
def sentences(draw):
    """Length, and entities in order that do not overlap; types may hold hyphens."""
    units, place = [], 0
    for _ in range(draw(st.integers(0, 5))):
        first = place + draw(st.integers(0, 2))
        place = first + draw(st.integers(1, 4))
        units.append((first, place, draw(st.sampled_from(["PER", "LOC", "geo-loc"]))))
    return place + draw(st.integers(0, 2)), units


@pytest.mark.parametrize("scheme", [name for name in ENTITY_SCHEMES if name != "IO"])
@given(sentences())
def test_entities_survive_a_round_trip(scheme, sentence):
    length, units = sentence
    tags = tag_schemes.from_spans(units, length, scheme)
    assert tag_schemes.to_spans(tags, scheme) == units
    assert tag_schemes.faults(tags, scheme) == []
    assert all(tag_schemes.malformed(tag, scheme) == "" for tag in tags)


@given(sentences())
def test_io_joins_neighbours_of_one_type_and_loses_nothing_else(sentence):
    length, units = sentence
    joined = []
    for first, last, kind in units:
        if joined and joined[-1][1] == first and joined[-1][2] == kind:
            joined[-1] = (joined[-1][0], last, kind)
        else:
            joined.append((first, last, kind))
    assert tag_schemes.to_spans(tag_schemes.from_spans(units, length, "IO"), "IO") == joined


@given(sentences(), st.sampled_from(["IOB1", "IOB2", "IOBES", "BILOU", "BMES"]), st.sampled_from(["IOB1", "IOBES"]))
def test_conversion_keeps_entities(sentence, source, target):
    length, units = sentence
    tags = tag_schemes.convert(tag_schemes.from_spans(units, length, source), source, target)
    assert tags == tag_schemes.from_spans(units, length, target)


@pytest.mark.parametrize("scheme", ENTITY_SCHEMES)
def test_a_sequence_is_allowed_exactly_when_it_has_no_faults(scheme):
    classes = ["O", *(f"{mark}-{kind}" for kind in "XY" for mark in tag_schemes.MARKS[scheme])]
    start, pairs, end = tag_schemes.allowed(classes, scheme)
    for length in (1, 2, 3):
        for chosen in itertools.product(range(len(classes)), repeat=length):
            allowed = start[chosen[0]] and end[chosen[-1]]
            allowed = allowed and all(pairs[a, b] for a, b in itertools.pairwise(chosen))
            assert bool(allowed) == (tag_schemes.faults([classes[c] for c in chosen], scheme) == [])


def test_what_breaks_a_scheme_is_named():
    assert tag_schemes.faults(["O", "I-PER", "I-LOC"], "IOB2") == [(1, "I-PER after O"), (2, "I-LOC after I-PER")]
    assert tag_schemes.faults(["B-PER"], "IOBES") == [(0, "B-PER at the end")]
    assert tag_schemes.faults(["E-PER"], "IOBES") == [(0, "E-PER after the start")]


def test_broken_tags_are_read_as_conlleval_reads_them():
    assert tag_schemes.to_spans(["O", "I-PER", "I-LOC", "B-LOC", "I-LOC"]) == [
        (1, 2, "PER"),
        (2, 3, "LOC"),
        (3, 5, "LOC"),
    ]
    assert tag_schemes.to_spans(["I-X", "E-X", "I-X", "S-X"], "IOBES") == [(0, 2, "X"), (2, 3, "X"), (3, 4, "X")]


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        (["O", "B-X", "I-X"], "IOB2"),
        (["O", "I-X", "I-X", "B-X"], "IOB1"),
        (["I-X", "O", "I-Y"], "IO"),
        (["B-X", "E-X", "S-X"], "IOBES"),
        (["B-X", "L-X", "U-X"], "BILOU"),
        (["B-X", "M-X", "E-X"], "BMES"),
        (["NOUN", "VERB", "I-X"], "none"),
        (["ADJ", "S"], "none"),
        (["O", "O"], "IOB2"),
        (["B-X", "I-X", "O", "-"], "IOB2"),  # what is no tag is told when tags are read
        (["B-X", "_"], "IOB2"),
        (["B", "I", "O"], "IOB2"),
        ([], "IOB2"),
    ],
)
def test_a_scheme_is_recognised(tags, scheme):
    assert tag_schemes.detect([tags]) == scheme


@pytest.mark.parametrize(
    ("tag", "scheme", "message"),
    [
        ("B", "IOB2", "the tag 'B' has no type; write B-TYPE"),
        ("B-", "IOB2", "the tag 'B-' has no type; write B-TYPE"),
        ("E-X", "IOB2", "'E-X' is not a tag of IOB2, which has O and B-TYPE, I-TYPE"),
        ("per", "IOBES", "'per' is not a tag of IOBES, which has O and B-TYPE, I-TYPE, E-TYPE, S-TYPE"),
        ("NOUN", "none", ""),
        ("B-geo-loc", "IOB2", ""),
    ],
)
def test_malformed_tags(tag, scheme, message):
    assert tag_schemes.malformed(tag, scheme) == message
