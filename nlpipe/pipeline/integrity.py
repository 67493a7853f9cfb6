"""The hashes of a saved model: ``model.json`` has the sha256 of every other file, and one of its own content.

They find damage, not forgery: whoever can write the files can write the hashes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nlpipe.errors import ModelError
from nlpipe.files import read_json

STATE_FILE = re.compile(r"\d+-[^/]*\.(json|safetensors|onnx|ctranslate2/[^/]+)")
"""Names of the files that hold the states of stages, from the model's folder on."""
CASCADE = "cascade"
"""The key of ``model.json`` that a cascade has: its members' folders and hashes, and its thresholds."""
REPAIR = "copy the model again, or run the pipeline with --again"


def sealed(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """``manifest`` with ``files``, the sha256 of each state's file in ``folder``, and ``sha256``, that of the rest."""
    files = {name: _sha256(folder / name) for name in state_files(folder)}
    content = {**{key: value for key, value in manifest.items() if key != "sha256"}, "files": files}
    return {**content, "sha256": _digest(content)}


def check_sealed(folder: Path, manifest: Mapping[str, Any], members: bool = True) -> None:
    """Check the hashes; a model of an nlpipe that wrote none passes.

    Args:
        members: whether the files of a cascade's members are checked too, and not only which members they are.

    Raises:
        ModelError: a file is missing, damaged, or not one of those that were saved.
    """
    if not isinstance(manifest, Mapping):
        raise ModelError(f"{folder / 'model.json'}: damaged: it holds no object; {REPAIR}")
    if "files" not in manifest and "sha256" not in manifest:
        return
    content = {key: value for key, value in manifest.items() if key != "sha256"}
    files = manifest.get("files")
    if manifest.get("sha256") != _digest(content) or not isinstance(files, dict):
        raise ModelError(f"{folder / 'model.json'}: damaged: its content does not match its sha256; {REPAIR}")
    for name, expected in files.items():
        if not (folder / name).is_file():
            raise ModelError(f"{folder / name}: missing; {REPAIR}")
        if _sha256(folder / name) != expected:
            raise ModelError(f"{folder / name}: damaged: its content does not match the sha256 in model.json; {REPAIR}")
    if CASCADE in manifest:
        _check_members(folder, manifest[CASCADE], members)
    for name in state_files(folder):
        if name not in files:
            path = folder / name
            raise ModelError(f"{path}: not a file of this model: model.json does not name it; remove it, or {REPAIR}")


def _check_members(folder: Path, cascade: Mapping[str, Any], files: bool) -> None:
    """Check that the members of a cascade are those that were saved.

    Args:
        files: whether their files are checked as well.

    Raises:
        ModelError: one is missing, damaged, or another one.
    """
    for member in cascade["members"]:
        path = folder / member["folder"] / "model.json"
        if not path.is_file():
            raise ModelError(f"{path}: missing: the cascade lacks a member; {REPAIR}")
        manifest = read_json(path)
        if files:
            check_sealed(path.parent, manifest)
        if not isinstance(manifest, Mapping) or manifest.get("sha256") != member["sha256"]:
            raise ModelError(f"{path}: not the member that the cascade was saved with; {REPAIR}")


def state_files(folder: Path) -> list[str]:
    """Names of the files of a model's folder that hold states, from the folder on, in order."""
    paths = [*folder.iterdir(), *folder.glob("*.ctranslate2/*")]
    return sorted(name for path in paths if STATE_FILE.fullmatch(name := path.relative_to(folder).as_posix()))


def runtime_files(folder: Path, stem: str) -> list[Path]:
    """The files that other runtimes read, of the stage whose files begin with ``stem``."""
    return [path for end in ("onnx", "ctranslate2/*") for path in sorted(folder.glob(f"{stem}.{end}"))]


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from None
