"""``nlpipe predict`` with ``--jobs``, ``--cluster``, ``--output`` or several files."""

from __future__ import annotations

import glob
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nlpipe.errors import NlpipeError, NlpipeWarning

if TYPE_CHECKING:
    from nlpipe.bulk.answer_process import Setting
    from nlpipe.bulk.inputs import Input, Position, Reading
    from nlpipe.bulk.ordered import Workers
    from nlpipe.pipeline import Pipeline

MOST_TIMES = 4
"""Processes for each processor, at most; 32 are allowed on any machine."""
PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")
"""Endings of files that are compressed, which answers are not."""


@dataclass(frozen=True)
class Wanted:
    """What the options of the command say.

    Args:
        run: the model's folder.
        files: what ``--file`` has, as it was typed.
        runtime: what ``--runtime`` has.
    """

    run: Path
    files: tuple[str, ...]
    output: Path | None
    form: str | None
    jobs: int
    cluster: str | None
    part_rows: int | None
    changes: tuple[str, ...]
    n_best: int | None
    threshold: float | None = None
    runtime: str | None = None

    @property
    def chosen_form(self) -> str:
        """The form of the answers: that of ``--format``, or by the name of the output.

        Raises:
            NlpipeError: the output file's name says none, or that it is compressed, or ``--n-best`` has another.
        """
        by_name = self._form_by_name()
        form = self.form or by_name
        if self.n_best is None:
            return form or "text"
        if form not in (None, "jsonl"):
            given = f"--format {form}" if self.form else f"--output {self.output}"
            raise NlpipeError(f"--n-best writes jsonl, not {given}; leave --format out and name a .jsonl file")
        return "jsonl"

    def _form_by_name(self) -> str | None:
        """The form that the name of the output says; None where it says none, as the name of a folder may."""
        from nlpipe.bulk.bulk import SUFFIXES

        suffix = "" if self.output is None else self.output.suffix.lower()
        form = {suffix: form for form, suffix in {**SUFFIXES, "html": ".html"}.items()}.get(suffix)
        if form is not None or not suffix or self.to_folder:
            return form
        if suffix in PACKED:
            raise NlpipeError(f"--output {self.output}: answers are not compressed; leave out {suffix}")
        if self.form is None:
            known = ", ".join(SUFFIXES.values())
            raise NlpipeError(
                f"--output {self.output}: '{suffix}' says no format of answers; expected {known}, or give --format"
            )
        return None

    @property
    def many(self) -> bool:
        """Whether ``--file`` may name several files."""
        patterns = any(glob.has_magic(text) and not Path(text).exists() for text in self.files)
        return len(self.files) > 1 or patterns or any(Path(text).is_dir() for text in self.files)

    @property
    def to_folder(self) -> bool:
        """Whether the output is a folder."""
        output = self.output
        return output is not None and (self.many or self.part_rows is not None or output.is_dir())

    @property
    def in_bulk(self) -> bool:
        """Whether anything of this file is asked for."""
        return self.jobs > 1 or self.cluster is not None or self.output is not None or self.many


def check_wanted(wanted: Wanted, texts: bool, attention: bool) -> None:
    """Check options that do not depend on the model.

    Raises:
        NlpipeError: two contradict each other, or a number is not sensible.
    """
    from nlpipe.threads import processors

    cores = processors()
    if wanted.jobs > max(32, MOST_TIMES * cores):
        raise NlpipeError(f"--jobs {wanted.jobs}: there are {cores} processors here; give about as many, or --cluster")
    if wanted.jobs > cores:
        text = f"--jobs {wanted.jobs}: more than the {cores} processors here; each process holds the model in memory"
        warnings.warn(text, NlpipeWarning, 2)
    form = wanted.chosen_form
    if wanted.jobs > 1 and wanted.cluster is not None:
        raise NlpipeError("give --jobs or --cluster, not both")
    if form == "parquet" and wanted.output is None:
        raise NlpipeError("--format parquet needs --output, a file or a folder")
    if wanted.part_rows is not None and wanted.output is None:
        raise NlpipeError("--part-rows is for --output FOLDER")
    if wanted.in_bulk:
        options = {"--jobs": wanted.jobs > 1, "--cluster": wanted.cluster, "--output": wanted.output, "--file": True}
        option = next(name for name, given in options.items() if given)
        if texts:
            raise NlpipeError(f"{option} is for texts in files or on standard input, not for arguments")
        if attention or form == "html":
            other = "--attention" if attention else "--format html"
            raise NlpipeError(f"{option} does not go with {other}, which is for a few texts")
    if wanted.many and wanted.output is None:
        raise NlpipeError("several files need --output FOLDER")
    if wanted.to_folder and (not wanted.files or "-" in wanted.files):
        raise NlpipeError("--output FOLDER needs --file, not standard input")


def predict_in_bulk(wanted: Wanted, pipeline: Pipeline, reading: Reading) -> None:
    """Answer the files.

    Raises:
        NlpipeError: an input, the output, a worker or the cluster does not allow it.
    """
    from nlpipe import __version__
    from nlpipe.bulk.answer_folder import answer_folder
    from nlpipe.bulk.answer_process import model_hash
    from nlpipe.bulk.bulk import PART_ROWS, Output, files_of, stems_of, to_file, to_folder, to_stream
    from nlpipe.bulk.inputs import Position, read_inputs
    from nlpipe.files import check_replaceable
    from nlpipe.pipeline.runtimes import wanted as wanted_runtime

    standard = not wanted.files or wanted.files == ("-",)
    form, output = wanted.chosen_form, wanted.output
    files: Sequence[Path | None] = [None] if standard else files_of(wanted.files, output if wanted.to_folder else None)
    setting: Setting = {
        "model": str(wanted.run.absolute()), "sha256": model_hash(wanted.run), "version": __version__,
        "changes": list(wanted.changes), "form": "jsonl" if form == "parquet" else form, "n_best": wanted.n_best,
        "threshold": wanted.threshold, "runtime": wanted_runtime(wanted.runtime), "computes": pipeline.runtime,
        "user_code": _user_code(),
    }  # fmt: skip
    position = Position([file for file in files if file is not None])

    def read(file: Path | None) -> Iterator[Input]:
        return read_inputs(file, reading, pipeline.task, pipeline.reading, position)

    if output is not None and not wanted.to_folder and not output.parent.is_dir():
        raise NlpipeError(f"--output {output}: there is no folder {output.parent}")
    if output is not None and not wanted.to_folder:
        check_replaceable(output, f"--output {output}")
    for file in files:
        if file is not None and output is not None and output.exists() and file.exists() and output.samefile(file):
            raise NlpipeError(f"--output {output}: this is an input; give another file")
    _try_once(pipeline, wanted)
    with _progress(None if standard else position, wanted) as report:
        if wanted.to_folder:
            assert output is not None
            stems = stems_of([file for file in files if file is not None])
            rows = wanted.part_rows or PART_ROWS
            identity = {
                "model": setting["sha256"], "nlpipe": setting["version"], "format": form, "set": setting["changes"],
                "n_best": wanted.n_best, "threshold": wanted.threshold, "runtime": pipeline.runtime, "part_rows": rows,
                **asdict(reading),
            }  # fmt: skip
            with answer_folder(output, identity) as folder, _workers(wanted, setting, pipeline) as workers:
                to_folder(read, stems, workers, Output(form, pipeline.task.example), folder, rows, report)
            return
        (file,) = files  # several need a folder
        with _workers(wanted, setting, pipeline) as workers:
            if output is not None:
                to_file(read, file, workers, Output(form, pipeline.task.example), output, report)
            else:
                to_stream(read, file, workers, form, _write, report)


def _try_once(pipeline: Pipeline, wanted: Wanted) -> None:
    """See that the model can answer as it is asked to, before a worker blames the texts.

    Raises:
        NlpipeError: there is a threshold and its answers have no confidence, or it has fewer answers than are wanted.
    """
    from nlpipe.pipeline.unsure import OPTION, confidence_of
    from nlpipe.registry import written_name

    trial = ["A text to try the model with."]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they would be of a text that nobody gave
        if wanted.n_best is not None:
            pipeline.n_best(trial, wanted.n_best)
        if wanted.threshold is not None:
            confidence_of(pipeline.predict(trial), OPTION, written_name(pipeline.head))


def _user_code() -> dict[str, object]:
    """What makes everything that is registered here known in a worker."""
    from nlpipe.registry import FOLDERS, OTHERS, table_of
    from nlpipe.user_code import user_code

    return user_code({(kind, name) for kind in (*FOLDERS, *OTHERS) for name in table_of(kind).registered()}).plain()


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


@contextmanager
def _workers(wanted: Wanted, setting: Setting, pipeline: Pipeline) -> Iterator[Workers]:
    """What answers; it is ended with the block."""
    from nlpipe.bulk.bulk import Here
    from nlpipe.bulk.dask_workers import DaskWorkers
    from nlpipe.bulk.local_workers import Processes

    workers: Workers
    if wanted.cluster is not None:
        workers = DaskWorkers(setting, wanted.cluster)
    elif wanted.jobs > 1:
        workers = Processes(setting, wanted.jobs)
    else:
        workers = Here(setting, pipeline)
    try:
        yield workers
    finally:
        workers.close()


@contextmanager
def _progress(position: Position | None, wanted: Wanted) -> Iterator[Callable[[int], None]]:
    """A bar with texts a second and the time left, on a terminal where the answers do not go to one too."""
    if position is None or not sys.stderr.isatty() or (wanted.output is None and sys.stdout.isatty()):
        yield lambda count: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from nlpipe.cli.terminal import make_console

    columns = (
        TextColumn("{task.fields[texts]:,} texts"),
        BarColumn(),
        TextColumn("{task.fields[rate]:,.0f} texts/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=make_console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=max(1, position.total), texts=0, rate=0.0)
        count = 0

        def report(more: int) -> None:
            nonlocal count
            count += more
            elapsed = progress.tasks[0].elapsed or 1.0
            progress.update(task, completed=position.bytes_read(), texts=count, rate=count / max(elapsed, 1e-3))

        yield report
