"""jsonl: one JSON object a line, or an array of objects. Tasks of Label Studio are read as its JSON-MIN has them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from nlpipe.datasets.readers.lines import Layout, Origin, read_lines
from nlpipe.errors import DataError, suggest
from nlpipe.json_reader import parse_array, parse_json
from nlpipe.tasks.task import Row

ARRAY = re.compile(r"\s*\[\s*(\{|$)")
"""How the first line of an array of objects begins; a line of jsonl may be a list of words."""
LARGEST_ARRAY = 1 << 30
"""Characters of an array, which is read as a whole; of one object a line there may be any number."""


class Annotated(dict[str, Any]):
    """The fields of a task of Label Studio, with what its first annotation has by the names of its controls.

    Args:
        annotations: how many people's annotations it has.
    """

    annotations: int = 0


def read_json_lines(origins: Sequence[Origin], layout: Layout) -> Iterator[Row]:
    """Rows of files with one object a line or an array of objects, one file after another, without blank lines.

    Raises:
        DataError: a file is empty, a line is not a JSON object, or an object lacks a column.
    """
    for role, column in layout.columns.items():
        if isinstance(column, int):
            raise DataError(f"jsonl has no column {column} for '{role}': give the key's name")
    for origin in origins:
        empty = True
        present: set[str] = set()
        absent: dict[str, DataError] = {}
        for line, record in objects(origin, layout.encoding):
            empty = False
            if isinstance(record, Annotated):
                if record.annotations != 1:
                    what = "annotations_further" if record.annotations else "not_annotated"
                    layout.ledger.add(what, f"{origin.name}:{line}")
                if not record.annotations:
                    continue
            values = {}
            for role, column in layout.columns.items():
                if column in record:
                    values[role] = record[str(column)]
                    present.add(role)
                    continue
                error = _no_field(origin, line, record, role, str(column))
                if not isinstance(record, Annotated):
                    raise error
                absent.setdefault(role, error)  # nothing was marked here, unless no task has the name
                values[role] = [] if role == "entities" else None
            yield Row(values, origin.name, line, layout.columns, (), record if layout.whole else {})
        for role, error in absent.items():
            if role not in present:
                raise error
        if empty:
            raise DataError(f"{origin.name}: the file is empty")


def objects(origin: Origin, encoding: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and object of each line, or item of an array.

    Raises:
        DataError: a line is not a JSON object.
    """
    for number, record in values_of(origin, encoding):
        if not isinstance(record, dict):
            raise DataError(f"{origin.name}:{number}: a {type(record).__name__}, not an object of named fields")
        yield number, record


def values_of(origin: Origin, encoding: str) -> Iterator[tuple[int, Any]]:
    """Line number and value of each line, without blank ones, or of each item of an array.

    Raises:
        DataError: a line is not JSON.
    """
    lines = read_lines(origin, encoding)
    first = list(_until_text(lines))
    if first and ARRAY.match(first[-1]):
        parts, size = [], 0
        for line in chain(first, lines):
            parts.append(line)
            size += len(line)
            if size > LARGEST_ARRAY:
                raise DataError(f"{origin.name}: an array this large is not read; write one object a line (jsonl)")
        yield from ((number, _flat(value)) for number, value in parse_array("".join(parts), origin.name))
        return
    if first and first[-1].strip() == "{":
        raise DataError(f"{origin.name}: an object over several lines; expected an array of objects, or one a line")
    for number, line in enumerate(chain(first, lines), 1):
        if line.strip():
            yield number, _flat(parse_json(line.rstrip("\r\n"), f"{origin.name}:{number}"))


def _until_text(lines: Iterator[str]) -> Iterator[str]:
    """Lines up to the first one that is not blank."""
    for line in lines:
        yield line
        if line.strip():
            return


def _flat(record: Any) -> Any:
    """A task of Label Studio (``data`` and ``annotations``) as one object: spans are lists of ``{start, end, label}``,
    choices lists of words; anything else as it is.
    """
    if not isinstance(record, dict) or not isinstance(record.get("data"), dict):
        return record
    annotations = record.get("annotations")
    if not isinstance(annotations, list):
        return record
    valid = [each for each in annotations if isinstance(each, dict) and not each.get("was_cancelled")]
    flat = Annotated(record["data"])
    flat.annotations = len(valid)
    for result in (valid[0].get("result") or []) if valid else []:
        name, value = (result.get("from_name"), result.get("value")) if isinstance(result, dict) else (None, None)
        if not isinstance(name, str) or not isinstance(value, dict):
            continue
        kinds = next((value[key] for key in ("labels", "hypertextlabels") if isinstance(value.get(key), list)), None)
        if kinds is not None:
            span = {key: value[key] for key in ("start", "end", "text") if key in value}
            flat[name] = [*flat.get(name, []), *({**span, "label": kind} for kind in kinds)]
        else:
            flat[name] = next((value[key] for key in ("choices", "rating", "text") if key in value), None)
    return flat


def _no_field(origin: Origin, line: int, record: dict[str, Any], role: str, name: str) -> DataError:
    near = suggest(name, record)
    others = f"{near} There are: " if near.startswith("; did") else "; there are: "
    way = f"; give the field of the {role} as columns: {{{role}: NAME}}"
    named = " " in role  # "where NAME", "slice NAME": the card gives the name itself
    return DataError(
        f"{origin.name}:{line}: there is no '{name}'{others}{', '.join(record) or 'no fields'}{way * (not named)}"
    )
