"""A run's folder with any file damaged in any way: each command about runs says so, and none ends in a traceback."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from nlpipe.errors import NlpipeError
from nlpipe.runs.evaluate import evaluate
from nlpipe.runs.listing import latest_run, list_runs
from nlpipe.runs.mistakes import find_mistakes
from nlpipe.runs.verify import verify
from tests.unit.runs.finished_runs import PIPELINES, finished_runs

DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "missing": lambda content: None,
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "list": lambda content: b"[]\n",
    "object": lambda content: b"{}\n",
    "null": lambda content: b"null\n",
    "text": lambda content: b'"text"\n',
    "bytes": lambda content: b"\xff\x00\xfe" + content,
    "numbers": lambda content: content.replace(b'"', b"").replace(b"{", b"["),
    "keys": lambda content: content.replace(b'"s', b'"z').replace(b'"p', b'"q'),
    "values": lambda content: content.replace(b': "', b': ["').replace(b'",', b'"],'),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: result.folder for name, result in finished_runs(tmp_path_factory.mktemp("runs")).items()}


def message_of(command: Callable[[], object]) -> str:
    """The message of what a user can mend; every other exception is raised."""
    try:
        command()
    except NlpipeError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("damage", list(DAMAGES))
@pytest.mark.parametrize("name", list(PIPELINES))
def test_no_damage_ends_in_a_traceback(
    runs: dict[str, Path], tmp_path: Path, name: str, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = runs[name]
    monkeypatch.setattr("nlpipe.runs.verify.rerun", lambda run, again, *_: shutil.copytree(whole, again))
    data = {"classes": "sample_reviews", "entities": "sample_entities", "texts": "sample_translation"}[name]
    folder = shutil.copytree(whole, tmp_path / "runs" / "run")
    said = 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        damaged = DAMAGES[damage](content)
        path.unlink() if damaged is None else path.write_bytes(damaged)
        for command in (
            lambda: list_runs(tmp_path / "runs"),
            lambda: latest_run(tmp_path / "runs"),
            lambda: find_mistakes(folder),
            lambda: evaluate(folder, data),
            lambda: verify(folder),
        ):
            said += bool(message_of(command))
        path.write_bytes(content)
    assert said >= 8
