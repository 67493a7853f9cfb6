"""Small stages of every wire for the tests of pipeline files, registered in slots emptied for the test."""

from __future__ import annotations

from typing import Any, Literal

from nlpipe.capabilities import Trained
from nlpipe.errors import Fault, SpecError
from nlpipe.options import Dropout, Positive, PositiveFloat
from nlpipe.registry import FOLDERS, slot
from nlpipe.stage import Decoder, Encoder, Head, LabelHead, Representation, Tokenizer
from nlpipe.wire import Labels, Sequences, Tags, Text, Tokens, Vectors
from nlpipe.yaml_values import Value


class Regex(Tokenizer):
    """Words by a pattern.

    Options:
        lowercase: whether words are put into lower case,
            which most classical pipelines want.
    """

    def __init__(self, lowercase: bool = False) -> None:
        self.lowercase = lowercase

    def forward(self, source: Text) -> Tokens:
        return Tokens([text.split() for text in source.strings], source.strings)

    def spans(self, text: str, words: list[str]) -> list[tuple[int, int]]:
        return []

    def join(self, words: Any) -> str:
        return " ".join(words)


class Characters(Regex):
    """Every character."""


class Bow(Representation[Tokens, Vectors]):
    """Counts of words.

    Options:
        ngrams: shortest and longest n-gram.
        min_df: texts a word must stand in.
        class_weight: a word or nothing.
    """

    def __init__(
        self, ngrams: tuple[Positive, Positive] = (1, 1), min_df: Positive = 1, words: list[str] | None = None
    ) -> None:
        if ngrams[0] > ngrams[1]:
            raise ValueError(f"ngrams {ngrams[0]} to {ngrams[1]} is no range")

    def forward(self, source: Tokens) -> Vectors:
        raise NotImplementedError


class TfIdf(Bow):
    """Weighted counts."""


class Embedding(Representation[Tokens, Sequences]):
    """Learned vectors."""

    def __init__(self, dim: Positive = 100) -> None: ...

    @property
    def trainable(self) -> bool:
        return True

    def forward(self, source: Tokens) -> Sequences:
        raise NotImplementedError


class Static(Embedding):
    """Given vectors."""

    def __init__(self, path: str, trainable: bool = False, tokenizer: Tokenizer | None = None) -> None:
        self.tuned = trainable

    @property
    def trainable(self) -> bool:
        return self.tuned


class Join(Representation[Tokens, Sequences]):
    """Several side by side."""

    def __init__(self, parts: list[Representation], tokens: Tokenizer | Literal["shared"] = "shared") -> None: ...

    def forward(self, source: Tokens) -> Sequences:
        raise NotImplementedError


class Lstm(Encoder[Sequences, Sequences]):
    """Memory."""

    def __init__(self, hidden: Positive = 128, dropout: Dropout = 0.0, bidirectional: bool = True) -> None: ...

    @property
    def trainable(self) -> bool:
        return True

    def forward(self, source: Sequences) -> Sequences:
        raise NotImplementedError


class Mean(Encoder[Sequences, Vectors]):
    """The average."""

    def __init__(self) -> None: ...

    def forward(self, source: Sequences) -> Vectors:
        raise NotImplementedError


class Linear(LabelHead):
    """A linear classifier.

    Options:
        C: inverse strength of the penalty.
    """

    def __init__(self, C: PositiveFloat = 1.0, penalty: Literal["l1", "l2"] | None = "l2") -> None: ...  # noqa: N803

    def predict(self, source: Vectors) -> Any:
        raise NotImplementedError


class Classifier(Linear, Trained[Vectors, Labels]):
    """A neural classifier."""

    def loss(self, source: Vectors, target: Labels) -> Any:
        raise NotImplementedError

    def __init__(self, dropout: Dropout = 0.0) -> None: ...


class Tagger(Head[Sequences, Tags], Trained[Sequences, Tags]):
    """A tagger."""

    def loss(self, source: Sequences, target: Tags) -> Any:
        raise NotImplementedError

    def __init__(self) -> None: ...

    def predict(self, source: Sequences) -> Any:
        raise NotImplementedError


class Dictionary(Head[Tokens, Labels]):
    """Counts listed words."""

    def __init__(self, words: list[str]) -> None: ...

    def predict(self, source: Tokens) -> Any:
        raise NotImplementedError


TABLE = {
    "tokenizer": {"regex": Regex, "characters": Characters},
    "representation": {"bow": Bow, "tfidf": TfIdf, "embedding": Embedding, "static": Static, "join": Join},
    "encoder": {"lstm": Lstm, "mean": Mean},
    "decoder": {},
    "head": {"logistic_regression": Linear, "classifier": Classifier, "tagger": Tagger, "dictionary": Dictionary},
}
assert set(TABLE) == set(FOLDERS) and Decoder


def attempt(read: Any, *arguments: Any) -> tuple[Any, tuple[Fault, ...]]:
    """What ``read`` gives, or the faults it finds; any other error comes through."""
    try:
        return read(*arguments), ()
    except SpecError as error:
        return None, error.faults


def no_cards(value: Value) -> tuple[Any, None]:
    """Instead of ``read_data``: any name is a card, of an unknown task."""
    return value.plain(), None


def install(monkeypatch: Any) -> None:
    """These stages and one whose package is missing, instead of those of nlpipe, until the test ends; no cards."""
    monkeypatch.setattr("nlpipe.spec.pipelines.read_data", no_cards)
    for kind, stages in TABLE.items():
        known = slot(kind)
        monkeypatch.setattr(known, "table", {"spacy": "tests_missing_package:Spacy"} if kind == "tokenizer" else {})
        monkeypatch.setattr(known, "_registered", {})
        monkeypatch.setitem(known.__dict__, "_entry_points", {})
        for name, owner in stages.items():
            known.register(name)(owner)
