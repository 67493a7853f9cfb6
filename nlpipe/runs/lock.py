"""One lock a run: of several processes that start the same run, one does it and the others wait.

It is a lock of the operating system on a file, which goes with the process that holds it, however that ends.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from nlpipe.errors import NlpipeError, NlpipeWarning

if sys.platform == "win32":
    import msvcrt

    def _try(file: IO[bytes]) -> bool:
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _try(file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


PAUSE = 0.2
"""Seconds between two attempts to take a lock that another process holds."""


@contextmanager
def locked(path: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock on ``path`` in the block; the file is made, and removed with its folder if that is empty then.

    Args:
        waiting: called once if another process has it and this one has to wait.

    Raises:
        NlpipeError: the file cannot be made.
    """
    file = _open_locked(path, waiting)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # a system that does not remove open files leaves it
            path.unlink()
        file.close()  # which releases it
        with contextlib.suppress(OSError):  # other runs have theirs there
            path.parent.rmdir()


def _open_locked(path: Path, waiting: Callable[[], None]) -> IO[bytes]:
    """The file, open and locked, and still the one at ``path``: whoever held it before has removed it."""
    reported = False
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("ab")
        except FileNotFoundError:
            continue  # the folder was removed between the two
        except OSError as error:
            raise NlpipeError(f"{path}: {error.strerror or error}; choose another folder with --out") from None
        try:
            while not _try(file):
                if not reported:
                    waiting()
                    reported = True
                time.sleep(PAUSE)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                    return file
        except OSError as error:  # a file system without locks
            message = f"{path}: cannot be locked ({error.strerror or error}): do not start the same run twice at once"
            warnings.warn(message, NlpipeWarning, stacklevel=2)
            return file
        except BaseException:
            file.close()
            raise
        file.close()
