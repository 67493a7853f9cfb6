"""A run whose networks ONNX Runtime computes: its stages hand over what they would compute themselves."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from nlpipe.capabilities import Exports, able
from nlpipe.errors import ModelError
from nlpipe.integrations.export import Report, Runtime, export_run
from nlpipe.integrations.proof import Proof
from nlpipe.pipeline import Pipeline
from nlpipe.registry import written_name
from nlpipe.stage import AnyStage
from nlpipe.wire import Labels, LabelSets, Tags


def export_onnx(
    run: str | Path,
    path: str | Path,
    int8: bool = False,
    force: bool = False,
    report: Report = lambda message: None,
) -> Proof | None:
    """Write ``run`` as a new run in the directory ``path``, whose networks ONNX Runtime computes.

    Arguments, result and errors are those of ``export_run``.

    Args:
        int8: whether the weights of matrix products become 8-bit integers.
    """
    name = "onnx-int8" if int8 else "onnx"
    runtime = Runtime(name, ("onnxruntime", "onnx"), lambda each: list(exporting(each)), partial(_convert, int8))
    return export_run(Path(run), Path(path), runtime, force, report)


def _convert(int8: bool, pipeline: Pipeline, report: Report) -> Pipeline:
    for stage in exporting(pipeline):
        report(f"exporting {written_name(stage)}")
        _hand_over(stage, int8)
    return pipeline


def exporting(pipeline: Pipeline) -> Iterator[AnyStage]:
    """The stages of a pipeline, nested ones too, whose networks are exported.

    Raises:
        ModelError: there are none, or the head uses them in ways that a file has not.
    """
    head = written_name(pipeline.head)
    if pipeline.task.target not in (Labels, LabelSets, Tags):
        way = "; --to ctranslate2 is for its transformer" if head == "seq2seq" else ""
        raise ModelError(
            f"{pipeline.name}: --to onnx is for pipelines that give labels or tags, and '{head}' gives texts{way}"
        )
    every = [nested for member in pipeline.members for stage in member.body for nested in stage.with_nested()]
    chosen = [stage for stage in every if able(stage, Exports) is not None]
    if not chosen:
        names = " → ".join(map(written_name, pipeline.stages))
        raise ModelError(
            f"{pipeline.name}: no stage of this pipeline ({names}) has a network that ONNX Runtime would compute; "
            "'bert' and 'transformer' have one"
        )
    yield from chosen


def _hand_over(stage: AnyStage, int8: bool) -> None:
    """Have ONNX Runtime compute the network of ``stage``."""
    from nlpipe.nn.onnx_files import in_8_bits

    exports = able(stage, Exports)
    assert exports is not None
    try:
        content = exports.to_onnx()
    except ModelError as error:
        raise ModelError(f"{written_name(stage)}: {error}") from error
    exports.use_onnx(in_8_bits(content) if int8 else content)
