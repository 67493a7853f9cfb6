"""Answers whose confidence is below a threshold say that they are unsure, wherever a pipeline answers."""

from __future__ import annotations

from typing import Any

import numpy as np

from nlpipe.errors import NlpipeError
from nlpipe.predictions import AnyPredictions

OPTION = "--threshold"
WITH_PROBABILITIES = (
    "choose another head (logistic_regression, linear_svm, nbsvm, classifier and tagger give probabilities)"
)


def check_threshold(threshold: float) -> None:
    """Check what ``--threshold`` has.

    Raises:
        NlpipeError: it is not from 0 to 1.
    """
    if not 0 <= threshold <= 1:
        raise NlpipeError(f"{OPTION}: invalid value {threshold:g}: expected a number from 0 to 1")


def confidence_of(
    predictions: AnyPredictions, where: str, head: str | None = None, instead: str = WITH_PROBABILITIES
) -> np.ndarray:
    """(B,) the confidence of answers.

    Args:
        where: what asks for it, for the message.
        head: the name of the head that gave them, where it is known.
        instead: what to do where there is none.

    Raises:
        NlpipeError: they have none.
    """
    if predictions.confidence is None:
        raise no_confidence(where, head, instead)
    return predictions.confidence


def no_confidence(where: str, head: str | None = None, instead: str = WITH_PROBABILITIES) -> NlpipeError:
    """The error where answers have no confidence; the arguments are those of ``confidence_of``."""
    named = f"the head '{head}'" if head else "the head"
    return NlpipeError(f"{where}: {named} gives no probabilities, so that its answers have no confidence; {instead}")


def marks(confidence: float, threshold: float) -> dict[str, Any]:
    """What the record of an answer has besides: ``confidence``, and whether it is ``unsure``."""
    return {"confidence": float(f"{confidence:.6g}"), "unsure": bool(confidence < threshold)}
