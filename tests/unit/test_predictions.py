"""Confidence: one number an answer, for labels, tags and texts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nlpipe.predictions import Predictions
from nlpipe.wire import Labels, Tags, Text


def test_confidence_of_labels_is_their_probability() -> None:
    predictions = Predictions(Labels(["a", "b"]), np.array([0.9, 0.6]))
    assert predictions.confidence is not None and predictions.confidence.tolist() == [0.9, 0.6]


def test_confidence_of_tags_is_the_product_over_the_words_of_a_text() -> None:
    scores = np.empty(3, dtype=object)
    scores[:] = [np.array([0.5, 0.5]), np.array([0.9]), np.zeros(0)]
    confidence = Predictions(Tags([["O", "O"], ["O"], []]), scores).confidence
    assert confidence is not None and confidence.tolist() == [0.25, 0.9, 1.0]


def test_confidence_of_texts_does_not_fall_with_their_length_alone() -> None:
    """Each word, and the end, with probability one half; letters of a writing system without spaces are words."""
    texts = Text(["one", "one two three", "\u6211\u4eec", ""])
    scores = math.log(0.5) * np.array([2, 4, 3, 1])
    confidence = Predictions(texts, scores).confidence
    assert confidence is not None and confidence.tolist() == pytest.approx([0.5] * 4)


def test_scores_above_0_do_not_make_more_than_sure() -> None:
    confidence = Predictions(Text(["one"]), np.array([0.7])).confidence
    assert confidence is not None and confidence.tolist() == [1.0]


def test_there_is_no_confidence_without_scores() -> None:
    assert Predictions(Labels(["a"])).confidence is None
