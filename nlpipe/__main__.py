"""The ``nlpipe`` command: what a user can mend is printed without a traceback, and the exit status is 2."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Any

INTERRUPTED = 130
"""The status that typer exits with after Ctrl-C."""


def main() -> None:
    """Run the command line and exit: 0, 2 for what the user can mend, 130 when interrupted."""
    from nlpipe.errors import NlpipeError, NlpipeWarning

    others = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, NlpipeWarning):
            sys.stderr.write(f"warning: {message}\n")
        else:
            others(message, category, *where, **more)

    warnings.showwarning = show
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        from nlpipe.cli.app import app

        app(prog_name="nlpipe")
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            sys.stderr.write("\ninterrupted; what was finished is kept, nothing is half-written\n")
        raise
    except NlpipeError as error:
        sys.exit(_complain(str(error)))
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else "writing the output: "
        status = _complain(f"{where}{error.strerror or error}")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left to be flushed cannot be
        sys.exit(status)


def _complain(message: str) -> int:
    for line in message.splitlines():
        sys.stderr.write(f"error: {line}\n" if not line.startswith(" ") else f"{line}\n")
    return 2


if __name__ == "__main__":
    main()
