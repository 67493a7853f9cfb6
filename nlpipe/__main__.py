"""The ``nlpipe`` command: a user's errors are printed without a traceback, and the exit status is 2."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

INTERRUPTED, TERMINATED = 130, 143
"""The exit status of typer after Ctrl-C, and that of a program that SIGTERM ends."""
KEPT = "finished runs are kept, and nothing is half-written; the same command goes on from there"


def main() -> None:
    """Run the command line and exit: with 0, 2 after a user's error, 130 after an interruption, 143 after SIGTERM."""
    from nlpipe.errors import NlpipeError, NlpipeWarning

    show_other = warnings.showwarning

    def show(
        message: Warning | str, category: type[Warning], filename: str, lineno: int,
        file: Any = None, line: str | None = None,
    ) -> None:  # fmt: skip
        if issubclass(category, NlpipeWarning):
            sys.stderr.write(f"warning: {message}\n")
        else:
            show_other(message, category, filename, lineno, file, line)

    warnings.showwarning = show
    _open_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)
    try:
        from nlpipe.cli.app import app

        app(prog_name="nlpipe")
    except SystemExit as error:
        if error.code in (INTERRUPTED, TERMINATED):
            _print_end(error.code)
        raise
    except KeyboardInterrupt:  # before typer waits for it
        _print_end(INTERRUPTED)
        sys.exit(INTERRUPTED)
    except NlpipeError as error:
        sys.exit(_print_error(str(error)))
    except MemoryError as error:
        cause = str(error) or "this machine has too little"
        sys.exit(_print_error(f"out of memory: {cause}; use fewer labels, features or examples, or smaller batches"))
    except BrokenPipeError:  # the program that reads the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        status = _print_error(f"{where}{error.strerror or error}")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the rest of the output cannot be flushed
        sys.exit(status)


def _open_streams() -> None:
    """Put the null device where a standard stream is closed, so that no file gets its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - for good


def _print_end(status: int) -> None:
    """Say why it ended, and after commands that can go on, what is kept."""
    end = "interrupted" if status == INTERRUPTED else "terminated"
    sys.stderr.write(f"\n{end}; {KEPT}\n" if sys.argv[1:2] in (["run"], ["compare"]) else f"\n{end}\n")


def _terminate(number: int, frame: Any) -> None:
    """End as after Ctrl-C, so that what was being done is tidied up."""
    raise SystemExit(TERMINATED)


def _print_error(message: str) -> int:
    """Print an error, one line for each fault; the exit status."""
    for line in message.splitlines():
        sys.stderr.write(f"error: {line}\n" if not line.startswith(" ") else f"{line}\n")
    return 2


if __name__ == "__main__":
    main()
