"""A finished run of each task, which no test changes."""

from __future__ import annotations

import pytest

from nlpipe.runs.result import Result
from tests.unit.runs.finished_runs import finished_runs


@pytest.fixture(scope="package")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    """A run of each task."""
    return finished_runs(tmp_path_factory.mktemp("runs"))
