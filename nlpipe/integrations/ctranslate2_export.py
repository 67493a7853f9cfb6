"""A run whose transformer CTranslate2 computes: all stages behind its tokenizer become the head 'ctranslate2'."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from nlpipe.errors import ModelError
from nlpipe.integrations.export import Report, Runtime, export_run
from nlpipe.integrations.proof import Proof
from nlpipe.pipeline import Pipeline
from nlpipe.pipeline.cascade import Cascade
from nlpipe.pipeline.ctranslate2_conversion import parts_of, to_ctranslate2


def export_ctranslate2(
    run: str | Path,
    path: str | Path,
    int8: bool = False,
    force: bool = False,
    report: Report = lambda message: None,
) -> Proof | None:
    """Write ``run`` as a new run in the directory ``path``, whose transformer CTranslate2 computes.

    ``model/1-head.ctranslate2`` in it is a directory as CTranslate2 has them, for other programs.

    Arguments, result and errors are those of ``export_run``.

    Args:
        int8: whether weights become 8-bit integers.
    """
    name = "ctranslate2-int8" if int8 else "ctranslate2"
    runtime = Runtime(name, ("ctranslate2",), _check, partial(_convert, int8))
    return export_run(Path(run), Path(path), runtime, force, report)


def _check(pipeline: Pipeline) -> None:
    """Raise ModelError where CTranslate2 cannot compute the pipeline."""
    if isinstance(pipeline, Cascade):
        raise ModelError(f"{pipeline.name} is a cascade; export its members")
    parts_of(pipeline.stages)


def _convert(int8: bool, pipeline: Pipeline, report: Report) -> Pipeline:
    report("handing the transformer over to CTranslate2")
    head = to_ctranslate2(pipeline.stages, int8)
    made = Pipeline([pipeline.stages[0], head], pipeline.task.name, pipeline.trainer, pipeline.seed, pipeline.name)
    made.reading = pipeline.reading
    head.bind(made.body)
    return made
