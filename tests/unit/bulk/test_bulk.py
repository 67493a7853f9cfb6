"""Many texts: as one process answers them, byte for byte; what dies, is interrupted or repeated loses nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nlpipe import Pipeline
from nlpipe.bulk.inputs import Input, Position, Reading, read_inputs
from nlpipe.bulk.ordered import Source, pieces
from nlpipe.cli.app import app
from nlpipe.errors import DataError, NlpipeError
from nlpipe.files import PARTIAL
from nlpipe.tasks.classification import Classification
from nlpipe.user_code import import_module
from tests.commands import complaint, nlpipe

MODULE = '''
import os, pathlib, signal
import nlpipe
from nlpipe.tokenizers import Whitespace

@nlpipe.register.tokenizer("deadly")
class Deadly(Whitespace):
    """Dies of some texts: always, or once."""

    def forward(self, source):
        for text in source.strings:
            once = pathlib.Path(text.partition("ONCE ")[2] or ".")
            if "ALWAYS" in text or not once.exists():
                once.exists() or once.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            if "ODD" in text:
                raise ValueError("an odd text")
        return super().forward(source)
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of a user's own stage, and 3,000 rows with fields of several lines."""
    place = tmp_path_factory.mktemp("bulk")
    (place / "deadly_stage.py").write_text(MODULE)
    import_module("deadly_stage.py", place)
    from nlpipe.heads import NaiveBayes
    from nlpipe.registry import table_of
    from nlpipe.representations import BagOfWords

    tokenizer = table_of("tokenizer").load("deadly")()
    Pipeline([tokenizer, BagOfWords(), NaiveBayes()]).fit(["good fun", "bad bore"] * 4, ["pos", "neg"] * 4).save(
        place / "model"
    )
    rows = [f'{i},"good ""fun"" {i}\n{"bad" * (i % 3)}",é' for i in range(3000)]
    (place / "big.csv").write_text("\n".join(["id,text,note", *rows]) + "\n", encoding="utf-8")
    return place


def predict(folder: Path, *words: Any) -> list[Any]:
    return ["predict", folder / "model", "--import", folder / "deadly_stage.py", *words]


def succeed(folder: Path, *words: Any) -> None:
    """Run a command, which must succeed, in this process."""
    answer = CliRunner().invoke(app, [str(word) for word in predict(folder, *words)], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output


def done(folder: Path, *words: Any) -> bytes:
    """What a command that must succeed writes."""
    command = nlpipe(*predict(folder, *words))
    assert command.returncode == 0, command.stderr.decode()
    return command.stdout


@pytest.mark.parametrize("options", [("jsonl", "--threshold", 0.7), ("csv",)])
def test_processes_and_files_have_what_one_process_writes(folder: Path, tmp_path: Path, options: tuple[Any]) -> None:
    words = ["--file", folder / "big.csv", "--format", *options]
    alone = done(folder, *words)
    assert alone.count(b"\n") >= 3000
    if "--threshold" in options:
        assert alone.count(b'"unsure": true') > 100 and alone.count(b'"unsure": false') > 100
    assert done(folder, *words, "--jobs", 2) == alone
    assert done(folder, *words, "--output", tmp_path / "out") == b""
    assert (tmp_path / "out").read_bytes() == alone


def test_two_processes_write_the_parquet_of_one(folder: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    for jobs in (1, 2):
        done(folder, "--file", folder / "big.csv", "--jobs", jobs, "--output", tmp_path / f"{jobs}.parquet")
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "2.parquet").read_bytes()
    assert parquet.read_table(tmp_path / "1.parquet").num_rows == 3000


def test_a_killed_worker_loses_nothing_and_the_text_that_kills_is_named(folder: Path, tmp_path: Path) -> None:
    lines = [f"good {i}" for i in range(600)]
    lines[400] = f"bad ONCE {tmp_path / 'marker'}"
    (tmp_path / "once.txt").write_text("\n".join(lines) + "\n")
    answers = done(folder, "--file", tmp_path / "once.txt", "--jobs", 2)
    assert (tmp_path / "marker").exists() and answers.count(b"\n") == 600
    assert answers == done(folder, "--file", tmp_path / "once.txt")
    (tmp_path / "always.txt").write_text("good\nfine\nALWAYS\n")
    told = complaint(*predict(folder, "--file", tmp_path / "always.txt", "--jobs", 2, "--output", tmp_path / "out.csv"))
    assert f"{tmp_path / 'always.txt'}:3: the process that answers this text was killed (SIGKILL)" in told
    assert not [path for path in tmp_path.iterdir() if path.name.startswith((PARTIAL, "out"))]


def test_a_folder_is_continued_and_not_mixed(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ["--file", tmp_path / "in", "--output", out, "--part-rows", 1000, "--format", "csv"]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_bytes((folder / "big.csv").read_bytes())
    (tmp_path / "in" / "b.csv").write_bytes(b"id,text\n1,good\n2,b\xff\n")
    assert "b.csv:3: byte" in complaint(*predict(folder, *options))  # a.csv is done by then
    names = ["a-00001.csv", "a-00002.csv", "a-00003.csv"]
    assert [path.name for path in sorted(out.glob("*.csv"))] == names
    (tmp_path / "in" / "b.csv").unlink()
    first = (out / names[0]).stat().st_mtime_ns
    (out / names[1]).unlink()
    done(folder, *options)
    assert (out / names[0]).stat().st_mtime_ns == first
    head, *rows = done(folder, "--file", folder / "big.csv", "--format", "csv").decode().split("\n", 1)
    parts = [(out / name).read_text(encoding="utf-8").split("\n", 1) for name in names]
    assert [part[0] for part in parts] == [head] * 3
    assert "".join(part[1] for part in parts) == rows[0]
    assert "answers were made with format 'csv', now format 'jsonl'" in complaint(
        *predict(folder, *options[:-1], "jsonl")
    )
    with (tmp_path / "in" / "a.csv").open("a") as file:
        file.write("9,x,y\n")
    assert "a.csv: changed since the answers" in complaint(*predict(folder, *options))
    told = complaint(*predict(folder, "--file", folder / "big.csv", "--output", tmp_path / "in"))
    assert "this folder has other files (a.csv)" in told


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_first_part_that_was_deleted_comes_back_as_it_was(folder: Path, tmp_path: Path, form: str) -> None:
    if form == "parquet":
        pytest.importorskip("pyarrow")
    words = ["--file", tmp_path / "in.csv", "--output", tmp_path / "out", "--part-rows", 300, "--format", form]
    (tmp_path / "in.csv").write_text("id,text\n" + "".join(f"{i},good {i}\n" for i in range(900)))
    succeed(folder, *words)
    files = {path: path.read_bytes() for path in (tmp_path / "out").glob("in-*")}
    first = tmp_path / "out" / f"in-00001.{form}"
    assert len(files) == 3 and (form != "csv" or files[first].startswith(b"id,text,predicted,"))
    for missing in ([first], [first, tmp_path / "out" / f"in-00003.{form}"]):
        for path in missing:
            path.unlink()
        succeed(folder, *words)
        assert {path: path.read_bytes() for path in files} == files
    if form == "parquet":
        first.write_bytes(b"damaged")
        (tmp_path / "out" / "in-00003.parquet").unlink()
        answer = CliRunner().invoke(app, [str(word) for word in predict(folder, *words)])
        assert f"{first}: not a parquet file, or damaged" in str(answer.exception)


def test_answers_are_not_taken_for_inputs(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "data" / "in").mkdir(parents=True)
    (tmp_path / "data" / "in" / "a.csv").write_text("text\ngood\n")
    out = tmp_path / "data" / "answers"
    for _ in range(2):
        succeed(folder, "--file", tmp_path / "data" / "**" / "*.csv", "--output", out, "--format", "csv")
        assert [path.name for path in out.glob("*.csv")] == ["a-00001.csv"]
    for given, message in ((out / "*.csv", "outside of --output"), (out, "this folder has the input")):
        answer = CliRunner().invoke(app, [str(word) for word in predict(folder, "--file", given, "--output", out)])
        assert isinstance(answer.exception, NlpipeError) and message in str(answer.exception)


def test_two_commands_do_not_write_into_one_folder(folder: Path, tmp_path: Path) -> None:
    from nlpipe.bulk.answer_folder import answer_folder

    with answer_folder(tmp_path / "out", {}):
        told = complaint(*predict(folder, "--file", folder / "big.csv", "--output", tmp_path / "out"))
    assert "another command is writing into this folder" in told


def test_parquet_comes_back_with_its_columns_and_types(folder: Path, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"id": list(range(300)), "text": [f"good {i}" for i in range(300)], "none": [None] * 300})
    parquet.write_table(table, tmp_path / "in.parquet", row_group_size=100)
    done(folder, "--file", tmp_path / "in.parquet", "--output", tmp_path / "out.parquet")
    answered = parquet.read_table(tmp_path / "out.parquet")
    assert answered.column("id") == table.column("id") and answered.column("predicted")[0].as_py() == "pos"
    damaged = bytearray((tmp_path / "in.parquet").read_bytes())
    damaged[4:40] = b"x" * 36
    (tmp_path / "bad.parquet").write_bytes(damaged)
    told = complaint(*predict(folder, "--file", tmp_path / "bad.parquet", "--output", tmp_path / "bad_out.parquet"))
    assert "bad.parquet: not a parquet file, or damaged" in told and not (tmp_path / "bad_out.parquet").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--jobs", 0], "'--jobs'"),
        (["--jobs", 5000], "--jobs 5000: there are"),
        (["--jobs", 2, "--cluster", "tcp://x:1"], "give --jobs or --cluster, not both"),
        (["--jobs", 2, "text"], "--jobs is for texts in files or on standard input"),
        (["--format", "parquet"], "--format parquet needs --output"),
        (["--jobs", 2, "--format", "html"], "does not go with --format html"),
        (["--file", "in/*.nothing", "--output", "o"], "no file matches this pattern"),
        (["--file", "gone.csv", "--output", "o"], "--file gone.csv: there is no such file"),
        (["--file", "empty", "--output", "o"], "has no csv, tsv, jsonl"),
        (["--file", "same", "--output", "o"], "would be called x"),
        (["--file", "same"], "several files need --output FOLDER"),
        (["--file", "big.txt", "--output", "no/o.txt"], "there is no folder no"),
        (["--file", "big.txt", "--output", "big.txt"], "this is an input"),
        (["--output", "o", "--part-rows", 5], "needs --file, not standard input"),
        (["--file", "big.txt", "--part-rows", 5], "--part-rows is for --output FOLDER"),
        (["--file", "big.txt", "--part-rows", 5, "--output", "big.txt"], "this is"),
        (["--file", "big.txt", "--output", "pipe"], "--output pipe: this is a pipe"),
        (["--file", "big.txt", "--output", "o.json"], "'.json' says no format of answers; expected .txt, .jsonl, .csv"),
        (["--file", "big.txt", "--output", "o.csv.gz"], "--output o.csv.gz: answers are not compressed"),
        (
            ["--file", "big.txt", "--output", "o.csv.gz", "--format", "csv"],
            "--output o.csv.gz: answers are not compressed",
        ),
        (["--n-best", 3, "--format", "csv"], "--n-best writes jsonl, not --format csv"),
        (["--file", "big.txt", "--n-best", 3, "--output", "o.parquet"], "jsonl, not --output o.parquet"),
        (["--file", "odd.txt", "--jobs", 1, "--output", "o"], "odd.txt, lines 1 to 2: ValueError: an odd text"),
    ],
)
def test_what_is_wrong_is_said(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[Any], message: str
) -> None:
    for name in ("empty", "same"):
        (tmp_path / name).mkdir()
    for name in ("same/x.csv", "same/x.jsonl", "big.txt"):
        (tmp_path / name).write_text("text\n")
    (tmp_path / "odd.txt").write_text("good\nODD\n")
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)
    answer = CliRunner().invoke(app, [str(word) for word in predict(folder, *words)])
    assert answer.exit_code != 0 and message in str(answer.exception) + answer.output
    assert not (tmp_path / "o").exists() or not any(path.is_file() for path in (tmp_path / "o").iterdir())


def test_a_full_disk_leaves_whole_parts(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    def limit() -> None:  # files may have 60 kB: the second part is larger
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))

    lines = ["good"] * 1000 + ["good " * 20] * 1000
    (tmp_path / "x.txt").write_text("\n".join(lines) + "\n")
    command = [sys.executable, "-m", "nlpipe"]
    words = predict(folder, "--file", tmp_path / "x.txt", "--output", tmp_path / "out", "--part-rows", 1000)
    words += ["--format", "csv"]
    ended = subprocess.run([*command, *map(str, words)], capture_output=True, text=True, preexec_fn=limit)
    assert ended.returncode == 2 and "File too large" in ended.stderr and "Traceback" not in ended.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["manifest.json", "x-00001.csv"]
    done(folder, *words[4:])
    assert (tmp_path / "out" / "x-00002.csv").read_text().count("\n") == 1001


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_an_interrupted_command_ends_its_processes(folder: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "nlpipe", *map(str, predict(folder, "--jobs", 2))]
    command = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert command.stdin is not None and command.stdout is not None
    command.stdin.write(b"good\n" * 12_000)  # no more than pipes hold, in and out
    command.stdin.flush()
    assert command.stdout.readline().startswith(b"pos")
    workers = children(command.pid)
    assert workers
    command.send_signal(signal.SIGINT)
    _, told = command.communicate(timeout=60)
    assert command.returncode == 130 and b"Traceback" not in told
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{worker}").exists() for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [worker for worker in workers if Path(f"/proc/{worker}").exists()]


def children(process: int) -> list[int]:
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    return [int(word) for each in tasks for word in each.read_text().split()]


def test_without_a_cluster_the_address_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("nlpipe.dask_cluster.PATIENCE", 0.2)
    words = predict(folder, "--file", folder / "big.csv", "--cluster", "tcp://127.0.0.1:9")
    answer = CliRunner().invoke(app, [str(word) for word in words])
    assert isinstance(answer.exception, NlpipeError) and "no scheduler answers there" in str(answer.exception)


def test_another_version_or_model_in_a_worker_is_refused(folder: Path) -> None:
    from nlpipe import __version__
    from nlpipe.bulk.answer_process import answer_there, model_hash

    setting = {
        "model": str(folder / "model"), "sha256": model_hash(folder / "model"), "version": "0.0.1", "changes": [],
        "form": "text", "n_best": None, "threshold": None, "runtime": "auto", "computes": "nlpipe",
        "user_code": {"modules": [], "script": "", "package": "", "arguments": [], "search_path": []},
    }  # fmt: skip
    order = json.dumps({"items": [["good", None, []]], "columns": None})
    assert (
        "and the command 0.0.1: install the same there" in json.loads(answer_there(json.dumps(setting), order))["error"]
    )
    setting |= {"version": __version__, "sha256": "0"}
    assert "another model there than the command" in json.loads(answer_there(json.dumps(setting), order))["error"]


def test_a_threshold_without_probabilities_is_told_of_before_workers_start(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nlpipe.heads import Perceptron
    from nlpipe.representations import BagOfWords
    from nlpipe.tokenizers import Whitespace

    model = Pipeline([Whitespace(), BagOfWords(), Perceptron()]).fit(["good", "bad"] * 4, ["pos", "neg"] * 4)
    words = ["predict", str(model.save(tmp_path / "model")), "--file", str(folder / "big.csv"), "--threshold", "0.5"]
    monkeypatch.setattr("nlpipe.bulk.local_workers.Processes.__init__", lambda *_: pytest.fail("a process was started"))
    answer = CliRunner().invoke(app, [*words, "--jobs", "2"])
    assert isinstance(answer.exception, NlpipeError)
    assert str(answer.exception).startswith("--threshold: the head 'perceptron' gives no probabilities")


def test_the_position_is_in_all_files_together(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.txt", "b.txt", "c.txt")]
    for file, size in zip(files, (10, 200, 3000), strict=True):
        file.write_text("x" * (size - 1) + "\n")
    position = Position(files)
    assert position.total == 3210 and position.bytes_read() == 0
    for file, read in ((files[0], 10), (files[2], 3210)):  # the second one was answered before
        inputs = read_inputs(file, Reading(), Classification(), {}, position)
        next(inputs)
        assert position.bytes_read() == read
        assert not list(inputs)


def test_parts_and_pieces_keep_order_and_a_fault_comes_after_what_is_before_it() -> None:
    def inputs(count: int) -> Any:
        for number in range(count):
            yield Input(str(number), number=number)
        raise DataError("damaged")

    seen: list[tuple[int, int]] = []
    with pytest.raises(DataError):
        for piece in pieces(Source("x"), inputs(2500), True, 1000, lambda part: part == 2):
            seen += [(piece.part, item.number) for item in piece.items]
    assert seen == [(1, number) for number in range(1000)] + [(3, number) for number in range(2000, 2500)]
