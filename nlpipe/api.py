"""What ``import nlpipe`` offers to Python: load, run and compare. The command line goes through the same functions."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpipe.errors import NlpipeError, NlpipeWarning
from nlpipe.pipeline import Pipeline
from nlpipe.runs.fit import make
from nlpipe.spec import PipelineSpec, Source, read_comparison, read_pipeline

if TYPE_CHECKING:
    from nlpipe.compare.results import Comparison
    from nlpipe.datasets.dataset import Dataset
    from nlpipe.runs.result import Result
    from nlpipe.tuning.search import Tuned


def load(file: Source, overrides: Sequence[str] = (), imports: Sequence[str] = ()) -> Pipeline:
    """The pipeline of a file, ready to be fitted; or one that was saved, if ``file`` is its folder.

    Args:
        file: a pipeline file, the mapping that a file would hold, or the folder of a saved pipeline.
        overrides: changes to the file, such as ``"head.C=2"``.
        imports: modules to import, besides those of the file.

    Raises:
        SpecError: every fault of the file.
        ModelError: the folder holds no pipeline that can be loaded.
    """
    if isinstance(file, str | Path) and Path(file).is_dir():
        return Pipeline.load(file)
    return build(read_pipeline(file, overrides, imports))


def build(spec: PipelineSpec) -> Pipeline:
    """The pipeline that ``spec`` describes, with fresh stages."""
    from nlpipe.datasets.card_finder import find_card

    task = "classification" if spec.data is None else find_card(spec.data).card.task
    return make(spec, task)


def run(
    file: Source,
    overrides: Sequence[str] = (),
    out: str | Path = "runs",
    seed: int | None = None,
    again: bool = False,
    report: Callable[[str], None] = lambda message: None,
    imports: Sequence[str] = (),
) -> Result:
    """Fit and score the pipeline of a file; see ``nlpipe.runs.run.run``.

    Args:
        file: a pipeline file, or the mapping that a file would hold.
        overrides: changes to the file, such as ``"head.C=2"``.
        out: the folder that the run's folder is written into.
        seed: replaces the one of the file.
        again: run it even if it has been run before.
        report: called with what is being done, in a few words.
        imports: modules to import, besides those of the file.

    Raises:
        NlpipeError: the file, the data or the disk does not allow it.
    """
    from nlpipe.runs.run import run as run_spec

    spec, dataset = _read(file, overrides, imports)
    if spec.tune is not None:
        report("'tune' is not searched here: the file's own values are run; 'nlpipe tune' searches")
    return run_spec(spec, dataset, Path(out), seed, again=again, report=report)


def tune(
    file: Source,
    overrides: Sequence[str] = (),
    out: str | Path = "runs",
    trials: int | None = None,
    report: Callable[[str], None] = lambda message: None,
    imports: Sequence[str] = (),
) -> Tuned:
    """Search the options that ``tune:`` of a file names by their score on dev or in folds.

    The arguments are those of ``run``, and ``trials``, which replaces the number of the file. See
    ``nlpipe.tuning.search.tune``.

    Raises:
        NlpipeError: the file, the data or the disk does not allow it, or every trial failed.
    """
    from nlpipe.tuning.search import tune as search

    return search(*_read(file, overrides, imports), Path(out), trials, report)


def compare(
    files: Source | Sequence[Source],
    overrides: Sequence[str] = (),
    out: str | Path = "runs",
    jobs: int = 1,
    imports: Sequence[str] = (),
) -> Comparison:
    """Run the comparison of a file, or of several pipelines; see ``nlpipe.compare.comparison.compare``.

    Combinations of a ``vary:`` that cannot work are left out with a warning.

    Args:
        files: a comparison file, or pipelines, each a file or the mapping that a file would hold.
        overrides: changes, such as ``"seeds=[1, 2]"`` or ``"data=imdb"``.
        out: the folder that run folders and the comparison's own folder are written into.
        jobs: runs at a time, each in a process of its own.
        imports: modules to import, besides those of the files.

    Raises:
        NlpipeError: a file or the data has faults. A run that fails is a row of the result.
    """
    from nlpipe.compare.comparison import compare as run_comparison
    from nlpipe.user_code import stop_if_registering

    stop_if_registering()
    spec = read_comparison(files, overrides, imports)
    for name, reason in spec.left_out:
        warnings.warn(f"{name} is left out: {reason}", NlpipeWarning, stacklevel=2)
    return run_comparison(spec, Path(out), jobs)


def _read(file: Source, overrides: Sequence[str], imports: Sequence[str]) -> tuple[PipelineSpec, Dataset]:
    """The pipeline of a file, and its data."""
    from nlpipe.datasets.load import load_dataset
    from nlpipe.user_code import stop_if_registering

    stop_if_registering()
    spec = read_pipeline(file, overrides, imports)
    return spec, load_dataset(data_of(spec))


def data_of(spec: PipelineSpec) -> str | dict[str, Any]:
    """The data of ``spec``.

    Raises:
        NlpipeError: it has none.
    """
    if spec.data is None:
        raise NlpipeError(f"{spec.path}: no data: write 'data: CARD' in the file, or data=CARD on the command line")
    return spec.data
