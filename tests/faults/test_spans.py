"""Entities as spans of characters: labels stay on their words, and what is wrong is counted and told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpipe.datasets.load import load_dataset
from nlpipe.datasets.replacements import replaced_text, replacements_of
from nlpipe.errors import DataError
from nlpipe.tasks.entity_spans import Move, moved


def load(folder: Path, records: list[dict[str, Any]], **card: Any) -> Any:
    path = folder / "data.jsonl"
    path.write_text("\n".join(json.dumps(record) for record in records))
    columns = {"text": "text", "entities": "entities"}
    return load_dataset(
        {"task": "tagging", "columns": columns, **dict.fromkeys(("train", "dev", "test"), str(path)), **card}
    )


def test_offsets_move_with_their_text(tmp_path: Path) -> None:
    record = {"text": "<b>Anna</b> met  Bob &amp; Eve", "entities": [[3, 7, "PER"], [17, 20, "PER"], [27, 30, "PER"]]}
    data = load(tmp_path, [record], replace={"/<[^>]*>/": "", "&amp;": "and", "/ +/": " "})
    assert data.train.inputs.words == [["Anna", "met", "Bob", "and", "Eve"]]
    assert data.train.targets.values == [["B-PER", "O", "B-PER", "O", "B-PER"]]


WORDS = st.lists(
    st.sampled_from(["Anna", "x", "&amp;", "<b>", "  ", "aa", "\u00e9", "\U0001f600"]), min_size=1, max_size=8
)
PATTERNS = st.dictionaries(
    st.sampled_from(["&amp;", "/<[^>]*>/", "/ +/", "aa", "/(x)/", "\u00e9"]),
    st.sampled_from(["", " ", "ab", "longer"]),
    max_size=3,
)


@settings(max_examples=100)
@given(WORDS, WORDS, PATTERNS)
def test_an_entity_that_no_replacement_touches_keeps_its_text(
    before: list[str], after: list[str], replace: dict[str, str]
) -> None:
    start = len("".join(before))
    text = "".join(before) + "NAME" + "".join(after)
    moves: list[list[Move]] = []
    changed = replaced_text(text, replacements_of(replace), "here", moves)
    first, last, _ = moved([[start, start + 4, "PER"]], moves)[0]
    assert changed[first:last] == "NAME"


@pytest.mark.parametrize(
    ("start", "end", "own", "unit"),
    [(2, 6, "Anna", "UTF-16 units"), (5, 9, "Anna", "bytes of UTF-8"), (0, 3, "Anna", "")],
)
def test_a_text_that_is_not_its_slice_is_told(tmp_path: Path, start: int, end: int, own: str, unit: str) -> None:
    before = {"UTF-16 units": "\U0001f600", "bytes of UTF-8": "\u00e9\u20ac", "": ""}[unit]
    text = f"{before}Anna is here"
    record = {"text": text, "entities": [{"start": start, "end": end, "label": "PER", "text": own}]}
    data = load(tmp_path, [record])
    told = data.ledger["train"].examples["entities_text_differs"][0]
    assert "data.jsonl:1" in told and "'Anna'" in told
    assert (f"its offsets count {unit}" in told) is bool(unit)


BAD = [
    [5, 2, "PER"],
    [0, 400, "PER"],
    [1.5, 3, "PER"],
    ["0", "4", "PER"],
    [0, 4],
    [0, 4, ""],
    [4, 5, "PER"],
    None,
    7,
    {},
    [0, True, "X"],
]


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_span_is_counted_and_the_others_are_read(tmp_path: Path, bad: Any) -> None:
    data = load(tmp_path, [{"text": "Anna is here", "entities": [bad, [0, 4, "PER"]]}])
    assert data.train.targets.values == [["B-PER", "O", "O"]]
    assert data.ledger["train"].counts["entities_invalid"] == 1


def test_no_good_span_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data\.jsonl:1: .*not inside a text of 12 characters; no entity"):
        load(tmp_path, [{"text": "Anna is here", "entities": [[0, 400, "PER"]]}])
