"""What fills the gaps of texts: a run of nlpipe, or any masked language model of ``transformers``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nlpipe.errors import NlpipeError
from nlpipe.pipeline.pipeline import Pipeline
from nlpipe.registry import missing_extra

Filler = Callable[[str, int], list[list[tuple[str, float]]]]
"""A text with gaps, and how many answers for each gap, to the answers with their probabilities."""


def filler(model: str, revision: str | None = None) -> Filler:
    """Fills gaps with the model of a run's folder, of a directory, or of the hub.

    Raises:
        NlpipeError: there is no such model, or it fills no gaps.
        MissingExtra: ``transformers`` is not installed.
    """
    if any((root / "model.json").exists() for root in (Path(model), Path(model) / "model")):
        pipeline = Pipeline.load(model)
        return lambda text, top: pipeline.fill([text], top)[0]
    try:
        from nlpipe.nn import masked_model, pretrained
    except ModuleNotFoundError as error:
        raise missing_extra("fill", error) from None
    try:
        directory = Path(model) if Path(model).is_dir() else pretrained.find_model(model, revision)
    except NlpipeError as error:
        raise NlpipeError(f"{model}: neither a run of nlpipe nor a model: {error}") from None
    loaded, splitter = masked_model.load(directory)
    return lambda text, top: masked_model.fill(loaded, splitter, text, top)
