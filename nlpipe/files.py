"""Files that are whole or absent: written beside their place, flushed, then renamed into it."""

from __future__ import annotations

import errno
import json
import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from nlpipe.errors import NlpipeError

PARTIAL = ".partial-"
"""How the name of a folder that is still being written starts; a process number and the final name follow."""


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A folder to write into that becomes ``target`` when the block ends well, and is removed when it does not.

    An older ``target`` is replaced. What killed processes left beside it is swept first.

    Raises:
        NlpipeError: the disk is full or the place cannot be written; nothing is left behind.
    """
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
            f"{error.filename or target}: {error.strerror or error}; nothing was left half-written"
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

    An older ``target`` is replaced. What killed processes left beside it is swept first.

    Raises:
        NlpipeError: the disk is full or the place cannot be written; ``target`` is as it was.
    """
    partial = target.parent / f"{PARTIAL}{os.getpid()}-{platform.node()}-{target.name}"
    try:
        sweep(target.parent)
        yield partial
        with partial.open("rb") as handle:
            os.fsync(handle.fileno())
        partial.replace(target)
    except OSError as error:
        raise NlpipeError(
            f"{error.filename or target}: {error.strerror or error}; nothing was left half-written"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove the partial folders and files of processes that are no more."""
    for path in folder.glob(f"{PARTIAL}*"):
        number, _, rest = path.name.removeprefix(PARTIAL).partition("-")
        if not rest.startswith(f"{platform.node()}-"):
            continue  # another machine's, in a folder that both write to
        if number.isdigit() and int(number) != os.getpid() and not _alive(int(number)):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """``arrays`` as safetensors.

    Raises:
        OSError: the disk is full, or the place cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    try:
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)
    except SafetensorError as error:
        raise OSError(errno.EIO, str(error), str(path)) from None


def write_json(path: Path, data: Any) -> None:
    """``data`` as UTF-8 JSON a person can read."""
    path.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """What ``write_json`` wrote.

    Raises:
        NlpipeError: the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NlpipeError(f"{path}: there is no such file; was this folder written by nlpipe?") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise NlpipeError(f"{path}: not JSON as nlpipe writes it: {error}") from None
