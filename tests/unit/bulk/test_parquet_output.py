"""Answers as parquet: types that the first rows do not tell, and values that parquet does not have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nlpipe.bulk import parquet_output
from nlpipe.bulk.parquet_output import ParquetFile
from nlpipe.errors import NlpipeError
from nlpipe.tasks.tagging import Tagging

pytest.importorskip("pyarrow")

ENTITY = {"start": 0, "end": 3, "type": "LOC", "text": "Ulm"}


@pytest.fixture(autouse=True)
def _small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_output, "GROUP", 2)


def write(path: Path, rows: list[dict[str, Any]], like: Path | None = None) -> Any:
    import pyarrow.parquet

    table = ParquetFile(path, like, Tagging.example)
    table.write("".join(json.dumps(row) + "\n" for row in rows))
    table.close()
    return pyarrow.parquet.read_table(path).to_pylist()


@pytest.mark.parametrize(
    ("empty", "filled"),
    [
        ({"predicted": []}, {"predicted": ["sport"]}),
        ({"meta": {"a": None, "b": []}}, {"meta": {"a": "x", "b": ["y"]}}),
        ({"meta": [{"a": None}]}, {"meta": [{"a": "x"}, {"a": None}]}),
        ({"entities": []}, {"entities": [{**ENTITY, "score": 0.5}]}),
        (
            {"entities": ["x"], "entities_answered": []},
            {"entities": [], "entities_answered": [{**ENTITY, "score": 1.0}]},
        ),
    ],
)
def test_what_is_empty_in_the_first_rows_may_be_filled_later(
    tmp_path: Path, empty: dict[str, Any], filled: dict[str, Any]
) -> None:
    assert write(tmp_path / "one.parquet", [empty, empty, filled]) == [empty, empty, filled]
    write(tmp_path / "first.parquet", [empty])
    assert write(tmp_path / "second.parquet", [filled], tmp_path / "first.parquet") == [filled]


def test_entities_of_a_head_without_scores_have_none(tmp_path: Path) -> None:
    rows = [{"entities": []}, {"entities": []}, {"entities": [ENTITY]}]
    assert write(tmp_path / "one.parquet", rows)[2] == {"entities": [{**ENTITY, "score": None}]}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"meta": {}}], "answers 1 to 1: the field 'meta' is {} in the first rows"),
        ([{"meta": {"of": [{}]}}], "the field 'meta.of' is {} in the first rows"),
        ([{"meta": {"a": 1}}] * 2 + [{"meta": {"a": 1, "b": 2}}], "the field 'meta.b' is not in the first rows"),
        ([{"meta": [{"a": 1}]}] * 2 + [{"meta": [{"b": 2}]}], "the field 'meta.b' is not in the first rows"),
        ([{"a": 1}] * 2 + [{"b": 1}], "answers 3 to 3: the field 'b' is not in the first rows"),
        ([{"a": 1}] * 2 + [{"a": "x"}], "answers 3 to 3: a column of parquet has values of one type"),
    ],
)
def test_what_parquet_does_not_have_is_said(tmp_path: Path, rows: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(NlpipeError, match=message):
        write(tmp_path / "one.parquet", rows)


def test_a_table_without_rows_is_a_file(tmp_path: Path) -> None:
    assert write(tmp_path / "one.parquet", []) == []
