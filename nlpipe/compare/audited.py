"""What a comparison says of its data, without a look at a split that must not be seen yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nlpipe.audit.findings import findings
from nlpipe.datasets.dataset import Dataset
from nlpipe.spec import ComparisonSpec


def hidden_splits(spec: ComparisonSpec, dataset: Dataset) -> tuple[str, ...]:
    """The splits whose examples the comparison does not quote: test, where the verdict rests on dev or on folds of
    training and dev.
    """
    untouched = spec.choose == "dev" or (spec.folds is not None and "test" not in dataset.made)
    return ("test",) if untouched else ()


def audited(dataset: Dataset, hidden: Sequence[str] = ()) -> list[dict[str, Any]]:
    """What is worth knowing of the data, as plain data; should looking fail, a sentence says so.

    Args:
        hidden: names of the splits whose examples are counted and not quoted.
    """
    try:
        return [finding.record() for finding in findings(dataset, hidden)]
    except Exception as error:  # hours of runs must not be lost to a look at the data
        return [{"sentence": f"The data was not looked through: {type(error).__name__}: {error}", "examples": []}]
