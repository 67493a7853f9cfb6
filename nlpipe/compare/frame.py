"""Records as a table of pandas, where it is installed; nothing else in nlpipe needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nlpipe.registry import missing_extra

if TYPE_CHECKING:
    import pandas


def frame_of(records: Sequence[Mapping[str, Any]]) -> pandas.DataFrame:
    """One row a record; what is nested has columns such as ``scores.accuracy``, and what is absent is NaN or None.

    Raises:
        MissingExtra: pandas is not installed.
    """
    try:
        import pandas
    except ModuleNotFoundError as error:
        raise missing_extra("to_frame()", error) from error
    nested = {key for record in records for key, value in record.items() if isinstance(value, Mapping)}
    flat = [
        {key: {} if value is None and key in nested else value for key, value in record.items()} for record in records
    ]
    return pandas.json_normalize(flat)
