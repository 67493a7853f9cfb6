"""docs/serving.md says what the server does: its routes, options, defaults, and commands that can be started."""

from __future__ import annotations

import configparser
import inspect
import json
import re
import shlex
from pathlib import Path

from nlpipe.cli.serve_command import serve
from nlpipe.serving.application import routes
from nlpipe.serving.limits import Limits
from nlpipe.serving.service import Service

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


def test_container_and_unit_start_the_command() -> None:
    (entry,) = re.findall(r"^ENTRYPOINT (.*)$", block("dockerfile"), flags=re.MULTILINE)
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(block("ini"))
    for words in (json.loads(entry), shlex.split(unit["Service"]["ExecStart"])):
        assert (Path(words[0]).name, words[1]) == ("nlpipe", "serve")
        assert {word for word in words if word.startswith("--")} <= OPTIONS
    copied = re.findall(r"^COPY \S+ (\S+)$", block("dockerfile"), flags=re.MULTILINE)
    assert json.loads(entry)[2] in copied
    assert int(unit["Service"]["TimeoutStopSec"]) > Limits().seconds
