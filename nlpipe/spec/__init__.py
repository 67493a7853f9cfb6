"""Pipeline and comparison files to checked objects: every fault at once, ``file:line:column: key.path: what``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nlpipe.errors import Fault, SpecError
from nlpipe.spec import comparisons
from nlpipe.spec.comparisons import Budget, ComparisonSpec
from nlpipe.spec.overrides import apply, read_extended, read_overrides
from nlpipe.spec.pipelines import PipelineSpec, WiresOf, as_value, file_name
from nlpipe.spec.stages import StageSpec, spec_of
from nlpipe.spec.vary import Expansion, expand
from nlpipe.spec.yaml_reader import Place, Value, parse, to_yaml

__all__ = [
    "Budget",
    "ComparisonSpec",
    "Expansion",
    "Fault",
    "PipelineSpec",
    "SpecError",
    "StageSpec",
    "WiresOf",
    "compare_files",
    "is_comparison",
    "json_schema",
    "pipeline_from",
    "read_comparison",
    "read_pipeline",
    "read_pipelines",
    "spec_of",
    "to_yaml",
]


def read_pipeline(path: str | Path, overrides: Sequence[str] = (), wires: WiresOf | None = None) -> PipelineSpec:
    """The one pipeline in a file, with ``key.path=value`` overrides.

    Raises:
        SpecError: every fault in it, or it varies and stands for several.
    """
    parsed = read_overrides(overrides)
    root = apply(read_extended(Path(path)), parsed)
    return _only(root, str(path), file_name(Path(path)), wires)


def read_pipelines(path: str | Path, overrides: Sequence[str] = (), wires: WiresOf | None = None) -> Expansion:
    """All pipelines that a file stands for, and the combinations of its ``vary:`` left out.

    Raises:
        SpecError: every fault in it.
    """
    return comparisons.read_expansion(Path(path), read_overrides(overrides), wires)


def read_comparison(path: str | Path, overrides: Sequence[str] = (), wires: WiresOf | None = None) -> ComparisonSpec:
    """The comparison in a file; overrides of keys that it does not have itself go to each pipeline.

    Raises:
        SpecError: every fault of it and of all its pipelines.
    """
    return comparisons.read(Path(path), read_overrides(overrides), wires)


def compare_files(
    paths: Sequence[str | Path], overrides: Sequence[str] = (), wires: WiresOf | None = None
) -> ComparisonSpec:
    """A comparison of pipeline files named one by one; ``seeds=[1, 2]`` and the like come as overrides.

    Raises:
        SpecError: every fault of all of them.
    """
    return comparisons.of_files([Path(path) for path in paths], read_overrides(overrides), wires)


def is_comparison(path: str | Path) -> bool:
    """Whether a file is a comparison rather than a pipeline.

    Raises:
        SpecError: it cannot be read.
    """
    root = read_extended(Path(path))
    return "pipelines" in root.entries or ("compare" in root.entries and "head" not in root.entries)


def pipeline_from(
    content: Mapping[str, Any] | str,
    overrides: Sequence[str] = (),
    wires: WiresOf | None = None,
    name: str = "pipeline",
) -> PipelineSpec:
    """A pipeline from a mapping, or from YAML text, that stands in no file.

    Raises:
        SpecError: every fault in it; places begin with ``name``.
    """
    if isinstance(content, str):
        root = parse(content, Place(name))
        if not isinstance(root.content, dict):
            raise SpecError([Fault(name, 0, 0, "", "a pipeline is a mapping of keys to values")])
    else:
        root = as_value(content, name)
    if "extend" in root.entries:
        raise SpecError([root.keys["extend"].fault("extend", "only a file can extend another")])
    return _only(apply(root, read_overrides(overrides)), name, file_name(Path(f"{name}.yaml")), wires)


def _only(root: Value, path: str, name: str, wires: WiresOf | None) -> PipelineSpec:
    expansion = expand(root, path, name, wires)
    if len(expansion.pipelines) == 1 and not expansion.left_out:
        return expansion.pipelines[0]
    several = len(expansion.pipelines) + len(expansion.left_out)
    varied = " ".join(f"{key}=…" for key in root.entries["vary"].entries)
    message = f"this file stands for {several} pipelines; compare them (nlpipe compare), or choose one with {varied}"
    raise SpecError([root.keys["vary"].fault("vary", message)])


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of pipeline and comparison files, for YAML editors."""
    from nlpipe.spec.schema import json_schema

    return json_schema()
