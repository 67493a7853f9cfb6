"""A folder is complete or absent, whatever happens while it is written; damaged files are reported."""

from __future__ import annotations

import os
import platform
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from nlpipe.errors import DataError, NlpipeError
from nlpipe.files import PARTIAL, decode_utf8, read_json, whole_file, whole_folder, write_json


def test_a_folder_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "run"
    with whole_folder(target) as partial:
        write_json(partial / "a.json", {"a": 1})
        assert not target.exists()
    assert read_json(target / "a.json") == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_failure_leaves_the_old_folder_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "run"
    with whole_folder(target) as partial:
        write_json(partial / "a.json", 1)
    with pytest.raises(ZeroDivisionError), whole_folder(target) as partial:
        write_json(partial / "a.json", 2)
        _ = 1 / 0
    assert read_json(target / "a.json") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_full_disk_is_reported_and_leaves_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(NlpipeError, match="No space left on device; no partial folder was left"),
        whole_folder(tmp_path / "run"),
    ):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_the_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    for target in (tmp_path / "out", tmp_path / "out" / "run"):
        with pytest.raises(NlpipeError, match="out"), whole_folder(target):
            pass
    assert (tmp_path / "out").read_text() == "a file" and len(list(tmp_path.iterdir())) == 1


def test_the_partial_folder_of_a_killed_process_is_removed(tmp_path: Path) -> None:
    program = textwrap.dedent(f"""
        import os, signal
        from pathlib import Path
        from nlpipe.files import whole_folder, write_json
        with whole_folder(Path({str(tmp_path)!r}) / "run") as partial:
            write_json(partial / "a.json", 1)
            os.kill(os.getpid(), signal.SIGKILL)
    """)
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == -signal.SIGKILL
    assert [path.name.startswith(PARTIAL) for path in tmp_path.iterdir()] == [True]
    with whole_folder(tmp_path / "run") as partial:
        write_json(partial / "a.json", 2)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_the_partial_folder_of_a_running_process_is_kept(tmp_path: Path) -> None:
    other = tmp_path / f"{PARTIAL}{os.getppid()}-{platform.node()}-other"
    other.mkdir()
    with whole_folder(tmp_path / "run"):
        pass
    assert other.exists()


def test_damaged_json_is_reported_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(NlpipeError, match=r"a\.json: not a JSON file"):
        read_json(tmp_path / "a.json")
    with pytest.raises(NlpipeError, match="there is no such file"):
        read_json(tmp_path / "b.json")


def test_text_that_is_not_utf8_is_reported_with_its_line() -> None:
    assert decode_utf8("na\u00efve\n".encode(), "a.txt") == "na\u00efve\n"
    with pytest.raises(DataError, match=r"^a\.txt:2: the file is not encoded in UTF-8; convert it first$"):
        decode_utf8(b"plain\ncaf\xe9\n", "a.txt")


def test_a_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "file.json"
    with whole_file(target) as partial:
        partial.write_text("one")
    with pytest.raises(RuntimeError), whole_file(target) as partial:
        partial.write_text("tw")
        raise RuntimeError
    with pytest.raises(NlpipeError, match="No space left"), whole_file(target) as partial:
        partial.write_text("tw")
        raise OSError(28, "No space left on device")
    assert target.read_text() == "one"
    (tmp_path / f".partial-99999999-{platform.node()}-file.json").write_text("of a killed process")
    with whole_file(target) as partial:
        partial.write_text("two")
    assert [path.name for path in tmp_path.iterdir()] == ["file.json"] and target.read_text() == "two"


def test_a_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in ("old", "new"):
        (tmp_path / name).symlink_to(Path("data") / name)
    (tmp_path / "data" / "old").write_text("one")
    for name in ("old", "new"):
        with whole_file(tmp_path / name) as partial:
            partial.write_text("two")
        assert (tmp_path / name).is_symlink() and (tmp_path / "data" / name).read_text() == "two"
    (tmp_path / "data" / "run").mkdir()
    (tmp_path / "run").symlink_to(Path("data") / "run")
    with whole_folder(tmp_path / "run") as folder:
        (folder / "a").write_text("one")
    assert (tmp_path / "run").is_symlink() and (tmp_path / "data" / "run" / "a").read_text() == "one"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "data", "new", "new", "old", "old", "run", "run"]


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices")
def test_a_device_or_a_pipe_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to("/dev/null")  # not by its own name: a fault here must not replace it
    (tmp_path / "folder").mkdir()
    for name, kind in (("pipe", "a pipe"), ("null", "a device"), ("folder", "a folder")):
        with pytest.raises(NlpipeError, match=f"{name}: this is {kind}"), whole_file(tmp_path / name) as partial:
            partial.write_text("x")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode) and stat.S_ISCHR(Path("/dev/null").stat().st_mode)
