"""Representations turn words into vectors. Each file holds one stage or a few related ones; the table names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlpipe.registry import Slot
from nlpipe.stage import Representation

if TYPE_CHECKING:
    from nlpipe.representations.bert import Bert as Bert
    from nlpipe.representations.bow import BagOfWords as BagOfWords
    from nlpipe.representations.character_vectors import Characters as Characters
    from nlpipe.representations.distilled import Distilled as Distilled
    from nlpipe.representations.embedding import Embedding as Embedding
    from nlpipe.representations.hashing import Hashing as Hashing
    from nlpipe.representations.join import Join as Join
    from nlpipe.representations.new_bert import NewBert as NewBert
    from nlpipe.representations.static import Static as Static
    from nlpipe.representations.tfidf import TfIdf as TfIdf
    from nlpipe.representations.window import Window as Window
    from nlpipe.representations.word2vec import Word2Vec as Word2Vec

SLOT = Slot("representation", Representation, __name__, {
    "bow": "bow:BagOfWords",
    "hashing": "hashing:Hashing",
    "tfidf": "tfidf:TfIdf",
    "word2vec": "word2vec:Word2Vec",
    "static": "static:Static",
    "distilled": "distilled:Distilled",
    "embedding": "embedding:Embedding",
    "characters": "character_vectors:Characters",
    "bert": "bert:Bert",
    "new_bert": "new_bert:NewBert",
    "window": "window:Window",
    "join": "join:Join",
})  # fmt: skip
__getattr__ = SLOT.attribute
__dir__ = SLOT.class_names
