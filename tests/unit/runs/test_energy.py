"""Energy counters of a made-up tree, as Linux shows them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nlpipe.runs.energy import EnergyMeter


def counter(root: Path, name: str, label: str, microjoules: int | str, most: int | None = 1_000_000) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{label}\n")
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    if most is not None:
        (folder / "max_energy_range_uj").write_text(f"{most}\n")
    return folder / "energy_uj"


def test_whole_packages_are_added_up(tmp_path: Path) -> None:
    """Parts of a package (cores, memory) and the whole platform are not counted twice."""
    first = counter(tmp_path, "intel-rapl:0", "package-0", 100)
    counter(tmp_path, "intel-rapl:0:0", "core", 50)
    second = counter(tmp_path, "intel-rapl:1", "package-1", 7)
    whole = counter(tmp_path, "intel-rapl:2", "psys", 0)
    meter = EnergyMeter(tmp_path)
    first.write_text("500100\n"), second.write_text("250007\n"), whole.write_text("900000\n")
    assert meter.joules() == 0.75
    first.write_text("600100\n")
    assert meter.joules() == 0.85


def test_a_counter_that_starts_again_goes_on(tmp_path: Path) -> None:
    path = counter(tmp_path, "intel-rapl:0", "package-0", 999_000)
    meter = EnergyMeter(tmp_path)
    path.write_text("500\n")
    assert meter.joules() == pytest.approx(0.001501)  # 1,000 up to the largest number, one more to zero, then 500
    path.write_text("400\n")
    assert meter.joules() == pytest.approx(0.001501 + 0.999901)


def test_without_counters_nothing_is_measured(tmp_path: Path) -> None:
    assert EnergyMeter(tmp_path / "nothing").joules() is None
    assert EnergyMeter(tmp_path).joules() is None
    counter(tmp_path, "intel-rapl:0", "package-0", "not a number")
    assert EnergyMeter(tmp_path).joules() is None


def test_a_counter_that_cannot_be_read_any_more_ends_it(tmp_path: Path) -> None:
    path = counter(tmp_path, "intel-rapl:0", "package-0", 10, most=None)
    meter = EnergyMeter(tmp_path)
    path.write_text("20\n")
    assert meter.joules() == 1e-5
    path.write_text("5\n")  # it started again, and nothing says where
    assert meter.joules() is None
    path.write_text("50\n")
    assert meter.joules() is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_counters_that_root_alone_may_read_are_left_out(tmp_path: Path) -> None:
    counter(tmp_path, "intel-rapl:0", "package-0", 10).chmod(0)
    assert EnergyMeter(tmp_path).joules() is None
