"""What ``import nlpipe`` offers to Python: load, run and compare, over the same files as the command."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpipe.errors import NlpipeError
from nlpipe.pipeline import Pipeline
from nlpipe.spec import PipelineSpec, read_comparison, read_pipeline

if TYPE_CHECKING:
    from nlpipe.compare.comparison import Comparison
    from nlpipe.runner import Result


def load(file: str | Path, overrides: Sequence[str] = ()) -> Pipeline:
    """The pipeline of a file, ready to be fitted; or one that was saved, if ``file`` is its folder.

    Args:
        overrides: changes to the file, such as ``"head.C=2"``.

    Raises:
        SpecError: the file has faults; all of them are told.
        ModelError: the folder holds no pipeline that can be loaded.
    """
    if Path(file).is_dir():
        return Pipeline.load(file)
    return build(read_pipeline(Path(file), list(overrides)))


def build(spec: PipelineSpec) -> Pipeline:
    """The pipeline that ``spec`` describes, with fresh stages."""
    from nlpipe.datasets.cards import task_of

    task = "classification" if spec.data is None else task_of(spec.data, spec.base)
    return Pipeline([stage.make() for stage in spec.stages], task, spec.trainer, spec.seed, spec.name)


def run(
    file: str | Path,
    overrides: Sequence[str] = (),
    out: str | Path = "runs",
    seed: int | None = None,
    again: bool = False,
    report: Callable[[str], None] = lambda message: None,
) -> Result:
    """Fit and score the pipeline of ``file``; see ``nlpipe.runner.run``.

    Raises:
        NlpipeError: the file, the data or the disk does not allow it.
    """
    from nlpipe.datasets.cards import load_dataset
    from nlpipe.runner import run as run_spec

    spec = read_pipeline(Path(file), list(overrides))
    if spec.data is None:
        raise NlpipeError(f"{file}: no data: say 'data: CARD' in the file, or give overrides=['data=CARD']")
    return run_spec(spec, load_dataset(spec.data, spec.base), Path(out), seed, again=again, report=report)


def compare(
    files: str | Path | Sequence[str | Path],
    overrides: Sequence[str] = (),
    out: str | Path = "runs",
    workers: int = 1,
) -> Comparison:
    """Run the comparison of a file, or of several pipeline files; see ``nlpipe.compare.comparison.compare``.

    Raises:
        NlpipeError: a file or the data has faults. A run that fails is a row of the result.
    """
    from nlpipe.compare.comparison import compare as run_comparison

    paths = [files] if isinstance(files, str | Path) else list(files)
    return run_comparison(read_comparison([Path(path) for path in paths], list(overrides)), Path(out), workers)


def spec_from(mapping: Mapping[str, Any]) -> PipelineSpec:
    """A pipeline written as a mapping, checked like a file.

    Raises:
        SpecError: it has faults.
    """
    from nlpipe.spec import pipeline_from

    return pipeline_from(mapping)
