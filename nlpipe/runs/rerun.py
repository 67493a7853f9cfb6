"""A run done again out of its folder, in a process of its own that calculates with as many threads.

    python -m nlpipe.runs.rerun REQUEST.json

fits, answers and scores into another folder. What it says goes out as lines of JSON: ``{"report": "fitting …"}``, and
in the end ``{"done": true}`` or ``{"error": "…"}``. Costs are not measured.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from nlpipe.errors import NlpipeError
from nlpipe.files import read_json, write_json
from nlpipe.runs.answer import answer, data_of
from nlpipe.runs.costs import ending, own_output, process_environment
from nlpipe.runs.fit import fit
from nlpipe.runs.records import read_environment
from nlpipe.runs.score import score
from nlpipe.spec import read_pipeline
from nlpipe.user_code import import_module


def rerun(
    run: Path,
    folder: Path,
    imports: Sequence[str] = (),
    report: Callable[[str], None] = lambda message: None,
) -> None:
    """Fit, answer and score again what ``run`` holds, with its seed, its training size and its number of threads.

    Args:
        run: the run's folder, which is not changed.
        folder: a new folder inside one that exists.
        imports: modules to import, besides those of the run's ``pipeline.yaml``.
        report: called with what is being done, in a few words.

    Raises:
        NlpipeError: the data is not there or has changed, a module cannot be imported, or the run fails.
    """
    request = folder.parent / "request.json"
    write_json(request, {"run": str(run.resolve()), "folder": str(folder.resolve()), "imports": list(imports)})
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "nlpipe.runs.rerun", str(request)],
        env=process_environment(read_environment(run)["threads"]), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    message: dict[str, str] = {}
    try:
        for line in process.stdout:
            message = json.loads(line)
            if "report" in message:
                report(message["report"])
    finally:
        if process.poll() is None and "done" not in message and "error" not in message:
            process.kill()
        status = process.wait()
        process.stdout.close()
    if "error" in message:
        raise NlpipeError(message["error"])
    if status or "done" not in message:
        raise NlpipeError(f"{run}: cannot be run again: the process {ending(status)}")


def carry_out(run: Path, folder: Path, imports: Sequence[str], report: Callable[[str], None]) -> None:
    """What ``rerun`` does, in this process and with its threads."""
    for name in imports:
        import_module(name)
    spec = read_pipeline(run / "pipeline.yaml")
    report("reading the data")
    dataset = data_of(run)
    split = read_environment(run).get("split", "test")
    assert split != "evaluation"
    pipeline = fit(spec, dataset, folder, split=split, report=report, progress=False)
    answer(folder, dataset, pipeline, report)
    score(folder)


def main(path: str) -> None:
    """Carry out the request in the file ``path``."""
    with os.fdopen(own_output(), "w", encoding="utf-8") as channel:

        def send(message: dict[str, object]) -> None:
            channel.write(json.dumps(message) + "\n")
            channel.flush()

        request = read_json(Path(path))
        try:
            run, folder = Path(request["run"]), Path(request["folder"])
            carry_out(run, folder, request["imports"], lambda text: send({"report": text}))
        except NlpipeError as error:
            send({"error": str(error)})
        except MemoryError:
            send({"error": "out of memory"})
        except KeyboardInterrupt:
            send({"error": "interrupted"})
        else:
            send({"done": True})


if __name__ == "__main__":
    main(sys.argv[1])
