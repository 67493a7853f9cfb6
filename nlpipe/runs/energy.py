"""The energy that the processors of this machine used, by Intel's RAPL counters, which AMD's processors have too.

Linux shows them below ``/sys/class/powercap``: a folder for each package with ``energy_uj``, which counts microjoules
and starts at zero again after ``max_energy_range_uj``. Many systems let root alone read them (since CVE-2020-8694), and
virtual machines seldom have them: then nothing is measured. They count all that the processor does, also for others.
"""

from __future__ import annotations

from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
"""Where Linux shows the counters."""


class EnergyMeter:
    """Counts the energy of all packages since it was made.

    Args:
        root: the folder with the counters.
    """

    def __init__(self, root: Path | None = None) -> None:
        self._packages = _packages(POWERCAP if root is None else root)
        self._last = [_microjoules(path / "energy_uj") for path in self._packages]
        self._ranges = [_microjoules(path / "max_energy_range_uj") for path in self._packages]
        self._total = 0
        self._readable = bool(self._packages) and None not in self._last

    def joules(self) -> float | None:
        """The energy so far; None where a counter cannot be read.

        It must be called more often than a counter starts again, which takes minutes at least.
        """
        if not self._readable:
            return None
        for i, path in enumerate(self._packages):
            now, before, most = _microjoules(path / "energy_uj"), self._last[i], self._ranges[i]
            if now is None or before is None or (now < before and most is None):
                self._readable = False
                return None
            self._total += now - before if now >= before else now - before + (most or 0) + 1
            self._last[i] = now
        return self._total / 1e6


def _packages(root: Path) -> list[Path]:
    """The folders of whole packages; their parts (cores, memory) and the whole platform would be counted twice."""
    try:
        folders = sorted(root.glob("intel-rapl:*"))
        return [path for path in folders if _text(path / "name").startswith("package")]
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def _microjoules(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isdigit() else None
