"""``vary:`` in a pipeline file: all combinations of its lists, except those whose stages do not fit together."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from nlpipe.errors import Fault, SpecError
from nlpipe.registry import FOLDERS
from nlpipe.spec.cascades import AIMS, KEY, build
from nlpipe.spec.overrides import Part, key_path, put
from nlpipe.spec.pipelines import KEYS, Built, PipelineSpec, ordered
from nlpipe.spec.tune import read_tuning
from nlpipe.yaml_values import Value

MAX_COMBINATIONS = 1000
FIXED = ("name", "description", "extend", "import", "vary", "tune")
"""Keys that cannot vary."""


@dataclass(frozen=True)
class Expansion:
    """The pipelines that a file stands for.

    Args:
        left_out: the name of each combination that cannot work, and the reason.
    """

    pipelines: tuple[PipelineSpec, ...]
    left_out: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        names = ", ".join(pipeline.name for pipeline in self.pipelines)
        return f"Expansion({names}; {len(self.left_out)} left out)"


@dataclass(frozen=True)
class _Axis:
    path: tuple[Part, ...]
    choices: tuple[Value, ...]
    labels: tuple[str, ...]


def expand(root: Value, path: str, name: str) -> Expansion:
    """The pipelines that ``root`` stands for: one, or the combinations of ``vary``.

    Raises:
        SpecError: every fault of any of them; faults of the wiring only if every combination has some.
    """
    axes = _axes(root)
    root = root.without("vary")
    if not axes:
        built = _build(root, path, name)
        if built.spec is None:
            raise SpecError(ordered([*built.faults, *built.wiring], path))
        return Expansion((built.spec,))
    base = root.entries.get("name")
    if base is not None and isinstance(base.content, str):
        name = base.content
    pipelines: list[PipelineSpec] = []
    left_out: list[tuple[str, str]] = []
    faults: list[Fault] = []
    wiring: list[Fault] = []
    for choice in itertools.product(*(range(len(axis.choices)) for axis in axes)):
        varied = root.without("name")
        label = "-".join([name, *(axis.labels[i] for axis, i in zip(axes, choice, strict=True))])[:100]
        try:
            for axis, i in zip(axes, choice, strict=True):
                varied = put(varied, axis.path, axis.choices[i])
        except SpecError as error:
            faults.extend(error.faults)
            continue
        built = _build(varied, path, label)
        faults.extend(built.faults)
        wiring.extend(built.wiring)
        if built.spec is not None:
            pipelines.append(built.spec)
        elif not built.faults:
            left_out.append((label, built.wiring[0].message))
    if base is not None:
        faults.extend(fault for fault in build(root, path, name).faults if fault.key == "name")
    if faults or not pipelines:
        raise SpecError(ordered(faults or wiring, path))
    return Expansion(tuple(pipelines), tuple(left_out))


def _build(root: Value, path: str, name: str) -> Built:
    """The spec that ``root`` describes, with what its ``tune`` searches."""
    built = build(root, path, name)
    faults = list(built.faults)
    if KEY in root.entries:
        return built
    tuning = read_tuning(root, path, name, faults)
    spec = replace(built.spec, tune=tuning) if built.spec is not None and not faults else None
    return Built(spec, tuple(faults), built.wiring)


def _axes(root: Value) -> list[_Axis]:
    given = root.entries.get("vary")
    if given is None or given.content is None:
        return []
    if not isinstance(given.content, dict):
        example = "{representation: [bow, tfidf]}"
        message = f"invalid value {given.plain()!r}: expected a mapping of keys to lists, such as {example}"
        raise SpecError([given.place.fault("vary", message)])
    faults, axes = [], []
    for key, values in given.entries.items():
        path = key_path(key)
        inner = f"vary.{key}"
        if path is None or path[0] not in (*KEYS, *AIMS) or path[0] in FIXED:
            faults.append(given.keys[key].fault(inner, f"'{key}' is not a key of a pipeline that can vary"))
        elif not isinstance(values.content, tuple) or not values.content:
            message = f"invalid value {values.plain()!r}: expected a list of the values to try"
            faults.append(values.place.fault(inner, message))
        else:
            axes.append(_Axis(path, values.content, _labels(path, values.content)))
    count = math.prod(len(axis.choices) for axis in axes)
    if count > MAX_COMBINATIONS:
        faults.append(given.place.fault("vary", f"{count} combinations are more than {MAX_COMBINATIONS}"))
    if faults:
        raise SpecError(faults)
    return axes


def _labels(path: Sequence[Part], choices: Sequence[Value]) -> tuple[str, ...]:
    """A label for each choice, to be part of a name: a stage's name, or ``C=0.1``; equal labels are numbered."""
    prefix = "" if len(path) == 1 and (path[0] in FOLDERS or path[0] == "data") else f"{path[-1]}="
    labels: list[str] = []
    for choice in choices:
        label = prefix + (re.sub(r"[^\w.+-]", "_", _label(choice))[:40] or "empty")
        same = sum(other == label or other.startswith(f"{label}.") for other in labels)
        labels.append(f"{label}.{same + 1}" if label in labels else label)
    return tuple(labels)


def _label(value: Value) -> str:
    if value.content is None:
        return "none"
    if isinstance(value.content, tuple):
        return "+".join(_label(item) for item in value.content)
    if isinstance(value.content, dict):
        named = value.entries.get("name") or value.entries.get("task")
        return _label(named) if named is not None else "mapping"
    return str(value.content).lower() if isinstance(value.content, bool) else str(value.content)
