"""Sources of pipelines and comparisons: a file, an example that comes with nlpipe, or a mapping in Python."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlpipe.errors import SpecError
from nlpipe.spec.overrides import extended
from nlpipe.yaml_reader import no_such_file, read_yaml
from nlpipe.yaml_values import Place, Value, from_plain

Source = str | Path | Mapping[str, Any]
"""A file's path, or the mapping that a file would hold."""


@dataclass(frozen=True)
class Root:
    """The content of a source, with the values of the file that it extends.

    Args:
        path: the file, or what stands for it in messages.
        stem: the file's name without suffix, which is the name of a pipeline without ``name:``.
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


def item_root(item: Value, key: str, number: int) -> Root:
    """The content of the pipeline file that an item of a list names, or the pipeline that it is.

    Raises:
        SpecError: it is neither, or the file cannot be read.
    """
    if isinstance(item.content, dict):
        path = item.place.path
        return Root(extended(item, Path(path), ()), path, f"pipeline_{number}")
    if not isinstance(item.content, str):
        message = f"invalid value {item.plain()!r}: expected the path of a pipeline file, or a pipeline's keys"
        raise SpecError([item.place.fault(key, message)])
    if not item.place.line:  # on the command line or in Python
        root = read_source(item.content)
    else:
        file = item.place.folder(Path()) / item.content
        if not file.exists() and (shipped := find_file(item.content)).is_file():
            file = shipped
        if not file.is_file():
            raise SpecError([item.place.fault(key, no_such_file(file))])
        root = read_source(file)
    return root


def find_file(path: str | Path) -> Path:
    """``path`` if it exists, otherwise the example of that name in nlpipe (``pipelines/sentiment/nbsvm.yaml``)."""
    file = Path(path)
    if file.exists() or file.is_absolute():
        return file
    folder = "pipelines" if file.parts[:1] == ("pipelines",) else ""
    shipped = shipped_folder() / file.relative_to(folder)
    return shipped if shipped.exists() else file


def shipped_folder() -> Path:
    """The folder of the examples that come with nlpipe."""
    from nlpipe.datasets.card_finder import data_folder

    return data_folder().parent / "pipelines"


def shipped_files() -> list[str]:
    """The examples that come with nlpipe, as any file and the command line can name them."""
    return sorted(f"pipelines/{path.relative_to(shipped_folder())}" for path in shipped_folder().glob("*/*.yaml"))


def _check_kind(path: Path) -> None:
    """Check that ``path`` is not a data file or a run's folder, which are easily given instead of a pipeline file.

    Raises:
        SpecError: it is; the message says what to do instead.
    """
    from nlpipe.datasets.readers import format_of

    if path.is_file() and format_of(path.name) and not _is_mapping(path):
        way = f"'nlpipe init {path}' makes a pipeline file to start from out of it"
        raise SpecError([Place(str(path)).fault("", f"this is a data file, not a pipeline; {way}")])
    if (path / "pipeline.yaml").is_file():
        raise SpecError([Place(str(path)).fault("", f"this is a run's folder; its file is {path / 'pipeline.yaml'}")])


def _is_mapping(path: Path) -> bool:
    """Whether a file called .json holds the mapping of a pipeline, which JSON may spell too, and no examples."""
    if path.suffix != ".json":
        return False
    with path.open("rb") as file:
        return file.read(64).lstrip()[:1] == b"{"
