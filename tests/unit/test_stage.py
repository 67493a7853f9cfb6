"""How stages and predictions are shown: short, with what differs from the defaults; when a stage is ready for use."""

from __future__ import annotations

import numpy as np
from torch import nn

from nlpipe.decoders import GRU
from nlpipe.encoders import LSTM
from nlpipe.heads import LogisticRegression, Seq2Seq
from nlpipe.predictions import Predictions
from nlpipe.representations import Embedding, Join, Static, TfIdf
from nlpipe.stage import Representation
from nlpipe.tokenizers import Regex
from nlpipe.use_order import missing_before_use
from nlpipe.wire import Labels, Tags, Text, Tokens, Vectors


def test_a_stage_shows_the_options_that_differ_from_the_defaults() -> None:
    assert repr(TfIdf()) == "TfIdf()"
    assert repr(TfIdf(ngrams=(1, 2), smooth=True, norm=None)) == "TfIdf(ngrams=(1, 2), norm=None)"
    assert repr(Regex(r"\w+")) == "Regex(pattern='\\\\w+')"
    assert repr(LogisticRegression(C=10)) == "LogisticRegression(C=10.0)"


def test_long_values_are_shortened() -> None:
    shown = repr(TfIdf(stop_words=[f"word{i}" for i in range(1000)]))
    assert shown == "TfIdf(stop_words=['word0', 'word1', 'word2', 'word3', 'word4', 'word5', ...])"
    assert len(repr(Static("a" * 1000))) < 120


def test_nested_stages_are_shown_in_the_same_way() -> None:
    assert (
        repr(Join([Static(trainable=True), Embedding(dim=8)]))
        == "Join(parts=[Static(trainable=True), Embedding(dim=8)])"
    )
    shown = repr(Seq2Seq(GRU(hidden=6), tokenizer=Regex(lowercase=False)))
    assert shown == "Seq2Seq(decoder=GRU(hidden=6), tokenizer=Regex(lowercase=False))"


def test_a_neural_stage_is_as_short_and_its_tree_of_modules_is_still_there() -> None:
    stage = LSTM(hidden=6, bidirectional=True, width=4)
    assert repr(stage) == "LSTM(hidden=6, bidirectional=True, width=4)"
    tree = nn.Module.__repr__(stage)
    assert tree.startswith("LSTM(\n")
    assert "LSTM(4, 6" in tree
    assert repr(nn.ModuleList([stage])).count("\n") == 2  # it stays one line within other modules


def test_predictions_show_what_they_hold() -> None:
    labels = Labels(["a", "b"])
    assert repr(Predictions(labels)) == "Predictions(Labels(2 labels))"
    shown = repr(Predictions(labels, np.ones(2), np.ones((2, 3)), ("a", "b", "c")))
    assert shown == "Predictions(Labels(2 labels), scores, probabilities of 3 classes)"
    assert repr(Predictions(Tags([["O"]]))) == "Predictions(Tags(1 text, 1 tag))"
    assert repr(Predictions(Text(["x"]), np.zeros(1))) == "Predictions(Text(1 text), scores)"


class Longest(Representation[Tokens, Vectors]):
    """Looks at the training split and keeps nothing of it, so that its state is empty."""

    def fit(self, data: Tokens, targets: object = None) -> None:
        """Keep nothing."""

    def forward(self, source: Tokens) -> Vectors:
        return Vectors(np.array([[float(max(map(len, words), default=0))] for words in source.words]))


def test_a_stage_that_keeps_nothing_of_what_it_fits_is_ready_once_it_is_loaded() -> None:
    stage = Longest()
    assert "call fit first" in missing_before_use(stage)
    stage.load_state(stage.state(), stage.version)
    assert missing_before_use(stage) == ""
