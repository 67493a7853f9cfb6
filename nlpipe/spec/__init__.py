"""Read pipelines and comparisons into checked objects; all faults are reported at once, each with its place.

The command line and Python use the same functions, so that a file means the same to both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nlpipe.errors import NlpipeError, SpecError
from nlpipe.spec.comparisons import ComparisonSpec, comparison_from, comparison_of, expand_root
from nlpipe.spec.given_answers import is_answers
from nlpipe.spec.imports import add_imports
from nlpipe.spec.overrides import apply, read_overrides
from nlpipe.spec.pipelines import Data, PipelineSpec
from nlpipe.spec.sources import Source, read_source
from nlpipe.spec.stages import StageSpec
from nlpipe.spec.vary import Expansion
from nlpipe.yaml_reader import to_yaml

__all__ = [
    "ComparisonSpec",
    "Expansion",
    "PipelineSpec",
    "Source",
    "StageSpec",
    "data_of",
    "is_comparison",
    "json_schema",
    "read_comparison",
    "read_pipeline",
    "read_pipelines",
    "to_yaml",
]


def read_pipeline(source: Source, overrides: Sequence[str] = (), imports: Sequence[str] = ()) -> PipelineSpec:
    """The one pipeline in a file or a mapping.

    Args:
        overrides: changes such as ``"head.C=2"``; relative paths in them start from the working directory.
        imports: modules to import, besides those of the file.

    Raises:
        SpecError: every fault of the source; also if it is a comparison, or stands for several pipelines.
    """
    root = read_source(source)
    changes = read_overrides(overrides)
    expansion = expand_root(root, changes, imports)
    if len(expansion.pipelines) == 1 and not expansion.left_out:
        return expansion.pipelines[0]
    value = apply(root.value, changes)
    several = len(expansion.pipelines) + len(expansion.left_out)
    varied = " ".join(f"{key}=…" for key in value.entries["vary"].entries)
    message = f"this file stands for {several} pipelines: compare them (nlpipe compare), or choose one with {varied}"
    raise SpecError([value.keys["vary"].fault("vary", message)])


def read_pipelines(source: Source, overrides: Sequence[str] = (), imports: Sequence[str] = ()) -> Expansion:
    """All pipelines that a file or a mapping stands for, and the combinations of its ``vary:`` that are left out.

    Raises:
        SpecError: every fault of the source.
    """
    return expand_root(read_source(source), read_overrides(overrides), imports)


def read_comparison(
    sources: Source | Sequence[Source], overrides: Sequence[str] = (), imports: Sequence[str] = ()
) -> ComparisonSpec:
    """The comparison in a file or a mapping, or of the pipelines named one by one.

    Args:
        overrides: changes to the comparison; those of other keys go to each pipeline.
        imports: modules to import, besides those of the files.

    Raises:
        SpecError: every fault of the comparison and of all its pipelines.
        NlpipeError: ``sources`` is empty.
    """
    several = [sources] if isinstance(sources, str | Path | Mapping) else list(sources)
    if not several:
        raise NlpipeError("no file: name a comparison, or pipelines to compare")
    root = read_source(several[0]) if len(several) == 1 else None
    if root is None or not root.is_comparison:
        root = comparison_of(several)
    value = add_imports(root.value, imports)
    return comparison_from(replace(root, value=value), read_overrides(overrides))


def data_of(source: Source) -> Data:
    """The data of a comparison, a pipeline or a card's file; answers from elsewhere need not be there yet.

    Raises:
        SpecError: every fault of the source but those of answers from elsewhere.
    """
    root = read_source(source)
    if "task" in root.value.entries and not root.is_comparison:
        return root.path
    given = root.value.entries.get("pipelines")
    if given is not None and isinstance(given.content, tuple):
        answering = tuple(item for item in given.content if not is_answers(item))
        if answering:
            root = replace(root, value=root.value.put("pipelines", replace(given, content=answering)))
    if not root.is_comparison:
        root = comparison_of([source])
    return comparison_from(root, ()).data


def is_comparison(source: Source) -> bool:
    """Whether a file or a mapping is a comparison rather than a pipeline.

    Raises:
        SpecError: it cannot be read.
    """
    return read_source(source).is_comparison


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of pipeline and comparison files, for YAML editors."""
    from nlpipe.spec.schema import json_schema

    return json_schema()
