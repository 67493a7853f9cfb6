"""Tagging: every word of a text gets a tag: named entities, parts of speech, any label of tokens.

Tags that mark entities (``B-PER``, ``I-PER``, ``O``) are read in any of the usual schemes and kept as IOB2; other tags
stay as they are. Entities may also be given as spans of characters: the text is then split by the ``regex`` tokenizer.
A span whose ends are not those of words has no tags; it is counted, and scored as missed.
"""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from nlpipe import tag_schemes
from nlpipe.errors import DataError, NlpipeWarning
from nlpipe.metrics.metric import Metric
from nlpipe.metrics.tag_metrics import tagging_metrics
from nlpipe.predictions import AnyPredictions, Predictions
from nlpipe.stage import Tokenizer
from nlpipe.tasks.entity_spans import apart, at_words, known_spans, split_at
from nlpipe.tasks.tagging_rows import SPLITTER, bare_type, item_place, tags_of, words_from_spans, words_of
from nlpipe.tasks.task import Answer, Column, Note, Row, Split, Task, ignore
from nlpipe.wire import Entity, Span, Tags, Text, Tokens, Wire


class Tagging(Task):
    """One tag a word.

    Args:
        scheme: how tags mark entities: one of ``nlpipe.tag_schemes.SCHEMES``, or auto: detected in the training split.
        split_at_entities: whether words of the training split are split where an entity that is given in characters
            begins or ends; those of other splits never are, since that would tell where their entities are.
    """

    name: ClassVar[str] = "tagging"
    source: ClassVar[type[Wire]] = Tokens
    target: ClassVar[type[Wire]] = Tags
    columns: ClassVar[Mapping[str, str | int]] = {
        "token": "tokens", "tag": "tags", "text": "text", "entities": "entities",
    }  # fmt: skip
    primary: ClassVar[str] = "f1"
    inputs: ClassVar[tuple[str, ...]] = ("text", "token")
    formats: ClassVar[tuple[str, ...]] = ("conll", "jsonl", "parquet")
    usual_format: ClassVar[str | None] = "conll"
    example: ClassVar[Mapping[str, Any]] = {
        name: [{"start": 0, "end": 5, "type": "PER", "text": "Maria", "score": 0.9}] for name in ("entities", "tokens")
    }

    def __init__(self, scheme: str = "auto", split_at_entities: bool = False) -> None:
        self.scheme = scheme
        self.split_at_entities = split_at_entities
        self.detects_scheme = scheme == "auto"
        self.seen: frozenset[tuple[str, ...]] | None = None
        """The words of the training split's entities, in lower case; None where no data was read."""

    def roles(self, form: str | None, given: Mapping[str, Column]) -> dict[str, str | int]:
        """Columns 0 and -1 of conll; else ``tokens`` and ``tags``, or ``text`` and ``entities`` if one is given."""
        single = super().roles(form, given)
        if form == "conll":
            return {"token": 0, "tag": -1, **{role: single[role] for role in given}}
        roles = ("text", "entities") if {"text", "entities"} & set(given) else ("token", "tag")
        return {**{role: self.columns[role] for role in roles}, **{role: single[role] for role in given}}

    def labels(self, train: Split) -> tuple[str, ...]:
        assert isinstance(train.targets, Tags)
        return tuple(sorted({tag for tags in train.targets.values for tag in tags}))

    def usual_primary(self, labels: Sequence[str]) -> str:
        """``f1`` of entities; ``accuracy`` where tags mark none."""
        return "f1" if self._marks(labels) else "accuracy"

    def _marks(self, labels: Sequence[str]) -> bool:
        return self.scheme != "none" and tag_schemes.marks_entities(labels)

    def targets(self, values: Sequence[Any]) -> Tags:
        return Tags(values)

    def split(self, rows: Iterable[Row], labels: Mapping[str, str] | None = None, note: Note = ignore) -> Split:
        texts: list[str] = []
        words: list[list[str]] = []
        tags: list[list[str]] = []
        places: list[Row] = []
        entities: list[list[Entity]] = []
        spanned = False
        invalid: list[str] = []

        def counted(what: str, example: str) -> None:
            if what == "entities_invalid":
                invalid.append(example)
            note(what, example)

        for row in rows:
            if "entities" in row.fields:
                spanned = True
                text, row_words, row_tags, row_entities = words_from_spans(row, labels, counted)
                texts.append(text)
                entities.append(row_entities)
            else:
                row_words = words_of(row)
                row_tags = tags_of(row, row_words, labels)
            words.append(row_words)
            tags.append(row_tags)
            places.append(row)
        if invalid and not any(entities):
            raise DataError(f"{invalid[0]}; no entity of this split can be read")
        if not spanned:
            tags = self._to_iob2(tags, places, note)
        elif self.scheme == "auto":
            self.scheme = "IOB2"
        tokens = Tokens(words, texts, SPLITTER.spans) if spanned else Tokens.from_words(words)
        if self.seen is None:
            self.seen = surfaces(tokens.words, tags) if self.scheme != "none" else frozenset()
        targets = Tags(tags, tokens, entities if spanned else None)
        return Split(tokens, targets, self._places(tags, places))

    def settle(self, train: Split) -> None:
        """Keep the words of the training split's entities, without those of splits that were taken from it."""
        if isinstance(train.inputs, Tokens) and isinstance(train.targets, Tags) and self.scheme != "none":
            self.seen = surfaces(train.inputs.words, train.targets.values)

    def training(self, split: Split) -> Split:
        """The training split, with words split at the borders of entities where the card says so."""
        tokens, targets = split.inputs, split.targets
        assert isinstance(tokens, Tokens) and isinstance(targets, Tags)
        if not self.split_at_entities or targets.entities is None:
            return split
        borders: dict[str, set[int]] = {}
        for text, entities in zip(tokens.texts, targets.entities, strict=True):
            borders.setdefault(text, set()).update(border for entity in entities for border in entity[:2])
        spans = {text: split_at(SPLITTER.cut(text), borders[text]) for text in borders}
        words = [[SPLITTER.normalise(text[start:end]) for start, end in spans[text]] for text in tokens.texts]
        tags = []
        for text, entities in zip(tokens.texts, targets.entities, strict=True):
            units, _ = apart(at_words(entities, spans[text])[0])
            tags.append(tag_schemes.from_spans(units, len(spans[text]), "IOB2"))
        split_tokens = Tokens(words, tokens.texts, partial(known_spans, spans))
        return replace(split, inputs=split_tokens, targets=Tags(tags, split_tokens, targets.entities))

    def _places(self, tags: Sequence[Sequence[str]], rows: Sequence[Row]) -> dict[str, str]:
        """Where each type of entity first stands, or each tag where tags mark none."""
        first: dict[str, str] = {}
        for sentence, row in zip(tags, rows, strict=True):
            for i, tag in enumerate(sentence):
                kind = tag if self.scheme == "none" else tag[2:]
                if kind not in first:
                    first[kind] = f"{row.path}:{row.lines[i] if row.lines else row.line}"
        return first

    def _to_iob2(self, tags: list[list[str]], places: Sequence[Row], note: Note) -> list[list[str]]:
        """The same entities in IOB2; tags that continue nothing are counted and begin an entity, as conlleval reads."""
        if self.scheme == "auto":
            self.scheme = tag_schemes.detect(tags)
            near = (
                tag_schemes.nearly_marks(tag for sentence in tags for tag in sentence) if self.scheme == "none" else ""
            )
            bare = bare_type(tags) if self.scheme == "none" and self.detects_scheme and not near else ""
            if bare:
                message = f"tags such as '{bare}' beside 'O' are read as plain labels of words; if they mark entities"
                warnings.warn(f"{message}, write I-{bare}, else data.scheme: none", NlpipeWarning, stacklevel=2)
            if near:
                message = f"tags such as '{near}' are read as plain labels; entities are marked as in B-PER and I-PER"
                warnings.warn(f"{message}; data.scheme: none says that none are meant", NlpipeWarning, stacklevel=2)
        if self.scheme == "none":
            return tags
        converted = []
        for sentence, row in zip(tags, places, strict=True):
            for i, tag in enumerate(sentence):
                if fault := tag_schemes.malformed(tag, self.scheme):
                    way = (
                        f"; the first split looked like {self.scheme}: data.scheme says which it is"
                        * self.detects_scheme
                    )
                    raise DataError(f"{item_place(row, 'tag', i)}: {fault}{way}")
            for i, fault in tag_schemes.faults(sentence, self.scheme):
                note("tags_out_of_scheme", f"{item_place(row, 'tag', i)}: {fault}")
            converted.append(tag_schemes.convert(sentence, self.scheme, "IOB2"))
        return converted

    def key(self, inputs: Wire, i: int) -> str:
        """The words in NFC, case folded, with one space between."""
        assert isinstance(inputs, Tokens)
        text = " ".join(inputs.words[i])
        return (text if text.isascii() else unicodedata.normalize("NFC", text)).casefold()

    def with_raw(
        self, inputs: Wire, predictions: AnyPredictions, tokenizer: Tokenizer, predict: Answer
    ) -> AnyPredictions:
        """``predictions`` with the entities found in the texts as ``tokenizer`` splits them, in characters.

        Of data that comes split the text is not known: its words with spaces between stand for it.
        """
        assert isinstance(inputs, Tokens) and isinstance(predictions.values, Tags)
        tags = predictions.values
        if self.scheme == "none" or not tag_schemes.marks_entities(tag for tags_ in tags.values for tag in tags_):
            return predictions
        entities = predictions.entities
        split = tokenizer.forward(Text(inputs.texts))
        otherwise = [i for i in range(len(inputs)) if split.spans(i) != inputs.spans(i)]
        if otherwise:
            answers = predict([inputs.texts[i] for i in otherwise])
            for i, found in zip(otherwise, answers.entities, strict=True):
                entities[i] = found
        return replace(predictions, values=Tags(tags.values, tags.tokens, entities))

    def remarks(self, scores: Mapping[str, float]) -> list[str]:
        """That ``f1_raw`` differs from ``f1`` by more than a point."""
        given, raw = scores.get("f1"), scores.get("f1_raw")
        if given is None or raw is None or abs(given - raw) <= RAW_TOLERANCE:
            return []
        message = (
            f"f1 is {given:.3f} on the words of the data and {raw:.3f} (f1_raw) on the texts as the tokenizer splits"
        )
        return [f"{message} them: expect f1_raw in use; a tokenizer that splits as the data does brings them together"]

    def metrics(self, labels: Sequence[str], ordinal: bool = False) -> list[Metric]:
        return tagging_metrics(labels, "IOB2" if self._marks(labels) else "none", self.seen)

    def state(self) -> dict[str, Any]:
        """``scheme``, and ``seen``: the words of the training split's entities, in lower case; null where no data was
        read."""
        seen = None if self.seen is None else sorted(map(list, self.seen))
        return {**super().state(), "scheme": self.scheme, "seen": seen}

    def load_state(self, state: Mapping[str, Any]) -> None:
        super().load_state(state)
        self.scheme = state.get("scheme", self.scheme)
        seen = state.get("seen")
        self.seen = None if seen is None else frozenset(map(tuple, seen))

    def record(self, gold: Wire | None, predictions: AnyPredictions, i: int) -> dict[str, Any]:
        """``words``, ``gold``, ``predicted`` and ``scores`` of each word; where gold is not known, the answer:
        ``entities`` with their characters in the text, or ``tokens`` with their tags where tags mark no entities."""
        answer = predictions.values
        assert isinstance(answer, Tags) and answer.tokens is not None
        tags = answer.values[i]
        scores = None if predictions.scores is None else predictions.scores[i]
        if gold is not None:
            assert isinstance(gold, Tags)
            record: dict[str, Any] = {"words": answer.tokens.words[i], "gold": gold.values[i], "predicted": tags}
            if gold.entities is not None or answer.entities is not None:
                record["entities"] = {"gold": _entities(gold, i)}
            if answer.entities is not None:
                record["entities"]["predicted"] = answer.entities[i]
            return record if scores is None else {**record, "scores": [round(float(score), 4) for score in scores]}
        text, spans = answer.tokens.texts[i], answer.tokens.spans(i)
        if tag_schemes.marks_entities(predictions.classes or tags):
            units = tag_schemes.to_spans(tags, "IOB2")
            return {"entities": [_entity(text, spans, unit, scores) for unit in units]}
        tagged = [(t, t + 1, tag) for t, tag in enumerate(tags)]
        return {"tokens": [_entity(text, spans, unit, scores) for unit in tagged]}

    def line(self, record: Mapping[str, Any]) -> str:
        """``text/TYPE start-end`` of each entity, a tab between; where tags mark none, ``text/TAG`` of each word."""
        if "tokens" in record:
            return " ".join(f"{unit['text']}/{unit['type']}" for unit in record["tokens"])
        flat = [" ".join(str(unit["text"]).split()) for unit in record["entities"]]
        units = zip(flat, record["entities"], strict=True)
        return "\t".join(f"{text}/{unit['type']} {unit['start']}-{unit['end']}" for text, unit in units)

    def restore(self, records: Sequence[Mapping[str, Any]]) -> tuple[Wire, AnyPredictions]:
        """Gold and predictions back, with their words.

        Raises:
            DataError: a record lacks words, gold or predicted tags, or their numbers differ.
        """
        for number, record in enumerate(records, 1):
            counts = {len(record[name]) if name in record else -1 for name in ("words", "gold", "predicted")}
            if len(counts) > 1 or -1 in counts:
                raise DataError(f"predictions, record {number}: words, gold and predicted must be as many")
        tokens = Tokens.from_words([list(record["words"]) for record in records])
        scores = None
        if records and all("scores" in record for record in records):
            scores = ragged([np.array(record["scores"]) for record in records])
        gold, predicted = (
            Tags([list(record[name]) for record in records], tokens, _stored(records, name))
            for name in ("gold", "predicted")
        )
        return gold, Predictions(predicted, scores)


RAW_TOLERANCE = 0.01
"""How far ``f1_raw`` may be from ``f1`` without a warning."""


def surfaces(words: Sequence[list[str]], tags: Sequence[list[str]]) -> frozenset[tuple[str, ...]]:
    """The words, in lower case, of every entity."""
    return frozenset(
        tuple(word.lower() for word in sentence[start:end])
        for sentence, sentence_tags in zip(words, tags, strict=True)
        for start, end, _ in tag_schemes.to_spans(sentence_tags, "IOB2")
    )


def ragged(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """(B,) array of arrays of any length."""
    column = np.empty(len(arrays), dtype=object)
    for i, array in enumerate(arrays):
        column[i] = array
    return column


def _entity(text: str, spans: Sequence[Span], unit: Entity, scores: np.ndarray | None) -> dict[str, Any]:
    """An entity of words ``unit`` in characters; its score is that of its least certain word."""
    first, last, kind = unit
    start, end = spans[first][0], spans[last - 1][1]
    entity = {"start": start, "end": end, "type": kind, "text": text[start:end]}
    return entity if scores is None else {**entity, "score": round(float(np.min(scores[first:last])), 4)}


def _entities(gold: Tags, i: int) -> list[Entity]:
    """The gold entities of example ``i`` in characters: those of the data, or those of its tags."""
    if gold.entities is not None:
        return gold.entities[i]
    assert gold.tokens is not None
    spans = gold.tokens.spans(i)
    units = tag_schemes.to_spans(gold.values[i], "IOB2")
    return [(spans[first][0], spans[last - 1][1], kind) for first, last, kind in units]


def _stored(records: Sequence[Mapping[str, Any]], name: str) -> list[list[Entity]] | None:
    """The entities ``name``, gold or predicted, of stored answers; None where they were not stored."""
    stored = [record.get("entities", {}).get(name) for record in records]
    if any(entities is None for entities in stored):
        return None
    return [[(start, end, kind) for start, end, kind in entities] for entities in stored]
