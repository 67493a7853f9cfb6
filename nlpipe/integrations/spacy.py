"""nlpipe in a spaCy pipeline: ``nlp.add_pipe("nlpipe", config={"model": "runs/bilstm-0123456789ab"})``.

The component keeps spaCy's words, tags them, and sets ``doc.ents``. spaCy finds it through the entry point
``spacy_factories``; in a checkout that is not installed, import this module first.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import ensure_path

from nlpipe import tag_schemes
from nlpipe.errors import ModelError
from nlpipe.pipeline import Pipeline
from nlpipe.wire import Locate, Tags, Tokens


@Language.factory("nlpipe", default_config={"model": "", "batch_size": 256})  # type: ignore[untyped-decorator]
def make(nlp: Language, name: str, model: str, batch_size: int) -> Entities:
    """The component of a saved pipeline.

    Args:
        nlp: the pipeline it is part of.
        name: of the component there.
        model: a run's folder, or a saved pipeline's.
        batch_size: documents tagged together in ``nlp.pipe``.
    """
    return Entities(model, batch_size)


class Entities:
    """Sets ``doc.ents`` of spaCy documents; the saved pipeline is loaded when the first one comes."""

    def __init__(self, model: str, batch_size: int = 256) -> None:
        self.model = model
        self.batch_size = batch_size
        self._pipeline: Pipeline | None = None

    @property
    def pipeline(self) -> Pipeline:
        """The saved pipeline.

        Raises:
            ModelError: no model is named, or it does not tag entities.
        """
        if self._pipeline is None:
            if not self.model:
                raise ModelError('name the model: nlp.add_pipe("nlpipe", config={"model": "runs/…"})')
            loaded = Pipeline.load(self.model)
            if loaded.task.name != "tagging":
                raise ModelError(f"{self.model}: a pipeline for {loaded.task.name}; doc.ents needs one for tagging")
            self._pipeline = loaded
        return self._pipeline

    def __call__(self, doc: Doc) -> Doc:
        return self._tag([doc])[0]

    def pipe(self, stream: Iterable[Doc], batch_size: int | None = None) -> Iterator[Doc]:
        """Documents as they come, in batches."""
        documents = iter(stream)
        while batch := list(islice(documents, batch_size or self.batch_size)):
            yield from self._tag(batch)

    def _tag(self, documents: list[Doc]) -> list[Doc]:
        kept = [[token.i for token in doc if not token.is_space] for doc in documents]
        tokens = Tokens(
            [[doc[i].text for i in places] for doc, places in zip(documents, kept, strict=True)],
            [doc.text for doc in documents],
            _locate(documents, kept),
        )
        found = self.pipeline.predict(tokens).values
        assert isinstance(found, Tags)
        for doc, places, tags in zip(documents, kept, found.values, strict=True):
            units = tag_schemes.to_spans(tags)
            doc.set_ents([Span(doc, places[start], places[end - 1] + 1, label=kind) for start, end, kind in units])
        return documents

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Write the model into ``path``, so that the spaCy pipeline is whole."""
        target = ensure_path(path)
        if target.exists():
            shutil.rmtree(target)
        self.pipeline.save(target)

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> Entities:
        """Take the model that ``to_disk`` wrote."""
        self.model, self._pipeline = str(path), None
        return self


def _locate(documents: list[Doc], kept: list[list[int]]) -> Locate:
    """Where the words of these documents stand, by their text."""
    places: dict[str, Any] = {
        doc.text: [(doc[i].idx, doc[i].idx + len(doc[i])) for i in indices]
        for doc, indices in zip(documents, kept, strict=True)
    }
    return lambda text, words: places[text]
