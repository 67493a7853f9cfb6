"""A saved pipeline as a spaCy component: ``nlp.add_pipe("nlpipe", config={"model": "runs/bilstm-0123456789ab"})``.

The component tags the words that spaCy's tokenizer made and sets ``doc.ents``. spaCy finds it through the entry point
``spacy_factories``; if nlpipe is not installed as a distribution, import this module first.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import srsly
from spacy.language import Language
from spacy.scorer import get_ner_prf
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import ensure_path

from nlpipe import tag_schemes
from nlpipe.errors import ModelError
from nlpipe.pipeline import Pipeline
from nlpipe.wire import Locate, Tags, Tokens


@Language.factory(  # type: ignore[untyped-decorator]
    "nlpipe",
    default_config={"model": "", "batch_size": 256, "overwrite": False},
    assigns=["doc.ents"],
    default_score_weights={"ents_f": 1.0, "ents_p": 0.0, "ents_r": 0.0, "ents_per_type": None},
)
def make(nlp: Language, name: str, model: str, batch_size: int, overwrite: bool) -> Entities:
    """Make the component from a saved pipeline.

    Args:
        nlp: the spaCy pipeline to which the component is added.
        name: of the component in this pipeline.
        model: the folder of a run or of a saved pipeline.
        batch_size: number of documents that ``nlp.pipe`` tags together.
        overwrite: whether entities that a document has already are removed; else they stay, and predicted ones that
            overlap them are left out, as spaCy's entity ruler does.
    """
    return Entities(model, batch_size, overwrite)


class Entities:
    """A component that sets ``doc.ents``; the saved pipeline is loaded with the first document."""

    def __init__(self, model: str, batch_size: int = 256, overwrite: bool = False) -> None:
        self.model = model
        self.batch_size = batch_size
        self.overwrite = overwrite
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
            earlier = [] if self.overwrite else list(doc.ents)
            taken = {i for span in earlier for i in range(span.start, span.end)}
            units = tag_schemes.to_spans(tags)
            spans = [Span(doc, words[start], words[end - 1] + 1, label=kind) for start, end, kind in units]
            doc.set_ents([*earlier, *(span for span in spans if taken.isdisjoint(range(span.start, span.end)))])
        return documents

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Write the model into ``path``, so that the saved spaCy pipeline is complete."""
        self.pipeline.save(ensure_path(path))  # written beside it and renamed, so that it may be the model's own folder

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """The files of the model."""
        with tempfile.TemporaryDirectory() as folder:
            saved = self.pipeline.save(Path(folder) / "model")
            content: bytes = srsly.msgpack_dumps({path.name: path.read_bytes() for path in saved.iterdir()})
        return content

    def from_bytes(self, data: bytes, *, exclude: Iterable[str] = ()) -> Entities:
        """Use the model that ``to_bytes`` gave.

        Raises:
            ModelError: the bytes are damaged.
        """
        with tempfile.TemporaryDirectory() as folder:
            for name, content in srsly.msgpack_loads(data).items():
                (Path(folder) / Path(name).name).write_bytes(content)
            self._pipeline = Pipeline.load(folder)
        return self

    def score(self, examples: Iterable[Example], **options: Any) -> dict[str, Any]:
        """Precision, recall and F1 of entities, for ``nlp.evaluate``."""
        scores: dict[str, Any] = get_ner_prf(examples)
        return scores

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> Entities:
        """Use the model that ``to_disk`` wrote."""
        self.model, self._pipeline = str(path), None
        return self


def _locate(documents: list[Doc], indices: list[list[int]]) -> Locate:
    """A function that gives the character spans of the words of these documents, by text and words."""
    spans: dict[tuple[str, tuple[str, ...]], Any] = {
        (doc.text, tuple(doc[i].text for i in words)): [(doc[i].idx, doc[i].idx + len(doc[i])) for i in words]
        for doc, words in zip(documents, indices, strict=True)
    }
    return lambda text, words: spans[text, tuple(words)]
