"""Answers whose confidence is below a threshold say that they are unsure, wherever a pipeline answers."""

from __future__ import annotations

from typing import Any

import numpy as np

from nlpipe.errors import NlpipeError
from nlpipe.pipeline.pipeline import Pipeline
from nlpipe.predictions import AnyPredictions
from nlpipe.registry import written_name

OPTION = "--threshold"


def check_threshold(threshold: float) -> None:
    """Check what ``--threshold`` has.

    Raises:
        NlpipeError: it is not from 0 to 1.
    """
    if not 0 <= threshold <= 1:
        raise NlpipeError(f"{OPTION}: invalid value {threshold:g}: expected a number from 0 to 1")


def confidence_of(predictions: AnyPredictions, pipeline: Pipeline) -> np.ndarray:
    """(B,) the confidence of the answers of ``pipeline``.

    Raises:
        NlpipeError: they have none.
    """
    if predictions.confidence is None:
        raise no_confidence(pipeline)
    return predictions.confidence


def no_confidence(pipeline: Pipeline) -> NlpipeError:
    """The error where a threshold is wanted and the answers of ``pipeline`` have no confidence."""
    return NlpipeError(
        f"{OPTION}: the head '{written_name(pipeline.head)}' gives no probabilities, so that its answers have "
        "no confidence"
    )


def marks(confidence: float, threshold: float) -> dict[str, Any]:
    """What the record of an answer has besides: ``confidence``, and whether it is ``unsure``."""
    return {"confidence": float(f"{confidence:.6g}"), "unsure": bool(confidence < threshold)}
