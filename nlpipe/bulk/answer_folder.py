"""A folder of answers: files that are whole or not there, and ``manifest.json``, which knows what is done.

The same command goes on where it ended; one with another model or other options is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nlpipe.bulk.answers import Columns
from nlpipe.errors import NlpipeError
from nlpipe.files import PARTIAL, read_json, whole_file, write_json
from nlpipe.runs.lock import locked

MANIFEST = "manifest.json"
LOCK = ".lock"
FORMAT = 1


class AnswerFolder:
    """The folder ``path``; use ``answer_folder``, which holds its lock."""

    def __init__(self, path: Path, identity: Mapping[str, Any]) -> None:
        self.path = path
        self.inputs: dict[str, Any] = {}
        self.parts: dict[str, Any] = {}
        self.identity = dict(identity)
        others = [each.name for each in path.iterdir() if each.name != LOCK and not each.name.startswith(PARTIAL)]
        if MANIFEST in others:
            self._read()
        elif others:
            raise NlpipeError(f"--output {path}: this folder has other files ({sorted(others)[0]}); give a new one")

    def _read(self) -> None:
        content = read_json(self.path / MANIFEST)
        try:
            theirs, inputs, parts = content["identity"], content["inputs"], content["parts"]
            known = content["format"] == FORMAT and isinstance(inputs, dict) and isinstance(parts, dict)
            differ = [name for name in {**theirs, **self.identity} if theirs.get(name) != self.identity.get(name)]
        except (KeyError, TypeError, AttributeError):
            known = False
        if not known:
            raise NlpipeError(f"{self.path / MANIFEST}: not as nlpipe writes it; give a new folder")
        if differ:
            name = differ[0]
            was, now = (
                "another model" if name == "model" else f"{name} {side.get(name)!r}" for side in (theirs, self.identity)
            )
            than = "" if name == "model" else f", now {now}"
            raise NlpipeError(f"--output {self.path}: these answers were made with {was}{than}; give a new folder")
        self.inputs, self.parts = inputs, parts

    def begin(self, name: str, file: Path) -> None:
        """Take ``file`` as the input ``name``.

        Raises:
            NlpipeError: it is another one than the last time, or cannot be read.
        """
        try:
            status = file.stat()
        except OSError as error:
            raise NlpipeError(f"{file}: cannot be read: {error.strerror or error}") from None
        now = {"file": str(file.absolute()), "size": status.st_size, "changed": status.st_mtime_ns}
        entry = self.inputs.setdefault(name, {**now, "columns": None, "complete": False})
        if any(entry[key] != value for key, value in now.items()):
            where = "" if entry["file"] == now["file"] else f" (they are of {entry['file']})"
            raise NlpipeError(f"{file}: changed since the answers in {self.path} were made{where}; give a new folder")

    def columns(self, name: str) -> Columns | None:
        """Of the table of an input's answers, where they are known."""
        columns: Columns | None = self.inputs[name]["columns"]
        return columns

    def is_complete(self, name: str) -> bool:
        """Whether all answers to an input are there."""
        files = [file for file, entry in self.parts.items() if entry["input"] == name]
        return bool(self.inputs[name]["complete"]) and all((self.path / file).is_file() for file in files)

    def has(self, file: str) -> bool:
        """Whether a file of answers is there."""
        return file in self.parts and (self.path / file).is_file()

    def add(self, file: str, name: str, rows: int, columns: Columns | None) -> None:
        """Record a file of answers that has been written."""
        self.parts[file] = {"input": name, "rows": rows}
        self.inputs[name]["columns"] = columns
        self._write()

    def complete(self, name: str) -> None:
        """Record that an input is answered."""
        self.inputs[name]["complete"] = True
        self._write()

    def _write(self) -> None:
        content = {"format": FORMAT, "identity": self.identity, "inputs": self.inputs, "parts": self.parts}
        with whole_file(self.path / MANIFEST) as partial:
            write_json(partial, content)


@contextmanager
def answer_folder(path: Path, identity: Mapping[str, Any]) -> Iterator[AnswerFolder]:
    """The folder, which no other command writes into in the block.

    Args:
        identity: the model's hash and the options, which must be the same when the command is repeated.

    Raises:
        NlpipeError: another command writes into it, it has other files, or answers of another model or other options.
    """

    def busy() -> None:
        raise NlpipeError(f"--output {path}: another command is writing into this folder")

    if path.exists() and not path.is_dir():
        raise NlpipeError(f"--output {path}: this is a file; a folder is needed here")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NlpipeError(f"--output {path}: {error.strerror or error}") from None
    with locked(path / LOCK, busy):
        yield AnswerFolder(path, identity)
