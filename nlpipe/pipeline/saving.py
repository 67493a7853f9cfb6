"""A pipeline on disk: ``model.json`` and, for each stage that has a state, JSON and safetensors. Nothing is pickled."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nlpipe.errors import ModelError, NlpipeError, NlpipeWarning
from nlpipe.files import read_json, write_arrays, write_json
from nlpipe.fingerprint import fingerprint, is_own
from nlpipe.pipeline.integrity import CASCADE, REPAIR, check_sealed, runtime_files, sealed
from nlpipe.registry import from_plain, slot_name, to_plain
from nlpipe.stage import AnyStage, State

FORMAT = 1
"""Format of the saved folder; other formats are refused."""


KEYS = {"name": str, "task": str, "seed": int, "trainer": dict, "stages": list}
"""Keys of ``model.json`` and the types of their values."""


def write_model(folder: Path, stages: Sequence[AnyStage], keys: Mapping[str, Any]) -> None:
    """Write ``stages`` with their states into a folder that exists.

    Args:
        keys: what else ``model.json`` keeps of the pipeline.
    """
    entries = []
    for position, stage in enumerate(stages):
        versions = {}
        for key, nested in all_states(stage):
            state = nested.state()
            stem = f"{position}-{slot_name(stage)}{key}"
            if state.data:
                write_json(folder / f"{stem}.json", state.data)
            if state.arrays:
                write_arrays(folder / f"{stem}.safetensors", state.arrays)
            for name, content in state.files.items():
                path = folder / f"{stem}.{name}"
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(content)
            versions[key] = nested.version
        entry = {"slot": slot_name(stage), "stage": to_plain(stage), "versions": versions}
        if code := _user_code(stage):
            entry["code"] = code
        entries.append(entry)
    write_json(folder / "model.json", sealed(folder, {"format": FORMAT, **keys, "stages": entries}))


def write_cascade(folder: Path, keys: Mapping[str, Any], content: Mapping[str, Any], count: int) -> None:
    """Write ``model.json`` of a cascade whose members' folders, ``member-0`` and so on, are in ``folder``.

    Args:
        keys: as in ``write_model``.
        content: what else is kept of the cascade.
        count: of its members.
    """
    members = []
    for number in range(count):
        name = f"member-{number}"
        members.append({"folder": name, "sha256": read_json(folder / name / "model.json")["sha256"]})
    manifest = {"format": FORMAT, **keys, "stages": [], CASCADE: {**content, "members": members}}
    write_json(folder / "model.json", sealed(folder, manifest))


def is_cascade(root: Path) -> bool:
    """Whether the saved pipeline is one of several."""
    manifest = read_json(root / "model.json")
    return isinstance(manifest, dict) and CASCADE in manifest


def stage_entries(root: Path) -> list[dict[str, Any]]:
    """What ``model.json`` says of each stage: ``slot``, ``stage`` and more; of all members of a cascade.

    Raises:
        ModelError: a file is missing or damaged.
    """
    manifest = read_keys(root)
    inner = [root / member["folder"] for member in manifest.get(CASCADE, {}).get("members", ())]
    entries: list[dict[str, Any]] = [*manifest["stages"], *(entry for each in inner for entry in stage_entries(each))]
    return entries


def model_root(folder: Path) -> Path:
    """The folder itself, or the ``model/`` in a run's folder.

    Raises:
        ModelError: neither holds a saved pipeline.
    """
    for root in (folder, folder / "model"):
        if (root / "model.json").exists():
            return root
    raise ModelError(f"{folder}: there is no saved pipeline here (no model.json); 'nlpipe run FILE' makes one")


def read_keys(root: Path) -> dict[str, Any]:
    """The content of ``model.json``, checked against its hashes; no stage is made.

    The files of a cascade's members are not read: they are checked where the members are loaded.

    Raises:
        ModelError: it was written in another format, or a file is damaged.
    """
    manifest = read_json(root / "model.json")
    if not isinstance(manifest, dict):
        raise ModelError(f"{root / 'model.json'}: damaged: it holds no object; {REPAIR}")
    if manifest.get("format") != FORMAT:
        raise ModelError(
            f"{root}: saved in format {manifest.get('format')}, this nlpipe reads format {FORMAT}; run it again"
        )
    check_sealed(root, manifest, members=False)
    faults = [key for key, kind in KEYS.items() if not isinstance(manifest.get(key), kind)]
    if faults:
        raise ModelError(f"{root / 'model.json'}: damaged: {', '.join(faults)} missing or of another type; {REPAIR}")
    return manifest


def read_manifest(root: Path) -> tuple[dict[str, Any], list[AnyStage]]:
    """The content of ``model.json``, and its stages, without their states.

    Raises:
        ModelError: as ``read_keys``; or it names a stage or option that this nlpipe does not have.
    """
    manifest = read_keys(root)
    stages = []
    for entry in manifest["stages"]:
        code: dict[str, str] = entry.get("code", {})
        try:
            stages.append(from_plain(entry["slot"], entry["stage"]))
        except ValueError as error:
            raise ModelError(f"{root / 'model.json'}: {error}") from None
        except NlpipeError as error:
            way = f"; it was saved with {', '.join(code)}: import that module (--import MODULE)" if code else ""
            raise ModelError(f"{root / 'model.json'}: {error}{way}") from None
        for name, now in _user_code(stages[-1]).items():
            if code.get(name, now) != now:
                message = f"{root}: the code of {name} has changed since this model was fitted with it"
                warnings.warn(f"{message}; its answers may have changed too: run the pipeline again", NlpipeWarning, 3)
    return manifest, stages


def _user_code(stage: AnyStage) -> dict[str, str]:
    """The classes of a stage and of those nested in it that are not nlpipe's, each with the fingerprint of its code."""
    owners = [type(each) for each in stage.with_nested()]
    return {f"{owner.__module__}.{owner.__qualname__}": fingerprint(owner) for owner in owners if not is_own(owner)}


def read_states(root: Path, position: int, stage: AnyStage, entry: Mapping[str, Any]) -> None:
    """Give ``stage`` and those nested in it the states that they were saved with.

    Raises:
        ModelError: a file is missing or damaged.
    """
    for key, nested in all_states(stage):
        stem = f"{position}-{entry['slot']}{key}"
        state = _read_state(root, stem)
        try:
            nested.load_state(state, entry["versions"][key])
        except ModelError as error:
            missing = "" if state.arrays else f"; there is no {stem}.safetensors"
            raise ModelError(f"{root / stem}: {error}{missing}") from None
        except KeyError as error:
            raise ModelError(f"{root / stem}: {error} is missing; the folder is incomplete; {REPAIR}") from None
        except (ValueError, TypeError, IndexError, AttributeError, RuntimeError, OverflowError) as error:
            reason = str(error).partition("\n")[0]
            raise ModelError(f"{root / stem}: does not fit the stage: {reason}; {REPAIR}") from None


def all_states(stage: AnyStage, prefix: str = "") -> Iterator[tuple[str, AnyStage]]:
    """Nested stages first, then ``stage`` itself, each with the suffix of its files (``.parts.0``)."""
    for name, nested in stage.nested().items():
        yield from all_states(nested, f"{prefix}.{name}")
    yield prefix, stage


def _read_state(root: Path, stem: str) -> State:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    data, arrays = (root / f"{stem}.{kind}" for kind in ("json", "safetensors"))
    try:
        state = State(
            load_file(arrays) if arrays.exists() else {},
            read_json(data) if data.exists() else {},
            {
                path.relative_to(root).as_posix()[len(stem) + 1 :]: path.read_bytes()
                for path in runtime_files(root, stem)
            },
        )
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{arrays}: damaged: {error}; {REPAIR}") from None
    for name, array in state.arrays.items():
        if array.dtype.kind == "f" and np.isnan(np.sum(array)) and np.isnan(array).any():
            raise ModelError(f"{arrays}: '{name}' has values that are not numbers (NaN); {REPAIR}")
    return state
