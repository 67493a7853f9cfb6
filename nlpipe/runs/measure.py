"""The third step of a run: measure what the fitted pipeline costs in use, alone in a fresh process."""

from __future__ import annotations

import warnings as python_warnings
from collections.abc import Callable
from pathlib import Path

from nlpipe.datasets.dataset import Dataset
from nlpipe.errors import NlpipeError, NlpipeWarning
from nlpipe.files import whole_file, write_json
from nlpipe.runs import costs
from nlpipe.runs.answer import data_of
from nlpipe.runs.ledger import with_warnings
from nlpipe.runs.records import CostsFile, EnvironmentFile, LedgerFile, read_record
from nlpipe.threads import thread_count


def measure(
    folder: Path, dataset: Dataset | None = None, report: Callable[[str], None] = lambda message: None
) -> CostsFile:
    """Measure latency, throughput and memory of a fitted run on the inputs that it answers; writes ``costs.json``.

    A measurement that fails loses nothing else: what was measured before is removed from the file, so that no figure
    there is out of date, the reason is a warning of the ledger, and a NlpipeWarning is issued.

    Args:
        folder: of a run that has been fitted.
        dataset: what the run was fitted on; read again by default.

    Raises:
        NlpipeError: the folder is not that of a fitted run, or its data is not what it was fitted on.
    """
    dataset = dataset or data_of(folder)
    report("measuring its costs")
    threads = thread_count()
    fitted = read_record(folder / "costs.json", CostsFile)
    costs_file: CostsFile = {
        "fit_seconds": fitted["fit_seconds"], "fit_seconds_by_stage": fitted["fit_seconds_by_stage"],
        "parameters": fitted["parameters"], "model_bytes": fitted["model_bytes"], "threads": threads,
    }  # fmt: skip
    if "fit_cpu_seconds" in fitted:
        costs_file["fit_cpu_seconds"] = fitted["fit_cpu_seconds"]
    split = read_record(folder / "environment.json", EnvironmentFile).get("split", "test")
    inputs = dataset.test.inputs if split == "test" else dataset.dev.inputs
    failures: list[str] = []
    try:
        costs_file = {**costs_file, **costs.measure_model(folder / "model", inputs, threads)}
    except (NlpipeError, OSError) as error:
        failures.append(f"the costs were not measured: {error}")
        python_warnings.warn(failures[0], NlpipeWarning, stacklevel=2)
    ledger = with_warnings(read_record(folder / "ledger.json", LedgerFile), "measure", failures)
    for name, content in (("costs.json", costs_file), ("ledger.json", ledger)):
        with whole_file(folder / name) as partial:
            write_json(partial, content)
    return costs_file
