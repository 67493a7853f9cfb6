"""A saved pipeline as a spaCy component: ``nlp.add_pipe("nlpipe", config={"model": "runs/bilstm-0123456789ab"})``.

The component tags the words that spaCy's tokenizer made and sets ``doc.ents``. spaCy finds it through the entry point
``spacy_factories``; if nlpipe is not installed as a distribution, import this module first.
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
    """Make the component from a saved pipeline.

    Args:
        nlp: the spaCy pipeline to which the component is added.
        name: of the component in this pipeline.
        model: the folder of a run or of a saved pipeline.
        batch_size: number of documents that ``nlp.pipe`` tags together.
    """
    return Entities(model, batch_size)


class Entities:
    """A component that sets ``doc.ents``; the saved pipeline is loaded with the first document."""

    def __init__(self, model: str, batch_size: int = 256) -> None:
        self.model = model
        self.batch_size = batch_size
        self._pipeline: Pipeline | None = None

    @property
    def pipeline(self) -> Pipeline:
        """The saved pipeline.

        Raises:
            ModelError: no model is named, or it is not a pipeline for tagging.
        """
        if self._pipeline is None:
            if not self.model:
                raise ModelError('nlpipe: no model is named; write nlp.add_pipe("nlpipe", config={"model": "runs/…"})')
            loaded = Pipeline.load(self.model)
            if loaded.task.name != "tagging":
                raise ModelError(
                    f"{self.model}: this pipeline is for {loaded.task.name}, but doc.ents needs one for tagging"
                )
            self._pipeline = loaded
        return self._pipeline

    def __call__(self, doc: Doc) -> Doc:
        return self._tag([doc])[0]

    def pipe(self, stream: Iterable[Doc], batch_size: int | None = None) -> Iterator[Doc]:
        """Tag a stream of documents in batches."""
        documents = iter(stream)
        while batch := list(islice(documents, batch_size or self.batch_size)):
            yield from self._tag(batch)

    def _tag(self, documents: list[Doc]) -> list[Doc]:
        indices = [[token.i for token in doc if not token.is_space] for doc in documents]  # of words in each document
        tokens = Tokens(
            [[doc[i].text for i in words] for doc, words in zip(documents, indices, strict=True)],
            [doc.text for doc in documents],
            _locate(documents, indices),
        )
        predicted = self.pipeline.predict(tokens).values
        assert isinstance(predicted, Tags)
        for doc, words, tags in zip(documents, indices, predicted.values, strict=True):
            entities = tag_schemes.to_spans(tags)
            doc.set_ents([Span(doc, words[start], words[end - 1] + 1, label=kind) for start, end, kind in entities])
        return documents

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Write the model into ``path``, so that the saved spaCy pipeline is complete."""
        target = ensure_path(path)
        if target.exists():
            shutil.rmtree(target)
        self.pipeline.save(target)

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> Entities:
        """Use the model that ``to_disk`` wrote."""
        self.model, self._pipeline = str(path), None
        return self


def _locate(documents: list[Doc], indices: list[list[int]]) -> Locate:
    """A function that gives the character spans of the words of these documents, by text."""
    spans: dict[str, Any] = {
        doc.text: [(doc[i].idx, doc[i].idx + len(doc[i])) for i in words]
        for doc, words in zip(documents, indices, strict=True)
    }
    return lambda text, words: spans[text]
