"""A process that has imported what commands import, and becomes one of them, in a child, each time it is asked.

It saves the seconds that Python and torch take to start. It computes nothing itself, so that forking it is safe. Each
line that it reads is a request as JSON, and it answers each with the exit status.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

UNMEASURED = "NLPIPE_TESTS_UNMEASURED"
"""A variable of the environment: costs in use are not measured but are ``USE``."""


def serve() -> None:
    """Answer requests until there are no more."""
    import scipy.sparse  # noqa: F401
    import sklearn.linear_model  # noqa: F401
    import torch  # noqa: F401

    import nlpipe.cli.app
    import nlpipe.pipeline  # noqa: F401
    import tests.unit.runs.finished_runs  # noqa: F401

    for line in sys.stdin:
        child = os.fork()
        if not child:
            become(json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def become(request: dict[str, Any]) -> None:
    """Run one command as ``python -m nlpipe`` does; never return."""
    status = 1
    try:
        os.chdir(request["cwd"])
        sys.path[0] = request["cwd"]
        os.environ.clear()
        os.environ.update(request["environment"])
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            flags = os.O_RDONLY if name == "stdin" else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            os.dup2(os.open(Path(request["folder"]) / name, flags, 0o600), number)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - what was read ahead is the server's
        sys.argv = [str(Path(nlpipe_main()).resolve()), *request["words"]]
        from nlpipe.__main__ import main

        if UNMEASURED in os.environ:
            from nlpipe.runs import costs
            from tests.unit.runs.finished_runs import USE

            costs.measure_model = lambda *_: USE  # type: ignore[assignment, return-value]
        main()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def nlpipe_main() -> str:
    """The file that ``python -m nlpipe`` runs."""
    import nlpipe.__main__

    return str(nlpipe.__main__.__file__)


if __name__ == "__main__":
    serve()
