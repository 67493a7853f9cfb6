"""What all tests share: the marks, and where the public data sets lie."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from nlpipe.runs import costs
from tests.command_server import UNMEASURED
from tests.unit.runs.finished_runs import USE

settings.register_profile("nlpipe", deadline=None, derandomize=True)  # the same examples in every run
settings.load_profile("nlpipe")

# a shell without job control starts its background jobs with the interruption ignored, and their children inherit it
signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--network", action="store_true", help="run the tests that fetch from a package registry")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("network") and not config.getoption("--network"):
            item.add_marker(pytest.mark.skip(reason="network; run with --network"))
        if item.get_closest_marker("shared_data") and not SHARED_DATA.is_dir():
            item.add_marker(pytest.mark.skip(reason="needs the public data sets in ../shared/data, which is absent"))


@pytest.fixture(scope="module")
def unmeasured() -> Iterator[None]:
    """Costs in use are not measured but are ``USE``, in this process and in commands; measuring starts a process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(costs, "measure_model", lambda *_: USE)
        patch.setenv(UNMEASURED, "1")
        yield


@pytest.fixture
def shared_data() -> Path:
    """The folder of public data sets beside the project; only for tests marked ``shared_data``."""
    if not SHARED_DATA.is_dir():
        pytest.skip("needs the public data sets in ../shared/data, which is absent")
    return SHARED_DATA
