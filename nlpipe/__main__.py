"""The ``nlpipe`` command: what a user can mend is printed without a traceback, and the exit status is 2."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line and exit."""
    from nlpipe.cli import app
    from nlpipe.errors import NlpipeError

    try:
        app()
    except NlpipeError as error:
        sys.exit(_complain(str(error)))
    except OSError as error:
        if isinstance(error, BrokenPipeError):  # the reader has gone: nothing more to say
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(141)
        if error.filename is None:
            raise
        sys.exit(_complain(f"{error.filename}: {error.strerror}"))
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted; what was finished is kept, nothing is half-written\n")
        sys.exit(130)


def _complain(message: str) -> int:
    for line in message.splitlines():
        sys.stderr.write(f"error: {line}\n" if not line.startswith(" ") else f"{line}\n")
    return 2


if __name__ == "__main__":
    main()
