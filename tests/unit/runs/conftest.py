"""A finished run of each task, which no test changes."""

from __future__ import annotations

import pytest

import nlpipe
from nlpipe.runs import costs
from nlpipe.runs.result import Result
from tests.unit.runs.test_steps import PIPELINES, USE


@pytest.fixture(scope="package")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    """A run of each task."""
    folder = tmp_path_factory.mktemp("runs")
    results = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(costs, "measure_model", lambda *_: USE)
        for name, content in PIPELINES.items():
            (folder / f"{name}.yaml").write_text(content)
            results[name] = nlpipe.run(folder / f"{name}.yaml", out=folder / "out")
    return results
