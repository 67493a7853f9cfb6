"""A hash of nlpipe's own code: what an older version gave is never taken for what this one gives."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from nlpipe.registry import FOLDERS


@functools.cache
def source_hash() -> str:
    """Hash of nlpipe's own code, as far as it decides what a pipeline gives."""
    root = Path(__file__).parent
    names = [folder for folder, _ in FOLDERS.values()] + [
        "classical",
        "nn",
        "search",
        "training",
        "metrics",
        "tasks",
        "pipeline",
    ]
    files = [path for name in names for path in sorted((root / name).rglob("*.py"))]
    alone = ("stage", "wire", "vocabulary", "tag_schemes", "tag_decoding", "long_texts")
    files += [root / f"{name}.py" for name in alone]
    found = hashlib.sha256()
    for path in files:
        found.update(path.read_bytes())
    return found.hexdigest()
