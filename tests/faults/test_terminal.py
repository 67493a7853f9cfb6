"""The terminal: closed, narrow or ended; brackets are brackets."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nlpipe.__main__ import main
from nlpipe.cli.terminal import make_console
from nlpipe.training.progress import Progress


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [f"good fine film {i},a" for i in range(300)] + [f"dull poor film {i},b" for i in range(300)]
    (tmp_path / "data.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    data = {"task": "classification", **dict.fromkeys(("train", "dev", "test"), str(tmp_path / "data.csv"))}
    quick = {"data": data, "representation": "bow", "head": "naive_bayes"}
    (tmp_path / "quick.yaml").write_text(json.dumps(quick))
    slow = {"representation": "embedding", "head": "classifier", "trainer": {"epochs": 10_000}}
    slow = {**slow, "encoder": ["lstm", "mean"]}
    (tmp_path / "slow.yaml").write_text(json.dumps({"data": data, **slow}))
    return tmp_path


def started(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    called = [sys.executable, "-m", "nlpipe", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(called, stdout=pipe, stderr=pipe, text=True, env={**os.environ, **environment})


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGTERM")
def test_after_sigterm_it_says_what_is_kept(folder: Path) -> None:
    with started("run", str(folder / "slow.yaml"), "--out", str(folder / "runs")) as process:
        assert process.stderr is not None
        said = ""
        while "epoch 1" not in said:  # training has begun
            said += process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        said = process.stderr.read()
        assert process.wait(timeout=30) == 143
    assert "terminated; finished runs are kept, and nothing is half-written; the same command goes on" in said
    assert not list((folder / "runs").rglob(".partial-*"))


@pytest.mark.parametrize(("what", "kept"), [("run", True), ("predict", False)])
def test_an_interruption_while_starting_is_no_traceback(
    what: str, kept: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(prog_name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nlpipe.cli.app.app", interrupted)
    monkeypatch.setattr("sys.argv", ["nlpipe", what])
    monkeypatch.setattr("signal.signal", lambda number, action: None)
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().err
    assert ended.value.code == 130 and "interrupted" in said
    assert ("finished runs are kept" in said) is kept


def test_a_bar_is_drawn_where_it_has_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for columns, shown in (("100", True), ("20", False)):
        monkeypatch.setenv("COLUMNS", columns)
        assert Progress(10, 0, None, print).show is shown


def test_a_narrow_terminal_and_brackets(folder: Path) -> None:
    out = str(folder / "runs [bold]x[/bold]")
    with started("run", str(folder / "quick.yaml"), "--out", out, COLUMNS="20") as process:
        printed, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "accuracy" in said and "1.0000" in said and "\u2026" not in said
    assert printed.startswith(out)


def test_a_reader_that_has_seen_enough_is_no_error(folder: Path) -> None:
    with started("list") as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
        process.wait(timeout=60)
    assert said == ""


def test_the_console_shows_what_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    console = make_console()
    assert console.width >= 80
    console.print("[red]a[/red] [link]")
    assert capsys.readouterr().out == "[red]a[/red] [link]\n"
