"""The command as tests call it, in a process of its own that need not start Python anew."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def nlpipe(*words: object, stdin: str | bytes = b"", cwd: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    """What ``nlpipe WORDS`` writes, and its exit status."""
    server = _server(os.getpid())
    assert server.stdin is not None and server.stdout is not None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "stdin").write_bytes(stdin.encode() if isinstance(stdin, str) else stdin)
        request = {
            "words": [str(word) for word in words], "cwd": str(cwd or Path.cwd()), "folder": name,
            "environment": {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        }  # fmt: skip
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        status = server.stdout.readline()
        assert status, "the server of commands has ended"
        said = [(folder / stream).read_bytes() for stream in ("stdout", "stderr")]
    return subprocess.CompletedProcess(request["words"], int(status), *said)


def complaint(*words: object, stdin: str | bytes = b"", cwd: Path | None = None) -> str:
    """The message of a command that must fail as a user's mistake does."""
    return refusal(nlpipe(*words, stdin=stdin, cwd=cwd))


def refusal(done: subprocess.CompletedProcess[bytes]) -> str:
    """What a command said that must have failed as a user's mistake does."""
    said = done.stderr.decode()
    assert done.returncode == 2, said
    assert "Traceback" not in said
    return said


@cache
def _server(owner: int) -> subprocess.Popen[str]:
    """The server of this process, ``owner``; it ends when its input does."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    file = str(ROOT / "tests" / "command_server.py")
    return subprocess.Popen(
        [sys.executable, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
