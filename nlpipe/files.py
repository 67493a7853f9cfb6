"""Reading and writing of files and folders. A folder is written under another name and renamed when it is complete."""

from __future__ import annotations

import errno
import json
import os
import platform
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from nlpipe.errors import DataError, NlpipeError

PARTIAL = ".partial-"
"""Prefix of the name of a folder that is still being written; process id, machine and final name follow."""


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Give a new folder to write into; rename it to ``target`` after the block, or remove it if the block raises.

    An existing ``target`` is replaced; where it is a link, the folder that it leads to. Unfinished folders of processes
    that were killed are removed first.

    Raises:
        NlpipeError: the disk is full, the folder cannot be written, or something other than a folder is there; no
            partial folder is left.
    """
    target = Path(os.path.realpath(target)) if target.is_symlink() else target
    if target.exists() and not target.is_dir():
        raise NlpipeError(f"{target}: something other than a folder is there; a new folder is needed here")
    partial = target.parent / f"{PARTIAL}{os.getpid()}-{platform.node()}-{target.name}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep(target.parent)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        yield partial
        for path in partial.rglob("*"):
            if path.is_file():
                with path.open("rb") as handle:
                    os.fsync(handle.fileno())
        _move(partial, target)
    except OSError as error:
        raise NlpipeError(
            f"{error.filename or target}: {error.strerror or error}; no partial folder was left"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def move_folder(source: Path, target: Path) -> None:
    """Rename ``source``, a folder on the same disk, to ``target``; an older ``target`` is replaced.

    Raises:
        NlpipeError: the disk does not allow it.
    """
    try:
        _move(source, target)
    except OSError as error:
        raise NlpipeError(f"{error.filename or target}: {error.strerror or error}") from error


def _move(source: Path, target: Path) -> None:
    if target.exists():
        outdated = target.parent / f"{PARTIAL}{os.getpid()}-{platform.node()}-outdated-{target.name}"
        target.rename(outdated)
        source.rename(target)
        shutil.rmtree(outdated, ignore_errors=True)
    else:
        source.rename(target)


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """A path to write to that becomes ``target`` when the block ends well, and is removed when it does not.

    An older ``target`` is replaced; where it is a link, the file that it leads to. What killed processes left beside it
    is swept first.

    Raises:
        NlpipeError: the disk is full, the place cannot be written, or something other than a file is there; ``target``
            is as it was.
    """
    check_replaceable(target, str(target))
    target = Path(os.path.realpath(target)) if target.is_symlink() else target
    partial = target.parent / f"{PARTIAL}{os.getpid()}-{platform.node()}-{target.name}"
    try:
        sweep(target.parent)
        yield partial
        with partial.open("rb") as handle:
            os.fsync(handle.fileno())
        partial.replace(target)
    except OSError as error:
        raise NlpipeError(f"{error.filename or target}: {error.strerror or error}; no partial file was left") from error
    finally:
        partial.unlink(missing_ok=True)


def check_replaceable(target: Path, name: str) -> None:
    """Check that a file may be written to ``target``: nothing is there, or a file, or a link to one of these.

    Args:
        name: of the target in messages.

    Raises:
        NlpipeError: a folder, a device, a pipe or a socket is there, or the place cannot be looked at.
    """
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise NlpipeError(f"{name}: {error.strerror or error}") from None
    if stat.S_ISDIR(mode):
        raise NlpipeError(f"{name}: this is a folder; a file is needed here")
    if not stat.S_ISREG(mode):
        kind = "a pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"
        raise NlpipeError(f"{name}: this is {kind}, and a file is needed here; redirect standard output to it instead")


def sweep(folder: Path) -> None:
    """Remove the unfinished folders and files of processes that no longer run."""
    for path in folder.glob(f"{PARTIAL}*"):
        process, _, name = path.name.removeprefix(PARTIAL).partition("-")
        if not name.startswith(f"{platform.node()}-"):
            continue  # of another machine that writes into the same folder
        if process.isdigit() and int(process) != os.getpid() and not _is_running(int(process)):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write ``arrays`` as a safetensors file.

    Raises:
        OSError: the disk is full or the file cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    try:
        with usual_mode(path):
            save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)
    except SafetensorError as error:
        raise OSError(errno.EIO, str(error), str(path)) from None


def give_usual_modes(folder: Path) -> None:
    """Give all files in ``folder`` the permissions of the umask."""
    for path in folder.rglob("*"):
        if path.is_file():
            partial = path.with_name(f"{PARTIAL}{path.name}")
            partial.touch()
            path.chmod(stat.S_IMODE(partial.stat().st_mode))
            partial.unlink()


@contextmanager
def usual_mode(path: Path) -> Iterator[None]:
    """Give the file that the block writes at ``path`` the permissions of the umask; safetensors writes 0600."""
    path.touch()
    mode = stat.S_IMODE(path.stat().st_mode)
    yield
    path.chmod(mode)


def write_json(path: Path, data: Any) -> None:
    """Write ``data`` as indented JSON in UTF-8."""
    path.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a file that ``write_json`` wrote.

    Raises:
        NlpipeError: the file is missing, cannot be read or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NlpipeError(f"{path}: there is no such file; was this folder written by nlpipe?") from None
    except OSError as error:
        raise NlpipeError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise NlpipeError(f"{path}: not a JSON file as nlpipe writes it: {error}") from None


def decode_utf8(content: bytes, name: str) -> str:
    """Decode the content of a text file; ``name`` is the file's name in messages.

    Raises:
        DataError: the content is not UTF-8; the message names the line.
    """
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{name}:{line}: the file is not encoded in UTF-8; convert it first") from None
