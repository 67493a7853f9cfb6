"""One pipeline on one data set with one seed: a folder of plain files from which everything later is computed.

Four steps write it, each in a file of its own: fit, answer, measure, score. Each can be done again alone on a run's
folder. ``run`` does all of them. Its folder's name ends in a hash of the pipeline with every default filled in, the
files that its options name, the data, the seed and the source of the stages: the same run is not done twice, and a
changed one is never mistaken for it.

Where a run is killed, nothing half-written remains, and what took long is kept:

    <out>/.checkpoints/<run>/   the last checkpoint, while gradients are followed
    <out>/.unfinished/<run>/    the fitted run, once fitting has ended: whole from its first moment; the other steps
                                add their files, each written beside its place and renamed into it
    <out>/<run>/                the run, renamed from there when its last step has ended

The same run started again goes on from there.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from nlpipe.datasets.dataset import Dataset
from nlpipe.errors import NlpipeError
from nlpipe.files import move_folder, read_json
from nlpipe.pipeline.integrity import check_sealed
from nlpipe.runs.answer import answer
from nlpipe.runs.cascade_members import check_confidence
from nlpipe.runs.fit import fit
from nlpipe.runs.identity import run_hash, size_for
from nlpipe.runs.ledger import recorded, steps_done
from nlpipe.runs.lock import locked
from nlpipe.runs.measure import measure
from nlpipe.runs.records import FILES, SplitName
from nlpipe.runs.result import Result
from nlpipe.runs.score import lacks_metrics, score
from nlpipe.spec import PipelineSpec
from nlpipe.training.processes import rank, wait_for_all
from nlpipe.user_code import stop_if_registering

if TYPE_CHECKING:
    from nlpipe.pipeline.stage_store import StageStore


def run(
    spec: PipelineSpec,
    dataset: Dataset,
    out: Path = Path("runs"),
    seed: int | None = None,
    train_size: int | None = None,
    again: bool = False,
    report: Callable[[str], None] = lambda message: None,
    progress: bool | None = None,
    split: SplitName = "test",
    store: StageStore | None = None,
    measuring: bool = True,
) -> Result:
    """Fit ``spec`` on the training split, answer a split, measure the costs, score; leave the run's folder in ``out``.

    Of several processes that a launcher started all train and the first alone writes; they end together. Of several
    that were started one by one with the same run, one does it and the others wait for it.

    Args:
        seed: instead of the one in the file.
        train_size: number of training examples, which are chosen by the seed; by default that of the file, or all.
        again: run it even if its folder is there.
        report: called with what is being done, in a few words.
        progress: whether training by gradients draws a bar; None: where there is a terminal.
        split: what is answered and scored. ``dev`` is for choosing options: the test split is left untouched, and the
            costs in use are not measured.
        store: of what several pipelines share; None: every stage is fitted here.
        measuring: whether the costs in use are measured now; a later call of the same run can do it.

    Raises:
        NlpipeError: the data, the wiring or the disk does not allow it.
    """
    stop_if_registering()
    seed = spec.seed if seed is None else seed
    if not 0 <= seed < 2**32:
        raise NlpipeError(f"seed: invalid value {seed}: expected a number from 0 to {2**32 - 1}")
    train_size = spec.train_size if train_size is None else train_size
    target = out / f"{spec.name}-{run_hash(spec, dataset, seed, train_size, split)}"
    if not out.exists():
        _make(out)

    unfinished = target.parent / ".unfinished" / target.name

    def waiting() -> None:
        report("another process is doing this run: waiting for it")

    lock = contextlib.nullcontext() if rank() else locked(unfinished.parent / f"{target.name}.lock", waiting)
    with lock:
        wait_for_all(spec.trainer.get("device", "auto"))  # the first has the lock: from here on all see the same
        done, fitted = is_whole(target) and not again, is_fitted(unfinished) and is_undamaged(unfinished) and not again
        wait_for_all()
        if not (done or fitted or again) and is_fitted(target):
            report(f"{target}: done before, but a file is missing or damaged: running it again")
        if done:
            report("done before")
            if not rank() and lacks_metrics(target, dataset.task):
                report("scoring again: a metric is new or has changed")
                score(target)
            if not rank() and measuring and split == "test" and "measure" not in steps_done(target):
                with recorded():
                    measure(target, dataset, report)
            return Result(target)
        pipeline = None
        if fitted:
            report("fitted before: going on from there")
        else:
            members = _members(spec, dataset, out, seed, train_size, report, progress, split, store, measuring)
            checkpoint = out / ".checkpoints" / target.name
            pipeline = fit(
                spec, dataset, unfinished, seed, train_size, split, checkpoint, report, progress, store, members
            )
            if not rank():
                _remove(checkpoint)
        if not rank():
            steps = steps_done(unfinished)
            if "answer" not in steps:
                answer(unfinished, dataset, pipeline, report)
            if "measure" not in steps and split == "test" and measuring:
                with recorded():  # a measurement that fails is a warning of the ledger
                    measure(unfinished, dataset, report)
            score(unfinished)
            move_folder(unfinished, target)
        wait_for_all()
    return Result(target)


def _members(
    spec: PipelineSpec,
    dataset: Dataset,
    out: Path,
    seed: int,
    train_size: int | None,
    report: Callable[[str], None],
    progress: bool | None,
    split: SplitName,
    store: StageStore | None,
    measuring: bool,
) -> list[Result]:
    """The runs of a cascade's members, in their order; those that are done are not done again."""
    results: list[Result] = []
    for number, member in enumerate(spec.members):

        def tell(text: str, name: str = member.name) -> None:
            report(f"{name}: {text}")

        size = size_for(member, train_size)
        result = run(member, dataset, out, seed, size, False, tell, progress, split, store, measuring)
        if number < len(spec.members) - 1:
            check_confidence(result, member.name, member.stages[-1].name)  # before what is dearer is fitted
        results.append(result)
    return results


def _remove(checkpoint: Path) -> None:
    shutil.rmtree(checkpoint, ignore_errors=True)
    with contextlib.suppress(OSError):  # other runs have theirs there
        checkpoint.parent.rmdir()


def is_fitted(folder: Path) -> bool:
    """Whether the first step of a run has been done in ``folder``."""
    return (folder / "model" / "model.json").exists()


def is_whole(folder: Path) -> bool:
    """Whether all steps of a run have been done in ``folder``, and its model is undamaged."""
    return all((folder / name).exists() for name in FILES) and is_undamaged(folder)


def is_undamaged(folder: Path) -> bool:
    """Whether the model in ``folder`` matches its hashes."""
    try:
        check_sealed(folder / "model", read_json(folder / "model" / "model.json"))
    except NlpipeError:
        return False
    return True


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NlpipeError(f"{folder}: {error.strerror}; choose another folder with --out") from None
