"""A slice of the damaged files of ``python -m benchmarks fuzz``: status 0 or 2, no traceback, in bounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.fuzz import damaged, fuzz


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs fork and /proc")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of fork in a process with threads
def test_damaged_files_end_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    results = fuzz(8, seed=2)
    assert [name for name, _, _ in results] == ["pipelines", "cards", "data", "models"]
    assert not any(faults for _, _, faults in results), capsys.readouterr().out


def test_a_file_is_damaged_as_the_seed_says() -> None:
    import random

    once, again = (damaged(b"text,label\n" * 20, random.Random(7)) for _ in range(2))
    assert once == again != b"text,label\n" * 20
