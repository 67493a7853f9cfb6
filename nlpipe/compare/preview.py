"""A comparison before it is run: its cells, what is done already, what they share, and what the rest will take."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from nlpipe.compare.comparison import Plan
from nlpipe.compare.execute import orders_of
from nlpipe.compare.plan import Job
from nlpipe.compare.sample_fits import probe
from nlpipe.compare.table import Line, Table
from nlpipe.datasets.folds import fold_of
from nlpipe.pipeline.shared_outputs import BUDGET
from nlpipe.runs.identity import run_hash
from nlpipe.runs.run import is_whole
from nlpipe.training.progress import format_duration
from nlpipe.tuning import tuned_before

HEADINGS = ("pipeline", "train", "runs", "done", "shares", "one run", "all runs", "memory MB")


def preview(made: Plan, out: Path, report: Callable[[str], None] = lambda text: None) -> Table:
    """One line a pipeline and training size.

    Args:
        report: called with each pipeline that is fitted on a sample.
    """
    orders = orders_of(made.jobs, out)
    cells: dict[tuple[str, int | None], list[int]] = {}
    for i, job in enumerate(made.jobs):
        cells.setdefault((job.spec.name, job.train_size), []).append(i)
    names = [job.spec.name for job in made.jobs]
    lines, total = [], 0.0
    for (name, _), numbers in cells.items():
        first = made.jobs[numbers[0]]
        done = sum(_is_done(made, made.jobs[i], out) for i in numbers)
        report(f"{name}: fitting a sample")
        found = probe(orders[numbers[0]]) if done < len(numbers) else None
        if isinstance(found, str):
            costs = [found, "–", "–"]
        elif found is None:
            costs = ["–", "–", "–"]
        else:
            left = len(numbers) - done
            searches = 0 if first.spec.tune is None else (left if first.fold is not None else 1)
            rest = found["seconds"] * (left + searches * (first.spec.tune.fits if first.spec.tune is not None else 0))
            total += rest
            costs = [format_duration(found["seconds"]), format_duration(rest), f"{found['memory_bytes'] / 1e6:,.0f}"]
        shared = ", ".join(
            dict.fromkeys(other for other in names if other != name and _front(other, made) == _front(name, made))
        )
        label = f"{name} (added)" if name == made.added else name
        train = "all" if first.train_size is None else f"{first.train_size:,}"
        lines.append(Line((label, train, str(len(numbers)), str(done), shared or "–", *costs)))
    caption = (
        f"{len(made.jobs)} runs, about {format_duration(total)} to fit what is not done; estimated from samples, "
        "without early stopping. Pipelines that share tokenizer and representation fit them once; "
        f"what these gave takes at most {BUDGET / 1e6:,.0f} MB more in each process"
    )
    return Table(f"{made.spec.title}: plan", HEADINGS, tuple(lines), caption, essential=frozenset(HEADINGS))


def _front(name: str, made: Plan) -> str:
    """Tokenizer and representation of a pipeline."""
    spec = next(each for each in made.spec.pipelines if each.name == name)
    front = [stage.resolved() for stage in spec.stages if stage.slot in ("tokenizer", "representation")]
    return json.dumps(front, sort_keys=True, default=str)


def _is_done(made: Plan, job: Job, out: Path) -> bool:
    dataset = made.dataset
    if job.folds is not None and job.fold is not None:
        dataset = fold_of(dataset, job.folds, job.fold)
    spec = tuned_before(job.spec, dataset, out)
    return spec is not None and is_whole(out / f"{spec.name}-{run_hash(spec, dataset, job.seed, job.train_size)}")
