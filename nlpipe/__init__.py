"""nlpipe: classical-to-neural NLP pipelines, declared in YAML and compared fairly.

    pipeline = nlpipe.load("pipelines/sentiment/tfidf_logreg.yaml")
    result = nlpipe.run("pipelines/sentiment/tfidf_logreg.yaml")
    comparison = nlpipe.compare("pipelines/sentiment/compare.yaml")

Everything is imported when it is first asked for, so that ``import nlpipe`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nlpipe.api import compare as compare
    from nlpipe.api import load as load
    from nlpipe.api import run as run
    from nlpipe.errors import NlpipeError as NlpipeError
    from nlpipe.pipeline import Pipeline as Pipeline
    from nlpipe.registry import register as register
    from nlpipe.wire import Labels as Labels
    from nlpipe.wire import Sequences as Sequences
    from nlpipe.wire import Tags as Tags
    from nlpipe.wire import Text as Text
    from nlpipe.wire import Tokens as Tokens
    from nlpipe.wire import Vectors as Vectors

_HOME = {
    "load": "api", "run": "api", "compare": "api", "Pipeline": "pipeline", "register": "registry",
    "NlpipeError": "errors", "Text": "wire", "Tokens": "wire", "Vectors": "wire", "Sequences": "wire",
    "Labels": "wire", "Tags": "wire",
}  # fmt: skip

__all__ = [
    "Labels", "NlpipeError", "Pipeline", "Sequences", "Tags", "Text", "Tokens", "Vectors", "compare", "load",
    "register", "run",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'nlpipe' has no attribute '{name}'")
    return getattr(importlib.import_module(f"nlpipe.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
