"""What a pipeline or comparison is read from: a file, an example that came with nlpipe, or a mapping in Python."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlpipe.errors import SpecError
from nlpipe.spec.overrides import extended
from nlpipe.yaml_reader import read_yaml
from nlpipe.yaml_values import Place, Value, from_plain

Source = str | Path | Mapping[str, Any]
"""A file's path, or the mapping that a file would hold."""


@dataclass(frozen=True)
class Root:
    """A file's content, laid over the file that it extends.

    Args:
        path: the file, or what stands for it in faults.
        stem: the file's name without its ending; the name of a pipeline that has none of its own.
    """

    value: Value
    path: str
    stem: str

    @property
    def is_comparison(self) -> bool:
        """Whether it is a comparison rather than a pipeline."""
        return _compares(self.value.entries)


def _compares(keys: Container[Any]) -> bool:
    return "pipelines" in keys or ("compare" in keys and "head" not in keys)


def read_source(source: Source) -> Root:
    """The content of ``source``.

    Raises:
        SpecError: it cannot be read, or is not a mapping.
    """
    if isinstance(source, Mapping):
        name = "comparison" if _compares(source) else "pipeline"
        value = from_plain(source, Place(name))
        return Root(extended(value, Path(name), ()), name, name)
    path = find_file(source)
    _check_kind(path)
    return Root(extended(read_yaml(path), path, ()), str(path), path.stem)


def find_file(path: str | Path) -> Path:
    """``path``, or the example of that name that came with nlpipe (``pipelines/sentiment/nbsvm.yaml``)."""
    file = Path(path)
    if file.exists() or file.is_absolute():
        return file
    from nlpipe.datasets.card_finder import data_folder

    folder = "pipelines" if file.parts[:1] == ("pipelines",) else ""
    shipped = data_folder().parent / "pipelines" / file.relative_to(folder)
    return shipped if shipped.exists() else file


def _check_kind(path: Path) -> None:
    """A data file or a folder is often given where a pipeline file is meant: say what to do instead.

    Raises:
        SpecError: ``path`` is one of these.
    """
    from nlpipe.datasets.readers import format_of

    if path.is_file() and format_of(path.name):
        way = f"'nlpipe init {path}' makes a pipeline file to start from out of it"
        raise SpecError([Place(str(path)).fault("", f"this is a data file, not a pipeline; {way}")])
    if (path / "pipeline.yaml").is_file():
        raise SpecError([Place(str(path)).fault("", f"this is a run's folder; its file is {path / 'pipeline.yaml'}")])
