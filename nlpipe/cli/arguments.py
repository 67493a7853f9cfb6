"""Arguments that several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Files and overrides (``key.path=value``) of a command; a file that exists may have ``=`` in its name."""
    files = [text for text in arguments if "=" not in text or Path(text).exists()]
    return files, [text for text in arguments if text not in files]
