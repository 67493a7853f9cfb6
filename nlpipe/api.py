"""What ``import nlpipe`` offers to Python: load, run and compare, over the same files as the command."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpipe.errors import NlpipeError
from nlpipe.pipeline import Pipeline
from nlpipe.spec import ComparisonSpec, PipelineSpec, compare_files, is_comparison, pipeline_from, read_pipeline
from nlpipe.spec import read_comparison as read_comparison_file
from nlpipe.wire import Wire

if TYPE_CHECKING:
    from nlpipe.compare.results import Comparison
    from nlpipe.runs.result import Result


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
    path = find_file(file)
    return build(read_pipeline(path, list(overrides), wires_of(path.parent)))


def build(spec: PipelineSpec) -> Pipeline:
    """The pipeline that ``spec`` describes, with fresh stages."""
    from nlpipe.datasets.card_finder import task_of

    task = "classification" if spec.data is None else task_of(spec.data, base_of(spec))
    return Pipeline([stage.make() for stage in spec.stages], task, spec.trainer, spec.seed, spec.name)


def run(
    file: str | Path,
    overrides: Sequence[str] = (),
    out: str | Path = "runs",
    seed: int | None = None,
    again: bool = False,
    report: Callable[[str], None] = lambda message: None,
) -> Result:
    """Fit and score the pipeline of ``file``; see ``nlpipe.runs.run.run``.

    Raises:
        NlpipeError: the file, the data or the disk does not allow it.
    """
    from nlpipe.datasets.load import load_dataset
    from nlpipe.runs.run import run as run_spec
    from nlpipe.user_code import stop_if_registering

    stop_if_registering()
    path = find_file(file)
    spec = read_pipeline(path, list(overrides), wires_of(path.parent))
    return run_spec(spec, load_dataset(data_of(spec), base_of(spec)), Path(out), seed, again=again, report=report)


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
    from nlpipe.user_code import stop_if_registering

    stop_if_registering()
    paths = [files] if isinstance(files, str | Path) else list(files)
    return run_comparison(read_comparison([Path(path) for path in paths], overrides), Path(out), workers)


def spec_from(mapping: Mapping[str, Any]) -> PipelineSpec:
    """A pipeline written as a mapping, checked like a file.

    Raises:
        SpecError: it has faults.
    """
    return pipeline_from(mapping, wires=wires_of(Path()))


def read_comparison(paths: Sequence[Path], overrides: Sequence[str]) -> ComparisonSpec:
    """One comparison file, or pipeline files named one by one.

    Raises:
        SpecError: every fault of all of them.
    """
    if not paths:
        raise NlpipeError("no file: name a comparison, or pipelines to compare")
    paths = [find_file(path) for path in paths]
    base = paths[0].parent
    if len(paths) == 1 and is_comparison(paths[0]):
        return read_comparison_file(paths[0], overrides, wires_of(base))
    return compare_files(paths, overrides, wires_of(base))


def find_file(path: str | Path) -> Path:
    """``path``, or the example of that name that came with nlpipe (``pipelines/sentiment/nbsvm.yaml``)."""
    found = Path(path)
    if found.exists() or found.is_absolute():
        return found
    from nlpipe.datasets.card_finder import data_folder

    shipped = (
        data_folder().parent / "pipelines" / found.relative_to("pipelines" if found.parts[:1] == ("pipelines",) else "")
    )
    return shipped if shipped.exists() else found


def wires_of(base: Path) -> Callable[[Any], tuple[type[Wire], type[Wire]] | None]:
    """What tells the wiring check the wires of a data set: (of inputs, of targets).

    Raises:
        DataError: by the function, where the data set has no card or its description is wrong.
    """
    from nlpipe.datasets.card_finder import task_of
    from nlpipe.tasks import task_named

    def wires(data: Any) -> tuple[type[Wire], type[Wire]] | None:
        if data is None:
            return None
        task = task_named(task_of(data, base))
        return task.source, task.target

    return wires


def base_of(spec: PipelineSpec | ComparisonSpec) -> Path:
    """The folder that relative paths in ``spec`` start from."""
    return Path(spec.path).parent


def data_of(spec: PipelineSpec | ComparisonSpec) -> Any:
    """The data of ``spec``.

    Raises:
        NlpipeError: it says none.
    """
    if spec.data is None:
        raise NlpipeError(f"{spec.path}: no data: say 'data: CARD' in the file, or data=CARD on the command line")
    return spec.data
