"""A run that another runtime computes, as a run of its own, which proves itself before it is kept.

The export answers the run's test items again and is measured beside the run. It is refused if its score falls by more
than the tolerance, or if it is not faster. Where the run is computed by the same runtime already, less memory is
enough.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nlpipe.datasets.dataset import Dataset
from nlpipe.errors import ModelError, NlpipeError
from nlpipe.files import whole_folder, write_json
from nlpipe.fingerprint import version_of
from nlpipe.integrations.proof import Proof
from nlpipe.metrics.estimates import Estimate, Values, difference_of
from nlpipe.metrics.jackknife import item_values
from nlpipe.pipeline import Pipeline
from nlpipe.pipeline.cascade import Cascade
from nlpipe.pipeline.runtimes import OWN
from nlpipe.pipeline.saving import model_root
from nlpipe.runs.answer import answer, data_of
from nlpipe.runs.cascade_members import cascade_record
from nlpipe.runs.costs import Use, measure_model
from nlpipe.runs.environment import made_with
from nlpipe.runs.ledger import with_warnings
from nlpipe.runs.records import CostsFile, EnvironmentFile, LedgerFile, read_environment, read_record
from nlpipe.runs.result import Result
from nlpipe.runs.score import score
from nlpipe.threads import thread_count

ROUNDS = 2
"""How often run and export are measured, in turn; the best of each counts, since other work only adds to times."""

Report = Callable[[str], None]


@dataclass(frozen=True)
class Runtime:
    """What computes an exported pipeline, and how a pipeline is handed over to it.

    Args:
        name: as ``environment.json`` and the names of exports have it.
        packages: whose versions ``environment.json`` has as well.
        check: raises ModelError where a pipeline cannot be handed over; quick.
        convert: a pipeline to one that the runtime computes; the first may be of no use afterwards.
    """

    name: str
    packages: Sequence[str]
    check: Callable[[Pipeline], object]
    convert: Callable[[Pipeline, Report], Pipeline]


def export_run(run: Path, target: Path, runtime: Runtime, force: bool, report: Report) -> Proof | None:
    """Write ``run`` as a new run in the directory ``target``, which ``runtime`` computes.

    Args:
        force: keep it even if it loses or is not faster, and without a proof if ``run`` is a saved pipeline only.
        report: called with what is being done, in a few words.

    Returns:
        How it does beside the run; None for a saved pipeline, which has no test items.

    Raises:
        ModelError: there is nothing that can be exported; the directory exists; or the export does not prove itself.
            Nothing is left behind.
        NlpipeError: the run's data is not there or has changed, or the disk is full.
        MissingExtra: a package that is needed is not installed.
    """
    if target.exists():
        raise ModelError(f"{target} exists already; name a new directory")
    pipeline = Pipeline.load(run, OWN)  # another runtime has no part in it
    runtime.check(pipeline)
    proving = (run / "environment.json").exists()
    if not proving and not force:
        raise ModelError(
            f"{run}: a saved pipeline has no test items that its export could prove itself on; export the folder of "
            "its run, or add --force to do without"
        )
    dataset = data_of(run) if proving else None
    with whole_folder(target) as partial:
        pipeline = runtime.convert(pipeline, report)
        pipeline.name = f"{pipeline.name}-{runtime.name}"
        if isinstance(pipeline, Cascade) and dataset is not None:
            _refit_thresholds(run, pipeline, dataset, force, report)
        if dataset is None:
            pipeline.write(partial)
            return None
        _begin(partial, run, pipeline, runtime)
        answer(partial, dataset, pipeline, report)
        score(partial)
        proof = _prove(run, partial, dataset, report)
        if proof.faults and not force:
            raise ModelError(f"{run}: not exported: {'; '.join(proof.faults)}; --force exports it all the same")
    return proof


def _refit_thresholds(run: Path, cascade: Cascade, dataset: Dataset, force: bool, report: Report) -> None:
    """Fit a cascade's thresholds to what its exported members answer to dev: int8 changes confidences.

    Raises:
        ModelError: none reaches the aim; with ``force`` those of the run stay.
    """
    report("fitting thresholds on dev")
    try:
        cascade.refit_thresholds(dataset.dev, dataset.task.deciding(dataset.labels, dataset.ordinal))
    except NlpipeError as error:
        if not force:
            raise ModelError(f"{run}: not exported: {error}; --force keeps the thresholds of the run") from None


def _begin(folder: Path, run: Path, pipeline: Pipeline, runtime: Runtime) -> None:
    """Write what a run's folder has when it has been fitted."""
    (folder / "model").mkdir()
    pipeline.write(folder / "model")
    for name in ("pipeline.yaml", "scoring.json", "ledger.json", "history.json"):
        if (run / name).exists():
            shutil.copyfile(run / name, folder / name)
    made = made_with()
    others = {name: version for name in runtime.packages if (version := version_of(name))}
    environment: EnvironmentFile = {
        **read_environment(run), **made, "packages": {**made["packages"], **others}, "name": pipeline.name,
        "runtime": runtime.name, "exported_from": str(run.resolve()),
    }  # fmt: skip
    write_json(folder / "environment.json", environment)
    if isinstance(pipeline, Cascade):
        write_json(folder / "cascade.json", cascade_record(pipeline, ()))


def _prove(run: Path, folder: Path, dataset: Dataset, report: Report) -> Proof:
    """Compare the export in ``folder``, which has been answered and scored, with ``run``; write its costs."""
    before, after = Result(run), Result(folder)
    metrics = before.metrics
    definition = metrics["definitions"][metrics["primary"]]
    answered = dataset.dev if metrics["split"] == "dev" else dataset.test
    threads = thread_count()
    models = (model_root(run), folder / "model")
    uses: list[list[Use]] = [[], []]
    for number in range(ROUNDS):
        for model, measured in zip(models, uses, strict=True):
            report(f"measuring the {'run' if model is models[0] else 'export'}, {number + 1} of {ROUNDS}")
            measured.append(measure_model(model, answered.inputs, threads))
    old, new = map(_best, uses)
    size = [sum(path.stat().st_size for path in model.rglob("*") if path.is_file()) for model in models]
    kept = before.costs.copy()
    for name in Use.__required_keys__ | Use.__optional_keys__:  # what is not measured of the export is not the run's
        kept.pop(name, None)  # type: ignore[misc]
    costs: CostsFile = {**kept, **new, "model_bytes": size[1], "threads": threads}
    write_json(folder / "costs.json", costs)
    ledger = with_warnings(read_record(folder / "ledger.json", LedgerFile), "measure", [])
    write_json(folder / "ledger.json", ledger)
    pairs = list(zip(before.records(), after.records(), strict=True))
    changed = [(a, b) for a, b in pairs if a["predicted"] != b["predicted"]]
    return Proof(
        metrics["primary"], definition["unit"], definition["higher_is_better"], metrics["split"],
        before.score, after.score, _difference(before, after, answered.groups),
        len(pairs), len(changed),
        sum(a["predicted"] == a["gold"] for a, _ in changed), sum(b["predicted"] == b["gold"] for _, b in changed),
        old, new, (size[0], size[1]), before.environment.get("runtime") == after.environment.get("runtime"),
    )  # fmt: skip


def _best(uses: list[Use]) -> Use:
    """The least seconds, joules and bytes and the most texts a second of several measurements."""
    best: Use = {
        "load_seconds": min(use["load_seconds"] for use in uses),
        "latency_mean_seconds": min(use["latency_mean_seconds"] for use in uses),
        "latency_p50_seconds": min(use["latency_p50_seconds"] for use in uses),
        "latency_p95_seconds": min(use["latency_p95_seconds"] for use in uses),
        "texts_per_second": max(use["texts_per_second"] for use in uses),
        "peak_memory_bytes": min(use["peak_memory_bytes"] for use in uses),
    }
    if seconds := [use["cpu_seconds_per_text"] for use in uses if "cpu_seconds_per_text" in use]:
        best["cpu_seconds_per_text"] = min(seconds)
    if joules := [use["joules_per_text"] for use in uses if "joules_per_text" in use]:
        best["joules_per_text"] = min(joules)
    return best


def _difference(before: Result, after: Result, groups: Sequence[str] | None) -> Estimate | None:
    """Primary score of ``after`` less that of ``before``, with its error by the luck of items; None for one item."""
    numbers = None if groups is None else np.unique(np.array(groups), return_inverse=True)[1]
    name = before.metrics["primary"]
    values: list[Values] = []
    for result in (after, before):
        metric, statistics = result.primary_items()
        scored, items = item_values(lambda sums, metric=metric: metric.scores(sums)[name], statistics, numbers)  # type: ignore[misc]
        values.append((np.array([scored]), items[None]))
    return difference_of(*values) if values[0][1].shape[1] > 1 else None
