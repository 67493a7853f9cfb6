"""The sentences on slices: made from the numbers, and turned by turning them."""

from __future__ import annotations

from dataclasses import replace

from nlpipe.report.page_slices import Cell, SliceRow, Slices

OWN = Cell(0.6, None, 0.5, 0.7)
BETTER = Cell(0.75, 0.15, 0.05, 0.25)
FOUND = Slices("accuracy", titles=("a", "b"), rows=(SliceRow("long texts", 120, (OWN, BETTER), 0.8),))


def test_a_weak_slice_and_a_better_pipeline_are_named() -> None:
    assert FOUND.sentences() == [
        "a is weak in long texts: 0.600 (0.500 to 0.700), overall 0.800; 120 items.",
        "In long texts, b is better than a: +0.150 (+0.050 to +0.250); 120 items.",
    ]


def test_what_is_not_shown_is_not_said() -> None:
    row = FOUND.rows[0]
    unsure = replace(row, overall=0.69, cells=(OWN, replace(BETTER, low=-0.01)))
    told = replace(FOUND, rows=(replace(unsure, name="short texts", overall=0.65), unsure)).sentences()
    assert told == [
        "a is worst in long texts: 0.600 (0.500 to 0.700), which is not shown to be worse than the 0.690 overall; "
        "120 items.",
        "In no slice is another pipeline shown to be better than a.",
    ]
    worse = replace(row, overall=0.69, cells=(OWN, Cell(0.45, -0.15, -0.25, -0.05)))
    assert replace(FOUND, rows=(worse,)).sentences() == told
    assert Slices("accuracy").sentences() == []
    alone = replace(FOUND, titles=("a",), rows=(replace(unsure, cells=(OWN,)),))
    assert alone.sentences() == told[:1]


def test_of_a_loss_the_lower_is_the_better() -> None:
    row = SliceRow("long texts", 120, (Cell(3.0, None, 2.5, 3.5), Cell(2.0, -1.0, -1.5, -0.5)), 2.0)
    found = replace(FOUND, higher_is_better=False, rows=(row,))
    assert [sentence.split(":")[0] for sentence in found.sentences()] == [
        "a is weak in long texts", "In long texts, b is better than a",
    ]  # fmt: skip
    assert replace(found, higher_is_better=True).sentences() == [
        "a is worst in long texts: 3.000 (2.500 to 3.500), which is not shown to be worse than the 2.000 overall; "
        "120 items.",
        "In no slice is another pipeline shown to be better than a.",
    ]
